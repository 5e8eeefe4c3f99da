"""The events of a network, drawn at random; each rule is one, and passes both laws."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.devnet import key_of
from tests.settlement.books import Work
from tests.settlement.twins import settling
from tests.settlement.twins.cases import Trial, a_case
from tests.settlement.twins.judging import Judgement, draw, judge_round, undrawn
from tests.settlement.twins.voting import Change, a_vote
from tests.settlement.twins.world import (
    EVALUATORS,
    GATEWAYS,
    NODES,
    PAYERS,
    SPLITS,
    Twins,
    address_of,
    allowed,
    at_the_start,
    channel_of,
)

from dgrid.chain.events import Kind, Role
from dgrid.core.identity import NO_LISTING
from dgrid.core.money import FREE, WEI, Price, Split
from dgrid.wire.messages import Flag

CHEAT = GATEWAYS[1]
FACTORS = (0, 1, 3_333, 9_999, 10_000, 10_001)  # of what there is, in basis points
gateways, nodes, payers = map(st.sampled_from, (GATEWAYS, NODES, PAYERS))
prices = st.builds(Price, *[st.sampled_from((0, 1, 7, 10**6 + 1, WEI, 2 * WEI, 6 * WEI, 40 * WEI))] * 2)
tokens = st.sampled_from((0, 1, 333_333)) | st.integers(0, 10**6)
amounts = st.sampled_from((0, 1, WEI // 3, 10 * WEI, 777 * WEI, 10**6 * WEI)) | st.integers(0, 100 * WEI)
parts = st.sampled_from(FACTORS) | st.integers(0, 10_000)
members = st.sampled_from(((Role.NODE, "node-1"), (Role.GATEWAY, CHEAT), (Role.EVALUATOR, EVALUATORS[0])))
delegators = st.sampled_from(("delegator-1", "delegator-2"))
works = st.fixed_dictionaries(
    {
        "gateway": gateways,
        "payer": payers,
        "node": nodes,
        "lane": st.integers(0, 2),
        "listing": st.none() | st.integers(0, 7),
        "price": prices,
        "tokens": st.tuples(tokens, tokens),
        "flags": st.sampled_from((0, 0, 0, Flag.CACHED, Flag.SUPPORT, Flag.PARTIAL)),
    }
)


changes = st.lists(
    st.one_of(
        *[
            st.builds(Change, st.just(name), st.sampled_from(steps))
            for name, steps in {
                "protocol_bps": (-100, 33, 100, 101),
                "maximum_margin_bps": (-500, 500),
                "gateway_slash_bps": (-2_000, 1_111),
                "reporter_bps": (-1_000, 777, 1_000),
                "challenge_seconds": (-5, 5, 400),
                "default_seconds": (-20, 7, 400),
                "bond_seconds": (-100, 100),
                "unbonding_seconds": (-200, 100),
                "pool_cap_wei": (WEI // 3, -WEI),
                "node_slash_bps": (-2_000, 1_000),
                "quality_bps": (-2_000, 1_000),
                "case_bond_wei": (WEI, -5 * WEI),
                "verdict_bps": (-1_000, -1_666, 1_000),
                "late_penalty_wei": (WEI, -10 * WEI),
                "root_seconds": (-5, 10),
                "cost_weight": (10, 100),
            }.items()
        ]
    ),
    min_size=1,
    max_size=3,
)


class Stream(RuleBasedStateMachine):
    """One network's history."""

    def __init__(self, world: Twins) -> None:
        super().__init__()
        self.world = at_the_start(world)
        self.money, self.stakes = self.world.laws.money, self.world.laws.stakes
        self.channels = sorted(self.money.channels)
        self.missed: set[bytes] = set()  # gateways that left an epoch without a root

    @invariant()
    def all_is_equal(self) -> None:
        self.world.check()

    @rule(seconds=st.sampled_from((1, 20, 60, 180, 400)))
    def time_passes(self, seconds: int) -> None:
        self.world.chain.pass_until(self.world.chain.next_s + seconds)

    # --- payers ---

    @rule(at=st.integers(0, 3), amount=amounts)
    def a_payer_deposits(self, at: int, amount: int) -> None:
        self._escrow(partial(self.money.deposit, self.channels[at], amount), at, "deposit", amount)

    @rule(at=st.integers(0, 3), part=parts)
    def a_payer_asks_its_money_back(self, at: int, part: int) -> None:
        name, now_s = self.channels[at], self.world.chain.next_s
        amount = self.money.channels[name].balance * part // 10_000
        law = partial(self.money.request_withdraw, name, amount, now_s=now_s)
        self._escrow(law, at, "requestWithdraw", amount)

    @precondition(lambda self: any(one.requested for one in self.money.channels.values()))
    @rule(at=st.integers(0, 3))
    def a_payer_takes_its_money_back(self, at: int) -> None:
        name, now_s = self.channels[at], self.world.chain.next_s
        self._escrow(partial(self.money.finalize_withdraw, name, now_s=now_s), at, "finalizeWithdraw")

    @rule(at=st.integers(0, 3), amount=amounts)
    def a_payer_promises(self, at: int, amount: int) -> None:
        self.world.ceilings[self.channels[at]] += amount

    # --- answers and roots ---

    @rule(at=st.integers(0, 1), price=prices, split=st.sampled_from(SPLITS))
    def a_creator_asks_another_price(self, at: int, price: Price, split: tuple[tuple[str, int], ...]) -> None:
        """Earlier versions stay payable, and receipts may still name them."""
        names = list(dict.fromkeys(name for name, _ in self.world.view.listing_versions))
        payees, bps = [address_of(payee) for payee, _ in split], [share for _, share in split]
        asked = names[at], price.in_wei, price.out_wei, payees, bps
        self.world.both(allowed, "creator-1", self.world.contracts.listings, "revise", *asked)

    @rule(works=st.lists(works, min_size=1, max_size=4))
    def answers_are_billed(self, works: list[dict[str, Any]]) -> None:
        for work in works:
            self._bill(work)

    @rule(work=works, price=st.sampled_from((10**22, 2**90)), tokens=st.sampled_from((10**6, 2**32 - 1)))
    def an_answer_costs_more_than_anybody_has(self, work: dict[str, Any], price: int, tokens: int) -> None:
        self._bill({**work, "gateway": CHEAT, "price": Price(price, price), "tokens": (tokens, tokens)})

    @rule(works=st.lists(works, min_size=1, max_size=6), claimed=st.booleans())
    def an_epoch_goes_as_it_should(self, works: list[dict[str, Any]], claimed: bool) -> None:  # noqa: FBT001
        """Billed, closed, collected and, once it is final, claimed."""
        self.answers_are_billed(works)
        for gateway in GATEWAYS:
            self.a_gateway_closes_its_epochs(gateway, missed=False)
        settling.collect(self.world)
        if claimed:
            self.time_passes(20)
            self.parties_claim(set(Kind))

    @rule(work=works, moved=st.sampled_from((-1, 1, WEI)), between=st.permutations((1, 2, 3, 4)))
    def the_cheat_bills_another_split(self, work: dict[str, Any], moved: int, between: list[int]) -> None:
        """It moves a little from one part to another; the parts still sum to the fee, and none is below nothing."""
        self._bill({**work, "gateway": CHEAT}, moved=(between[0], between[1], moved))

    @rule(gateway=gateways, missed=st.booleans())
    def a_gateway_closes_its_epochs(self, gateway: str, missed: bool) -> None:  # noqa: FBT001
        """All that are open, oldest first; or all but the oldest, for which no root ever comes."""
        epochs = settling.open_epochs(self.world, gateway)
        if missed and len(epochs) > 1:
            self.missed.add(address_of(gateway))
        for epoch in epochs[1:] if missed else epochs:
            settling.close(self.world, gateway, epoch)

    @precondition(lambda self: self.world.view.roots)
    @rule()
    def debts_are_collected(self) -> None:
        settling.collect(self.world)

    @precondition(lambda self: self.world.view.roots)
    @rule(kinds=st.sets(st.sampled_from(Kind), min_size=1))
    def parties_claim(self, kinds: set[Kind]) -> None:
        rows = [one for one in settling.accounts(self.world) if one.party.kind in kinds and one.due_wei]
        settling.claim(self.world, rows[:16])

    @precondition(lambda self: self.world.view.roots)
    @rule()
    def payers_pay_all_and_everybody_claims(self) -> None:
        """Then what everybody has is what the ledger says, to the unit."""
        for at, name in enumerate(self.channels):
            self.a_payer_deposits(at, 5_000 * WEI)
            self.world.ceilings[name] += 10**6 * WEI
        self.an_epoch_goes_as_it_should([], claimed=True)
        for _ in range(3):  # of 16 rows each; gateway and protocol wait for the others
            self.parties_claim(set(Kind))
        for gateway in map(address_of, GATEWAYS):
            account = self.money.accounts[gateway]
            if account.pots == account.collected and gateway not in self.missed and not account.void_from:
                assert [
                    one for one in settling.accounts(self.world) if one.party.gateway == gateway and one.due_wei
                ] == []

    @rule(gateway=gateways, kind=st.sampled_from((Kind.NODE, Kind.LISTING)), at=st.integers(0, 30))
    def a_party_claims_by_default(self, gateway: str, kind: Kind, at: int) -> None:
        """By some receipt, newest first, of an epoch that has no root."""
        found = [one for one in self.world.books[gateway].receipts if self._is_rootless(one.place.epoch, gateway)]
        if kind is Kind.LISTING:
            found = [one for one in found if one.parties.listing_id != NO_LISTING]
        if found:
            settling.claim_by_default(self.world, gateway, found[-1 - at % len(found)], kind)

    @precondition(lambda self: self.world.view.roots)
    @rule(at=st.integers(0, 10))
    def the_cheat_is_convicted(self, at: int) -> None:
        """Of a wrong split if there is one, else (now and then) of two roots for one epoch."""
        proofs = [one for one in settling.bad_splits(self.world) if one.charge.gateway == address_of(CHEAT)]
        roots = self.world.records.anchors(gateway=address_of(CHEAT))
        if proofs:
            settling.convict(self.world, proofs[at % len(proofs)])
        elif at == 0 and roots:
            settling.convict(self.world, settling.two_roots(self.world, roots[0], CHEAT))

    # --- bonds and lines ---

    @rule(gateway=gateways, amount=amounts)
    def a_gateway_adds_to_its_bond(self, gateway: str, amount: int) -> None:
        self._settle(partial(self.money.deposit_bond, address_of(gateway), amount), gateway, "depositBond", amount)

    @rule(gateway=gateways, part=parts)
    def a_gateway_asks_its_bond_back(self, gateway: str, part: int) -> None:
        own, until_s = address_of(gateway), self._released_s("bond_seconds")
        amount = self.money.accounts[own].free * part // 10_000
        law = partial(self.money.request_bond, own, amount, available_s=until_s)
        self._settle(law, gateway, "requestBondWithdrawal", amount)

    @precondition(lambda self: any(one.withdrawing for one in self.money.accounts.values()))
    @rule(gateway=gateways)
    def a_gateway_takes_its_bond_back(self, gateway: str) -> None:
        now_s = self.world.chain.next_s
        self._settle(partial(self.money.withdraw_bond, address_of(gateway), now_s=now_s), gateway, "withdrawBond")

    @rule(gateway=gateways, node=nodes, part=parts)
    def a_gateway_sets_a_line(self, gateway: str, node: str, part: int) -> None:
        own, until_s = address_of(gateway), self._released_s("bond_seconds")
        account = self.money.accounts[own]
        amount = (account.lines[address_of(node)].amount + account.free) * part // 10_000
        law = partial(self.money.set_line, own, address_of(node), amount, available_s=until_s)
        self._settle(law, gateway, "setLine", address_of(node), amount)

    @precondition(lambda self: self.world.view.lowerings)
    @rule(gateway=gateways, node=nodes)
    def a_line_is_lowered(self, gateway: str, node: str) -> None:
        named, now_s = (address_of(gateway), address_of(node)), self.world.chain.next_s
        self._settle(partial(self.money.apply_line, *named, now_s=now_s), "reporter", "applyLine", *named)

    # --- stakes ---

    @rule(member=members, amount=amounts)
    def a_member_adds_stake(self, member: tuple[Role, str], amount: int) -> None:
        (role, name), now_s = member, self.world.chain.next_s
        law = partial(self.stakes.add_stake, role, address_of(name), amount, now_s=now_s)
        self._register(law, name, "addStake", role, amount)

    @rule(member=members, part=parts)
    def a_member_unbonds(self, member: tuple[Role, str], part: int) -> None:
        (role, name), until_s = member, self._released_s("unbonding_seconds")
        amount = self.stakes.stakes[role, address_of(name)].serving * part // 10_000
        law = partial(self.stakes.unbond, role, address_of(name), amount, available_s=until_s)
        self._register(law, name, "unbond", role, amount)

    @precondition(lambda self: any(one.unbonding for one in self.stakes.stakes.values()))
    @rule(member=members)
    def a_member_withdraws(self, member: tuple[Role, str]) -> None:
        (role, name), now_s = member, self.world.chain.next_s
        self._register(partial(self.stakes.withdraw, role, address_of(name), now_s=now_s), name, "withdraw", role)

    @rule(member=members, who=delegators, amount=amounts)
    def somebody_delegates(self, member: tuple[Role, str], who: str, amount: int) -> None:
        role, operator = member[0], address_of(member[1])
        law = partial(self.stakes.delegate, role, operator, address_of(who), amount=amount)
        self._register(law, who, "delegateStake", role, operator, amount)

    @precondition(lambda self: any(one.delegated.assets for one in self.stakes.stakes.values()))
    @rule(member=members, who=delegators, part=parts)
    def somebody_undelegates(self, member: tuple[Role, str], who: str, part: int) -> None:
        named, until_s = (member[0], address_of(member[1])), self._released_s("unbonding_seconds")
        shares = self.stakes.stakes[named].delegated.held[address_of(who)] * part // 10_000
        law = partial(self.stakes.undelegate, named, address_of(who), shares=shares, available_s=until_s)
        self._register(law, who, "undelegateStake", *named, shares)

    @precondition(lambda self: any(one.undelegating.assets for one in self.stakes.stakes.values()))
    @rule(member=members, who=delegators)
    def somebody_takes_a_delegation_back(self, member: tuple[Role, str], who: str) -> None:
        named, now_s = (member[0], address_of(member[1])), self.world.chain.next_s
        law = partial(self.stakes.withdraw_delegation, *named, address_of(who), now_s=now_s)
        self._register(law, who, "withdrawDelegation", *named)

    # --- the courts and the members ---

    @precondition(lambda self: self.world.view.roots)
    @rule(waiting=st.sampled_from((0, 0, 0, 300)))
    def what_is_anchored_is_drawn(self, waiting: int) -> None:
        """So many blocks later: after 256 the chain no longer knows the hash that decides."""
        anchors = undrawn(self.world)
        if anchors and waiting:
            self.world.chain.mine(waiting)
        for anchor in anchors:
            draw(self.world, anchor)

    @precondition(lambda self: self.world.view.roots)
    @rule(
        withholding=st.frozensets(st.sampled_from(EVALUATORS), max_size=3),
        flagged=st.frozensets(nodes),
        pay_wei=st.sampled_from((0, 1, WEI // 100 - 8, WEI // 100, WEI // 100 + 1)),
    )
    def a_round_is_judged(self, withholding: frozenset[str], flagged: frozenset[str], pay_wei: int) -> None:
        for anchor in undrawn(self.world):
            draw(self.world, anchor)
        if any(one.round >= self.world.chain.epoch for one in self.world.view.draws.values()):
            judge_round(self.world, Judgement(withholding, flagged, pay_wei))

    @rule(
        node=nodes,
        order=st.permutations(EVALUATORS),
        says=st.dictionaries(st.sampled_from(EVALUATORS), st.booleans()),
        refund_wei=amounts,
    )
    def a_node_is_tried(self, node: str, order: list[str], says: dict[str, bool], refund_wei: int) -> None:
        a_case(self.world, Trial(node, tuple(order), says, refund_wei))

    @rule(changes=changes)
    def the_members_vote(self, changes: list[Change]) -> None:
        a_vote(self.world, changes)

    # --- what the rules share ---

    def _bill(self, work: dict[str, Any], *, moved: tuple[int, int, int] | None = None) -> None:
        books, name = self.world.books[work["gateway"]], channel_of(self.world, work["payer"], work["gateway"])
        books.listing = self._listing(work["listing"])
        config, (tokens_in, tokens_out) = self.world.configs[name], work["tokens"]
        order = Work(
            config, name, key_of(work["node"]), tokens_in, tokens_out, price=work["price"], flags=work["flags"]
        )
        split = books.agreed(order)
        if moved is not None:
            split = _moved(split, *moved)
        elif work["flags"] & Flag.CACHED:
            split = split._replace(fee_wei=split.fee_wei - split.node_wei, node_wei=0)
        settling.bill(self.world, work["gateway"], order, lane=work["lane"], split=split)

    def _listing(self, at: int | None) -> tuple[bytes, int, Price]:
        if at is None:
            return NO_LISTING, 0, FREE
        versions = list(self.world.view.listing_versions.items())
        (name, version), listing = versions[at % len(versions)]
        return name, version, listing.price

    def _is_rootless(self, epoch: int, gateway: str) -> bool:
        own = address_of(gateway)
        return (own, epoch) not in self.world.view.roots or self.world.view.is_void(own, epoch)

    def _released_s(self, name: str) -> int:
        seconds: int = getattr(self.world.view.parameters.at(self.world.chain.epoch), name)
        return self.world.chain.next_s + seconds

    def _escrow(self, law: Callable[[], object], at: int, function: str, *arguments: object) -> None:
        name = self.channels[at]
        payer = next(one for one in PAYERS if address_of(one) == self.money.channels[name].payer)
        config = self.world.configs[name]
        self.world.both(law, payer, self.world.contracts.channel_escrow, function, config, *arguments)

    def _settle(self, law: Callable[[], object], sender: str, function: str, *arguments: object) -> None:
        self.world.both(law, sender, self.world.contracts.settlement, function, *arguments)

    def _register(self, law: Callable[[], object], sender: str, function: str, *arguments: object) -> None:
        self.world.both(law, sender, self.world.contracts.registry, function, *arguments)


def _moved(split: Split, payer: int, payee: int, amount: int) -> Split:
    """The same fee, with something of one part given to another."""
    found = list(split)
    amount = max(-found[payee], min(amount, found[payer]))
    found[payer] -= amount
    found[payee] += amount
    return Split(*found)
