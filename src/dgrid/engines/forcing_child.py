"""The process in which given tokens are scored: started by `forcing`, gone with its parent.

Started as `python -m dgrid.engines.forcing_child`. One JSON line a task comes in on standard input, one line a result
goes out on standard output, until the input ends. It steps back behind whatever else wants the processor: a check must
not slow down the nodes beside it. A few models stay loaded, the one used longest ago goes first.
"""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from dgrid.engines.libllama import LibraryError, Scorer, load_library
from dgrid.engines.llama_child import die_with_parent

MODELS_LOADED_MAX: Final = 4
NICENESS: Final = 10


class Scorers:
    """The models loaded at present, in the order of their last use."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._loaded: dict[str, Scorer] = {}

    def get(self, path: str, *, context: int) -> Scorer:
        """A model ready to score. Raises LibraryError."""
        scorer = self._loaded.pop(path, None)
        if scorer is not None and scorer.context < context:
            scorer.close()
            scorer = None
        if scorer is None:
            while len(self._loaded) >= MODELS_LOADED_MAX:
                self._loaded.pop(next(iter(self._loaded))).close()
            scorer = Scorer(self._library, Path(path), context=context)
        self._loaded[path] = scorer
        return scorer


def main() -> None:
    die_with_parent()
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the library prints is no result
    try:
        scorers = Scorers(load_library())
    except LibraryError as error:
        say(answers, {"error": str(error)})
        return
    say(answers, {"ready": True})
    for line in sys.stdin:
        say(answers, result_of(scorers, json.loads(line)))


def result_of(scorers: Scorers, task: dict[str, Any]) -> dict[str, Any]:
    """One task's scores, choice by choice, or why there are none."""
    try:
        scorer = scorers.get(task["model"], context=task["context"])
        scored = [scorer.score(task["prompt"], reply) for reply in task["replies"]]
    except LibraryError as error:
        return {"error": str(error)}
    return {"replies": [{"logprobs": each.logprobs, "best": each.best} for each in scored]}


def say(answers: Any, result: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
