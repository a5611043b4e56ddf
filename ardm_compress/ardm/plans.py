"""Which ranks of a tile each network call codes: planned by the costs that a model has measured. NumPy.

A file names the number of calls only; what is planned for it is part of the format, docs/format.md section 5.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ardm_compress.ardm.costs import UNIT_BITS, conditional_costs
from ardm_compress.ardm.schedule import plan_all, plan_steps, table_from_conditional
from ardm_compress.container.layout import call_count, tile_steps
from ardm_compress.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ardm_compress.container.image import Runs
    from ardm_compress.inference.model import Model

LARGEST = 256.0  # bits of a position


class PlanRow(NamedTuple):
    """What a budget is expected to give."""

    budget: int  # network calls
    bits_per_sample: float
    steps_per_level: tuple[int, ...]  # coarsest level first; a step counts where it starts


def schedule(model: Model, tile: Sequence[int], budget: int) -> Runs:
    """That of at most ``budget`` calls, as a header has it."""
    return budget if budget < np.count_nonzero(model.order.sizes(tile)) else None


def steps(model: Model, runs: Runs, first: Sequence[int], shape: Sequence[int]) -> list[tuple[int, int]]:
    """First and stop rank of every step of a tile.

    Args:
        model: that codes it.
        runs: of the header.
        first: shape of the first tile.
        shape: of the tile, at most that of the first.

    Raises:
        FormatError: the schedule does not fit the first tile.
    """
    return tile_steps(planned(model, first, runs), model.order, first, shape)


def planned(model: Model, first: Sequence[int], runs: Runs) -> tuple[int, ...] | None:
    """Non-empty ranks of each step of a first tile, None if each is one: as given, or planned for so many steps.

    Raises:
        FormatError: these are not fewer than the ranks; ModelError: the model has no costs to plan by.
    """
    if not isinstance(runs, int):
        return runs
    call_count(runs, model.order, first)
    costs, _ = _costs(model, first)
    return tuple(stop - start for start, stop in plan_steps(table_from_conditional(costs), runs))


def _costs(model: Model, tile: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    tables = [model.costs.get(name, np.full(1, np.nan)) for name in ("same", "coarser")]
    if not all(np.isfinite(table).all() and table.min() >= 0 and table.max() < LARGEST for table in tables):
        raise ModelError("the model has no costs that a schedule could be planned by; train it anew")
    return conditional_costs(model.order, tile, model.costs)


def plan(model: Model, tile: Sequence[int]) -> list[PlanRow]:
    """What every budget from 1 to the maximum is expected to give for a tile."""
    costs, ranks = _costs(model, tile)
    if not len(ranks):
        return []
    plans, channels = plan_all(table_from_conditional(costs)), model.config.channels
    levels, samples = model.order.levels(tile), int(np.prod(tile)) * channels
    root = model.config.bit_depth * channels
    rows = []
    for budget in range(1, len(ranks) + 1):
        starts = ranks[list(plans.schedule(budget).starts)] // model.order.ranks_per_level
        per_level = tuple(np.bincount(starts, minlength=levels).tolist())
        bits = plans.cost(budget) / (1 << UNIT_BITS) + root
        rows.append(PlanRow(budget, bits / samples, per_level))
    return rows
