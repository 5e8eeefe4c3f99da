"""What a log holds of a fault of ours: where it was, and no word of what it was about."""

from dgrid.machine.traces import FRAMES_MAX, trace_of


def deep(levels: int, words: str) -> None:
    if levels == 0:
        raise ValueError(words)
    deep(levels - 1, words)


def traced(levels: int, words: str = "the user's secret") -> str:
    try:
        deep(levels, words)
    except ValueError as error:
        return trace_of(error)
    raise AssertionError("nothing was raised")


def test_it_names_the_exception_and_its_places_the_innermost_first() -> None:
    kind, innermost, *_, outermost = traced(2).split(" < ")
    assert kind == "ValueError"
    assert innermost.startswith("test_traces.py:")
    assert innermost.endswith(" deep")
    assert outermost.endswith(" traced")


def test_it_holds_no_word_of_the_exception() -> None:
    assert "secret" not in traced(2)


def test_it_stays_short_however_deep_the_fault_is() -> None:
    assert traced(500).count(" < ") == FRAMES_MAX
    assert "\n" not in traced(500, "two\nlines")


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert trace_of(ValueError("secret")) == "ValueError"
