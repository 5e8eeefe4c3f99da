"""When each step of a case is, and what its votes come to. Pure: a view and times come in.

The seconds and shares are those of the epoch in which the case was opened, however long it takes.
"""

from dataclasses import dataclass

from dgrid.chain.case_view import Case, Hearing
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import ChainView
from dgrid.core.money import BPS


@dataclass(frozen=True, slots=True)
class HearingWindows:
    """When the steps of a hearing end, Unix seconds: each begins where the one before ends. Zeros before the seed."""

    enrol_until_s: int
    vote_until_s: int
    unseal_until_s: int
    appeal_until_s: int


def terms_of(view: ChainView, case: Case) -> Parameters:
    """The parameters that count for a case."""
    return view.parameters_at(case.opened_ms)


def windows_of_hearing(view: ChainView, case: Case, *, stage: int | None = None) -> HearingWindows:
    """The windows of a stage, by default the latest."""
    terms, hearing = terms_of(view, case), case.hearings[case.stage if stage is None else stage]
    if not hearing.seed:
        return HearingWindows(0, 0, 0, 0)
    vote_until_s = hearing.enrol_until_s + terms.vote_seconds
    unseal_until_s = vote_until_s + terms.unseal_seconds
    return HearingWindows(hearing.enrol_until_s, vote_until_s, unseal_until_s, unseal_until_s + terms.appeal_seconds)


def is_guilty(view: ChainView, case: Case, *, hearing: Hearing) -> bool:
    """What a hearing's votes come to: of all its seats, not of those that voted."""
    return hearing.guilty * BPS >= hearing.size * terms_of(view, case).verdict_bps


def is_decided(view: ChainView, case: Case, *, now_s: int) -> bool:
    """Whether a case can be carried out."""
    hearing, windows = case.hearing, windows_of_hearing(view, case)
    if not case.is_open or not hearing.seed or now_s < windows.enrol_until_s:
        return False
    if not hearing.is_complete:
        return True
    return now_s >= (windows.unseal_until_s if case.stage else windows.appeal_until_s)


def can_be_appealed(view: ChainView, case: Case, *, now_s: int) -> bool:
    """Whether a first verdict can still be taken further."""
    windows = windows_of_hearing(view, case)
    is_heard = case.is_open and not case.stage and case.hearing.is_complete
    return is_heard and windows.unseal_until_s <= now_s < windows.appeal_until_s
