"""The replayer of the trial really replays: a cheat that does nothing would make every claim about it true."""

import asyncio
from contextlib import aclosing

import msgspec
from tests.network.dishonest.node import REMEMBERED, ReplayingEngine

from dgrid.engines.engine import EngineRequest, Finish, Piece
from dgrid.engines.scripted import Script, ScriptedEngine


async def said(engine: ReplayingEngine, request: EngineRequest) -> str:
    """An answer as a node takes it: nothing after its end."""
    text = ""
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            if isinstance(event, Finish):
                break
            assert isinstance(event, Piece)
            text += event.text
    return text


def test_it_says_old_answers_again_and_asks_its_model_no_more() -> None:
    async def main() -> None:
        true = ScriptedEngine()
        engine = ReplayingEngine(true)
        request = EngineRequest(msgspec.Raw(b"[]"), tokens_max=64, seed=1)
        first = []
        for number in range(REMEMBERED):
            true.script = Script(pieces=(f"answer {number}",))
            first.append(await said(engine, request))
        true.script = Script(pieces=("the truth",))
        later = [await said(engine, request) for _ in range(2 * REMEMBERED)]
        assert sorted(later) == sorted(2 * first)
        assert len(true.requests) == REMEMBERED

    asyncio.run(main())
