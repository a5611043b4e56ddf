"""Schedules partition the ranks; the dynamic program finds the optimum of every budget."""

from __future__ import annotations

from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oa.schedules import even_schedule, exchangeable_cost

from ardm_compress.ardm.schedule import (
    Schedule,
    plan_all,
    plan_steps,
    table_from_conditional,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Whole bits: their sums are exact in float64, so that the tests can ask for equality.
whole_bits = st.integers(0, 10**6).map(float)
unread_below_diagonal = np.nan


@st.composite
def tables(draw: st.DrawFn) -> NDArray[np.float64]:
    """Any cost table of 1..7 ranks, monotone or not."""
    n = draw(st.integers(1, 7))
    table = draw(arrays(np.float64, (n, n), elements=whole_bits))
    return np.where(np.tri(n, k=-1), unread_below_diagonal, table)


@st.composite
def conditionals_that_fall(draw: st.DrawFn) -> NDArray[np.float64]:
    """bits[t, j] of 1..12 ranks, non-increasing in t: knowing more never costs."""
    n = draw(st.integers(1, 12))
    gains = draw(arrays(np.float64, (n, n), elements=whole_bits))
    return np.flip(np.cumsum(np.flip(gains, 0), axis=0), 0)


def all_schedules(ranks: int, budget: int) -> Iterator[Schedule]:
    for later in combinations(range(1, ranks), budget - 1):
        yield Schedule((0, *later), ranks)


def total_cost(cost: NDArray[np.float64], schedule: Schedule) -> float:
    return sum(float(cost[first, stop - 1]) for first, stop in schedule)


@given(tables())
def test_the_plan_of_every_budget_equals_brute_force(cost: NDArray[np.float64]) -> None:
    n = len(cost)
    plan = plan_all(cost)
    for budget in range(1, n + 1):
        best = min(total_cost(cost, schedule) for schedule in all_schedules(n, budget))
        schedule = plan.schedule(budget)
        assert len(schedule) == budget
        assert total_cost(cost, schedule) == best
        assert plan.cost(budget) == plan.costs[budget - 1] == best


@given(tables(), st.data())
def test_one_budget_alone_gives_the_schedule_of_the_whole_plan(cost: NDArray[np.float64], data: st.DataObject) -> None:
    budget = data.draw(st.integers(1, len(cost)))
    assert plan_steps(cost, budget) == plan_all(cost).schedule(budget)


@given(conditionals_that_fall())
def test_a_bigger_budget_never_costs_more_where_knowledge_helps(bits: NDArray[np.float64]) -> None:
    plan = plan_all(table_from_conditional(bits))
    assert (np.diff(plan.costs) <= 0).all()


def test_a_bigger_budget_may_cost_more_where_knowledge_hurts() -> None:
    # Measured tables are noisy: rank 1 costs 1 bit beside rank 0, 5 bits after it. Two steps were asked for.
    cost = np.array([[1.0, 2.0], [np.nan, 5.0]])
    plan = plan_all(cost)
    assert plan.costs.tolist() == [2.0, 6.0]
    assert plan.schedule(2) == Schedule((0, 1), 2)


def test_equally_cheap_schedules_resolve_to_the_longest_last_step() -> None:
    # The choice is part of the derivation from the table: it must not drift between versions.
    assert plan_steps(np.zeros((5, 5)), 3) == Schedule((0, 1, 2), 5)


def test_the_program_handles_the_ranks_of_a_large_tile() -> None:
    # 480 ranks: ten levels of 48. Knowing t ranks takes 1 / (1 + t) of a rank's bits.
    n = 480
    bits = np.broadcast_to(1.0 / (1.0 + np.arange(n))[:, None], (n, n))
    plan = plan_all(table_from_conditional(bits))
    assert plan.schedule(n) == Schedule(tuple(range(n)), n)
    assert plan.cost(n) == pytest.approx(np.diag(bits).sum())
    assert plan.cost(1) == pytest.approx(n)
    sizes = [stop - first for first, stop in plan.schedule(8)]
    assert sizes == sorted(sizes)  # little is known early, so early steps are small


@pytest.mark.parametrize("budget", [-1, 0, 4])
def test_a_budget_without_a_schedule_is_refused(budget: int) -> None:
    cost = np.ones((3, 3))
    plan = plan_all(cost)
    for call in (plan.cost, plan.schedule, lambda b: plan_steps(cost, b), lambda b: even_schedule(3, b)):
        with pytest.raises(ValueError, match=r"budget must be in 1\.\.3"):
            call(budget)


def test_a_plan_answers_only_for_the_budgets_it_was_made_for() -> None:
    plan = plan_all(np.ones((5, 5)), largest=2)
    assert plan.costs.shape == (2,)
    with pytest.raises(ValueError, match=r"budget must be in 1\.\.2"):
        plan.schedule(3)


@pytest.mark.parametrize("table", [np.ones((2, 3)), np.ones(4), np.ones((0, 0)), np.array([[1.0, np.nan], [0.0, 1.0]])])
def test_a_malformed_table_is_refused(table: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="the table must be"):
        plan_steps(table, 1)
    with pytest.raises(ValueError, match="the table must be"):
        table_from_conditional(table)


@given(arrays(np.float64, st.integers(1, 10), elements=whole_bits))
def test_the_exchangeable_table_is_the_formula_of_the_paper(loss: NDArray[np.float64]) -> None:
    cost = exchangeable_cost(loss)
    for t in range(len(loss)):
        for k in range(len(loss)):
            assert cost[t, k] == ((k - t + 1) * loss[t] if k >= t else 0)


@given(arrays(np.float64, st.integers(1, 7), elements=whole_bits), st.data())
def test_the_exchangeable_optimum_is_that_of_step_size_times_loss(
    loss: NDArray[np.float64], data: st.DataObject
) -> None:
    n = len(loss)
    budget = data.draw(st.integers(1, n))
    bits = [
        sum((stop - first) * float(loss[first]) for first, stop in schedule) for schedule in all_schedules(n, budget)
    ]
    assert plan_all(exchangeable_cost(loss)).cost(budget) == min(bits)


@pytest.mark.parametrize("loss", [np.ones((2, 2)), np.ones(0)])
def test_a_malformed_loss_is_refused(loss: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="loss must be a non-empty vector"):
        exchangeable_cost(loss)


@given(tables())
def test_the_conditional_table_sums_the_ranks_of_a_step(bits: NDArray[np.float64]) -> None:
    cost = table_from_conditional(bits)
    for t in range(len(bits)):
        for k in range(len(bits)):
            assert cost[t, k] == sum(bits[t, j] for j in range(t, k + 1))


@given(st.integers(1, 60), st.data())
def test_even_steps_partition_the_ranks_and_differ_by_at_most_one(ranks: int, data: st.DataObject) -> None:
    budget = data.draw(st.integers(1, ranks))
    schedule = even_schedule(ranks, budget)
    sizes = [stop - first for first, stop in schedule]
    assert len(schedule) == len(sizes) == budget
    assert max(sizes) - min(sizes) <= 1
    assert [rank for first, stop in schedule for rank in range(first, stop)] == list(range(ranks))


def test_a_schedule_exists_exactly_if_its_steps_partition_the_ranks() -> None:
    accepted = 0
    for steps, ranks in product(range(4), range(-1, 5)):
        for starts in product(range(-1, 5), repeat=steps):
            edges = (*starts, ranks)
            covered = [range(first, stop) for first, stop in pairwise(edges)]
            if edges[0] == 0 and all(covered) and [rank for step in covered for rank in step] == list(range(ranks)):
                assert list(Schedule(starts, ranks)) == [(step.start, step.stop) for step in covered]
                accepted += 1
            else:
                with pytest.raises(ValueError, match="steps must start at 0"):
                    Schedule(starts, ranks)
    # No step of 0 ranks; one of 1..4; two of 2..4 (1 + 2 + 3 ways); three of 3..4 (1 + 3 ways).
    assert accepted == 1 + 4 + 6 + 4


def test_a_tile_of_one_position_has_the_empty_schedule() -> None:
    # Its only position is the flat-coded top of the coarsest level: no ranks, no calls.
    assert list(Schedule((), 0)) == []
    assert len(Schedule((), 0)) == 0
