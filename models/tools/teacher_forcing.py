"""Scores a given reply under a model with one prefill: log-probability of every token, beside the likeliest.

    python teacher_forcing.py ../dgrid-micro-q8_0.gguf "Anna lives in Oslo. Where does Anna live?" Oslo

For looking at single replies by hand; evaluators do the same with `dgrid.engines.forcing`. Needs the project installed.
"""

import argparse
from pathlib import Path

from dgrid.engines.libllama import Scorer, load_library

CONTEXT = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("user", help="the user's message")
    parser.add_argument("reply", help="the reply to score")
    arguments = parser.parse_args()
    with Scorer(load_library(), arguments.model, context=CONTEXT) as scorer:
        reply = scorer.tokens(f" {arguments.reply}<|im_end|>")
        prompt = scorer.tokens(f"<|im_start|>user\n{arguments.user}<|im_end|>\n<|im_start|>assistant\n")
        scored = scorer.score(prompt, reply)
    for token, logprob, best in zip(reply, scored.logprobs, scored.best, strict=True):
        print(f"{token:6d}  {logprob:9.4f}  likeliest {best:9.4f}")


if __name__ == "__main__":
    main()
