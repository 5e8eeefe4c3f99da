from typing import TypeGuard

from dgrid.core.errors import NodeRefused
from dgrid.node import refusals


def is_refusal(value: object) -> TypeGuard[type[NodeRefused]]:
    return isinstance(value, type) and issubclass(value, NodeRefused) and value is not NodeRefused


def test_the_tree_at_the_top_names_every_refusal_with_its_code() -> None:
    classes = [kind for kind in vars(refusals).values() if is_refusal(kind)]
    assert len({kind.code for kind in classes}) == len(classes)
    for kind in classes:
        assert any({kind.__name__, kind.code} <= set(line.split()) for line in str(refusals.__doc__).splitlines())
