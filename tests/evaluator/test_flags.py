import asyncio
from dataclasses import dataclass, field

from tests.poq.world import CHAIN, COURT

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.judging import PostedQuality
from dgrid.chain.view import ChainView
from dgrid.core.errors import NetworkUnreachable
from dgrid.core.identity import Hash
from dgrid.evaluator.flags import Flags
from dgrid.poq.identity import NEVER
from dgrid.settlement.rounds import root_of
from dgrid.wire.quality import QualityTable, SuspicionRow

HONEST, CHEAT, MODEL, TOKEN = b"\x01" * 20, b"\x02" * 20, b"m" * 32, b"t" * 20


@dataclass
class Court:
    """Posted tables, which archives may not have yet."""

    view: ChainView = field(default_factory=ChainView)
    stored: dict[int, QualityTable] = field(default_factory=dict)
    fetched: int = 0

    def post(self, number: int, *, flagged_round: int, stored: bool = True) -> None:
        rows = SuspicionRow(HONEST, MODEL, (1_000,), NEVER), SuspicionRow(CHEAT, MODEL, (), flagged_round)
        table = QualityTable(CHAIN, COURT, number, bytes(32), *((),) * 5, rows, (), ())
        root = root_of(table, token=TOKEN, previous=None)
        roots = {**self.view.quality_roots, number: PostedQuality(root, Hash(root.struct_hash()), number, 0)}
        self.view = ChainView(quality_roots=ByEpoch(roots))
        if stored:
            self.stored[number] = table

    async def table(self, judged_round: int) -> QualityTable:
        self.fetched += 1
        if judged_round not in self.stored:
            raise NetworkUnreachable("no archive has it")
        return self.stored[judged_round]


def seen(flags: Flags) -> frozenset[bytes]:
    return asyncio.run(flags.nodes())


def test_nobody_is_flagged_before_the_first_table() -> None:
    assert seen(Flags(Court())) == frozenset()


def test_who_the_latest_table_flags_is_found_and_the_table_is_read_once() -> None:
    court = Court()
    flags = Flags(court)
    court.post(3, flagged_round=NEVER)
    assert [seen(flags), seen(flags)] == [frozenset()] * 2
    court.post(4, flagged_round=4)
    assert [seen(flags), seen(flags)] == [frozenset({CHEAT})] * 2
    assert court.fetched == 2


def test_the_last_table_stands_until_a_newer_one_can_be_had() -> None:
    court = Court()
    flags = Flags(court)
    court.post(3, flagged_round=3)
    assert seen(flags) == {CHEAT}
    court.post(4, flagged_round=NEVER, stored=False)
    assert seen(flags) == {CHEAT}
    court.post(4, flagged_round=NEVER)
    assert seen(flags) == frozenset()
