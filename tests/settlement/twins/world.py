"""A network whose every event passes both laws: Python's, and the contracts'. It refuses to go on where they differ."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from tests.devnet import key_of
from tests.settlement.books import Books
from tests.settlement.network import BASE_BPS, BOND_WEI, LINE_WEI
from tests.settlement.twins.chain import EPOCH_SECONDS, GENESIS_S, Call, Read, Said, TwinChain, funded
from tests.settlement.twins.court import CaseLaw, CourtLaw
from tests.settlement.twins.money import Channel, MoneyLaw
from tests.settlement.twins.stake import StakeLaw
from tests.settlement.twins.token import Refused, Token

from dgrid.chain.channels import channel_id
from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.deploy import dev_parameters
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.events import Role
from dgrid.chain.facts import read_facts
from dgrid.chain.parameters import Parameters, catalogue
from dgrid.chain.view import ChainView, fold
from dgrid.core.errors import RouteNotFound
from dgrid.core.identity import Address, channel_salt, from_hex, model_id
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.settlement.archives import ArchiveDoor, Archives
from dgrid.settlement.collection import Collections
from dgrid.settlement.records import Records
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.quality import PayoutAccount
from dgrid.wire.server import Reply, Request, Server
from dgrid.wire.typed import Domain, channel_domain, court_domain, dgrid_domain

MODEL_DIGEST = keccak(b"weights")
MEMBER_STAKE_WEI = 3_000 * WEI  # thrice the least: a slash ends nobody's service
WALLET_WEI = 100_000 * WEI
VOTES_WEI = 60_000_000 * WEI  # more than the quorum of 4 %
ALL_MONEY = 2**255
NODES, PAYERS, GATEWAYS = ("node-1", "node-2"), ("payer-1", "payer-2"), ("gateway-1", "gateway-2")
EVALUATORS = tuple(f"evaluator-{number}" for number in range(1, 6))
CREATORS, OTHERS = ("creator-1", "creator-2"), ("archive", "reporter", "delegator-1", "delegator-2", "voter")
SPLITS = ((("creator-1", 3_333), ("creator-2", 3_334), ("creator-1", 3_333)), (("creator-2", 10_000),))
MEMBERS = (
    *((Role.NODE, name) for name in NODES),
    *((Role.GATEWAY, name) for name in GATEWAYS),
    *((Role.EVALUATOR, name) for name in EVALUATORS),
    (Role.ARCHIVE, "archive"),
)


def address_of(name: str) -> Address:
    return key_of(name).address


@dataclass
class Laws:
    """Python's."""

    token: Token
    money: MoneyLaw
    stakes: StakeLaw
    court: CourtLaw
    cases: CaseLaw

    @classmethod
    def of(cls, contracts: Contracts) -> "Laws":
        token = Token()
        escrow, settlement, court = contracts.channel_escrow, contracts.settlement, contracts.quality_court
        money = MoneyLaw(token, escrow.address, settlement.address, court.address, BASE_BPS)
        stakes = StakeLaw(token, contracts.registry.address)
        return cls(token, money, stakes, CourtLaw(money, stakes), CaseLaw(stakes, contracts.cases.address))


def channel_of(world: "Twins", payer: str, gateway: str) -> bytes:
    """A payer's channel to a gateway."""
    wanted = address_of(payer), address_of(gateway)
    return next(name for name, one in world.laws.money.channels.items() if (one.payer, one.gateway) == wanted)


def allowed() -> None:
    """The law of an event that moves no money: nothing is against it."""


@dataclass
class Twins:
    """Both laws, the view that roles fold from the contracts' events, and what gateways and payers wrote."""

    chain: TwinChain
    laws: Laws
    view: ChainView
    archives: Archives
    blobs: dict[bytes, bytes]  # what the archive holds
    configs: dict[bytes, ChannelConfig] = field(default_factory=dict)
    ceilings: dict[bytes, int] = field(default_factory=dict)  # what payers promised
    books: dict[str, Books] = field(default_factory=dict)
    payouts: dict[PayoutAccount, int] = field(default_factory=dict)  # what the last quality root owes
    start: tuple[str, int] = ("", 0)  # the chain before anything happened
    records: Records = field(init=False, repr=False)
    collections: Collections = field(init=False, repr=False)

    @property
    def contracts(self) -> Contracts:
        return self.chain.contracts

    @property
    def domain(self) -> Domain:
        return dgrid_domain(DEV_CHAIN_ID, self.contracts.settlement.address)

    @property
    def escrow_domain(self) -> Domain:
        return channel_domain(DEV_CHAIN_ID, self.contracts.channel_escrow.address)

    @property
    def court_domain(self) -> Domain:
        return court_domain(DEV_CHAIN_ID, self.contracts.quality_court.address)

    def both(self, law: Callable[[], object], sender: str, contract: Contract, function: str, *arguments: Any) -> Said:
        """One event through both laws: they allow it alike, or refuse it by the same name."""
        return self.both_do(law, Call(address_of(sender), contract, function, arguments))

    def both_do(self, law: Callable[[], object], call: Call) -> Said:
        """The same of a call that is made already."""
        refusal = None
        try:
            law()
        except Refused as error:
            refusal = error.name
        said = self.chain.do(call)
        assert said.refusal == refusal, f"{call.function}: Python says {refusal}, the contract {said.refusal}"
        self.follow(said)
        return said

    def follow(self, said: Said) -> None:
        """Takes in what the contracts said, as every role does."""
        self.view = fold(self.view, said.events)

    def check(self) -> None:
        """Every figure that both laws know is the same, and so is what roles read out of the events."""
        reads = list(_reads(self))
        for read, found in zip(reads, self.chain.read(reads), strict=True):
            part = found[: len(read.expected)] if isinstance(read.expected, tuple) else found
            assert part == read.expected, f"{read.function}{read.arguments}: {part}, by Python's law {read.expected}"
        _check_view(self)
        _check_conserved(self.laws)


def a_world(chain: TwinChain) -> Twins:
    """Members with stakes, gateways with bonds and lines, open channels, two listings; nothing has happened yet."""
    laws = Laws.of(chain.contracts)
    facts = chain.run(read_facts(chain.rpc, chain.contracts))
    blobs: dict[bytes, bytes] = {}
    world = Twins(chain, laws, ChainView(facts=facts), chain.run(an_archive(blobs, chain)), blobs)
    names = [*NODES, *PAYERS, *GATEWAYS, *EVALUATORS, *CREATORS, *OTHERS]
    funded(chain, map(address_of, names), dgai_wei=WALLET_WEI)
    funded(chain, [address_of("voter")], dgai_wei=VOTES_WEI)
    _settle_in(world)
    held = [*map(address_of, names), *(one.address for one in chain.contracts.all), DEV_ACCOUNT.address]
    reads = [Read(chain.contracts.dgai, "balanceOf", [holder], 0) for holder in held]
    laws.token.balances.update(dict(zip(held, chain.read(reads), strict=True)))
    world.view = fold(world.view, chain.run(chain.events_so_far()))
    world.start = chain.snapshot()
    return world


def _settle_in(world: Twins) -> None:
    contracts = world.contracts
    takers = contracts.channel_escrow, contracts.settlement, contracts.registry, contracts.demands, contracts.cases
    for name in [*NODES, *PAYERS, *GATEWAYS, *EVALUATORS, *OTHERS]:
        for spender in takers:
            _do(world, name, contracts.dgai, "approve", spender.address, ALL_MONEY)
    for role, name in MEMBERS:
        margin = 500 if role is Role.GATEWAY else 0
        terms = role, MEMBER_STAKE_WEI, "http://127.0.0.1:1", bytes(32), bytes(32), margin
        _do(world, name, contracts.registry, "register", *terms)
        stake = world.laws.stakes.stakes[role, address_of(name)]
        stake.serving, stake.raised_s = MEMBER_STAKE_WEI, world.chain.now_s
    for name in EVALUATORS:
        _do(world, name, contracts.registry, "declareModels", Role.EVALUATOR, [MODEL_DIGEST])
    _do(world, "voter", contracts.dgai, "delegate", address_of("voter"))
    for split in SPLITS:
        payees, bps = [address_of(name) for name, _ in split], [share for _, share in split]
        _do(world, "creator-1", contracts.listings, "list", model_id("dgrid-nano"), WEI, 3 * WEI, payees, bps)
    for gateway in GATEWAYS:
        _back(world, gateway)
        for payer in PAYERS:
            _open(world, gateway, payer)


def _back(world: Twins, gateway: str) -> None:
    """A gateway's bond and lines."""
    account = world.laws.money.accounts[address_of(gateway)]
    _do(world, gateway, world.contracts.settlement, "depositBond", BOND_WEI)
    account.bond = BOND_WEI
    for node in NODES:
        _do(world, gateway, world.contracts.settlement, "setLine", address_of(node), LINE_WEI)
        account.lines[address_of(node)].amount = LINE_WEI


def _open(world: Twins, gateway: str, payer: str) -> None:
    contracts, owner = world.contracts, address_of(payer)
    settlement, salt = contracts.settlement.address, channel_salt(address_of(gateway), b"t" * 12)
    delay_s = world.view.facts.withdraw_delay_s
    config = ChannelConfig(owner, owner, settlement, settlement, contracts.dgai.address, delay_s, salt)
    name = channel_id(contracts, config)
    _do(world, payer, contracts.channel_escrow, "deposit", config, 10 * WEI)
    world.configs[name], world.ceilings[name] = config, 20 * WEI
    world.laws.money.channels[name] = Channel(owner, address_of(gateway), delay_s, deposited=10 * WEI)


def _do(world: Twins, sender: str, contract: Contract, function: str, *arguments: Any) -> None:
    said = world.chain.do(Call(address_of(sender), contract, function, arguments))
    assert said.refusal is None, f"{function}: {said.refusal}"


def at_the_start(world: Twins) -> Twins:
    """A world as it was before anything happened, the chain with it."""
    world.start = world.chain.revert(world.start)
    world.blobs.clear()
    own = replace(world, laws=deepcopy(world.laws), ceilings=dict(world.ceilings), payouts={})
    token = world.contracts.dgai.address
    own.books = {name: Books(key_of(name), world.domain, token, GENESIS_S, EPOCH_SECONDS) for name in GATEWAYS}
    own.collections = Collections(None, domain=world.escrow_domain)
    own.records = Records(lambda: own.view, world.archives)
    return own


# --- what is compared -------------------------------------------------------------------------------------------------


def _reads(world: Twins) -> Iterator[Read]:
    yield from _token_reads(world)
    yield from _channel_reads(world)
    yield from _settlement_reads(world)
    yield from _registry_reads(world)
    yield from _court_reads(world)
    epoch = world.chain.epoch
    for asked in (epoch, epoch + 2):
        values = world.view.parameters.at(asked)
        listed = tuple(getattr(values, one.name) for one in catalogue())
        yield Read(world.contracts.parameters, "all", [asked], listed)


def _token_reads(world: Twins) -> Iterator[Read]:
    dgai, token = world.contracts.dgai, world.laws.token
    for holder, amount in token.balances.items():
        yield Read(dgai, "balanceOf", [holder], amount)
    yield Read(dgai, "totalSupply", [], token.balances.total())


def _channel_reads(world: Twins) -> Iterator[Read]:
    escrow = world.contracts.channel_escrow
    for name, one in world.laws.money.channels.items():
        yield Read(escrow, "channel", [name], (one.deposited, one.drawn, one.requested, one.available_s))
        for lane, drawn in one.drawn_in_lane.items():
            yield Read(escrow, "drawnInLane", [name, lane], drawn)


def _settlement_reads(world: Twins) -> Iterator[Read]:
    settlement, money = world.contracts.settlement, world.laws.money
    for gateway, one in money.accounts.items():
        account = one.funds, one.pots, one.collected, one.next_epoch, one.void_from, one.released
        yield Read(settlement, "account", [gateway], account)
        yield Read(settlement, "bond", [gateway], (one.bond, one.reserved, one.withdrawing, one.available_s))
        yield Read(settlement, "releasableOf", [gateway], money.releasable(gateway))
        for node, line in one.lines.items():
            yield Read(settlement, "line", [gateway, node], (line.amount, line.lowered, line.available_s))
            yield Read(settlement, "lineOf", [gateway, node], line.counts)
            yield Read(settlement, "unprovenOf", [gateway, node], line.unproven)
    for party, tally in money.tallies.items():
        named = [party.gateway, party.kind, party.lane, party.key]
        yield Read(settlement, "claimedOf", named, tally.claimed)


def _registry_reads(world: Twins) -> Iterator[Read]:
    registry = world.contracts.registry
    for (role, operator), one in world.laws.stakes.stakes.items():
        member = [role, operator]
        yield Read(registry, "member", member, (one.serving, one.unbonding, one.jailed_until_s))
        yield Read(registry, "stakeOf", member, one.weight)
        yield Read(registry, "slashableOf", member, one.slashable)
        yield Read(registry, "isActive", member, world.view.members[role, Address(operator)].active)
        yield Read(registry, "poolOf", member, (one.delegated.assets, one.undelegating.assets))
        for delegator in {*one.delegated.held, *one.undelegating.held}:
            worth = one.delegated.worth_of(delegator), one.undelegating.worth_of(delegator)
            held = one.delegated.held[delegator], *worth, one.delegation_available_s[delegator]
            yield Read(registry, "delegationOf", [*member, delegator], held)


def _court_reads(world: Twins) -> Iterator[Read]:
    court, law = world.contracts.quality_court, world.laws.court
    yield Read(court, "pool", [], law.pool)
    yield Read(court, "releasesHeldTotal", [], sum(law.held.values()))
    yield Read(court, "paidTotal", [], law.paid)
    yield Read(court, "sweepable", [], law.sweepable)
    yield Read(court, "owedTotal", [], sum(law.owed.values()))
    for gateway, amount in law.owed.items():
        yield Read(court, "owed", [gateway], amount)
    for gateway, amount in law.held.items():
        yield Read(court, "releasesHeld", [gateway], amount)
    for account, amount in law.claimed.items():
        yield Read(court, "claimedOf", list(account), amount)


def _check_view(world: Twins) -> None:
    """What the fold of the events says is what the law says."""
    view, laws = world.view, world.laws
    for name, channel in laws.money.channels.items():
        seen = view.channels[name]  # type: ignore[index]
        assert (seen.deposited_wei, seen.drawn_wei, seen.withdraw_wei, seen.balance_wei) == (
            *(channel.deposited, channel.drawn, channel.requested, channel.balance),
        )
        for lane, drawn in channel.drawn_in_lane.items():
            assert view.drawn_in_lane.get((name, lane), 0) == drawn  # type: ignore[arg-type]
    for gateway, account in laws.money.accounts.items():
        known = Address(gateway)
        assert view.bonds[known] == account.bond
        assert view.collected.get(known, 0) == account.collected
        assert sum(one.root.pot for (of, _), one in view.roots.items() if of == gateway) == account.pots
        assert (view.convicted[known] + 1 if known in view.convicted else 0) == account.void_from
        assert {node: line.amount for node, line in account.lines.items()} == {
            node: amount for (of, node), amount in view.line_amounts.items() if of == gateway
        }
    for (role, operator), stake in laws.stakes.stakes.items():
        assert view.members[role, Address(operator)].stake_wei == stake.serving
    assert view.paid_out == {key: paid for key, paid in laws.court.claimed.items() if paid}


def _check_conserved(laws: Laws) -> None:
    """What each contract holds is what it owes."""
    held, money = laws.token.balances, laws.money
    assert held[money.escrow] == sum(one.balance for one in money.channels.values())
    assert held[money.settlement] == sum(one.funds + one.bond for one in money.accounts.values())
    assert held[laws.stakes.registry] == sum(one.slashable for one in laws.stakes.stakes.values())
    assert held[laws.cases.cases] == 0
    collected = sum(one.collected for one in money.accounts.values())
    assert collected == sum(one.drawn for one in money.channels.values())


async def an_archive(blobs: dict[bytes, bytes], chain: TwinChain) -> Archives:
    """It holds what is in `blobs`, and answers over HTTP; closed with the chain."""

    async def handle(request: Request) -> Reply:
        found = blobs.get(from_hex(request.path.removeprefix("/v1/blobs/"), size=32))
        if found is None:
            raise RouteNotFound("no such blob")
        return Reply(200, found)

    server, http = Server(handle, host="127.0.0.1", port=0), HttpClient()
    await server.start()
    chain.stack.push_async_callback(server.stop)
    chain.stack.push_async_callback(http.close)
    doors = [ArchiveDoor(f"http://127.0.0.1:{server.port}")]
    domain = dgrid_domain(DEV_CHAIN_ID, chain.contracts.settlement.address)
    return Archives(http, lambda: doors, domain=domain)


def twin_parameters() -> Parameters:
    """Windows of judging as in other tests; one archive is enough."""
    return replace(dev_parameters(EPOCH_SECONDS), stored_quorum=1)
