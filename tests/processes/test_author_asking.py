"""What an author pays at most: a model's price is looked at before its canary is asked."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.author.writing import write_body

from dgrid.author.accounts import accounts_of
from dgrid.author.journal import KeptCanary
from dgrid.author.working import Door
from dgrid.core.errors import CheckFailed, DGridError, NetworkUnreachable, Unavailable
from dgrid.core.identity import Address
from dgrid.core.money import WEI
from dgrid.processes.author_asking import PRICE_LIMITS, Asker
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Reply, Request, Server, json_reply, problem_reply
from dgrid.wire.signatures import SigningKey

MOST_WEI = WEI // 10
(ACCOUNT,) = accounts_of(SigningKey(b"\x01" * 32), 1)
DEAR = 10**6 * WEI


def listing(model: str, wei: object) -> dict[str, object]:
    listed = {"listing_in_price_wei": "0", "listing_out_price_wei": "0", "margin_bps": 500}
    others = {"id": "another", "pricing": {"in_price_wei": "1", "out_price_wei": "1", **listed}}
    return {
        "data": [
            others,
            {"id": model, "pricing": {"in_price_wei": "1", "out_price_wei": wei, **listed}},
            {"id": "auto"},
        ]
    }


DEEP = Reply(200, b'{"more":' + b"[" * 100_000)


def asked(model: str, listed: object, *, path: str = "") -> tuple[Sequence[str], DGridError]:
    """What a gateway that lists a model so is asked, and how that ends. `path` stands behind its registered address."""
    paths: list[str] = []

    async def handle(request: Request) -> Reply:
        paths.append(f"{request.method} {request.path}")
        assert (request.method == "GET") == (not request.header(b"authorization")), "a look does not say whose it is"
        looked = listed if isinstance(listed, Reply) else json_reply(listed)
        return problem_reply(Unavailable("not now")) if request.method == "POST" else looked

    async def run() -> DGridError:
        server, http = Server(handle, host="127.0.0.1", port=0), HttpClient(PRICE_LIMITS)
        await server.start()
        asker = Asker(http, lambda: MOST_WEI)
        body = write_body([{"role": "user", "content": "Who?"}], model=model, streamed=False, options={})
        canary = KeptCanary(5, 0, body, model, False, Address(bytes(20)), 0, "key")
        try:
            with pytest.raises(DGridError) as found:
                await asker.ask(Door(f"http://127.0.0.1:{server.port}{path}", ACCOUNT), canary)
            return found.value
        finally:
            for opened in (asker, http):
                await opened.close()
            await server.stop()

    ended = asyncio.run(run())
    return paths, ended


def test_a_model_whose_price_is_beyond_all_measure_is_not_asked() -> None:
    paths, error = asked("lone/model", listing("lone/model", str(DEAR)))
    assert paths == ["GET /v1/models"]
    assert error.code == "insufficient_budget"


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_a_model_at_a_usual_price_is_asked_by_its_name(path: str) -> None:
    paths, error = asked("dgrid-mini", listing("dgrid-mini", str(90 * WEI)), path=path)
    assert paths == ["GET /v1/models", "POST /v1/chat/completions"]
    assert not isinstance(error, CheckFailed)


def test_a_list_without_end_is_not_read() -> None:
    listed = {**listing("dgrid-mini", str(90 * WEI)), "more": "x" * PRICE_LIMITS.reply_bytes}
    paths, error = asked("dgrid-mini", listed)
    assert paths == ["GET /v1/models"]
    assert isinstance(error, NetworkUnreachable)


def test_whom_a_virtual_name_leads_to_the_gateway_decides() -> None:
    assert asked("auto", {})[0] == ["POST /v1/chat/completions"]


@pytest.mark.parametrize("listed", [{}, {"data": []}, [], *(listing("dgrid-mini", wei) for wei in ("x", 7, None, ""))])
def test_a_price_that_is_none_is_not_paid(listed: object) -> None:
    paths, error = asked("dgrid-mini", listed)
    assert len(paths) == 1
    assert isinstance(error, CheckFailed)


def test_a_list_nested_without_end_is_no_list() -> None:
    paths, error = asked("dgrid-mini", DEEP)
    assert len(paths) == 1
    assert isinstance(error, CheckFailed)
