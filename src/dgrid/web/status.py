"""The status page of a gateway: nodes, models, receipts, epochs, and how to check each of them."""

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
_FILES = {
    "/status": ("status.html", b"text/html; charset=utf-8"),
    "/status/status.css": ("status.css", b"text/css; charset=utf-8"),
    "/status/status.js": ("status.js", b"text/javascript; charset=utf-8"),
    "/status/icon.svg": ("icon.svg", b"image/svg+xml"),
}


def status_reply(path: str) -> Reply | None:
    """The page or one of its parts, also for who comes to the bare address; None where the path is none of them."""
    if path == "/":
        return Reply(302, b"", [(b"location", b"/status")])
    if path not in _FILES:
        return None
    name, content_type = _FILES[path]
    return Reply(200, _read(name), list(_HEADERS), content_type)


@cache
def _read(name: str) -> bytes:
    return (Path(__file__).parent / "pages" / name).read_bytes()
