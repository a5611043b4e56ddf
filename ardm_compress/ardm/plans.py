"""Which ranks of a tile each network call codes: as a file says, or planned by the costs that a model has measured.

A file names the number of calls only; what is planned for it is part of the format, docs/format.md section 5. NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from ardm_compress.ardm.costs import UNIT_BITS, conditional_costs
from ardm_compress.ardm.schedule import plan_all, plan_steps, table_from_conditional
from ardm_compress.errors import FormatError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order

Runs: TypeAlias = tuple[int, ...] | int | None  # non-empty ranks of every step; so many planned steps; None: all 1
Steps: TypeAlias = Sequence[tuple[int, int]]  # first and stop rank of every step
Costs: TypeAlias = "Mapping[str, NDArray[np.float32]]"  # a model's, see ardm_compress.ardm.costs

COST_LIMIT_BITS: Final = 256.0  # of a position


class PlanRow(NamedTuple):
    """What a budget is expected to give."""

    budget: int  # network calls
    bits_per_sample: float
    steps_per_level: tuple[int, ...]  # coarsest level first; a step counts where it starts


def tile_steps(runs: Sequence[int] | None, order: Order, first: Sequence[int], shape: Sequence[int]) -> Steps:
    """Return first and stop rank of every step of a tile; tiles smaller than the first lack its coarsest levels.

    Args:
        runs: non-empty ranks of the first tile per step; None is one each.
        order: in which the tiles are coded.
        first: shape of the first tile.
        shape: of the tile, at most that of the first.

    Raises:
        FormatError: the schedule does not fit the first tile.
    """
    occupied = np.flatnonzero(order.sizes(first))
    runs = runs if runs is not None else (1,) * len(occupied)
    if sum(runs) != len(occupied):
        raise FormatError("the schedule does not cover the tile's ranks", section="header")
    if not len(occupied):
        return []
    firsts = occupied[np.cumsum(runs)[:-1]]
    skipped = (order.levels(first) - order.levels(shape)) * order.ranks_per_level
    edges = np.maximum(0, np.array([0, *firsts, order.ranks(first)]) - skipped).tolist()
    return list(pairwise(edges))


def call_count(runs: Runs, order: Order, first: Sequence[int]) -> int:
    """Count the steps of the first tile.

    Raises:
        FormatError: the schedule does not fit it.
    """
    if not isinstance(runs, int):
        return len(tile_steps(runs, order, first, first))
    if runs >= np.count_nonzero(order.sizes(first)):
        raise FormatError("the schedule plans as many steps as the tile has ranks, or more", section="header")
    return runs


def budget_runs(order: Order, tile: Sequence[int], budget: int) -> Runs:
    """Return what a header says of a schedule of at most ``budget`` calls."""
    return budget if budget < np.count_nonzero(order.sizes(tile)) else None


def planned_runs(runs: Runs, order: Order, costs: Costs, first: Sequence[int]) -> tuple[int, ...] | None:
    """Plan the non-empty ranks of each step of a first tile, if the header only says how many steps there are.

    Raises:
        FormatError: the steps are not fewer than the ranks; ModelError: the model has no costs to plan by.
    """
    if not isinstance(runs, int):
        return runs
    call_count(runs, order, first)
    table, _ = _cost_table(order, costs, first)
    return tuple(stop - start for start, stop in plan_steps(table, runs))


def plan_budgets(
    order: Order, costs: Costs, tile: Sequence[int], *, channels: int, bit_depth: int
) -> list[PlanRow]:  # fmt: skip
    """Return what every budget from 1 to the maximum is expected to give for a tile.

    Raises:
        ModelError: the model has no costs to plan by.
    """
    table, ranks = _cost_table(order, costs, tile)
    if not len(ranks):
        return []
    plans, levels, samples = plan_all(table), order.levels(tile), int(np.prod(tile)) * channels
    rows = []
    for budget in range(1, len(ranks) + 1):
        starts = ranks[list(plans.schedule(budget).starts)] // order.ranks_per_level
        per_level = tuple(np.bincount(starts, minlength=levels).tolist())
        bits = plans.cost(budget) / (1 << UNIT_BITS) + bit_depth * channels  # the root's
        rows.append(PlanRow(budget, bits / samples, per_level))
    return rows


def _cost_table(
    order: Order, costs: Costs, tile: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:  # fmt: skip
    """Return what coding ranks t..k of a tile in one step costs, and the ranks, which are those that are not empty."""
    tables = [costs.get(name, np.full(1, np.nan)) for name in ("same", "coarser")]
    if not all(np.isfinite(each).all() and each.min() >= 0 and each.max() < COST_LIMIT_BITS for each in tables):
        raise ModelError("the model has no costs that a schedule could be planned by; train it anew")
    conditional, ranks = conditional_costs(order, tile, costs)
    return (table_from_conditional(conditional) if len(ranks) else conditional), ranks
