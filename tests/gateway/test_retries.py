"""The retry budget: a burst of failures is tried again whole, an outage only by a fifth of what comes in."""

from dgrid.gateway.retries import RETRIES_A_REQUEST, SAVED_MAX, RetryBudget


def test_all_that_one_death_fails_may_be_tried_again() -> None:
    budget = RetryBudget()
    assert all(budget.spend() for _ in range(int(SAVED_MAX)))
    assert not budget.spend()


def test_in_an_outage_a_fifth_of_what_comes_in_is_tried_again() -> None:
    budget, retried = RetryBudget(left=0), 0
    for _ in range(10_000):
        budget.earn()
        retried += sum(budget.spend() for _ in range(2))  # every attempt fails
    assert abs(retried - 10_000 * RETRIES_A_REQUEST) <= 1


def test_a_quiet_time_saves_no_more_than_a_burst() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.earn()
    assert budget.left == SAVED_MAX
