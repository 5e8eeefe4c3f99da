"""A node that cheats: `python -m tests.network.dishonest.node CHEAT CONFIG`.

impostor    claims dgrid-mini, with its digest and price, and runs dgrid-nano
replayer    says again what it said to someone else before
overbiller  claims three times the tokens
"""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from dgrid.config import NodeConfig, load_role
from dgrid.engines.engine import Engine, EngineRequest, Event, Finish, Piece
from dgrid.node import delivery
from dgrid.node.admit import Sold
from dgrid.processes import node
from dgrid.processes.node_models import choose, engine_of, sold_model
from dgrid.processes.roles import log_to_stderr
from dgrid.wire.answers import Answer

REMEMBERED = 4
FACTOR = 3


class ReplayingEngine:
    """Runs the true model for its first requests, and from then on says their answers over and over."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._said: list[list[Event]] = []
        self._turn = 0

    @property
    def build(self) -> str:
        return self._engine.build

    async def start(self) -> None:
        await self._engine.start()

    async def stop(self) -> None:
        await self._engine.stop()

    async def probe(self) -> None:
        await self._engine.probe()

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        if len(self._said) >= REMEMBERED:
            self._turn += 1
            for event in self._said[self._turn % len(self._said)]:
                yield event
            return
        events: list[Event] = []
        async with aclosing(self._engine.generate(request)) as pieces:
            async for event in pieces:
                events.append(event)
                if isinstance(event, Finish):  # before it is passed on: a node takes nothing after it
                    self._remember(events)
                yield event

    def _remember(self, events: list[Event]) -> None:
        """Keeps a whole answer, unless it is empty: that would be refused."""
        if any(isinstance(event, Piece) and event.text for event in events):
            self._said.append(events)


def with_smaller_model(config: NodeConfig) -> Sold:
    """All that is said of the claimed model is true, but another one runs."""
    smaller = choose(replace(config, model="dgrid-nano"))
    return replace(sold_model(config), engine=engine_of(config, smaller))


def with_old_answers(config: NodeConfig) -> Sold:
    sold = sold_model(config)
    return replace(sold, engine=ReplayingEngine(sold.engine))


def claiming_more(count: Callable[[delivery.Delivery, Answer], int]) -> Callable[[delivery.Delivery, Answer], int]:
    def counted(self: delivery.Delivery, answer: Answer) -> int:
        return FACTOR * count(self, answer)

    return counted


def main(cheat: str, config_file: Path) -> None:
    """Runs the node until it is told to stop."""
    config = load_role(NodeConfig, config_file, dev=True)
    config.folder.mkdir(parents=True, exist_ok=True)
    if cheat == "impostor":
        vars(node).update(sold_model=with_smaller_model)
    elif cheat == "replayer":
        vars(node).update(sold_model=with_old_answers)
    elif cheat == "overbiller":
        delivery.Delivery._tokens_out = claiming_more(delivery.Delivery._tokens_out)  # type: ignore[assignment]
    else:
        raise SystemExit(f"no such cheat: {cheat}")
    log_to_stderr()
    node.run(config)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
