"""The pages as a real browser draws them from a real gateway, with what strangers may write in names."""

import asyncio
import html
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.gateway.stage import GATEWAY_KEY, Stage, play
from tests.gateway.staged_reports import KEYS, drawable, drawn, opened, signed

from dgrid.core.errors import StorageUnavailable
from dgrid.core.identity import to_hex
from dgrid.engines.scripted import Script
from dgrid.web.status import status_reply
from dgrid.wire.quality import Report, Verdict
from dgrid.wire.server import Reply, Request, problem_reply

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000")
HOSTILE = '<img src="/x" onerror="alert(1)">&lt;b&gt;'
pytestmark = pytest.mark.skipif(BROWSER is None, reason="NOT CHECKED: no Chromium here that could draw the pages")


class Browser:
    """Draws the pages of a stage's gateway, which it reaches as strangers do."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage, self.folder, self.down = stage, folder, False
        self.url = ""

    async def start(self) -> None:
        self.url = f"http://127.0.0.1:{(await self.stage.listen(self._answer)).port}"

    async def _answer(self, request: Request) -> Reply:
        page = status_reply(request.path)
        if page is None and self.down:
            return problem_reply(StorageUnavailable("gone"))
        return page if page is not None else await self.stage.service.handle(request)

    async def draw(self, path: str) -> str:
        """The page once its script has run, as markup; what the browser complains of fails the test."""
        assert BROWSER is not None
        words = (*OPTIONS, f"--user-data-dir={self.folder / 'profile'}", "--dump-dom", self.url + path)
        pipe = asyncio.subprocess.PIPE
        running = await asyncio.create_subprocess_exec(BROWSER, *words, stdout=pipe, stderr=pipe)
        shown, complaints = await running.communicate()
        said = [line for line in complaints.decode().splitlines() if "CONSOLE" in line and "status of" not in line]
        assert not said
        return shown.decode()


def browse(tmp_path: Path, scenes: Callable[[Stage, Browser], Awaitable[None]]) -> None:
    async def main(stage: Stage) -> None:
        stage.court.evaluators = drawable()
        browser = Browser(stage, tmp_path)
        await browser.start()
        await scenes(stage, browser)

    play(tmp_path, main, Script())


def test_a_young_receipt_s_page_says_who_was_paid_what_and_what_is_still_to_come(tmp_path: Path) -> None:
    async def scenes(stage: Stage, browser: Browser) -> None:
        answer = await stage.ask("Who lives in Oslo?")
        page = await browser.draw(f"/status/receipts/{answer.receipt_id}")
        fee = f"{int(answer.json['usage']['dgrid']['fee_wei']) / 10**18:.18f}".rstrip("0")
        assert f"<strong>{fee} DGAI</strong>" in page
        assert to_hex(stage.nodes[0].key.address) in page
        assert "In no root yet" in page
        assert "checks no signature" in page
        assert f"dgrid audit {answer.receipt_id}</code>" in page
        assert "Oslo" not in page

    browse(tmp_path, scenes)


def test_a_judged_receipt_s_page_says_who_found_what_and_where_its_root_is(tmp_path: Path) -> None:
    async def scenes(stage: Stage, browser: Browser) -> None:
        answer, hidden = await stage.ask(), await stage.ask(dgrid={"privacy": "none"})
        key, document, judged_round = await drawn(stage, answer)
        report = Report(key, document.receipt.struct_hash(), Verdict.JUDGED, accuracy_bps=8_100)
        opened(stage, KEYS[0], signed(KEYS[0], judged_round, report))
        page = await browser.draw(f"/status/receipts/{key.epoch}.{key.lane}.{key.sequence}")
        assert answer.receipt_id in page
        assert all(to_hex(one.address) in page for one in KEYS)
        assert "<span>81 %</span>" in page
        assert page.count("opened no reports so far") == 2
        assert "0x" + "77" * 32 in page
        assert f"dgrid proof {answer.receipt_id}</code>" in page
        page = await browser.draw(f"/status/receipts/{hidden.receipt_id}")
        assert "never will be: who asked lets nobody else read it" in page
        assert "dgrid proof" not in page

    browse(tmp_path, scenes)


def test_what_strangers_name_their_models_is_text_on_both_pages(tmp_path: Path) -> None:
    async def scenes(stage: Stage, browser: Browser) -> None:
        await stage.add_node(model=HOSTILE)
        await stage.restart_gateway()
        answer = await stage.ask(model=HOSTILE)
        assert answer.status == 200
        for path in ("/status", f"/status/receipts/{answer.receipt_id}"):
            page = await browser.draw(path)
            assert html.escape(HOSTILE, quote=False) in page
            assert "<img" not in page
        assert f'href="/status/receipts/{answer.receipt_id}"' in await browser.draw("/status")

    browse(tmp_path, scenes)


def test_who_comes_for_nothing_is_told_so_and_an_absent_gateway_is_not_called_a_missing_receipt(tmp_path: Path) -> None:
    async def scenes(_: Stage, browser: Browser) -> None:
        missing = '<section id="missing" hidden="">'
        unknown = f"/status/receipts/0x{'11' * 32}"
        page = await browser.draw(unknown)
        assert missing not in page
        assert "ask it:" in page
        assert "Each gateway has its own places" in await browser.draw("/status/receipts/9.0.0")
        browser.down = True
        page = await browser.draw(unknown)
        assert missing in page
        assert "This gateway does not answer" in page
        assert GATEWAY_KEY.address.hex() not in page

    browse(tmp_path, scenes)
