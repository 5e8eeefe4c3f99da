"""A vote is fixed once and for good."""

from pathlib import Path

from dgrid.evaluator.cases.journal import BLOBS_KEPT, VOTES_KEPT, FixedVote, VoteJournal

VOTE = FixedVote(b"c" * 32, 0, True, b"e" * 32, b"s" * 32)


def test_the_first_vote_stands_also_after_a_restart(tmp_path: Path) -> None:
    journal = VoteJournal(tmp_path / "votes")
    assert journal.fix(VOTE) == VOTE
    changed = FixedVote(VOTE.case, VOTE.stage, False, bytes(32), b"t" * 32)
    assert journal.fix(changed, blob=b"what another vote rests on") == VOTE
    journal.close()
    again = VoteJournal(tmp_path / "votes")
    assert again.vote(VOTE.case, 0) == VOTE
    assert again.vote(VOTE.case, 1) is None
    assert again.blob(VOTE.case, 0) is None
    again.close()


def test_what_a_vote_rests_on_is_kept_with_it_until_it_was_shown(tmp_path: Path) -> None:
    journal = VoteJournal(tmp_path / "votes")
    journal.fix(VOTE, blob=b"blob")
    journal.fix(FixedVote(VOTE.case, 1, True, b"f" * 32, b"t" * 32), blob=b"of the appeal")
    journal.close()
    again = VoteJournal(tmp_path / "votes")
    assert again.unshown() == {(VOTE.case, 0), (VOTE.case, 1)}
    assert (again.blob(VOTE.case, 0), again.blob(VOTE.case, 1)) == (b"blob", b"of the appeal")
    again.shown(VOTE.case, 0)
    assert again.unshown() == {(VOTE.case, 1)}
    assert (again.vote(VOTE.case, 0), again.blob(VOTE.case, 0)) == (VOTE, None)
    again.close()


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    journal = VoteJournal(tmp_path / "votes")
    for number in range(VOTES_KEPT + 10):
        journal.fix(FixedVote(number.to_bytes(32, "big"), 0, False, bytes(32), bytes(32)), blob=b"blob")
    assert len(journal.unshown()) == BLOBS_KEPT
    assert journal.vote((0).to_bytes(32, "big"), 0) is None
    assert journal.vote((VOTES_KEPT + 9).to_bytes(32, "big"), 0) is not None
    journal.close()
