import asyncio
from contextlib import aclosing

import pytest
from tests.engines.conftest import Ask

from dgrid.core.errors import EngineError
from dgrid.engines.engine import EngineUsage, Event, Finish, Piece
from dgrid.engines.scripted import Script, ScriptedEngine


async def played(engine: ScriptedEngine, request: object) -> list[Event]:
    return [event async for event in engine.generate(request)]  # type: ignore[arg-type]


def test_says_the_script_with_evidence_and_ends_once(ask: Ask) -> None:
    *pieces, end = asyncio.run(played(ScriptedEngine(), ask("Hi")))
    assert "".join(piece.text for piece in pieces if isinstance(piece, Piece)) == "Maria lives in Oslo."
    assert [token.id for piece in pieces if isinstance(piece, Piece) for token in piece.tokens] == [0, 1, 2, 3, 4]
    assert end == Finish(("stop",), EngineUsage(10, 5))


def test_stops_at_the_bound_and_says_so(ask: Ask) -> None:
    for script in (Script(), Script(endless=True)):
        events = asyncio.run(played(ScriptedEngine(script), ask("Hi", tokens_max=3)))
        assert len(events) == 4
        assert events[-1] == Finish(("length",), EngineUsage(10, 3))


def test_breaks_off_where_it_is_told(ask: Ask) -> None:
    heard: list[Event] = []

    async def listen() -> None:
        async for event in ScriptedEngine(Script(fails_after=2)).generate(ask("Hi")):
            heard.append(event)

    with pytest.raises(EngineError):
        asyncio.run(listen())
    assert len(heard) == 2


def test_keeps_the_pace_it_is_given(ask: Ask) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    asyncio.run(played(ScriptedEngine(Script(first_delay_s=3, token_delay_s=1), sleep=sleep), ask("Hi")))
    assert slept == [3, 1, 1, 1, 1, 1]


def test_notices_when_nobody_listens_any_more(ask: Ask) -> None:
    engine = ScriptedEngine()

    async def leave() -> None:
        async with aclosing(engine.generate(ask("Hi"))) as events:
            await anext(events)

    asyncio.run(leave())
    assert engine.cancelled == 1


def test_can_go_without_evidence_and_lie_about_usage(ask: Ask) -> None:
    script = Script(without_evidence=True, usage=EngineUsage(1, 10**6))
    *pieces, end = asyncio.run(played(ScriptedEngine(script), ask("Hi")))
    assert all(isinstance(piece, Piece) and not piece.tokens for piece in pieces)
    assert end == Finish(("stop",), EngineUsage(1, 10**6))
