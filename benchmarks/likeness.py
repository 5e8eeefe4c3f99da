"""How well do the judges' scores go with the truth? `python -m benchmarks.likeness [TruthfulQA.csv]`.

Each built-in model answers the held-out questions; each answer is judged by the two other models' and its own, and
once by the true answer. Beside it stands what the same encoder's cosine says alone. The truth is token F1 against the
reference, words without case and punctuation.

With a file of TruthfulQA, whose wrong answers are made to look right: how well likeness to its best answer tells its
other correct answers from its incorrect ones.
"""

import argparse
import asyncio
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import correlation, fmean

import numpy as np
from tests.evaluator.judges.answering import NAMES, Library, held_out, library
from tests.evaluator.judges.conftest import client

from benchmarks.recognising import auc
from dgrid.core.money import BPS
from dgrid.engines.encoder import Encoder
from dgrid.evaluator.judges.agreement import judge_accuracy
from dgrid.evaluator.judges.by_encoder import Comparison, encode
from dgrid.processes.author_asking import write_body
from dgrid.wire.openai import ChatRequest, decode_chat

ITEMS = 570  # all held-out ones
HEAD = (
    "| correlation with token F1 | mean F1 | accuracy | mean of votes | cosine | beside the truth | its cosine |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer: what is true of it, and what each way of judging says. All 0 to 1, or a cosine."""

    model: str
    truth: float
    accuracy: float
    mean: float  # of the same votes, no more
    cosine: float  # mean over the other models' answers
    beside_truth: float
    cosine_beside_truth: float


def token_f1(said: str, reference: str) -> float:
    ours, theirs = (re.sub(r"[^\w\s]", " ", text.lower()).split() for text in (said, reference))
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0


async def judged(books: Library, encoder: Encoder) -> list[Judged]:
    """Every model's answer to every question. Raises EngineError."""
    found = []
    for place, question in enumerate(books.questions):
        answers = {name: books.answers[name][place].answer for name in NAMES}
        encoded = await encode(encoder, [*answers.values(), question.reference])
        comparison = Comparison(decode_chat(question.body), encoded)
        found += [_judged(name, answers, question.reference, comparison) for name in NAMES]
    return found


def _judged(name: str, answers: dict[str, str], reference: str, comparison: Comparison) -> Judged:
    said, cosine = answers[name], comparison.encoded.cosine
    others = {other: text for other, text in answers.items() if other != name}
    own = [comparison.of(said, said)]
    votes = [(other.encode(), comparison.of(said, text)) for other, text in others.items()]
    return Judged(
        name,
        token_f1(said, reference),
        judge_accuracy(votes, own) / BPS,
        fmean([*(like for _, like in votes), *own]) / BPS,
        fmean(cosine(said, text) for text in others.values()),
        comparison.of(said, reference) / BPS,
        cosine(said, reference),
    )


def row(name: str, found: Sequence[Judged]) -> str:
    """One line of the table."""
    truth = [one.truth for one in found]
    said = [
        [one.accuracy for one in found],
        [one.mean for one in found],
        [one.cosine for one in found],
        [one.beside_truth for one in found],
        [one.cosine_beside_truth for one in found],
    ]
    cells = " | ".join(f"{correlation(each, truth):.2f}" for each in said)
    return f"| {name} | {fmean(truth):.2f} | {cells} |"


async def told_apart(file: Path, encoder: Encoder) -> tuple[float, float]:
    """(AUC by likeness, by cosine) over all correct and incorrect answers. Raises EngineError."""
    right, wrong = list[tuple[float, float]](), list[tuple[float, float]]()
    for asked, best, correct, incorrect in questions_of(file):
        comparison = Comparison(asked, await encode(encoder, [best, *correct, *incorrect]))
        for side, answers in ((right, correct), (wrong, incorrect)):
            side += [(comparison.of(one, best), comparison.encoded.cosine(one, best)) for one in answers]
    likeness, cosine = (
        auc(np.array(ours), np.array(theirs))
        for ours, theirs in zip(zip(*right, strict=True), zip(*wrong, strict=True), strict=True)
    )
    return likeness, cosine


def questions_of(file: Path) -> Iterator[tuple[ChatRequest, str, list[str], list[str]]]:
    """Each question, its best answer, the other correct and the incorrect ones."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        for line in csv.DictReader(opened):
            chat = [{"role": "user", "content": line["Question"]}]
            asked = decode_chat(write_body(chat, model="auto", streamed=False, options={}))
            correct, incorrect = (
                [text.strip() for text in line[column].split(";") if text.strip()]
                for column in ("Correct Answers", "Incorrect Answers")
            )
            best = line["Best Answer"].strip()
            yield asked, best, [text for text in correct if text != best], incorrect


async def measure(file: Path | None) -> None:
    async with client() as encoder:
        books = await library(held_out(ITEMS))
        await books.forcing.stop()
        found = await judged(books, encoder)
        print(HEAD)
        for name in NAMES:
            print(row(name, [one for one in found if one.model == name]))
        print(row("all", found))
        if file is not None:
            likeness, cosine = await told_apart(file, encoder)
            print(f"\n{file.stem}: AUC {likeness:.2f}, of a cosine {cosine:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    asyncio.run(measure(parser.parse_args().file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
