"""Behind `dgrid receipts complain`: a signed request and what was charged for it, handed to watchers.

Takes what `dgrid connect` kept, and receipts from files. Asks no gateway: it is accused.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from dgrid.cli.terminal import dgai
from dgrid.cli.wallet_config import wallet_config
from dgrid.client.kept import kept_receipt, kept_refused, kept_request
from dgrid.client.problems import error_of
from dgrid.config import WatcherConfig, load_role
from dgrid.core.errors import DGridError, InvalidRequest, ReceiptNotFound, UsageError
from dgrid.processes.home import Home
from dgrid.watcher.evidence import HeldReceipt
from dgrid.watcher.overcharges import Overcharge
from dgrid.wire.http import HttpClient
from dgrid.wire.typed import Domain, dgrid_domain

PATH = "/v1/overcharges"


def overcharge_of(home: Path, receipt_id: str, *, files: Sequence[bytes] = ()) -> Overcharge:
    """A request's receipts with what it allowed, checked as a watcher checks them.

    Raises ReceiptNotFound, InvalidRequest where no more was charged than allowed, InvalidSignature, WrongChain.
    """
    user, domain = home / "roles" / "user", _domain(home)
    request = kept_request(user, receipt_id)
    if request is None:
        hint = "`dgrid connect` keeps what it signs; for an API key the gateway signs, which owes nobody a maximum"
        raise ReceiptNotFound(f"no signed request {receipt_id} is kept here", hint=hint)
    kept = kept_receipt(user, receipt_id)
    documents = [*([] if kept is None else [kept]), *kept_refused(user, receipt_id), *files]
    if not documents:
        raise ReceiptNotFound(f"no receipt of request {receipt_id} is kept here", hint="name a file with one")
    held = {
        one.receipt.struct_hash(): one for one in (HeldReceipt.from_json(data, domain=domain) for data in documents)
    }
    found = Overcharge(request, tuple(sorted(held.values(), key=lambda one: one.place)))
    if found.charged_wei <= request.max_fee:
        text = f"{dgai(found.charged_wei)} were charged, {dgai(request.max_fee)} allowed: there is nothing to prove"
        raise InvalidRequest(text)
    found.check(domain)
    return found


def watchers_of(home: Path) -> list[str]:
    """The watcher that runs in this home. Raises UsageError where none does."""
    file = Home(home).role_file("watcher-1")
    if not file.exists():
        raise UsageError("no watcher is known here", hint="name one with --watcher URL")
    return [load_role(WatcherConfig, file).url]


def hand_over(found: Overcharge, *, urls: Sequence[str]) -> list[str]:
    """Brings it to each watcher; those that took it. Raises what the last has against it when none does."""
    return asyncio.run(_hand_over(found.to_json(), urls))


async def _hand_over(document: bytes, urls: Sequence[str]) -> list[str]:
    http, taken, refusal = HttpClient(), list[str](), DGridError("nobody was asked")
    try:
        for url in urls:
            try:
                reply = await http.request("POST", url.rstrip("/") + PATH, body=document)
                if reply.status != 202:
                    raise error_of(reply.status, await reply.read(), who="watcher")
                await reply.read()
                taken.append(url)
            except DGridError as error:
                refusal = error
    finally:
        await http.close()
    if not taken:
        raise refusal
    return taken


def _domain(home: Path) -> Domain:
    chain = wallet_config(home).chain
    return dgrid_domain(chain.chain_id, chain.address("settlement"))
