"""Names of models: canaries are answered by whom the traffic is answered by, and ask as clients ask."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from dgrid.author.chance import Chance
from dgrid.author.naming import VIRTUAL_NAMES, VIRTUAL_PERCENT, Answering, wanted

MODELS = ("dgrid-nano", "dgrid-micro", "dgrid-mini", "another")
DRAWS = 4_000


def names(seed: int, answering: Answering) -> Counter[str]:
    chance = Chance(random.Random(seed))
    return Counter(wanted(chance, answering) for _ in range(DRAWS))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    traffic=st.lists(st.sampled_from(MODELS), min_size=1, max_size=40),
    led_to=st.fixed_dictionaries({name: st.sampled_from(MODELS) for name in sorted(VIRTUAL_NAMES)}),
)
def test_each_model_answers_as_many_canaries_as_it_answers_others(
    seed: int, traffic: list[str], led_to: dict[str, str]
) -> None:
    asked = names(seed, Answering(traffic, led_to))
    answered: Counter[str] = Counter()
    for name, count in asked.items():
        answered[led_to.get(name, name)] += count
    for model in MODELS:
        assert abs(answered[model] / DRAWS - traffic.count(model) / len(traffic)) < 0.05


def test_a_model_that_virtual_names_lead_to_is_asked_for_by_them_and_by_its_own() -> None:
    led_to = {"auto": "dgrid-mini", "auto:best": "dgrid-mini", "auto:cheap": "dgrid-nano", "auto:fast": "dgrid-nano"}
    asked = names(1, Answering(MODELS[:3], led_to))
    mini = asked["auto"] + asked["auto:best"] + asked["dgrid-mini"]
    assert abs(asked["dgrid-mini"] / mini - (100 - VIRTUAL_PERCENT) / 100) < 0.05
    assert asked["auto"] > 4 * asked["auto:best"] > 0


def test_a_name_of_which_nothing_is_known_is_tried() -> None:
    known = {"auto": "dgrid-mini", "auto:cheap": "dgrid-nano", "auto:best": "dgrid-mini"}
    tried = names(2, Answering(MODELS[:1], known))
    assert 0.02 < tried["auto:fast"] / DRAWS < 0.08
    assert tried["auto"] == 0, "the model it leads to answers nobody at the moment"
    assert set(names(3, Answering())) == VIRTUAL_NAMES
