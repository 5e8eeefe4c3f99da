"""Random honest histories of one gateway, as Hypothesis draws them: who paid whom for what, in which lane and epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from tests.settlement.books import Books, Work
from tests.settlement.offline import channel, escrow_domain, key

from dgrid.core.identity import NO_LISTING
from dgrid.core.money import FREE, Price

Listing = tuple[bytes, int, Price]
UNLISTED: Listing = NO_LISTING, 0, FREE
EPOCHS_MAX = 6
LANES = 4


@dataclass(frozen=True)
class Answer:
    payer: int
    node: int
    lane: int
    tokens_in: int
    tokens_out: int
    listing: int  # which of those that are at hand; 0: none
    is_late: bool  # begun in the epoch before, with what counted then

    def work(self) -> Work:
        config = channel(f"payer-{self.payer}")
        name = escrow_domain().digest(config.struct_hash())
        return Work(config, name, key(f"node-{self.node}"), self.tokens_in, self.tokens_out)


@dataclass(frozen=True)
class History:
    """Answers by epoch; epochs without any have no root."""

    epochs: tuple[tuple[int, tuple[Answer, ...]], ...]
    restart_after: int  # of how many roots the watcher has seen when it dies
    order: tuple[int, ...]  # in which the roots' records come to light

    def bill(self, books: Books, listings: dict[int, Listing], cut: "Cut") -> Iterator[int]:
        """Bills epoch by epoch, and says which can be closed now."""
        for epoch, answers in self.epochs:
            for answer in answers:
                books.listing = listings.get(answer.listing, UNLISTED)
                books.protocol_bps = cut.at(epoch - 1 if answer.is_late else epoch)
                books.answer(epoch, answer.work(), lane=answer.lane)
            yield epoch


@dataclass(frozen=True)
class Cut:
    """What the protocol takes: a vote changed it."""

    before: int
    after: int
    from_epoch: int

    def at(self, epoch: int) -> int:
        return self.after if epoch >= self.from_epoch else self.before


def histories(*, around: int) -> st.SearchStrategy[History]:
    """Histories with some epochs before `around` and some from it on."""
    answers = st.builds(
        Answer,
        payer=st.integers(0, 2),
        node=st.integers(0, 2),
        lane=st.integers(0, LANES - 1),
        tokens_in=st.integers(0, 2**20),
        tokens_out=st.integers(0, 2**20),
        listing=st.integers(0, 2),
        is_late=st.booleans(),
    )
    numbers = st.lists(st.integers(around - 4, around + 4), min_size=1, max_size=EPOCHS_MAX, unique=True).map(sorted)
    epochs = numbers.flatmap(lambda found: st.tuples(*(st.tuples(st.just(one), _several(answers)) for one in found)))
    return epochs.flatmap(
        lambda found: st.builds(
            History,
            st.just(found),
            restart_after=st.integers(0, len(found)),
            order=st.permutations(range(len(found))).map(tuple),
        )
    )


def _several(answers: st.SearchStrategy[Answer]) -> st.SearchStrategy[tuple[Answer, ...]]:
    return st.lists(answers, min_size=1, max_size=6).map(tuple)
