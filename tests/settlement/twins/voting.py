"""How the members change a parameter in both laws: Python says beforehand what the contract will say."""

from typing import NamedTuple

from tests.settlement.twins.chain import EPOCH_SECONDS, GENESIS_S, Call
from tests.settlement.twins.world import Twins, allowed

from dgrid.chain.ballots import Proposed
from dgrid.chain.contracts import Reverted
from dgrid.chain.parameters import tunable
from dgrid.core.identity import to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.governance.changes import setting_calls
from dgrid.governance.drafting import Draft, OutOfBounds, UnsafeParameters, require_adoptable
from dgrid.poq.economics import violations

FOR = 1
BOUNDS = {"OutOfBounds", "ChangeTooLarge", "AlreadyChanging"}


class Change(NamedTuple):
    """A parameter and by how much it moves."""

    name: str
    by: int


def a_vote(world: Twins, changes: list[Change]) -> None:
    """Proposes, votes, queues and executes; if both laws say beforehand that it would be adopted."""
    before = world.view.parameters.last
    moved = {one.name: max(0, getattr(before, one.name) + one.by) for one in changes}
    values = [(tunable(name), value) for name, value in moved.items()]
    draft = Draft(tuple(sorted(values, key=lambda one: one[0].index)))
    (call,) = setting_calls(draft.values, contracts=world.contracts)
    contract, timelock = world.contracts.parameters, world.contracts.timelock.address
    arguments = contract.interface.functions["set"].inputs.decode(call.data[4:], 0)
    refusal = world.chain.would_refuse(Call(timelock, contract, "set", arguments))
    _require_same(world, draft, refusal)
    if refusal is None:
        _carry(world, [[call.target], [call.value_wei], [call.data]])


def carry_out(world: Twins, name: str, *, by: int) -> None:
    """A vote that passed, without its ballot."""
    timelock, parameter = world.contracts.timelock.address, tunable(name)
    value = getattr(world.view.parameters.last, name) + by
    world.chain.ask("anvil_setBalance", to_hex(timelock), hex(WEI))
    said = world.chain.do(Call(timelock, world.contracts.parameters, "set", [[parameter.index], [value]]))
    assert said.refusal is None, said.refusal
    world.follow(said)


def _require_same(world: Twins, draft: Draft, refusal: Reverted | None) -> None:
    """The contract names a bound or the first of the rules that Python finds broken."""
    history, epoch = world.view.parameters, (world.chain.now_s - GENESIS_S) // EPOCH_SECONDS
    expected = None
    try:
        require_adoptable(draft, history, epoch_now=epoch, epoch_seconds=EPOCH_SECONDS)
    except (OutOfBounds, UnsafeParameters) as error:
        expected = error
    says = None if refusal is None else refusal.name
    if isinstance(expected, OutOfBounds):
        assert says in BOUNDS, expected
    elif refusal is None or expected is None:
        assert (refusal, expected) == (None, None)
    else:
        broken = violations(draft.over(history.last), epoch_seconds=EPOCH_SECONDS, before=history.last)
        assert (says, refusal.arguments) == ("Unsafe", {"rule": broken[0]})


def _carry(world: Twins, columns: list[list[object]]) -> None:
    """By the ballot of a dev network: 5 s of notice, 30 s of voting (40 if the quorum comes late), 10 s of waiting."""
    governor = world.contracts.governor
    said = _do(world, "propose", *columns, f"at {world.chain.now_s}")
    proposed = next(event for event in said if isinstance(event, Proposed))
    world.chain.pass_until(proposed.vote_start_s + 1)
    _do(world, "castVote", proposed.proposal, FOR)
    world.chain.pass_until(proposed.vote_end_s + 1)
    named = [*columns, keccak(proposed.description.encode())]
    _do(world, "queue", *named)
    world.chain.pass_until(world.view.ballots.ready_s[proposed.proposal])
    _do(world, "execute", *named)
    assert governor.name == "governor"


def _do(world: Twins, function: str, *arguments: object) -> tuple[object, ...]:
    said = world.both(allowed, "voter", world.contracts.governor, function, *arguments)
    return said.events
