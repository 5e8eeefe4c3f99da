"""The SDK: ask a model through any gateway, stream, pay, and check every receipt.

    from dgrid.client import ApiKey, Client

    with Client(["http://127.0.0.1:7420"], ApiKey("dg-…")) as client:
        print(client.ask("Tim plays the cello. Which instrument does Tim play?").text)

One flow without I/O (`flow`) serves both clients. An unchanged OpenAI client works as well: it only checks no receipts.
"""

from typing import TYPE_CHECKING, Any

from dgrid.client.answers import Answer
from dgrid.client.flow import ApiKey
from dgrid.client.synchronous import Client, Stream

if TYPE_CHECKING:
    from dgrid.client.asynchronous import AsyncClient, AsyncStream

__all__ = ["Answer", "ApiKey", "AsyncClient", "AsyncStream", "Client", "Stream"]


def __getattr__(name: str) -> Any:
    """The async client brings an event loop and an HTTP parser along: loaded when it is asked for."""
    if name not in ("AsyncClient", "AsyncStream"):
        raise AttributeError(f"dgrid.client has no {name}")
    from dgrid.client import asynchronous

    return getattr(asynchronous, name)
