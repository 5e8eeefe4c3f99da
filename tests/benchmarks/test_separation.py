from benchmarks.separation import LOOKS, Models, table

from dgrid.gateway.route.standing import Standing


def believed(*bounds: tuple[int, int, int]) -> Models:
    return Models([Standing(mean_bps=mean, low_bps=low, high_bps=high) for low, mean, high in bounds])


APART = believed((5_000, 6_000, 6_500), (7_000, 7_500, 8_000), (8_500, 9_000, 9_500))
TOUCHING = believed((5_000, 6_000, 7_000), (7_000, 7_500, 8_000), (8_500, 9_000, 9_500))
SWAPPED = believed((7_000, 7_500, 8_000), (5_000, 6_000, 6_500), (8_500, 9_000, 9_500))


def test_models_are_apart_where_no_bound_meets_another_and_the_worse_lies_below() -> None:
    assert APART.apart == [True, True]
    assert TOUCHING.apart == [False, True]
    assert SWAPPED.apart == [False, True]


def test_models_whose_means_do_not_rise_are_out_of_order() -> None:
    assert APART.in_order
    assert TOUCHING.in_order
    assert not SWAPPED.in_order


def test_the_table_says_in_which_share_of_the_trials() -> None:
    page = table("trials", {requests: [APART, TOUCHING] for requests in LOOKS}, truths=(6_000, 7_500, 9_900))
    assert "| all three apart | 0.50 |" in page
    assert "| truth in the 90 % interval | 0.67 |" in page
