"""Can canaries be told from other requests? `python -m benchmarks.recognising [CSV …]`: an AUC for each view and mix.

A logistic regression learns, on three quarters, to tell the author's requests from others, and is tried on the last
quarter, by turns. It is given what a node or an evaluator sees of one request: never keys, payers or timing. The others
are the held-out questions that the live trial asks, and the `prompt` or `Question` column of each named file.

A weak reader: what it tells apart, anybody can; what it cannot, somebody with more examples and a better model may.
"""

import argparse
import csv
import itertools
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dgrid.author.chance import Chance
from dgrid.author.generator import known_task
from dgrid.processes.author_asking import write_body
from dgrid.processes.home import MODELS_OF_NODES
from dgrid.wire.openai import ChatRequest, decode_chat

HELD_OUT = Path(__file__).resolve().parent.parent / "models" / "heldout.jsonl"
COLUMNS = "prompt", "Question"
EACH, FOLDS = 500, 4
SLOTS = 1_024  # for hashed words
STEPS, RATE, RIDGE = 100, 0.5, 1e-3  # of gradient descent

Array = NDArray[np.float64]
View = Callable[[ChatRequest], Array]


@dataclass(frozen=True, slots=True)
class Mix:
    """Requests that are no canaries, and what they are."""

    name: str
    requests: Sequence[ChatRequest]


def shape(request: ChatRequest) -> Array:
    """Lengths and counts: turns, characters, words, sentences, lines, digits, capitals, question marks."""
    text = _text(request)
    words = text.split()
    counts = (len(request.messages), len(text), len(words), text.count("."), text.count("\n"), text.count("?"))
    marks = (len(re.findall(r"\d", text)), len(re.findall(r"[A-Z]", text)), len({word.lower() for word in words}))
    return np.log1p(np.array([*counts, *marks], dtype=np.float64))


def wording(request: ChatRequest) -> Array:
    """Which words and pairs of words occur, hashed."""
    found = np.zeros(SLOTS)
    words = re.findall(r"\w+|[^\w\s]", _text(request).lower())
    for term in (*words, *map(" ".join, itertools.pairwise(words))):
        found[crc32(term.encode()) % SLOTS] = 1.0
    return found


def phrasing(request: ChatRequest) -> Array:
    """As `wording`, but names, numbers and whatever stands in capitals hidden: how is asked, not about whom."""
    found = np.zeros(SLOTS)
    words = ["_" if word[:1].isupper() or word.isdigit() else word for word in re.findall(r"\w+", _text(request))]
    for term in map(" ".join, zip(words, words[1:], words[2:], strict=False)):
        found[crc32(term.encode()) % SLOTS] = 1.0
    return found


VIEWS: dict[str, View] = {"shape": shape, "phrasing": phrasing, "wording": wording}


def _text(request: ChatRequest) -> str:
    return "\n".join(message.text() for message in request.messages)


def auc(scores: Array, labels: Array) -> float:
    """How often a canary scores above another request; ties count half (Mann–Whitney)."""
    canaries, others = scores[labels == 1], scores[labels == 0]
    above = (canaries[:, None] > others[None, :]).mean()
    return float(above + (canaries[:, None] == others[None, :]).mean() / 2)


def learnt(features: Array, labels: Array) -> Callable[[Array], Array]:
    """A logistic regression with a small ridge, by gradient descent on standardised features."""
    middle, spread = features.mean(axis=0), features.std(axis=0)
    kept = spread > 0

    def scaled(values: Array) -> Array:
        return np.hstack([(values[:, kept] - middle[kept]) / (3 * spread[kept]), np.ones((len(values), 1))])

    known, weights = scaled(features), np.zeros(int(kept.sum()) + 1)
    step = RATE / max(1.0, float((known**2).sum(axis=1).mean()) / 8)
    for _ in range(STEPS):
        wrong = 1 / (1 + np.exp(-np.clip(known @ weights, -30, 30))) - labels
        weights -= step * (known.T @ wrong / len(labels) + RIDGE * weights)
    return lambda values: scaled(values) @ weights


def told_apart(canaries: Sequence[ChatRequest], others: Sequence[ChatRequest], *, view: View, seed: int) -> float:
    """The AUC on what was not learnt from, all folds together in the mean."""
    features = np.array([view(request) for request in (*canaries, *others)])
    labels = np.array([1.0] * len(canaries) + [0.0] * len(others))
    fold = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    found = []
    for at in range(FOLDS):
        score = learnt(features[fold != at], labels[fold != at])
        found.append(auc(score(features[fold == at]), labels[fold == at]))
    return float(np.mean(found))


def canaries_of(seed: int) -> list[ChatRequest]:
    chance, models = Chance(random.Random(seed)), tuple(sorted(set(MODELS_OF_NODES)))
    return [decode_chat(known_task(chance, models=models, write=write_body).body) for _ in range(EACH)]


def mixes(files: Sequence[Path], seed: int) -> Iterator[Mix]:
    """The held-out questions, those of them that read a text, and each file's."""
    lines = [json.loads(line) for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]
    talk = ("small talk", "out of scope", "handwritten out of scope")
    yield Mix("the trial's questions", [_asked(line["messages"]) for line in lines])
    yield Mix("… about a text", [_asked(line["messages"]) for line in lines if line["task"] not in talk])
    for file in files:
        yield Mix(file.stem, [_asked([{"role": "user", "content": text}]) for text in _column(file, seed)])
    yield Mix("other canaries", canaries_of(seed + 1))


def _asked(messages: list[dict[str, str]]) -> ChatRequest:
    return decode_chat(write_body(messages, model="auto", streamed=False, options={}))


def _column(file: Path, seed: int) -> list[str]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    name = next(column for column in COLUMNS if column in rows[0])
    return random.Random(seed).sample([row[name] for row in rows], min(EACH, len(rows)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    canaries = canaries_of(options.seed)
    print(f"| {EACH} canaries beside | {' | '.join(VIEWS)} |\n|---|{'---|' * len(VIEWS)}")
    for mix in mixes(options.files, options.seed):
        found = [told_apart(canaries, mix.requests, view=view, seed=options.seed) for view in VIEWS.values()]
        print(f"| {mix.name} ({len(mix.requests)}) | {' | '.join(f'{one:.2f}' for one in found)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
