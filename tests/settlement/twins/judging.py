"""How a round is judged in both laws: drawn by a block's hash, committed, opened or withheld, posted, paid out."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from tests.devnet import key_of
from tests.settlement.twins.chain import Read
from tests.settlement.twins.court import seed_of
from tests.settlement.twins.world import EVALUATORS, MODEL_DIGEST, Twins, address_of, allowed

from dgrid.chain.court import commitment_of, payout_claims
from dgrid.chain.events import PayoutClaimed, Role
from dgrid.chain.view import Anchor, Draw, PostedQuality
from dgrid.core.identity import ZERO_ADDRESS, Address, model_id
from dgrid.core.keccak import ZERO_HASH, keccak
from dgrid.core.money import BPS
from dgrid.poq.node_pay import Multipliers, settle_all
from dgrid.poq.turns import credits_of, take_turn
from dgrid.settlement.evidence import documents_of
from dgrid.settlement.quality import Documents, drawn_epoch
from dgrid.settlement.rounds import draws_of, posted_before, releases_of, root_of, rules_of, windows_of
from dgrid.wire.quality import PayoutAccount, PayoutKind, PayoutRow, QualityTable, amount_of

SEED_DELAY, KNOWN_BLOCKS = 3, 256
SALT = keccak(b"salt")


@dataclass(frozen=True)
class Judgement:
    """What a round comes to: who keeps its word back, which nodes were found out, what judging earns."""

    withholding: frozenset[str]
    flagged: frozenset[str]
    pay_wei: int


def undrawn(world: Twins) -> list[Anchor]:
    """Roots without a seed."""
    roots = world.view.roots.items()
    return [anchor for (gateway, epoch), anchor in roots if (gateway, epoch) not in world.view.draws]


def draw(world: Twins, anchor: Anchor) -> Draw:
    """Fixes a seed. It is the block hash's, and who stood ready is who the contracts say serves and runs the model."""
    chain, named = world.chain, (Address(anchor.root.gateway), anchor.root.epoch)
    deciding, head = anchor.block + SEED_DELAY, int(chain.ask("eth_blockNumber"), 16)
    if head < deciding:
        chain.mine(deciding - head)
        head = deciding
    expired = head + 1 - deciding > KNOWN_BLOCKS
    seed = seed_of(anchor.digest, None if expired else chain.hash_of_block(deciding))
    round_, ready = chain.round_of_draw, _ready(world)
    world.both(allowed, "reporter", world.contracts.quality_court, "fixSeed", *named)
    found = world.view.draws[named]
    assert (found.seed, found.round, found.expired) == (seed, round_, expired)
    assert {(one.address, one.stake_wei) for one in found.evaluators if MODEL_DIGEST in one.models} == ready
    assert chain.read([Read(world.contracts.quality_court, "drawOf", named, None)]) == [(seed, round_, expired)]
    return found


def judge_round(world: Twins, judgement: Judgement) -> None:
    """Judges the latest round, with all that nobody judged before, and pays it out."""
    table = post_round(world, judgement)
    if table is not None:
        world.chain.pass_until(world.laws.court.last.final_s)
        _claim(world, table)


def post_round(world: Twins, judgement: Judgement) -> QualityTable | None:
    """From the commitments to the posted root; its table, None where the court took none."""
    judged, speaking = hear_round(world, judgement)
    table = table_of(world, judged, judgement)
    if not speaking:
        return None
    parameters = world.view.parameters.at(judged)
    quorum = len(speaking) * parameters.quorum_bps // BPS + 1
    is_posted = post(world, table, speaking[:quorum])
    assert is_posted == (judgement.pay_wei <= parameters.pool_cap_wei), "what `poq` computes, the court takes"
    return table if is_posted else None


def hear_round(world: Twins, judgement: Judgement) -> tuple[int, list[str]]:
    """From the commitments to the moment when a root may be posted: the round, and who opened its reports."""
    rounds = [one.round for one in world.view.draws.values()]
    judged, court = max(world.chain.epoch, *rounds), world.contracts.quality_court
    windows = windows_of(world.view, judged)
    active = [name for name in EVALUATORS if world.view.members[Role.EVALUATOR, address_of(name)].active]
    opened = {"reports_root": keccak(b"reports"), "salt": SALT}
    world.chain.pass_until(windows.commit_from_s)
    for name in active:
        commitment = commitment_of(address_of(name), judged, **opened)
        world.both(allowed, name, court, "commit", judged, commitment)
    world.chain.pass_until(windows.reveal_from_s)
    speaking = [name for name in active if name not in judgement.withholding]
    for name in speaking:
        world.both(allowed, name, court, "reveal", judged, opened["reports_root"], ZERO_HASH, SALT)
    world.chain.pass_until(windows.open_from_s)
    for name in active:
        if name not in speaking:
            _penalize(world, name, judged)
    world.chain.pass_until(windows.post_from_s)
    return judged, speaking


def table_of(world: Twins, judged: int, judgement: Judgement) -> QualityTable:
    """Nodes' parts above the base as `poq` settles them: flagged ones get the least, their payers the rest."""
    rules, before = rules_of(world.view, judged), posted_before(world.view, judged)
    flagged = frozenset((bytes(address_of(name)), bytes(model_id("dgrid-nano"))) for name in judgement.flagged)
    multipliers = Multipliers((), rules.pay, credibility=rules.credibility, flagged=flagged)
    totals = defaultdict(int, world.payouts)
    draws = draws_of(world.view, judged)
    opened = [drawn_epoch(one, _documents(world, one)) for one in draws]
    settled = settle_all(opened, multipliers, rules=rules.pay)
    assert all(part.released_wei == part.node_wei + sum(wei for _, wei in part.refunds) for part in settled)
    turn = take_turn(credits_of((), settled))
    for account, wei in turn.taken.items():
        totals[account] += wei
    totals[PayoutAccount(PayoutKind.EVALUATOR, ZERO_ADDRESS, address_of(EVALUATORS[0]))] += judgement.pay_wei
    rows = tuple(PayoutRow(*account, amount_of(wei)) for account, wei in sorted(totals.items()) if wei)
    return QualityTable(
        chain_id=world.contracts.chain_id,
        court=world.contracts.quality_court.address,
        round=judged,
        previous=ZERO_HASH if before is None else before.root.blob_id,
        judged=tuple(sorted((one.gateway, one.epoch) for one in draws)),
        releases=tuple((gateway, amount_of(wei)) for gateway, wei in turn.releases.items()),
        **dict.fromkeys(("credibility", "calibration", "balances", "suspicions", "changes"), ()),
        payouts=rows,
    )


def _documents(world: Twins, of: Draw) -> Documents:
    records = world.chain.run(world.records.epoch(world.view.roots[of.gateway, of.epoch]))
    return documents_of(records, world.domain)


def post(world: Twins, table: QualityTable, signers: Collection[str]) -> bool:
    """Whether both laws took the root."""
    previous: PostedQuality | None = posted_before(world.view, table.round)
    root = root_of(table, token=world.contracts.dgai.address, previous=previous)
    releases = releases_of(table)
    digest = world.court_domain.digest(root.struct_hash())
    signed = sorted((address_of(name), key_of(name).sign(digest)) for name in signers)
    parameters = world.view.parameters.at(table.round)
    final_s = world.chain.next_s + parameters.root_seconds
    said = world.both(
        lambda: world.laws.court.post(releases, total=root.payouts_total, final_s=final_s, parameters=parameters),
        *("reporter", world.contracts.quality_court, "post", root, [(one.gateway, one.amount_wei) for one in releases]),
        signed,
    )
    if said.refusal is None:
        world.payouts = {row.account: row.total_wei for row in table.payouts}
    return said.refusal is None


def _claim(world: Twins, table: QualityTable) -> None:
    rows, law = payout_claims(table.payouts), world.laws.court
    paid = [law.claim(row.account, total=row.total_wei) for row in rows]
    arguments = [row.arguments() for row in rows]
    said = world.both(allowed, "reporter", world.contracts.quality_court, "claim", arguments)
    told = [event.amount_wei for event in said.events if isinstance(event, PayoutClaimed)]
    assert told == [amount for amount in paid if amount]


def _penalize(world: Twins, name: str, judged: int) -> None:
    parameters, named = world.view.parameters.at(judged), (address_of(name), address_of("reporter"))
    world.both(
        lambda: world.laws.court.penalize(*named, parameters=parameters),
        *("reporter", world.contracts.quality_court, "penalize", named[0], judged),
    )
    assert world.view.penalized[judged, named[0]] <= parameters.late_penalty_wei


def _ready(world: Twins) -> set[tuple[bytes, int]]:
    registry, found = world.contracts.registry, set[tuple[bytes, int]]()
    for name in EVALUATORS:
        member = [Role.EVALUATOR, address_of(name)]
        asked = [Read(registry, "isActive", member, None), Read(registry, "declares", [*member, MODEL_DIGEST], None)]
        active, declares, facts = world.chain.read([*asked, Read(registry, "member", member, None)])
        if active and declares:
            found.add((address_of(name), facts[0]))
    return found
