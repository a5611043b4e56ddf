"""Schedules: which ranks one network call codes, and the dynamic program that chooses them. NumPy only.

A file costs one network call per step. Fewer steps are faster and bigger: the ranks of a step cannot see each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


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
