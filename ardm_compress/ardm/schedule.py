"""Schedules: which ranks one network call codes, as a file says, or planned by what ranks cost a model. NumPy only.

A file costs one network call per step. Fewer steps are faster and bigger: the ranks of a step cannot see each other.
A file names the number of calls only; what is planned for it is part of the format, docs/format.md section 5.

A model file holds, for each level (coarser ones share the last), the expected bits of a position of rank j when the
step that codes it started at another rank of the same level (``same``), or 1, 2, ... levels further up (``coarser``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from ardm_compress.errors import FormatError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ardm_compress.ardm import Order

UNIT_BITS = 12  # costs are integers, of which 2**UNIT_BITS are a bit
ALWAYS_LOST = 256  # a rank loses one in so many bits, and what is measured, if it is not the first of its step


def conditional_costs(
    order: Order, shape: Sequence[int], costs: Mapping[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what each rank of a tile is expected to cost, given that those before another are known.

    docs/format.md section 5.6 is normative.

    Args:
        order: the order the costs were measured for, n ranks per level.
        shape: of the tile.
        costs: ``same`` (levels, n, n): [l, t, j] for start t <= j; ``coarser`` (levels, d, n, n): [l, d, t, j] for a
            start at rank t of level l + 1 + d; bits.

    Returns:
        (m, m) upper triangular, integers in units of 2**-UNIT_BITS bits, which sums in any order leave exact, and the
        m ranks that are not empty, which it is indexed by.
    """
    sizes = order.sizes(shape)
    ranks = np.flatnonzero(sizes)
    levels = order.levels(shape)
    n = order.ranks_per_level
    level, within = levels - 1 - ranks // n, ranks % n
    start, rank = np.indices((len(ranks), len(ranks)))
    same, coarser = costs["same"], costs["coarser"]
    row = np.minimum(level[rank], len(same) - 1)
    depth = np.clip(level[start] - level[rank] - 1, 0, coarser.shape[1] - 1)
    bits: NDArray[np.float32] = np.where(
        level[start] == level[rank],
        same[row, within[start], within[rank]],
        coarser[row, depth, within[start], within[rank]],
    )
    return whole_units(bits) * sizes[ranks], ranks


def whole_units(bits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Measured bits [start, rank], (m, m), of which those below the diagonal are not read, as integer costs."""
    start, rank = np.indices(bits.shape)
    # Knowing more cannot cost more; where it seems to, the measurement was noisy.
    falling = np.minimum.accumulate(np.where(start <= rank, bits.astype(np.float64), np.inf), axis=0)
    units = np.floor(np.where(start <= rank, falling, 0.0) * (1 << UNIT_BITS) + 0.5)
    # Where the measurement finds no loss at all, noise would choose among steps.
    found: NDArray[np.float64] = units + np.floor(units / ALWAYS_LOST) * (start < rank)
    return found


@dataclass(frozen=True, slots=True)
class Schedule:
    """A partition of the ranks into steps of consecutive ranks.

    Iterating yields the half-open rank range ``(first, stop)`` of every step, in coding order.

    Raises:
        ValueError: the steps do not partition the ranks.
    """

    starts: tuple[int, ...]  # first rank of every step: strictly increasing from 0; () only if there are no ranks
    ranks: int  # number of ranks; 0 for a tile of one position

    def __post_init__(self) -> None:
        edges = (*self.starts, self.ranks)
        if edges[0] != 0 or any(stop <= first for first, stop in pairwise(edges)):
            raise ValueError(f"steps must start at 0 and increase to below {self.ranks} ranks, got {self.starts}")

    def __len__(self) -> int:
        """Count the steps, which are the network calls."""
        return len(self.starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return pairwise((*self.starts, self.ranks))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The cheapest schedule of every budget 1..b of n ranks; made by :func:`plan_all`.

    ``least[b - 1, k]`` and ``last[b - 1, k]`` answer "ranks 0..k in exactly b steps": the expected cost, and the first
    rank of the last of those steps. Entries with ``k < b - 1`` have no answer: inf and 0.
    """

    least: NDArray[np.float64]  # (budgets, n)
    last: NDArray[np.int64]  # (budgets, n)

    @property
    def costs(self) -> NDArray[np.float64]:
        """Expected cost of every budget, in the table's unit, shape (budgets,); entry i is that of budget i + 1."""
        return self.least[:, -1]

    def cost(self, budget: int) -> float:
        """Return the expected cost of the cheapest schedule of exactly ``budget`` steps.

        Raises:
            ValueError: budget outside 1..budgets.
        """
        _check_budget(budget, len(self.least))
        return float(self.least[budget - 1, -1])

    def schedule(self, budget: int) -> Schedule:
        """Return the cheapest schedule of exactly ``budget`` steps.

        Raises:
            ValueError: budget outside 1..budgets.
        """
        _check_budget(budget, len(self.least))
        ranks = stop = self.last.shape[1]
        starts: list[int] = []
        for row in reversed(self.last[:budget]):
            stop = int(row[stop - 1])
            starts.append(stop)
        return Schedule(tuple(reversed(starts)), ranks)


def plan_steps(cost: NDArray[np.float64], budget: int) -> Schedule:
    """Choose the step boundaries that cost the fewest expected bits.

    Args:
        cost: (n, n) upper triangular; cost[t, k] is the expected number of bits of coding ranks t..k in one call,
            given ranks < t. Entries below the diagonal are not read.
        budget: number of network calls, 1..n.

    Returns:
        The schedule; ``len(schedule) == budget`` exactly. A bigger budget never costs more if splitting a step does
        not, ``cost[t, m] + cost[m + 1, k] <= cost[t, k]``: this holds for :func:`table_from_conditional` of bits that
        fall as more is known (bits[t, j] non-increasing in t). A measured table need not obey; the result is then
        still the best of exactly ``budget`` steps.

    Raises:
        ValueError: cost is not a square table of numbers, or budget is outside 1..n.

    Source: Hoogeboom et al. 2022, section 3.1 (after Watson et al. 2021), generalised from (k - t) * L_t to a
    measured cost.
    """
    return plan_all(cost, largest=budget).schedule(budget)


def plan_all(cost: NDArray[np.float64], *, largest: int | None = None) -> Plan:
    """Run the dynamic program of :func:`plan_steps` once, for every budget 1..largest.

    Args:
        cost: as for :func:`plan_steps`.
        largest: the biggest budget of interest, 1..n; n by default.

    Returns:
        The plan. Of equally cheap schedules it has the one whose last step is longest, then the step before, and so
        on. It comes from single additions and comparisons, so every machine derives the same one from the same table.

    Raises:
        ValueError: cost is not a square table of numbers, or largest is outside 1..n.
    """
    _check_table(cost)
    n = len(cost)
    budgets = n if largest is None else largest
    _check_budget(budgets, n)
    # Transposed, so that the minimum over first ranks runs along contiguous memory.
    of_last_step = np.ascontiguousarray(np.where(_upper(n), cost, np.inf).T)
    least = np.full((budgets, n), np.inf)
    last = np.zeros((budgets, n), np.int64)
    least[0] = cost[0]
    for done in range(1, budgets):
        # Each of the `done` earlier steps has a rank, so the last step starts at rank `done` or later.
        total = least[done - 1, done - 1 : -1] + of_last_step[done:, done:]
        least[done, done:] = total.min(axis=1)
        last[done, done:] = total.argmin(axis=1) + done
    return Plan(least, last)


def table_from_conditional(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost table from what each rank costs at every amount of knowledge: the ranks of one call are independent.

    Args:
        bits: (n, n), in any unit; bits[t, j] is the expected cost of rank j given ranks < t. Entries with j < t
            are not read.

    Returns:
        (n, n) upper triangular; entry [t, k] is the sum of bits[t, t..k].

    Raises:
        ValueError: bits is not a square table of numbers.
    """
    _check_table(bits)
    return np.cumsum(np.where(_upper(len(bits)), bits, 0.0), axis=1)


def _upper(n: int) -> NDArray[np.bool_]:
    """Where first rank <= last rank, shape (n, n)."""
    return np.triu(np.ones((n, n), np.bool_))


def _check_table(table: NDArray[np.float64]) -> None:
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ValueError(f"the table must be square and not empty, got shape {table.shape}")
    if not np.isfinite(table[_upper(len(table))]).all():
        raise ValueError("the table must be finite on and above its diagonal")


def _check_budget(budget: int, largest: int) -> None:
    if not 1 <= budget <= largest:
        raise ValueError(f"budget must be in 1..{largest}, got {budget}")


Runs: TypeAlias = tuple[int, ...] | int | None  # non-empty ranks of every step; so many planned steps; None: all 1
Steps: TypeAlias = Sequence[tuple[int, int]]  # first and stop rank of every step
Costs: TypeAlias = "Mapping[str, NDArray[np.float32]]"  # a model's, see ardm_compress.ardm.schedule

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
