"""The picture of the live trial: what the page says of each node, and readable without eyes."""

import xml.etree.ElementTree as ElementTree

from benchmarks.trial_picture import LEFT, PAGE, PICTURE, SCALE, Shown, drawn, shown_on

SVG = "{http://www.w3.org/2000/svg}"
HONEST = Shown("node-1", "dgrid-mini", 0.85, 0.89, 0.92, False, "18.2%")
IMPOSTOR = Shown("impostor", "dgrid-mini", 0.01, 0.04, 0.07, True, "7.2%")
ROWS = """\
| node-1 | dgrid-mini | 0.89 (0.85 to 0.92) | honest | 18.2% | 1.0000 |
| impostor | dgrid-mini | 0.04 (0.01 to 0.07) | flagged | 7.2% | 0.8201 |
| overbiller | dgrid-micro | never judged | – | 0.2% | – |
"""


def test_the_picture_beside_the_page_shows_the_pages_own_table() -> None:
    nodes = shown_on(PAGE.read_text())
    assert len(nodes) > 3
    assert drawn(nodes) == PICTURE.read_text()


def test_every_judged_node_of_the_table_is_shown() -> None:
    assert shown_on(ROWS) == [HONEST, IMPOSTOR]


def test_only_a_flagged_node_is_marked_and_each_is_told() -> None:
    picture = ElementTree.fromstring(drawn([HONEST, IMPOSTOR]))
    assert [group.get("class") for group in picture.iter(f"{SVG}g")] == ["honest", "flagged"]
    said = picture.findtext(f"{SVG}desc") or ""
    assert "node-1 sells dgrid-mini: 0.89, 0.85 to 0.92." in said
    assert "0.01 to 0.07, flagged." in said


def test_an_interval_reaches_from_its_low_to_its_high_bound() -> None:
    paths = [path.get("d") for path in ElementTree.fromstring(drawn([HONEST])).iter(f"{SVG}path")]
    low, high = (round(LEFT + SCALE * bound, 1) for bound in (HONEST.low, HONEST.high))
    assert any(path and path.startswith(f"M{low} ") and path.endswith(f"H{high}") for path in paths)
