import pytest

from dgrid.node.presence import QUEUE_FOR_EACH_PLACE, Presence
from dgrid.node.refusals import AtCapacity, Draining


def test_takes_a_bounded_number_and_counts_what_left() -> None:
    presence = Presence(2)
    for _ in range(2 * (1 + QUEUE_FOR_EACH_PLACE)):
        presence.enter()
    with pytest.raises(AtCapacity):
        presence.enter()
    presence.leave()
    presence.enter()
    assert presence.served == 1


def test_a_draining_node_finishes_what_it_has() -> None:
    presence = Presence(1)
    presence.enter()
    presence.draining = True
    with pytest.raises(Draining):
        presence.enter()
    presence.leave()
    assert presence.to_json() == {"state": "draining", "capacity": 1, "in_flight": 0, "served": 1}
