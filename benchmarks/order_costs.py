"""What a model pays for positions of a picture in any order, whatever their step started with.

Exact integer mixtures, their cross entropy in float64, at some positions that all orders and schedules share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from overhead import bits

from ardm_compress.ardm import Order, make_order
from ardm_compress.ardm.schedule import Plan, Schedule, conditional_costs, plan_all, table_from_conditional, whole_units
from ardm_compress.ardm.tiles import PLAIN
from ardm_compress.coding.image import ImageBlock, ImageTiles
from ardm_compress.inference.features import Features
from ardm_compress.inference.network import Model, Parameters

ORDERS = ("spread", "random", "raster", "block")
PERIOD = 8


class Measured:
    """Pictures, and positions in them at which orders are compared."""

    def __init__(self, model: Model, pictures: Sequence[NDArray[np.uint8]], each: int) -> None:
        """Args: pictures (rows, columns, channels); ``each`` positions of a picture are sampled, evenly."""
        self.model, self.pictures = model, pictures
        self._tables: dict[str, NDArray[np.float64]] = {}
        rng = np.random.default_rng(0)
        self.positions = [
            np.stack(np.unravel_index(1 + rng.permutation(np.prod(p.shape[:2]) - 1)[:each], p.shape[:2]), 1)
            for p in pictures  # without the first position, which a dyadic order codes before all ranks
        ]

    def cost(self, order: Order, schedules: Sequence[Schedule]) -> list[float]:
        """Bits per subpixel of the schedules, which are of the ranks that are not empty in the largest picture."""
        coder, sums, count = replace(self.model, order=order), np.zeros(len(schedules)), 0
        for picture, positions in zip(self.pictures, self.positions, strict=True):
            tile, rank = (
                ImageTiles(coder, picture[None], [PLAIN]),
                order.rank_map(picture.shape[:2])[tuple(positions.T)],
            )
            for number, schedule in enumerate(schedules):
                first = starts(schedule)[rank]
                sums[number] += position_bits(coder, tile, positions, rank, first).sum()
            count += positions.shape[0] * picture.shape[2]
        return [float(total) for total in sums / count]

    def table(self, order: Order) -> NDArray[np.float64]:
        """Mean bits [t, j] of a position of rank j given ranks below t, of an order with one level; 0 for j < t."""
        if order.name not in self._tables:
            self._tables[order.name] = self._measured_table(order)
        return self._tables[order.name]

    def _measured_table(self, order: Order) -> NDArray[np.float64]:
        coder, n = replace(self.model, order=order), order.ranks_per_level
        sums, counts = np.zeros((n, n)), np.zeros(n)
        for picture, positions in zip(self.pictures, self.positions, strict=True):
            tile, rank = (
                ImageTiles(coder, picture[None], [PLAIN]),
                order.rank_map(picture.shape[:2])[tuple(positions.T)],
            )
            counts += np.bincount(rank, minlength=n)
            for first in range(n):
                later = rank >= first
                found = position_bits(coder, tile, positions[later], rank[later], np.full(later.sum(), first))
                sums[first] += np.bincount(rank[later], found, n)
        return sums / counts


def position_bits(
    coder: Model, tile: ImageTiles, positions: NDArray[np.int64], rank: NDArray[np.int64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bits (n,) of positions (n, 2) of ranks (n,), given the ranks below ``first`` (n,)."""
    found = np.zeros(len(positions))
    level = coder.order.levels(tile.shape) - 1 - rank // coder.order.ranks_per_level
    for here in np.unique(level):
        rows = np.flatnonzero(level == here)
        rows = rows[np.argsort(first[rows], kind="stable")]
        runs = np.split(rows, np.flatnonzero(np.diff(first[rows])) + 1)  # of one first rank each
        blocks = [ImageBlock(int(first[run[0]]), int(here), positions[run] >> here) for run in runs]
        found[rows] = _block_bits(coder, tile, blocks)
    return found


def _block_bits(coder: Model, tile: ImageTiles, blocks: list[ImageBlock]) -> NDArray[np.float64]:
    """Bits of the blocks' positions, all of one level, without style and latents."""
    features = [tile.features(block) for block in blocks]
    joined, network = Features(*(np.concatenate(part) for part in zip(*features, strict=True))), coder.network
    target, total = np.concatenate([tile.read(block) for block in blocks]), []

    def code(channel: int, mixtures: Parameters) -> NDArray[np.uint8]:
        total.append(bits(mixtures, target[:, channel]))
        return target[:, channel]

    hidden = network.hidden(joined, blocks[0].level, network.conditioning(0, ()))
    network.start(hidden, joined.scale).code(target.shape[1], joined.reference_of, code)
    return np.sum(total, 0)


def starts(schedule: Schedule) -> NDArray[np.int64]:
    """First rank of the step of every rank, (ranks,)."""
    return np.repeat(np.array(schedule.starts), [stop - first for first, stop in schedule])


def plans(model: Model, order: Order, shape: tuple[int, int], planning: Measured) -> tuple[Plan, NDArray[np.int64]]:
    """Plan the cheapest schedules of every budget for a picture of a shape; return the ranks that they number too.

    The shipped model has measured its own order; others are measured on the pictures ``planning``.
    """
    if order.dyadic:
        table, ranks = conditional_costs(order, shape, model.costs)
    else:
        ranks = np.arange(order.ranks_per_level)
        table = whole_units(planning.table(order)) * order.sizes(shape)
    return plan_all(table_from_conditional(table)), ranks


def of_all_ranks(schedule: Schedule, ranks: NDArray[np.int64], total: int) -> Schedule:
    """Turn a schedule of the ranks that are not empty into one of all ranks."""
    first = [0, *ranks[list(schedule.starts)][1:].tolist()]
    return Schedule(tuple(first), total)


def schedules(
    plan: Plan, ranks: NDArray[np.int64], order: Order, shape: tuple[int, int], budgets: Sequence[int]
) -> dict[tuple[int, str], Schedule]:
    """Planned schedules of budgets up to the number of ranks, and even ones as long as there are."""
    found, total = {}, order.ranks(shape)
    sizes = order.sizes(shape)[ranks]
    for budget in {min(budget, len(ranks)): None for budget in budgets}:
        found[budget, "planned"] = of_all_ranks(plan.schedule(budget), ranks, total)
        even = even_positions(sizes, budget)
        if len(even) == budget:
            found[budget, "even"] = of_all_ranks(even, ranks, total)
    return found


def even_positions(sizes: NDArray[np.int64], budget: int) -> Schedule:
    """Make steps of equally many positions, as nearly as ranks of these sizes allow, or else fewer steps."""
    ends = np.cumsum(sizes)
    wanted = ends[-1] * np.arange(1, budget) / budget
    return Schedule((0, *np.unique(np.abs(ends[:-1, None] - wanted).argmin(0) + 1).tolist()), len(sizes))


def order_of(name: str) -> Order:
    """Make an order of images by its name."""
    return make_order(name, axes=2, period=PERIOD)
