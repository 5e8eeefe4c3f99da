"""The map at the top of `core/errors.py` is the tree that exists."""

import re

from dgrid.core import errors
from dgrid.core.errors import DGridError


def drawn() -> dict[str, tuple[str, str]]:
    """Name → (status, code) of every class the map gives both for."""
    lines = (errors.__doc__ or "").splitlines()
    rows = (re.search(r"(\w+)\s+(\d{3}) (\w+)$", line) for line in lines)
    return {row[1]: (row[2], row[3]) for row in rows if row}


def tree(kind: type[DGridError]) -> list[type[DGridError]]:
    own = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return own + [deeper for child in own for deeper in tree(child)]


def test_the_map_shows_every_error_with_its_status_and_code() -> None:
    shown = drawn()
    found = {kind.__name__: kind for kind in tree(DGridError)}
    names = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    assert names == set(found)
    assert all((str(found[name].status), found[name].code) == row for name, row in shown.items())


def test_every_error_says_how_a_program_ends() -> None:
    assert {kind.exit_code for kind in tree(DGridError)} <= {1, 2, 3, 4, 5, 6}
