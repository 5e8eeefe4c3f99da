"""What an audit says of judging."""

from typing import Any

from dgrid.cli.auditing import Audited, report_text

LIE = {"round": 3, "evaluator": "0x0e", "gateway": "0x0a", "epoch": 2, "lane": 0, "sequence": 7, "reason": "format 5"}


def judging(**changes: Any) -> dict[str, Any]:
    entry = {"state": "posted", "round": 3, "drawn": 4, "duties": 12, "reported": 12, "missed": [], "unbidden": []}
    roots = {"undisclosed": 0, "credibility_root": "0x", "payouts_wei": "0", "payouts_root": "0x", "recomputes": True}
    scores = {"rescored": 0, "not_rescored": 0, "unfounded": [], "refused": [], "differences": []}
    return {**entry, **roots, **scores, **changes}


def text(**changes: Any) -> str:
    return report_text(Audited([], [judging(**changes)]))


def test_where_nothing_was_public_nothing_is_said_of_it() -> None:
    assert "public" not in text()


def test_what_was_scored_again_is_counted_and_what_could_not_be() -> None:
    assert "public scores  6 reports scored again\n" in text(rescored=6)
    assert "6 reports scored again; 2 cannot be\n" in text(rescored=6, not_rescored=2)
    assert "0 reports scored again; 2 cannot be\n" in text(not_rescored=2)


def test_who_says_what_does_not_follow_is_named_and_fails_nothing_else() -> None:
    found = Audited([], [judging(rescored=6, unfounded=[LIE])])
    assert "NOT FOUNDED    0x0e on 2/0/7 of 0x0a: format 5\n" in report_text(found)
    assert found.ok
