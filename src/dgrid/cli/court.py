"""Behind `dgrid cases`: what the chain says of each case, and the transactions of who accuses or appeals.

Read from the chain; a leaf's place comes from any archive. Nothing is sent here that was not shown before.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dgrid.chain import cases
from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.case_view import Case, Hearing
from dgrid.chain.cases import Accusation
from dgrid.chain.view import ChainView
from dgrid.cli.judging import the_node
from dgrid.cli.sending import sending
from dgrid.cli.signers import key_names
from dgrid.cli.wallet_config import chain_config
from dgrid.core.errors import CaseNotFound, DGridError, InvalidRequest, NotYet, ReceiptNotFound
from dgrid.core.identity import ZERO_ADDRESS, Address, from_hex, to_hex
from dgrid.core.keccak import ZERO_HASH
from dgrid.engines.catalog import Catalog
from dgrid.processes.sample_requests import write_sample
from dgrid.settlement.cases import leaf_matter, refunds_of, root_charge
from dgrid.settlement.hearings import can_be_appealed, is_decided, is_guilty, terms_of, windows_of_hearing
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.settlement.samples import SampleTerms, open_fresh, open_sworn
from dgrid.wire.quality import Content, LeafKey

Json = dict[str, Any]
Names = Mapping[Address, str]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What somebody wants to accuse whom of, as typed."""

    subject: Subject
    about: str  # a node's name or address; a receipt's id; a round
    model: str = ""
    evidence: bytes = b""


# --- reading ----------------------------------------------------------------------------------------------------------


def all_cases(home: Path) -> list[Json]:
    """All cases, the newest first."""
    return asyncio.run(_all_cases(home))


async def _all_cases(home: Path) -> list[Json]:
    async with reading(chain_config(home)) as network:
        view, names, now_s = network.view, key_names(home), await _now_s(network)
    return [case_data(view, case, names=names, now_s=now_s) for case in reversed(view.cases.values())]


def one_case(home: Path, text: str) -> Json:
    """A case by its id or the beginning of it. Raises CaseNotFound."""
    return asyncio.run(_one_case(home, text))


async def _one_case(home: Path, text: str) -> Json:
    async with reading(chain_config(home)) as network:
        case = the_case(network.view, text)
        shown = case_data(network.view, case, names=key_names(home), now_s=await _now_s(network))
        if case.subject is not Subject.IDENTITY:
            return {**shown, "samples": None}
        await _look_at_votes(network, case, shown["hearings"])
        sworn = partial(open_sworn, view=network.view, terms=_sample_terms(network))
        return {**shown, "samples": await _samples(network, case, blob_id=case.evidence, read=sworn)}


def _sample_terms(network: NetworkReader) -> SampleTerms:
    return SampleTerms(network.domain, network.quality.court, write_sample)


async def _look_at_votes(network: NetworkReader, case: Case, hearings: list[Json]) -> None:
    """Adds to each opened vote what its evidence shows."""
    for stage, (hearing, told) in enumerate(zip(case.hearings, hearings, strict=True)):
        fresh = partial(open_fresh, view=network.view, stage=stage, terms=_sample_terms(network))
        members = dict(zip(hearing.seats, told["members"], strict=True))
        named = {seat: vote.evidence for seat, vote in hearing.votes.items() if vote.evidence != ZERO_HASH}
        looks = [
            _samples(network, case, blob_id=blob_id, read=partial(fresh, member=seat))
            for seat, blob_id in named.items()
        ]
        for seat, found in zip(named, await asyncio.gather(*looks), strict=True):
            members[seat]["samples"] = found


async def _samples(
    network: NetworkReader, case: Case, *, blob_id: bytes, read: Callable[[bytes, Case], list[Content]]
) -> Json:
    """How many of the accused's replies an evaluator shows, or why none counts."""
    try:
        counted = await asyncio.to_thread(read, await network.archives.fetch(blob_id), case)
    except DGridError as error:
        return {"replies": 0, "reason": error.message}
    return {"replies": len(counted), "reason": None}


async def _now_s(network: NetworkReader) -> int:
    return max(int(time.time()), await network.rpc.now_s())


def the_case(view: ChainView, text: str) -> Case:
    """The case that an id names. Raises CaseNotFound, InvalidRequest for several."""
    lowered = text.lower().partition("…")[0]
    found = [case for case in view.cases.values() if to_hex(case.id).startswith(lowered)]
    if not found or len(lowered) <= len("0x"):
        raise CaseNotFound(f"there is no case {text}", hint="`dgrid cases` lists them")
    if len(found) > 1:
        raise InvalidRequest(f"{text} names {len(found)} cases", hint="give more of the id")
    return found[0]


def case_data(view: ChainView, case: Case, *, names: Names, now_s: int) -> Json:
    """All that is known of a case."""
    ending = case.ending
    shown: Json = {
        "id": to_hex(case.id),
        "subject": case.subject.name.lower(),
        "accused": None if case.accused == ZERO_ADDRESS else _party(case.accused, names),
        "matter": to_hex(case.matter),
        "evidence": to_hex(case.evidence),
        "opener": _party(case.opener, names),
        "opened_s": case.opened_ms // 1000,
        "state": state_of(view, case, now_s=now_s),
        "bond_wei": str(terms_of(view, case).case_bond_wei),
        "refunds": [{"payer": to_hex(one.payer), "amount_wei": str(one.amount_wei)} for one in case.refunds],
        "hearings": [_hearing(view, case, stage=stage, names=names) for stage in range(len(case.hearings))],
        "appellant": None if case.appellant is None else _party(case.appellant, names),
        "ending": None,
    }
    if ending is not None:
        amounts = "slashed", "refunded", "rewarded", "burned"
        money = {f"{name}_wei": str(getattr(ending, f"{name}_wei")) for name in amounts}
        shown["ending"] = {"outcome": ending.outcome.name.lower(), "at_s": ending.timestamp_ms // 1000, **money}
    return shown


def state_of(view: ChainView, case: Case, *, now_s: int) -> str:
    """What a case waits for, in words."""
    if case.outcome is not Outcome.OPEN:
        return case.outcome.name.lower()
    windows = windows_of_hearing(view, case)
    if not case.hearing.seed:
        return "waits for its seed"
    if is_decided(view, case, now_s=now_s):
        return "can be carried out"
    if now_s < windows.enrol_until_s:
        return "members enrol"
    if now_s < windows.vote_until_s:
        return "members vote"
    return "votes are opened" if now_s < windows.unseal_until_s else "can be appealed"


def _hearing(view: ChainView, case: Case, *, stage: int, names: Names) -> Json:
    hearing, windows = case.hearings[stage], windows_of_hearing(view, case, stage=stage)
    return {
        "stage": "appeal" if stage else "first",
        "seed": to_hex(hearing.seed) if hearing.seed else None,
        "size": hearing.size,
        "enrol_until_s": windows.enrol_until_s or None,
        "vote_until_s": windows.vote_until_s or None,
        "unseal_until_s": windows.unseal_until_s or None,
        "verdict": _verdict(view, case, hearing),
        "members": [_member(hearing, seat, names) for seat in hearing.seats],
    }


def _verdict(view: ChainView, case: Case, hearing: Hearing) -> str | None:
    if not hearing.votes or not hearing.is_complete:
        return None
    return "guilty" if is_guilty(view, case, hearing=hearing) else "not guilty"


def _member(hearing: Hearing, seat: Address, names: Names) -> Json:
    vote = hearing.votes.get(seat)
    said = "guilty" if vote is not None and vote.guilty else "not guilty"
    state = said if vote is not None else "sealed" if seat in hearing.sealed else "silent"
    evidence = None if vote is None else to_hex(vote.evidence)
    return {**_party(seat, names), "vote": state, "evidence": evidence, "samples": None}


def _party(address: Address, names: Names) -> Json:
    return {"address": to_hex(address), "name": names.get(address)}


# --- sending ----------------------------------------------------------------------------------------------------------


def plan_open(home: Path, complaint: Complaint) -> tuple[Accusation, int]:
    """What would be sent, and the bond. Raises InvalidRequest, ReceiptNotFound, NotYet, NetworkUnreachable."""
    return asyncio.run(_plan_open(home, complaint))


async def _plan_open(home: Path, complaint: Complaint) -> tuple[Accusation, int]:
    async with reading(chain_config(home)) as network:
        bond_wei = network.view.parameters_at(1000 * await _now_s(network)).case_bond_wei
        match complaint.subject:
            case Subject.IDENTITY:
                return _identity(network.view, complaint, key_names(home)), bond_wei
            case Subject.UNDISCLOSED:
                return await _undisclosed(network, complaint), bond_wei
            case Subject.QUALITY_ROOT:
                return _root(network.view, complaint), bond_wei


def _identity(view: ChainView, complaint: Complaint, names: Names) -> Accusation:
    node = the_node(complaint.about, view, names=names)
    last = view.quality_roots.get(view.last_quality_round)
    evidence = complaint.evidence or (b"" if last is None else last.root.blob_id)
    if not evidence:
        raise NotYet("nothing was judged yet", hint="name a blob with --evidence")
    return Accusation(Subject.IDENTITY, node, _digest(complaint.model), evidence)


def _digest(model: str) -> bytes:
    if model.startswith("0x"):
        try:
            return from_hex(model, size=32)
        except ValueError:
            raise InvalidRequest(f"{model} is no digest: 0x and 64 hex digits") from None
    found = [one.digest for one in Catalog.built_in().models if one.id == model]
    if not found:
        raise InvalidRequest(f"no built-in model is called {model!r}", hint="give --model a name, or a digest")
    return found[0]


async def _undisclosed(network: NetworkReader, complaint: Complaint) -> Accusation:
    try:
        request_id = from_hex(complaint.about, size=32)
    except ValueError:
        raise InvalidRequest(f"{complaint.about!r} is no receipt's id", hint="`dgrid receipts` lists them") from None
    for anchor in network.records.anchors():
        receipt = (await network.records.epoch(anchor)).find(request_id)
        if receipt is not None:
            key = LeafKey(receipt.parties.gateway, *receipt.place.position)
            paid_wei = {Address(receipt.parties.payer): receipt.shares.fee}
            refunds = refunds_of(paid_wei, most_wei=network.view.parameters.last.request_value_max_wei)
            named = Address(key.gateway), leaf_matter(key), complaint.evidence or anchor.root.blob_id
            return Accusation(Subject.UNDISCLOSED, *named, refunds)
    raise ReceiptNotFound(f"no anchored epoch holds the receipt {complaint.about}")


def _root(view: ChainView, complaint: Complaint) -> Accusation:
    posted = view.quality_roots.get(int(complaint.about)) if complaint.about.isdecimal() else None
    if posted is None:
        raise NotYet(f"no quality root is posted for round {complaint.about}")
    return Accusation(*root_charge(posted.root.round), complaint.evidence or posted.root.blob_id)


def send_open(home: Path, accusation: Accusation, *, bond_wei: int) -> str:
    """Opens the case with the home user's money; its id. Raises Reverted, ChainUnavailable."""
    return asyncio.run(_send_open(home, accusation, bond_wei))


async def _send_open(home: Path, accusation: Accusation, bond_wei: int) -> str:
    async with sending(home) as (network, sender):
        receipt = await cases.open_case(sender, network.contracts, accusation=accusation, bond_wei=bond_wei)
        opened = (network.contracts.cases.decode_log(log) for log in receipt.logs)
        return to_hex(next(event.arguments["id"] for event in opened if event and event.name == "CaseOpened"))


def plan_appeal(home: Path, text: str) -> tuple[bytes, int]:
    """The case, and the bond it was opened against. Raises CaseNotFound, InvalidRequest, ChainUnavailable."""
    return asyncio.run(_plan_appeal(home, text))


async def _plan_appeal(home: Path, text: str) -> tuple[bytes, int]:
    async with reading(chain_config(home)) as network:
        case, now_s = the_case(network.view, text), await _now_s(network)
        if not can_be_appealed(network.view, case, now_s=now_s):
            state = state_of(network.view, case, now_s=now_s)
            raise InvalidRequest(f"the case cannot be appealed now: {state}", hint="once, after the votes were opened")
        return case.id, terms_of(network.view, case).case_bond_wei


def send_appeal(home: Path, case: bytes, *, bond_wei: int) -> None:
    """Appeals in a case with the home user's money. Raises Reverted, ChainUnavailable."""
    asyncio.run(_send_appeal(home, case, bond_wei))


async def _send_appeal(home: Path, case: bytes, bond_wei: int) -> None:
    async with sending(home) as (network, sender):
        await cases.appeal(sender, network.contracts, case=case, bond_wei=bond_wei)
