"""The encoder as a real process: what evaluators of one machine share."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from tests.devnet import free_port

from dgrid.config import ChainConfig, EncoderConfig, to_toml
from dgrid.core.errors import DGridError
from dgrid.engines.encoder import EncoderClient, alike
from dgrid.engines.engine import EngineUnavailable
from dgrid.processes.encoder import OwnEncoder
from dgrid.wire.http import HttpClient


def config_in(folder: Path, *, model_file: str = "") -> EncoderConfig:
    chain, key_file = ChainConfig(("http://127.0.0.1:9",), 1, {}), folder / "encoder.key"
    return EncoderConfig("encoder", folder, key_file, "127.0.0.1", free_port(), chain, model_file=model_file)


def started(config: EncoderConfig) -> subprocess.Popen[bytes]:
    file = config.folder / "encoder.toml"
    file.write_text(to_toml(config))
    command = [sys.executable, "-m", "dgrid.processes", "encoder", str(file), str(os.getpid())]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


async def until_healthy(http: HttpClient, url: str) -> dict[str, object]:
    async with asyncio.timeout(20):
        while True:
            try:
                reply = await http.request("GET", url + "/healthz")
                found: dict[str, object] = msgspec.json.decode(await reply.read())
            except DGridError:
                await asyncio.sleep(0.05)
            else:
                return found


def test_an_encoder_process_encodes_refuses_and_stops_cleanly(tmp_path: Path) -> None:
    async def talk(url: str) -> None:
        http, client = HttpClient(), EncoderClient(f"{url}/v1")
        assert await until_healthy(http, url) == {"role": "encoder", "ready": True}
        rows = await client.vectors(["The shop is open.", "The store is open."])
        assert alike(rows[0], rows[1]) > 0.7
        statuses = []
        for method, path, body in (
            ("POST", "/v1/embeddings", b'{"input": []}'),
            ("POST", "/v1/chat/completions", b"{}"),
            ("GET", "/v1/embeddings", b""),
        ):
            reply = await http.request(method, url + path, body=body)
            await reply.read()
            statuses.append(reply.status)
        assert statuses == [400, 404, 404]
        await client.close()
        await http.close()

    config = config_in(tmp_path)
    process = started(config)
    try:
        asyncio.run(talk(config.url))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("file", ["missing.gguf", "broken.gguf"])
def test_an_encoder_without_a_model_says_what_is_wrong(tmp_path: Path, file: str) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"nothing")
    process = started(config_in(tmp_path, model_file=str(tmp_path / file)))
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"engine_cannot_start" in said
    assert file.encode() in said


def test_an_encoder_of_ones_own_starts_when_it_is_first_asked_and_ends_with_its_user() -> None:
    async def main() -> None:
        async with aclosing(OwnEncoder()) as own:
            assert len(await own.vectors([])) == 0
            assert children() == before
            rows = await own.vectors(["The shop is open.", "The store is open."])
            assert alike(rows[0], rows[1]) > 0.7
            assert len(children()) == len(before) + 1
        assert children() == before

    def children() -> list[str]:
        return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()

    before = children()
    asyncio.run(main())


def test_an_encoder_of_ones_own_without_its_file_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgrid.engines.encoder_server.PLACES", (tmp_path,))

    async def main() -> None:
        async with aclosing(OwnEncoder()) as own:
            with pytest.raises(EngineUnavailable, match="make setup"):
                await own.vectors(["Oslo"])

    asyncio.run(main())
