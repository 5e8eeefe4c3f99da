"""A gateway's door alone, and those who knock with an API key."""

from typing import Any

import msgspec
from tests.gateway.stage import API_KEY, CHANNELS, DOMAIN, GATEWAY_KEY, StagedChain

from dgrid.core.identity import api_key_tag
from dgrid.gateway.admit import Admission, Door
from dgrid.gateway.facts import Channel
from dgrid.wire.exchange import Request

NOW_MS = 1_800_000_000_000
FIELDS: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "Who?"}]}
BODY = msgspec.json.encode(FIELDS)


def admission(chain: StagedChain, *, fence: int = 1) -> Admission:
    return Admission(Door(GATEWAY_KEY.address, DOMAIN, CHANNELS, chain, fence, lambda: NOW_MS))


def asked(headers: dict[bytes, bytes], body: bytes = BODY) -> Request:
    return Request("POST", "/v1/chat/completions", b"", headers, body, "127.0.0.1")


def with_key(body: bytes = BODY, **headers: str) -> Request:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return asked({b"authorization": f"Bearer {API_KEY}".encode(), **named}, body)


def custodial(chain: StagedChain) -> Channel:
    return chain.open_channel(api_key_tag(API_KEY), authorizer=GATEWAY_KEY.address)
