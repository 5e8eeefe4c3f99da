"""Can canaries be told from other requests? `python -m benchmarks.recognising [CSV …]`: an AUC for each view and mix.

A reader learns, on three quarters, to tell the author's requests from others, and is tried on the last quarter, by
turns: a logistic regression on lengths and counts, naive Bayes on what is written. It is given what a node or an
evaluator sees of one request: never keys, payers or timing. The others are the held-out questions that the live trial
asks; questions of the same making with all words of the built-in models' lists; the questions of each named file; and
each of these halved, one half asked by the author as questions of its own.

A weak reader: what it tells apart, anybody can; what it cannot, somebody with more examples and a better model may.
"""

import argparse
import csv
import itertools
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.canaries import BESIDE_BUILT_IN
from dgrid.author.chance import Chance
from dgrid.author.generator import known_task, own_task
from dgrid.author.naming import Answering
from dgrid.author.stock import OwnQuestion
from dgrid.processes.author_asking import write_body
from dgrid.wire.openai import ChatRequest, decode_chat

MODELS = Path(__file__).resolve().parent.parent / "models"
COLUMNS = "prompt", "Question"
TALK = "small talk", "out of scope", "handwritten out of scope"
EACH, FOLDS = 500, 4
STEPS, RATE, RIDGE = 100, 0.5, 1e-3  # of gradient descent
UNSEEN = 0.5  # what a term counts that one side never showed

Array = NDArray[np.float64]
Requests = Sequence[ChatRequest]
Reader = Callable[[ChatRequest], float]  # the higher, the more like a canary


@dataclass(frozen=True, slots=True)
class Mix:
    """Canaries, and requests that are none."""

    name: str
    canaries: Requests
    others: Requests


def shape(request: ChatRequest) -> Array:
    """Lengths and counts: turns, characters, words, sentences, lines, digits, capitals, question marks."""
    text = _text(request)
    words = text.split()
    counts = (len(request.messages), len(text), len(words), text.count("."), text.count("\n"), text.count("?"))
    marks = (len(re.findall(r"\d", text)), len(re.findall(r"[A-Z]", text)), len({word.lower() for word in words}))
    return np.log1p(np.array([*counts, *marks], dtype=np.float64))


def phrasing(request: ChatRequest) -> set[str]:
    """Three words in a row, with names, numbers and whatever stands in capitals hidden."""
    words = ["_" if word[:1].isupper() or word.isdigit() else word for word in re.findall(r"\w+", _text(request))]
    return set(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def wording(request: ChatRequest) -> set[str]:
    """Words and pairs of words."""
    words = re.findall(r"\w+|[^\w\s]", _text(request).lower())
    return {*words, *map(" ".join, itertools.pairwise(words))}


def letters(request: ChatRequest) -> set[str]:
    """Two to five letters or signs in a row."""
    text = _text(request)
    return {text[at : at + size] for size in (2, 3, 4, 5) for at in range(len(text) - size + 1)}


def _text(request: ChatRequest) -> str:
    return "\n".join(message.text() for message in request.messages)


def auc(canaries: Array, others: Array) -> float:
    """How often a canary scores above another request; ties count half (Mann–Whitney)."""
    above, same = canaries[:, None] > others[None, :], canaries[:, None] == others[None, :]
    return float(above.mean() + same.mean() / 2)


def by_counts(canaries: Requests, others: Requests) -> Reader:
    """A logistic regression on `shape` with a small ridge, by gradient descent on standardised features."""
    features = np.array([shape(request) for request in (*canaries, *others)])
    labels = np.array([1.0] * len(canaries) + [0.0] * len(others))
    middle, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)

    def scaled(values: Array) -> Array:
        return np.append((values - middle) / (3 * spread), 1.0)

    known = np.array([scaled(values) for values in features])
    weights = np.zeros(known.shape[1])
    for _ in range(STEPS):
        wrong = 1 / (1 + np.exp(-np.clip(known @ weights, -30, 30))) - labels
        weights -= RATE * (known.T @ wrong / len(labels) + RIDGE * weights)
    return lambda request: float(scaled(shape(request)) @ weights)


def by_terms(terms: Callable[[ChatRequest], Collection[str]]) -> Callable[[Requests, Requests], Reader]:
    """Naive Bayes: sums what each term that was ever seen says for a canary."""

    def learn(canaries: Requests, others: Requests) -> Reader:
        ours, theirs = (Counter(term for one in side for term in terms(one)) for side in (canaries, others))
        known = [*{*ours, *theirs}]
        counts = np.array([[side[term] for term in known] for side in (ours, theirs)]) + UNSEEN
        says = np.log(counts[0] / (len(canaries) + 2 * UNSEEN)) - np.log(counts[1] / (len(others) + 2 * UNSEEN))
        weights = dict(zip(known, says.tolist(), strict=True))
        return lambda request: sum(weights.get(term, 0.0) for term in terms(request))

    return learn


VIEWS: dict[str, Callable[[Requests, Requests], Reader]] = {
    "shape": by_counts, "phrasing": by_terms(phrasing), "words": by_terms(wording), "letters": by_terms(letters)
}  # fmt: skip


def told_apart(mix: Mix, learn: Callable[[Requests, Requests], Reader], *, seed: int) -> float:
    """The AUC on what was not learnt from, the mean of all folds."""
    sides, chance = (mix.canaries, mix.others), random.Random(seed)
    folds = [[(request, chance.randrange(FOLDS)) for request in side] for side in sides]
    found = []
    for at in range(FOLDS):
        reader = learn(*([request for request, fold in side if fold != at] for side in folds))
        ours, theirs = ([reader(request) for request, fold in side if fold == at] for side in folds)
        found.append(auc(np.array(ours), np.array(theirs)))
    return float(np.mean(found))


def generated(seed: int, *, with_talk: bool = True) -> list[ChatRequest]:
    """Canaries of the generator: beside built-in models, or beside any."""
    chance, answering = Chance(random.Random(seed)), BESIDE_BUILT_IN if with_talk else Answering()
    return [decode_chat(known_task(chance, answering=answering, write=write_body).body) for _ in range(EACH)]


def owned(conversations: Sequence[list[dict[str, str]]], seed: int) -> list[ChatRequest]:
    """Canaries of an author that asks these as its own questions."""
    chance, found = Chance(random.Random(seed)), []
    for at, messages in enumerate(conversations):
        said = tuple((message["role"], message["content"]) for message in messages)
        question = OwnQuestion(str(at).encode(), said, "-", options={})
        found.append(decode_chat(own_task(chance, question, answering=Answering(), write=write_body).body))
    return found


def mixes(files: Sequence[Path], seed: int) -> Iterator[Mix]:
    """The generator beside each kind of others, then each of these halved."""
    canaries = generated(seed)
    lines = [json.loads(line) for line in (MODELS / "heldout.jsonl").read_text(encoding="utf-8").splitlines()]
    trial = [line["messages"] for line in lines]
    texts = [line["messages"] for line in lines if line["task"] not in TALK]
    yield Mix("the trial's questions", canaries, requests_of(trial))
    yield Mix("… about a text", generated(seed, with_talk=False), requests_of(texts))
    yield Mix("such questions with all words", canaries, requests_of(with_all_words(seed)))
    columns = {file.stem: _column(file, seed) for file in files}
    for name, asked in columns.items():
        yield Mix(name, canaries, requests_of(asked[:EACH]))
    yield Mix("other canaries", canaries, generated(seed + 1))
    for name, asked in {"the trial's questions": trial, **columns}.items():
        mixed = random.Random(seed).sample(asked, len(asked))
        half = len(mixed) // 2
        yield Mix(f"{name}: half of them own questions", owned(mixed[:half], seed), requests_of(mixed[half:]))


def with_all_words(seed: int) -> list[list[dict[str, str]]]:
    """Items of the held-out ones' making, with all words of each list instead of its held-out part."""
    sys.path.append(str(MODELS / "training"))
    draw, maker, counts = import_module("draw"), import_module("generator"), import_module("heldout").COUNTS

    class Whole(draw.Draw):  # type: ignore[name-defined, misc]
        def part(self, items: list[Any]) -> list[Any]:
            return items

    chance = Whole(seed)
    return [maker.item(chance, task).messages() for task, count in counts.items() for _ in range(count)]


def requests_of(conversations: Sequence[list[dict[str, str]]]) -> list[ChatRequest]:
    return [decode_chat(write_body(one, model="auto", streamed=False, options={})) for one in conversations]


def _column(file: Path, seed: int) -> list[list[dict[str, str]]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    name = next(column for column in COLUMNS if column in rows[0])
    texts = random.Random(seed).sample([row[name] for row in rows], min(2 * EACH, len(rows)))
    return [[{"role": "user", "content": text}] for text in texts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"| canaries beside | {' | '.join(VIEWS)} |\n|---|{'---|' * len(VIEWS)}")
    for mix in mixes(options.files, options.seed):
        found = [told_apart(mix, learn, seed=options.seed) for learn in VIEWS.values()]
        counts = f"{len(mix.canaries)}, {len(mix.others)}"
        print(f"| {mix.name} ({counts}) | {' | '.join(f'{one:.2f}' for one in found)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
