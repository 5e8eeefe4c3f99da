"""A gateway's pages: its status, and any receipt in plain words. Static: they read the public endpoints."""

import re
from functools import cache
from pathlib import Path

from dgrid.wire.server import Headers, Reply

_HEADERS: Headers = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
]
_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_FILES = {
    "/status": "status.html",
    **{f"/status/{name}": name for name in ("status.css", "icon.svg")},
    **{f"/status/{name}.js": f"{name}.js" for name in ("status", "receipt", "pieces", "values")},
}
_RECEIPT = re.compile(r"/status/receipts/(0x[0-9a-f]{64}|[0-9]{1,12}\.[0-9]{1,12}\.[0-9]{1,12})", re.ASCII)


def status_reply(path: str) -> Reply | None:
    """A page or one of its parts, also for who comes to the bare address; None where the path is none of them.

    A receipt's page is there for every id or place; whether this gateway wrote such a receipt, the page asks itself.
    """
    if path == "/":
        return Reply(302, b"", [(b"location", b"/status")])
    name = "receipt.html" if _RECEIPT.fullmatch(path) else _FILES.get(path)
    if name is None:
        return None
    return Reply(200, _read(name), list(_HEADERS), _TYPES[Path(name).suffix])


@cache
def _read(name: str) -> bytes:
    return (Path(__file__).parent / "pages" / name).read_bytes()
