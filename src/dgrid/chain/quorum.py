"""Which of several endpoints to believe: a strict majority of all that are configured, and no fewer.

With three endpoints two must say the same, with two both, with one it alone. Who says otherwise than a majority, or
lets all others wait, is named in the log and left out for a while: it is asked again only where there is no majority
without it. Refuses to guess: no majority is `ChainUnavailable`, never the answer of the first who came.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dgrid.core.errors import ChainUnavailable, DGridError

logger = logging.getLogger(__name__)

LEFT_OUT_S = 60.0
GRACE_S = 1.0  # what a slow endpoint gets once a majority has spoken

Said = TypeVar("Said")
Ask = Callable[[str], Awaitable[Said]]


@dataclass(slots=True)
class Votes(Generic[Said]):
    """What the endpoints said to one question so far. None is no word against anybody: who says it may lag."""

    of: int  # how many there are, asked or not
    said: list[tuple[str, Said]] = field(default_factory=list)
    failures: list[DGridError] = field(default_factory=list)

    @property
    def needed(self) -> int:
        return self.of // 2 + 1

    def winner(self) -> tuple[Said] | None:
        """What a strict majority says, in a tuple of its own: what it says may be None."""
        for _, one in self.said:
            if sum(other == one for _, other in self.said) >= self.needed:
                return (one,)
        return None

    def is_full(self) -> bool:
        """Whether as many answered as a majority takes, whatever they say."""
        return len(self.said) >= self.needed

    def is_decided(self) -> bool:
        """Whether a strict majority says the same."""
        return self.winner() is not None

    def against(self, winner: Said) -> list[str]:
        """Who says otherwise."""
        return [url for url, one in self.said if one is not None and one != winner]

    def problem(self, what: str) -> DGridError:
        """Why there is no majority."""
        refused = [one for one in self.failures if not isinstance(one, ChainUnavailable)]
        if refused and len(refused) + len(self.said) >= self.needed:
            return refused[0]  # the chain's own word: asked in another way, it may answer
        if not self.said:
            return (refused or self.failures)[-1]
        if self.is_full():
            names = ", ".join(url for url, _ in self.said)
            return ChainUnavailable(f"the chain's endpoints disagree about {what}: {names}")
        few = f"{len(self.said)} of {self.of} endpoints of the chain answer about {what}: that is no majority"
        return ChainUnavailable(few, hint=self.failures[-1].message if self.failures else "")


class Endpoints:
    """The endpoints of one chain, and whom of them to leave out for now."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = tuple(urls)
        self._out_until_s: dict[str, float] = {}

    @property
    def trusted(self) -> list[str]:
        """Those that are not left out."""
        now_s = time.monotonic()
        return [url for url in self.urls if self._out_until_s.get(url, 0.0) <= now_s]

    def by_trust(self, first: str) -> list[str]:
        """All: `first` first unless it is left out, those left out last."""
        trusted = sorted(self.trusted, key=lambda url: url != first)
        return [*trusted, *(url for url in self.urls if url not in trusted)]

    async def majority(self, ask: Ask[Said], *, what: str) -> Said:
        """What a strict majority says. Raises ChainUnavailable, or what the chain refuses to a majority."""
        votes = await self._collect(ask, Votes.is_decided)
        if (winner := votes.winner()) is None:
            raise votes.problem(what)
        for url in votes.against(winner[0]):
            self._leave_out(url, f"says of {what} what the majority does not")
        return winner[0]

    async def reached(self, ask: Ask[tuple[int, ...]], *, what: str) -> tuple[int, ...]:
        """Of each number the highest that a strict majority reaches: no minority lifts it. Raises ChainUnavailable."""
        votes = await self._collect(ask, Votes.is_full)
        if not votes.is_full():
            raise votes.problem(what)
        columns = zip(*(numbers for _, numbers in votes.said), strict=True)
        return tuple(sorted(column, reverse=True)[votes.needed - 1] for column in columns)

    async def anyone(self, tell: Ask[Said], *, what: str) -> None:
        """Tells all that are trusted; one that takes it is enough. Raises what the last of them says if none does."""
        votes: Votes[Said] = Votes(len(self.urls))
        await self._poll(self.trusted or self.urls, tell, votes=votes, decided=lambda votes: bool(votes.said))
        if not votes.said:
            raise votes.problem(what)

    async def _collect(self, ask: Ask[Said], decided: Callable[[Votes[Said]], bool]) -> Votes[Said]:
        """Asks those that are trusted, and the others where that decides nothing."""
        votes: Votes[Said] = Votes(len(self.urls))
        trusted = self.trusted
        for group in (trusted, [url for url in self.urls if url not in trusted]):
            await self._poll(group, ask, votes=votes, decided=decided)
            if decided(votes):
                break
        return votes

    async def _poll(
        self, urls: Sequence[str], ask: Ask[Said], *, votes: Votes[Said], decided: Callable[[Votes[Said]], bool]
    ) -> None:
        """Adds what these say; once it is decided, who is still silent has little time left."""
        asked = {asyncio.ensure_future(ask(url)): url for url in urls}
        waiting = set(asked)
        try:
            while waiting:
                patience_s = GRACE_S if decided(votes) else None
                done, waiting = await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                for one in done:
                    _count(votes, asked[one], answer=one)
            for one in waiting:
                self._leave_out(asked[one], "lets all others wait")
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _leave_out(self, url: str, why: str) -> None:
        self._out_until_s[url] = time.monotonic() + LEFT_OUT_S
        logger.warning("the endpoint %s %s: it is left out for %.0f s", url, why, LEFT_OUT_S)


def _count(votes: Votes[Said], url: str, *, answer: "asyncio.Future[Said]") -> None:
    try:
        votes.said.append((url, answer.result()))
    except DGridError as error:
        votes.failures.append(error)
