"""Trains one model for a given time.

    python train.py micro --minutes 30 --tokenizer ../tokenizer.json --out work/micro

``--start`` polishes a checkpoint: full difficulty and a learning rate that falls from the start. ``--steps`` instead of
``--minutes`` makes a run that can be repeated to the bit on the same kind of processor. ``--device cuda`` trains on a
GPU, which wants large batches and many ``--workers`` to write conversations for it.

Muon for the matrices and AdamW for the rest; the learning rate falls linearly over the second half. Replies count
fully in the loss, and a tenth of the other tokens a little. A checkpoint is saved every ten minutes and at the end.
"""

import argparse
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from chat import encode
from draw import Draw
from generator import conversation
from model import CONTEXT, SHAPES, LanguageModel, load, save
from turns import Conversation

MATRIX_RATE, OTHER_RATE = 0.02, 3e-3
PROMPT_SHARE, PROMPT_WEIGHT = 0.1, 0.3
WARM_UP_STEPS = 40
SORTED_TOKENS = 100_000
"""about how many tokens are made and sorted by length at a time, at least; large batches need more"""
RENAMED_SHARE = 0.5
COPIED_TASKS = {
    "short answer",
    "sentence answer",
    "yes or no",
    "multiple choice",
    "not in the text",
    "find sentence",
    "several turns",
    "summary",
    "copy",
}
FIXED_WORDS = ["the", "text", "does", "not", "say", "is", "in", "of", "to", "on", "was"]
"""words that replies contain without copying them, or that the grammar needs"""


@dataclass(slots=True)
class Clock:
    """How far the training has come: by wall time or, where a number of steps is given, by those."""

    minutes: float | None
    start: float
    rate_factor: float = 1.0
    polishing: bool = False
    steps: int | None = None
    done: int = 0

    @property
    def elapsed(self) -> float:
        """Minutes since the start."""
        return (time.monotonic() - self.start) / 60

    @property
    def progress(self) -> float:
        return self.done / self.steps if self.minutes is None else self.elapsed / self.minutes

    def rate(self) -> float:
        """The factor on the learning rates: a warm-up, then a fall over the second half or, when polishing, at once."""
        fall = (1 - self.progress) / (1.0 if self.polishing else 0.5)
        return self.rate_factor * min(1.0, (self.done + 1) / WARM_UP_STEPS, max(0.02, fall))

    @property
    def difficulty(self) -> float:
        return 1.0 if self.polishing else min(1.0, self.progress / 0.3)


def batches(tokenizer: Tokenizer, clock: Clock, *, tokens: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Token ids and reply marks (batch, length), of conversations of about the same length."""
    draw, renaming = Draw(seed), Renaming(tokenizer)
    conversations = max(SORTED_TOKENS, 16 * tokens) // 250
    while True:
        encoded = [renaming(draw, conversation(draw, clock.difficulty)) for _ in range(conversations)]
        encoded = sorted((e for e in encoded if len(e[0]) <= CONTEXT), key=lambda e: len(e[0]))
        made, batch = [], []
        for one in encoded:
            if batch and (len(batch) + 1) * len(one[0]) > tokens:
                made.append(batch)
                batch = []
            batch.append(one)
        draw.random.shuffle(made)
        yield from map(padded, made)


@dataclass(slots=True)
class Batches(IterableDataset[tuple[Tensor, Tensor]]):
    """`batches`, of another seed in each worker process."""

    tokenizer: Tokenizer
    clock: Clock
    tokens: int
    seed: int

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        seed = self.seed if worker is None else worker.seed
        return batches(self.tokenizer, self.clock, tokens=self.tokens, seed=seed)


class Renaming:
    """Encodes, and in some conversations replaces a few copied tokens by others throughout.

    So tokens which are rare in our texts can be copied as well.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        fixed = {"Ġ" + word for word in FIXED_WORDS}
        words = [token for token in sorted(vocabulary) if token not in fixed]  # as given, in another order each time
        kinds = (
            [vocabulary[t] for t in words if re.fullmatch("Ġ[a-z]+", t)],
            [vocabulary[t] for t in words if re.fullmatch("[a-z]+", t)],
        )
        self.alike = {number: kind for kind in kinds for number in kind}

    def __call__(self, draw: Draw, made: Conversation) -> tuple[list[int], list[bool]]:
        ids, written = encode(self.tokenizer, made)
        if not draw.chance(RENAMED_SHARE) or not {turn.task for turn in made.turns} <= COPIED_TASKS:
            return ids, written
        given = {token for token, reply in zip(ids, written, strict=True) if not reply}
        copied = sorted(
            {
                token
                for token, reply in zip(ids, written, strict=True)
                if reply and token in given and token in self.alike
            }
        )
        new = {token: draw.choice(self.alike[token]) for token in draw.random.sample(copied, min(len(copied), 3))}
        return (ids if set(new.values()) & set(ids) else [new.get(token, token) for token in ids]), written


def padded(batch: list[tuple[list[int], list[bool]]]) -> tuple[Tensor, Tensor]:
    length = max(len(ids) for ids, _ in batch)
    ids, written = (
        torch.zeros(len(batch), length, dtype=torch.long),
        torch.full((len(batch), length), -1, dtype=torch.int8),
    )
    for row, (tokens, marks) in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        written[row, : len(marks)] = torch.tensor(marks, dtype=torch.int8)
    return ids, written


def loss_of(model: LanguageModel, ids: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted loss, and the share of reply tokens that were predicted."""
    targets, marks = ids[:, 1:], written[:, 1:]
    chosen = (marks == 1) | ((marks == 0) & (torch.rand(marks.shape, device=marks.device) < PROMPT_SHARE))
    with torch.autocast(ids.device.type, torch.bfloat16):
        logits = model.logits(model.hidden(ids[:, :-1])[chosen])
    weights = torch.where(marks[chosen] == 1, 1.0, PROMPT_WEIGHT)
    losses = F.cross_entropy(logits.float(), targets[chosen], reduction="none")
    replies = marks[chosen] == 1
    right = (logits.argmax(-1) == targets[chosen])[replies].float().mean()
    return (losses * weights).sum() / weights.sum(), right


def optimizers(model: LanguageModel) -> list[torch.optim.Optimizer]:
    matrices = model.matrices()
    known = set(map(id, matrices))
    rest = [p for p in model.parameters() if id(p) not in known]
    return [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def train(model: LanguageModel, given: DataLoader, clock: Clock, *, out: Path, device: str) -> None:
    """Trains until the clock is over."""
    used = optimizers(model)
    rates = [group["lr"] for optimizer in used for group in optimizer.param_groups]
    seen, average, saved = 0, torch.zeros((), device=device), 1
    for step, (ids, written) in enumerate(given):
        clock.done = step
        if clock.progress >= 1:
            break
        for optimizer, rate in zip(used, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * clock.rate()
        loss, right = loss_of(model, ids.to(device, non_blocking=True), written.to(device, non_blocking=True))
        loss.backward()
        for optimizer in used:
            optimizer.step()
            optimizer.zero_grad()
        seen += ids.numel()
        average = right if step == 0 else 0.97 * average + 0.03 * right
        if step % 50 == 0:
            print(
                f"step {step} minutes {clock.elapsed:.1f} tokens {seen} "
                f"loss {loss.item():.3f} reply tokens right {average.item():.3f}",
                flush=True,
            )
        if clock.elapsed > 10 * saved:
            save(model, out.with_name(f"{out.name}-{10 * saved}.pt"), tokens=seen, steps=step)
            saved += 1
    save(model, out.with_suffix(".pt"), tokens=seen, steps=step)
    print(f"done: {step} steps, {seen} tokens, reply tokens right {average.item():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=SHAPES)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float)
    length.add_argument("--steps", type=int, help="a number of steps instead, for a run without --workers")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a checkpoint to continue from")
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=0, help="processes that write conversations")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    model = load(arguments.start)[0] if arguments.start else LanguageModel(SHAPES[arguments.size])
    print(arguments.size, sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    os.environ["TOKENIZERS_PARALLELISM"] = "false" if arguments.workers else "true"
    clock = Clock(
        arguments.minutes,
        time.monotonic(),
        arguments.rate,
        polishing=arguments.start is not None,
        steps=arguments.steps,
    )
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    made = Batches(tokenizer, clock, arguments.batch_tokens, arguments.seed)
    given = DataLoader(made, batch_size=None, num_workers=arguments.workers, pin_memory=arguments.device != "cpu")
    train(model.to(arguments.device), given, clock, out=arguments.out, device=arguments.device)


if __name__ == "__main__":
    main()
