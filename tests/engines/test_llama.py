import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.engines.conftest import MINI, Ask

from dgrid.core.errors import ContextLengthExceeded
from dgrid.engines.engine import EngineCannotStart, EngineRequest, EngineUnavailable, Event, Finish, Piece
from dgrid.engines.llama import LlamaEngine, LlamaOptions

MARIA = "Maria lives in Oslo and works as a nurse.\nWho works as a nurse?"
OPTIONS = LlamaOptions(MINI, "dgrid-mini", context=512, reply_opens_with_space=True)


def heard(loop: asyncio.Runner, engine: LlamaEngine, request: EngineRequest) -> list[Event]:
    async def listen() -> list[Event]:
        return [event async for event in engine.generate(request)]

    return loop.run(listen())


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


def test_the_model_answers_from_the_text(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask) -> None:
    events = heard(loop, llama, ask(MARIA))
    assert text_of(events) == "Maria"
    tokens = [token for event in events if isinstance(event, Piece) for token in event.tokens]
    assert all(token.id >= 0 and token.logprob <= 0 for token in tokens)
    assert "".join(token.token for token in tokens) == " Maria"
    assert isinstance(events[-1], Finish)
    assert events[-1].reasons == ("stop",)


def test_a_begun_reply_is_gone_on_with(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask) -> None:
    asked = [{"role": "user", "content": "Maria lives in Oslo.\nWhere does Maria live? Answer in a sentence."}]
    begun = {"role": "assistant", "content": " Maria lives in"}
    assert text_of(heard(loop, llama, ask("", messages=[*asked, begun]))) == " Oslo."


def test_one_seed_gives_one_answer(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask) -> None:
    request = ask("Write a poem about Oslo.", temperature=1.5, top_p=1, seed=77)
    assert heard(loop, llama, request) == heard(loop, llama, request)


def test_a_schema_shapes_the_answer(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask) -> None:
    properties = {"name": {"type": "string", "maxLength": 12}, "city": {"type": "string", "maxLength": 12}}
    schema = {"type": "object", "properties": properties, "required": ["name", "city"], "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    events = heard(loop, llama, ask(MARIA, response_format=wanted))
    assert msgspec.json.decode(text_of(events)).keys() == {"name", "city"}


@pytest.mark.parametrize(("fields", "reason"), [({"tokens_max": 2}, "length"), ({"stop": ["ria"]}, "stop")])
def test_stops_where_it_is_told(
    loop: asyncio.Runner, llama: LlamaEngine, ask: Ask, fields: dict[str, Any], reason: str
) -> None:
    events = heard(loop, llama, ask(MARIA, **fields))
    assert text_of(events) == "Ma"[: len(text_of(events))] or text_of(events) == "Mar"
    assert isinstance(events[-1], Finish)
    assert events[-1].reasons == (reason,)


def test_a_prompt_beyond_the_context_is_refused_as_such(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask) -> None:
    with pytest.raises(ContextLengthExceeded):
        heard(loop, llama, ask("Maria lives in Oslo. " * 200))


def test_tools_are_taken_with_their_evidence(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask) -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
    events = heard(loop, llama, ask(MARIA, tools=[tool]))
    assert text_of(events) == "Maria"
    assert any(event.tokens for event in events if isinstance(event, Piece))


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_early_frees_the_engine(loop: asyncio.Runner, llama: LlamaEngine, ask: Ask, *, stream: bool) -> None:
    async def leave() -> None:
        endless = ask("Hi", response_format={"type": "json_object"}, temperature=2, tokens_max=400, stream=stream)
        for _ in range(8):
            async with aclosing(llama.generate(endless)) as events:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(anext(events), 0.01)

    loop.run(leave())
    began = time.perf_counter()
    assert text_of(heard(loop, llama, ask(MARIA))) == "Maria"
    assert time.perf_counter() - began < 10  # what was left alone takes longer


def test_a_child_that_dies_is_started_again(ask: Ask) -> None:
    async def live() -> str:
        engine = LlamaEngine(OPTIONS)
        await engine.start()
        first = engine.process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        while engine.process_id in (first, None):
            await asyncio.sleep(0.02)
        try:
            return text_of([event async for event in engine.generate(ask(MARIA))])
        finally:
            await engine.stop()

    assert asyncio.run(live()) == "Maria"


def test_is_unavailable_while_it_does_not_run(ask: Ask) -> None:
    with pytest.raises(EngineUnavailable), asyncio.Runner() as loop:
        heard(loop, LlamaEngine(OPTIONS), ask(MARIA))


def test_it_serves_once_it_is_started_and_stopping_ends_the_child() -> None:
    async def live() -> int:
        engine = LlamaEngine(OPTIONS)
        with pytest.raises(EngineUnavailable):
            await engine.probe()
        await engine.start()
        await engine.probe()
        child = engine.process_id
        await engine.stop()
        assert child is not None
        return child

    with pytest.raises(ProcessLookupError):
        os.kill(asyncio.run(live()), 0)


PARENT = """
import asyncio, sys
from pathlib import Path
from dgrid.engines.llama import LlamaEngine, LlamaOptions
async def main():
    engine = LlamaEngine(LlamaOptions(Path(sys.argv[1]), "m", context=512))
    await engine.start()
    print(engine.process_id, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_the_child_dies_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(MINI)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(child)


def is_alive(process_id: int) -> bool:
    stat = Path(f"/proc/{process_id}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\nread options\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "said", "hint"),
    [
        ("kill -ILL $$", "AVX2", "--engine-url"),
        ("""echo '{"error":"import","reason":"libgomp.so.1: cannot open"}'""", "libgomp", "libgomp1"),
        ("""echo '{"error":"import","reason":"No module named x"}'""", "No module", "xllamacpp"),
        ("echo '0.1 E out of memory' >&2; exit 3", "out of memory", "memory"),
        ("exit 3", "code 3", "memory"),
    ],
)
def test_an_engine_that_cannot_start_says_why(tmp_path: Path, script: str, said: str, hint: str) -> None:
    engine = LlamaEngine(LlamaOptions(MINI, "m", context=512, python=fake_python(tmp_path, script)))
    with pytest.raises(EngineCannotStart) as caught:
        asyncio.run(engine.start())
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_a_file_that_is_no_model_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUFnonsense")
    with pytest.raises(EngineCannotStart, match=r"m\.gguf"):
        asyncio.run(LlamaEngine(LlamaOptions(tmp_path / "m.gguf", "m", context=512)).start())
