"""The status page: served whole, allowed nothing from elsewhere, never turning data into markup."""

import re
from pathlib import Path

import pytest

from dgrid.web import status
from dgrid.web.status import status_reply

PAGES = Path(status.__file__).parent / "pages"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/status", b"text/html"),
        ("/status/status.css", b"text/css"),
        ("/status/status.js", b"text/javascript"),
        ("/status/icon.svg", b"image/svg+xml"),
    ],
)
def test_the_page_and_its_parts_are_served(path: str, content_type: bytes) -> None:
    reply = status_reply(path)
    assert reply is not None
    assert reply.status == 200
    assert reply.content_type.startswith(content_type)
    assert reply.body


def test_the_bare_address_leads_to_the_page() -> None:
    reply = status_reply("/")
    assert reply is not None
    assert (reply.status, dict(reply.headers)[b"location"]) == (302, b"/status")


def test_other_paths_are_none_of_its_business() -> None:
    assert status_reply("/status/../../config.py") is None
    assert status_reply("/v1/models") is None


def test_the_page_may_load_only_from_its_own_gateway() -> None:
    reply = status_reply("/status")
    assert reply is not None
    policy = dict(reply.headers)[b"content-security-policy"]
    assert b"default-src 'none'" in policy
    assert b"unsafe" not in policy
    html = (PAGES / "status.html").read_text()
    assert "//" not in html.replace("<!doctype", "")


def test_data_becomes_text_and_never_markup() -> None:
    script = (PAGES / "status.js").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


def test_the_script_fills_what_the_page_has() -> None:
    """Every id that the script names is there, and none is left empty."""
    html, script = (PAGES / "status.html").read_text(), (PAGES / "status.js").read_text()
    named = set(re.findall(r'byId\("([a-z-]+)"\)', script)) | set(re.findall(r'fill\("([a-z]+)"', script))
    assert named == set(re.findall(r' id="([a-z-]+)"', html))
