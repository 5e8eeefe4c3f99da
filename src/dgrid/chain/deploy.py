"""Puts the contracts on a chain and says where they are. Refuses to use the public dev key off a dev chain.

Many contracts are told the addresses of others before these exist: all addresses follow from the deployer's nonce and
`ORDER`, so they are predicted before the first creation. The deployer keeps no power over anything.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dgrid.chain.contracts import Reverted, bytecode, interface, is_code_of, runtime_bytes
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.parameters import DAY, Parameters, bsc_parameters, catalogue
from dgrid.chain.rpc import Call, Rpc, RpcError
from dgrid.chain.sender import Sender, TransactionReceipt
from dgrid.chain.transactions import created_address
from dgrid.config import DEV_ARCHIVES
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI

WINDOW_MIN_S = 6  # of judging: what a transaction and those who wait for it may take on a busy machine
ANYONE = Address(bytes(20))  # as the Timelock's executor
GAS_OF_CREATION = 53_000
CONSTRUCTOR_GAS = {"parameters": 5_658_000, "governor": 175_000, "dgai": 145_000, "timelock": 125_000}  # for storing
CONSTRUCTOR_GAS_USUAL = 13_000

# Every contract a network has, in the order of the deployer's nonces.
ORDER = (
    "dgai",
    "timelock",
    "governor",
    "parameters",
    "listings",
    "registry",
    "channel_escrow",
    "settlement",
    "challenges",
    "splits",
    "demands",
    "quality_court",
    "cases",
)


Say = Callable[[str, TransactionReceipt], None]


def _silent(_name: str, _receipt: TransactionReceipt) -> None:
    pass


class DeploymentFailed(DGridError):
    """A contract could not be put on the chain."""

    code = "deployment_failed"


@dataclass(frozen=True, slots=True)
class VotingTerms:
    """By what the members vote: seconds, and the votes that a proposal takes."""

    delay_s: int
    period_s: int
    threshold_wei: int
    late_quorum_extension_s: int
    timelock_s: int

    def arguments(self) -> tuple[int, ...]:
        """The Ballot struct of the governor's constructor; the Timelock has its own delay."""
        return self.delay_s, self.period_s, self.threshold_wei, self.late_quorum_extension_s


DEV_VOTING = VotingTerms(5, 30, 1_000 * WEI, 10, timelock_s=10)
BSC_VOTING = VotingTerms(DAY, 5 * DAY, 100_000 * WEI, DAY, timelock_s=2 * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a network starts with; the defaults are the dev network's. Only `parameters` can change later."""

    genesis_s: int
    epoch_seconds: int = 20
    parameters: Parameters = field(default_factory=Parameters)
    voting: VotingTerms = DEV_VOTING
    withdraw_delay_s: int = 120  # ≥ epoch + anchor + collection windows
    base_share_bps: int = 8_000  # a fifth of a node's part waits for its quality
    authors: tuple[Address, ...] = ()  # of canaries, from the start
    holder: Address | None = None  # of the whole supply; None: the deployer


def dev_terms(*, genesis_s: int, epoch_seconds: int, authors: Sequence[Address] = ()) -> Deployment:
    """The dev network's terms: a blob counts with a majority of its archives; delays outlast what they protect."""
    return Deployment(
        genesis_s=genesis_s,
        epoch_seconds=epoch_seconds,
        withdraw_delay_s=3 * epoch_seconds + 60,
        parameters=replace(dev_parameters(epoch_seconds), stored_quorum=DEV_ARCHIVES // 2 + 1),
        authors=tuple(authors),
    )


def dev_parameters(epoch_seconds: int) -> Parameters:
    """Windows shrink with epochs shorter than the usual 20 s, so that a round is judged within a few of them, but not
    below what a step takes on a busy machine. A root is disputed for no longer than an epoch, and delays grow with it.
    """
    usual = Parameters()
    return replace(
        usual,
        commit_seconds=min(usual.commit_seconds, max(WINDOW_MIN_S, epoch_seconds // 2)),
        reveal_seconds=min(usual.reveal_seconds, max(WINDOW_MIN_S, 2 * epoch_seconds // 5)),
        open_seconds=min(usual.open_seconds, max(WINDOW_MIN_S, 2 * epoch_seconds // 5)),
        root_seconds=min(usual.root_seconds, epoch_seconds),
        bond_seconds=usual.bond_seconds + epoch_seconds,
        unbonding_seconds=usual.unbonding_seconds + 2 * epoch_seconds,
    )


def bsc_terms(*, genesis_s: int) -> Deployment:
    """Terms for BNB Smart Chain: epochs of an hour, whose windows people can act in."""
    return Deployment(
        genesis_s=genesis_s,
        epoch_seconds=3_600,
        parameters=bsc_parameters(),
        voting=BSC_VOTING,
        withdraw_delay_s=DAY,
    )


def constructor_arguments(terms: Deployment, at: dict[str, Address], *, deployer: Address) -> dict[str, list[Any]]:
    """What each contract is told at its creation, given where all of them lie."""
    entries = catalogue()
    values = [getattr(terms.parameters, entry.name) for entry in entries]
    bounds = [(entry.bounds.minimum, entry.bounds.maximum, entry.bounds.change_max) for entry in entries]
    slashers = at["settlement"], at["quality_court"], at["cases"], at["demands"]
    token, registry, settlement = at["dgai"], at["registry"], at["settlement"]
    return {
        "dgai": [terms.holder or deployer],
        "timelock": [terms.voting.timelock_s, [at["governor"]], [ANYONE], ANYONE],  # no admin
        "governor": [token, registry, at["timelock"], terms.voting.arguments()],
        "parameters": [at["timelock"], terms.genesis_s, terms.epoch_seconds, values, bounds],
        "listings": [],
        "registry": [token, at["parameters"], slashers],
        "channel_escrow": [token, settlement, terms.withdraw_delay_s],
        "settlement": [registry, at["channel_escrow"], at["listings"], at["challenges"], terms.base_share_bps],
        "challenges": [settlement, at["splits"]],
        "splits": [at["challenges"]],
        "demands": [at["challenges"]],
        "quality_court": [settlement, list(terms.authors)],
        "cases": [at["quality_court"]],
    }


def creations(terms: Deployment, at: dict[str, Address], *, deployer: Address) -> dict[str, bytes]:
    """What creates each contract, in order: its code with what it is told."""
    arguments = constructor_arguments(terms, at, deployer=deployer)
    return {name: bytecode(name) + interface(name).constructor.encode(tuple(arguments[name])) for name in ORDER}


def creation_gas(name: str, code: bytes) -> int:
    """What a creation takes, to within a hundredth: told before the contracts it looks at exist to estimate with."""
    zeros = code.count(0)
    data = 16 * (len(code) - zeros) + 4 * zeros + 2 * (len(code) // 32 + 1)
    return GAS_OF_CREATION + data + 200 * runtime_bytes(name) + CONSTRUCTOR_GAS.get(name, CONSTRUCTOR_GAS_USUAL)


def predicted(deployer: Address, nonce: int) -> dict[str, Address]:
    """Where every contract will lie, if the first is created with this nonce."""
    return {name: created_address(deployer, nonce + place) for place, name in enumerate(ORDER)}


def is_journaled(sender: Sender, codes: dict[str, bytes]) -> bool:
    """Whether any of these creations was sent, or is about to be."""
    return any(sender.nonce_of(_label(name, code)) is not None for name, code in codes.items())


def _label(name: str, code: bytes) -> str:
    return f"deploy:{name}:{keccak(code).hex()}"


async def create_all(
    sender: Sender, codes: dict[str, bytes], *, first_nonce: int, done: Collection[str] = (), say: Say = _silent
) -> None:
    """Creates all but what is `done`, in order, each once however often this is called and killed.

    Raises DeploymentFailed where another transaction took a place: the contracts know each other's addresses.
    """
    for place, (name, code) in enumerate(codes.items()):
        if name in done:
            continue
        label = _label(name, code)
        nonce = sender.nonce_of(label)
        if (await sender.next_nonce() if nonce is None else nonce) != first_nonce + place:
            raise DeploymentFailed(
                f"another transaction of {to_hex(sender.address)} came between: the contracts would not fit together",
                hint="begin anew with a key that sends nothing else; what is on the chain already is of no use",
            )
        try:
            receipt = await sender.create(code, label=label)
        except (Reverted, RpcError) as error:
            raise DeploymentFailed(f"{name} refuses its terms: {error.message}") from None
        say(name, receipt)


def require_own_key(address: Address, chain_id: int) -> None:
    """Raises DeploymentFailed for the public key of the dev chain elsewhere."""
    if address == DEV_ACCOUNT.address and chain_id != DEV_CHAIN_ID:
        raise DeploymentFailed("the dev chain's key is public: anyone could take what is deployed with it")


async def strange_contracts(rpc: Rpc, contracts: dict[str, str]) -> list[str]:
    """The names under which another contract lies than this package's, or none. Raises ChainUnavailable."""
    names = [name for name in ORDER if name in contracts]
    calls: list[Call] = [("eth_getCode", [contracts[name], "latest"]) for name in names]
    codes = await rpc.agreed(calls, tuple, what="the contracts' code") if calls else ()
    missing = [name for name in ORDER if name not in contracts]
    return missing + [
        name for name, code in zip(names, codes, strict=True) if not is_code_of(name, bytes.fromhex(code[2:]))
    ]
