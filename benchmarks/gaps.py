"""How far apart are the built-in models' files to who forces their replies? `python -m benchmarks.gaps`: a table.

Each file answers the held-out questions, four at a time as a busy node does, and each reply is read with the weights of
the file itself, of the same model's other file, and of the other models' files. Windows of fifty replies are drawn and
looked at as the court looks at a node's. A *miss* is a token that the claimed model would not have written.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Final

import msgspec
from tests.engines.test_thresholds import is_flagged, reply

from dgrid.engines.forcing import Forcing
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.models import ModelFacts, model_facts
from dgrid.poq.identity import threshold_of
from dgrid.poq.rules import MICROS, IdentityRules
from dgrid.wire.quality import Content, Identity

MODELS: Final = Path(__file__).resolve().parent.parent / "models"
FILES: Final = "nano-f16", "micro-f16", "nano-q8_0", "micro-q8_0", "mini-q8_0"
WINDOWS: Final = 4_000
AT_ONCE: Final = 4
RULES: Final = IdentityRules()
Found = Mapping[tuple[str, str], Sequence[Identity]]  # by (file that answered, file it is read with)


def bodies() -> list[bytes]:
    lines = [json.loads(line) for line in (MODELS / "heldout.jsonl").read_text(encoding="utf-8").splitlines()]
    return [msgspec.json.encode({"model": "any", "messages": line["messages"], "temperature": 0}) for line in lines]


async def answered(facts: ModelFacts) -> list[Content]:
    """Every question, by one file. Raises EngineCannotStart."""
    opening, at_once = facts.reply_opens_with_space, asyncio.Semaphore(AT_ONCE)
    options = LlamaOptions(facts.path, "any", facts.context, parallel=AT_ONCE, reply_opens_with_space=opening)
    engine = LlamaEngine(options)
    await engine.start()
    try:
        return await asyncio.gather(*(reply(engine, body, at_once) for body in bodies()))
    finally:
        await engine.stop()


async def measured(files: Mapping[str, ModelFacts]) -> Found:
    """Every reply of every file, read with every file. Raises DGridError."""
    found, forcing = {}, Forcing({facts.digest: facts for facts in files.values()})
    try:
        for name, facts in files.items():
            replies = await answered(facts)
            for other, claimed in files.items():
                read = [await forcing.measure(claimed.digest, one) for one in replies]
                found[name, other] = [one for one in read if one is not None]
    finally:
        await forcing.stop()
    return found


def flagged_share(found: Sequence[Identity], threshold: int) -> float:
    """Of drawn windows of fifty replies."""
    rng, gaps = Random(1), [one.gap_micros for one in found]
    return fmean(is_flagged(rng.choices(gaps, k=RULES.window), threshold) for _ in range(WINDOWS))


def mean_and_largest(found: Sequence[Identity]) -> str:
    gaps = [one.gap_micros / MICROS for one in found]
    return f"{fmean(gaps):.4f}, {max(gaps):.4f}"


def row(name: str, found: Found, *, threshold: int) -> str:
    """One line: a file that is sold, read by those who hold it against its own weights."""
    model = name.split("-")[0]
    twins = [other for other in FILES if other != name and other.split("-")[0] == model]
    others = [other for other in FILES if other.split("-")[0] != model]
    own, twin = found[name, name], [one for other in twins for one in found[other, name]]
    cells = [
        mean_and_largest(own),
        mean_and_largest(twin) if twin else "–",
        f"{threshold / MICROS:g}",
        f"{flagged_share(own, threshold):.2%}",
        f"{flagged_share(twin, threshold):.1%}" if twin else "–",
        f"{min(flagged_share(found[other, name], threshold) for other in others):.1%}",
        misses([own]),
        misses([found[other, name] for other in others]),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def misses(of: Sequence[Sequence[Identity]]) -> str:
    """In a hundred tokens, least to most."""
    shares = [100 * sum(one.misses for one in found) / sum(one.tokens for one in found) for found in of]
    return f"{min(shares):.1f} to {max(shares):.1f}" if len(shares) > 1 else f"{shares[0]:.1f}"


def main() -> int:
    files = {name: model_facts(MODELS / f"dgrid-{name}.gguf") for name in FILES}
    found = asyncio.run(measured(files))
    print("| sold as | own gaps: mean, largest | its other file's | flags at | honest windows flagged |", end="")
    print(" other file's | least of other models' | misses, own | others' |\n|---" + "|---" * 8 + "|")
    for name, facts in files.items():
        print(row(name, found, threshold=threshold_of(facts.digest, RULES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
