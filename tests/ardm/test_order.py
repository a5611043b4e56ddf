"""Orders: ranks partition the positions, and lattice(), sizes() and rank_map() tell one story."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ardm_compress.ardm import COARSER, Lattice, lattice_shape, lattice_size, level_shape, make_order

NAMES = ("spread", "random", "raster", "block")

shapes = st.lists(st.integers(1, 40), min_size=1, max_size=2).map(tuple)
names = st.sampled_from(NAMES)
periods = st.sampled_from([2, 4, 8])


def positions_of(lattice: Lattice, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The definition, position by position, in coordinates of the tile."""
    step = 1 << lattice.level
    axes = (range(start * step, n, lattice.period * step) for start, n in zip(lattice.start, shape, strict=True))
    return list(product(*axes))


@given(names, shapes, periods)
def test_the_ranks_partition_all_positions_but_the_top_one(name: str, shape: tuple[int, ...], period: int) -> None:
    order = make_order(name, axes=len(shape), period=period)
    levels = order.levels(shape)
    coded = [
        position for rank in range(order.ranks(shape)) for position in positions_of(order.lattice(rank, levels), shape)
    ]
    top = [(0,) * len(shape)] if order.dyadic else []
    assert sorted(coded + top) == list(np.ndindex(shape))


@given(names, shapes, periods)
def test_the_rank_map_agrees_with_the_lattices(name: str, shape: tuple[int, ...], period: int) -> None:
    order = make_order(name, axes=len(shape), period=period)
    levels = order.levels(shape)
    expected = np.full(shape, COARSER)
    for rank in range(order.ranks(shape)):
        for position in positions_of(order.lattice(rank, levels), shape):
            expected[position] = rank
    np.testing.assert_array_equal(order.rank_map(shape), expected)


@given(names, shapes, periods)
def test_the_sizes_count_the_rank_map(name: str, shape: tuple[int, ...], period: int) -> None:
    order = make_order(name, axes=len(shape), period=period)
    ranks = order.rank_map(shape)
    counts = np.bincount(ranks[ranks != COARSER], minlength=order.ranks(shape))
    np.testing.assert_array_equal(order.sizes(shape), counts)


@given(shapes, periods, st.data())
def test_the_shape_of_a_lattice_counts_its_positions(shape: tuple[int, ...], period: int, data: st.DataObject) -> None:
    order = make_order("spread", axes=len(shape), period=period)
    levels = order.levels((*shape[1:], 64))
    lattice = order.lattice(data.draw(st.integers(0, levels * order.ranks_per_level - 1)), levels)
    positions = positions_of(lattice, shape)
    per_axis = tuple(len(set(coordinates)) for coordinates in zip(*positions, strict=True))
    assert lattice_size(lattice, shape) == len(positions)
    if positions:
        assert lattice_shape(lattice, shape) == per_axis


@given(shapes, st.integers(0, 7))
def test_the_shape_of_a_level_is_that_of_the_decimated_array(shape: tuple[int, ...], level: int) -> None:
    decimated = np.zeros(shape)[(slice(None, None, 1 << level),) * len(shape)]
    assert level_shape(shape, level) == decimated.shape


@given(shapes, periods)
def test_one_rank_never_has_two_positions_closer_than_the_period(shape: tuple[int, ...], period: int) -> None:
    order = make_order("spread", axes=len(shape), period=period)
    levels = order.levels(shape)
    ranks = order.rank_map(shape)
    for level in range(levels):
        view = ranks[(slice(None, None, 1 << level),) * len(shape)]
        first = (levels - 1 - level) * order.ranks_per_level
        for rank in range(first, first + order.ranks_per_level):
            places = np.argwhere(view == rank)
            distance = np.abs(places[:, None] - places[None]).max(axis=-1)
            distance[np.diag_indices(len(places))] = period
            assert (distance >= period).all()


@given(shapes, periods)
def test_the_spread_order_goes_from_coarse_levels_to_fine_ones(shape: tuple[int, ...], period: int) -> None:
    order = make_order("spread", axes=len(shape), period=period)
    levels = order.levels(shape)
    for position, rank in np.ndenumerate(order.rank_map(shape)):
        if any(position):
            twos = min((c & -c).bit_length() - 1 for c in position if c)
            assert rank // order.ranks_per_level == levels - 1 - twos


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("period", [2, 4, 8, 16])
def test_the_spread_cell_has_odd_positions_before_mixed_ones(axes: int, period: int) -> None:
    cell = make_order("spread", axes=axes, period=period).cell
    odd = np.indices(cell.shape) % 2
    assert set(cell[~odd.any(axis=0)]) == {COARSER}
    all_odd = odd.all(axis=0)
    assert sorted(cell[all_odd]) == list(range((period // 2) ** axes))
    assert sorted(cell[odd.any(axis=0) & ~all_odd]) == list(
        range((period // 2) ** axes, period**axes - (period // 2) ** axes)
    )


@pytest.mark.parametrize("name", ["random", "raster", "block"])
@pytest.mark.parametrize("axes", [1, 2])
def test_the_cell_of_an_order_without_levels_is_a_permutation(name: str, axes: int) -> None:
    order = make_order(name, axes=axes)
    assert not order.dyadic
    assert (order.axes, order.period, order.name) == (axes, 8, name)
    assert sorted(order.cell.ravel()) == list(range(8**axes))


def test_the_spread_cell_of_two_axes_is_frozen() -> None:
    # Part of the file format (docs/format.md section 5): a file says "spread", not the cell.
    assert make_order("spread", axes=2).cell[:4].tolist() == [
        [-1, 22, -1, 38, -1, 18, -1, 34],
        [17, 0, 33, 8, 21, 2, 37, 10],
        [-1, 46, -1, 30, -1, 42, -1, 26],
        [41, 12, 25, 4, 45, 14, 29, 6],
    ]


def test_the_spread_cell_of_one_axis_is_frozen() -> None:
    assert make_order("spread", axes=1).cell.tolist() == [-1, 0, -1, 2, -1, 1, -1, 3]


def test_the_raster_and_block_cells_are_frozen() -> None:
    assert make_order("raster", axes=2, period=4).cell[:2].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert make_order("block", axes=2, period=4).cell[:2].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_the_random_cell_is_frozen() -> None:
    assert make_order("random", axes=1, seed=0).cell.tolist() == [7, 5, 4, 1, 2, 0, 6, 3]


@given(st.integers(0, 2**63 - 1), st.integers(1, 2))
def test_the_random_order_is_reproducible(seed: int, axes: int) -> None:
    first, again = (make_order("random", axes=axes, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(first.cell, again.cell)


def test_the_random_order_differs_by_seed() -> None:
    cells = {make_order("random", axes=2, seed=seed).cell.tobytes() for seed in range(20)}
    assert len(cells) == 20


@pytest.mark.parametrize("name", ["", "Spread", "zigzag"])
def test_an_unknown_order_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="choose spread, random, raster or block"):
        make_order(name, axes=2)


@pytest.mark.parametrize("period", [-8, 0, 1, 3, 12])
def test_a_period_that_is_no_power_of_two_is_refused(period: int) -> None:
    with pytest.raises(ValueError, match="period must be a power of two"):
        make_order("spread", axes=2, period=period)


@pytest.mark.parametrize(("shape", "levels"), [((1,), 0), ((2,), 1), ((8, 3), 3), ((9, 1), 4)])
def test_levels_go_on_until_one_position_is_left(shape: tuple[int, ...], levels: int) -> None:
    order = make_order("spread", axes=len(shape))
    assert order.levels(shape) == levels
    assert order.ranks(shape) == levels * order.ranks_per_level
