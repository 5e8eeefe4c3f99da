"""A mapping by epochs is a dict to whoever reads it, and its copies are apart."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK

from dgrid.chain.backlog import EVER, Backlog
from dgrid.chain.by_epoch import TOGETHER, ByEpoch, epoch_of
from dgrid.chain.judging import Draw, Draws
from dgrid.core.identity import Address

Key = tuple[int, bytes]
WHO = st.sampled_from((b"a", b"b", b"c"))
EPOCHS = st.one_of(st.integers(0, 3), st.integers(0, 5 * TOGETHER))
KEYS = st.tuples(EPOCHS, WHO)
CHANGES = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers())), max_size=30)  # none: taken out


def change(entries: "ByEpoch[Key, int] | dict[Key, int]", changes: Sequence[tuple[Key, int | None]]) -> None:
    for key, value in changes:
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value


@given(CHANGES, CHANGES, CHANGES, EPOCHS, EPOCHS)
def test_it_holds_what_a_dict_holds_and_neither_copy_sees_what_the_other_changes(
    first: list[tuple[Key, int | None]],
    here: list[tuple[Key, int | None]],
    there: list[tuple[Key, int | None]],
    since: int,
    end: int,
) -> None:
    one, as_dict = ByEpoch[Key, int](), dict[Key, int]()
    change(one, first)
    change(as_dict, first)
    other, other_dict = one.copy(), as_dict.copy()
    change(one, here)
    change(as_dict, here)
    change(other, there)
    change(other_dict, there)
    for found, wanted in ((one, as_dict), (other, other_dict)):
        assert found == wanted
        assert len(found) == len(wanted)
        assert list(reversed(found)) == list(found)[::-1]
        assert dict(found.between(since)) == {key: value for key, value in wanted.items() if key[0] >= since}
        assert dict(found.between(since, end)) == {key: value for key, value in wanted.items() if since <= key[0] < end}
        assert dict(found.of(since)) == {key: value for key, value in wanted.items() if key[0] == since}
        assert [epoch for (epoch, _), _ in found.newest()] == sorted((epoch for epoch, _ in wanted), reverse=True)


@given(CHANGES, CHANGES)
def test_where_nothing_changed_nothing_differs(
    before: list[tuple[Key, int | None]], after: list[tuple[Key, int | None]]
) -> None:
    entries = ByEpoch[Key, int]()
    change(entries, before)
    earlier = entries.copy()
    assert entries.changed_since(earlier) == []
    change(entries, after)
    changed = entries.changed_since(earlier)
    touched = {key[0] // TOGETHER for key, value in after if value is not None or key in earlier}
    assert {span.start // TOGETHER for span in changed} >= {
        key[0] // TOGETHER for key in entries.keys() | earlier.keys() if entries.get(key) != earlier.get(key)
    }
    assert {span.start // TOGETHER for span in changed} <= touched | {key[0] // TOGETHER for key, _ in after}


@given(st.dictionaries(KEYS, st.sampled_from(("left", "opened", "reported"))))
def test_what_nobody_took_is_left(fates: dict[Key, str]) -> None:
    whole = ByEpoch(dict.fromkeys(fates, 0))
    opened = ByEpoch({key: 0 for key, fate in fates.items() if fate == "opened"})
    reported = ByEpoch({key: 0 for key, fate in fates.items() if fate == "reported"})
    assert set(whole.without(opened, reported)) == {key for key, fate in fates.items() if fate == "left"}


def test_an_epoch_is_the_key_itself_or_its_first_or_its_last() -> None:
    assert [epoch_of(key) for key in (7, (b"gateway", 7), (7, b"evaluator"), (b"author", b"gateway", 7))] == [7] * 4


def a_draw(gateway: bytes, epoch: int, judged_round: int) -> Draw:
    return Draw(Address(gateway), epoch, judged_round, bytes(32), False, 1, 1, ())


@given(st.dictionaries(st.tuples(WHO.map(Address), EPOCHS), st.integers(0, 1_000)), EPOCHS, EPOCHS)
def test_a_draw_is_found_by_its_round_however_late_it_was_made(
    late: dict[tuple[Address, int], int], first: int, end: int
) -> None:
    made = {key: a_draw(*key, key[1] + after) for key, after in late.items()}
    draws = Draws(made)
    kept = draws.copy()
    assert set(draws.in_rounds(first, end)) == {draw for draw in made.values() if first <= draw.round < end}
    assert set(draws.in_round(first)) == {draw for draw in made.values() if draw.round == first}
    assert draws.gateways == sorted({gateway for gateway, _ in made})
    for key in list(draws):
        draws[key] = a_draw(*key, 0)
    assert list(draws.in_rounds(1)) == []
    assert set(kept.in_rounds(0)) == set(made.values())
    view = replace(BLANK, draws=kept)
    assert {draw.epoch for draw in view.draws.in_rounds(0)} == {epoch for _, epoch in made}


@given(st.lists(st.tuples(EPOCHS, WHO, st.booleans()), max_size=40), st.integers(0, 40))
def test_a_backlog_holds_what_is_undone_and_looks_only_where_something_changed(
    events: list[tuple[int, bytes, bool]], restart_at: int
) -> None:
    entries, done, looked = ByEpoch[Key, int](), set[Key](), list[range]()
    backlog = Backlog[Key, int]()

    def undone(span: range) -> dict[Key, int]:
        looked.append(span)
        return {key: value for key, value in entries.between(span.start, span.stop) if key not in done}

    for at, (epoch, who, is_done) in enumerate(events):
        entries = entries.copy()
        entries[epoch, who] = at
        if at == restart_at:
            backlog.look_anew()
        looked.clear()
        backlog.look(entries, undone)
        assert looked == [EVER] if at in (0, restart_at) else all(epoch in span for span in looked)
        if is_done:
            done.add((epoch, who))
            backlog.done((epoch, who))
        assert backlog.left.keys() == entries.keys() - done
    looked.clear()
    backlog.look(entries, undone)
    assert looked == ([] if events else [EVER])
