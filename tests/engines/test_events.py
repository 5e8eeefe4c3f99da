from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.errors import EngineError
from dgrid.engines.events import EVENT_BYTES_MAX, EventScanner

datas = st.lists(st.text(alphabet="ab: {}é", min_size=1).map(str.encode), max_size=8)


@given(datas=datas, cuts=st.lists(st.integers(min_value=0, max_value=400)), ending=st.sampled_from([b"\n", b"\r\n"]))
def test_finds_every_event_wherever_the_stream_is_cut(datas: list[bytes], cuts: list[int], ending: bytes) -> None:
    stream = b"".join(b": note" + ending * 2 + b"data: " + data + ending * 2 for data in datas)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    scanner = EventScanner()
    found = [data for start, end in pairwise(edges) for data in scanner.feed(stream[start:end])]
    assert found == datas


def test_joins_the_lines_of_one_event_and_skips_other_fields() -> None:
    assert EventScanner().feed(b"event: x\nid: 4\ndata:one\ndata: two\n\n\n") == [b"one\ntwo"]


@pytest.mark.parametrize("flood", [b"data: " + b"x" * EVENT_BYTES_MAX, (b"data: " + b"x" * 1000 + b"\n") * 1100])
def test_refuses_an_event_without_an_end(flood: bytes) -> None:
    with pytest.raises(EngineError):
        EventScanner().feed(flood)
