"""Digits invert; the stages' distributions multiply to the finest one; the paper's matrices say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import cumulative, digits_of, distribution, edges, intervals, transition, value_of

from ardm_compress.ardm import Upscaling

powers_of_two = st.integers(1, 7).map(lambda bits: 2**bits)
upscalings = st.builds(Upscaling, values=powers_of_two, branching=powers_of_two)
seeds = st.integers(0, 2**32 - 1)


@given(upscalings)
def test_digits_invert_and_stay_below_the_children_of_their_stage(upscaling: Upscaling) -> None:
    x = np.arange(upscaling.values)
    digits = digits_of(upscaling, x)
    assert digits.shape == (upscaling.stages(), upscaling.values)
    for stage, digit in enumerate(digits, start=1):
        assert set(digit) == set(range(upscaling.children(stage)))
    np.testing.assert_array_equal(value_of(upscaling, digits), x)


@pytest.mark.parametrize(("branching", "stages"), [(2, 16), (16, 4), (32, 4), (256, 2), (65536, 1)])
def test_digits_of_all_16_bit_values_invert(branching: int, stages: int) -> None:
    x = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    digits = digits_of(Upscaling(65536, branching), x)
    assert digits.shape == (stages, 256, 256)
    np.testing.assert_array_equal(value_of(Upscaling(65536, branching), digits), x)


def test_digits_are_coarsest_first() -> None:
    assert digits_of(Upscaling(256, 16), np.array([0xA7, 0x0F])).T.tolist() == [[0xA, 0x7], [0x0, 0xF]]


def test_the_first_stage_is_the_smaller_one() -> None:
    upscaling = Upscaling(2**5, 16)
    assert [upscaling.children(stage) for stage in (1, 2)] == [2, 16]
    assert [upscaling.width(stage) for stage in (0, 1, 2)] == [32, 16, 1]
    assert digits_of(upscaling, np.array([21])).T.tolist() == [[1, 5]]


@pytest.mark.parametrize("branching", [8, 16])
def test_branching_of_at_least_the_values_is_one_stage(branching: int) -> None:
    upscaling = Upscaling(8, branching)
    assert upscaling.stages() == 1
    assert digits_of(upscaling, np.arange(8)).tolist() == [list(range(8))]
    assert edges(upscaling, 1, np.array([0])).tolist() == [list(range(9))]


def test_edges_are_in_finest_values() -> None:
    upscaling = Upscaling(2**5, 16)
    assert edges(upscaling, 1, np.array([0])).tolist() == [[0, 16, 32]]
    assert edges(upscaling, 2, np.array([1, 0])).tolist() == [list(range(16, 33)), list(range(17))]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_integers_of_any_width_give_int64(dtype: type[np.integer[Any]]) -> None:
    # 200 * 256 wraps in uint8, and NumPy makes float64 of uint64 with int64.
    digits = digits_of(Upscaling(256, 16), np.array([200], dtype))
    first_edges = edges(Upscaling(65536, 256), 2, np.array([200], dtype))[:, :2]
    assert first_edges.dtype == digits.dtype == np.int64
    assert first_edges.tolist() == [[51200, 51201]]
    assert digits.tolist() == [[12], [8]]


@given(upscalings)
def test_every_value_lies_between_the_edges_of_its_digit(upscaling: Upscaling) -> None:
    x = np.arange(upscaling.values)
    for stage, digit in enumerate(digits_of(upscaling, x), start=1):
        bounds = edges(upscaling, stage, x // upscaling.width(stage - 1))
        assert bounds.shape == (upscaling.values, upscaling.children(stage) + 1)
        assert (bounds[x, digit] <= x).all()
        assert (x < bounds[x, digit + 1]).all()


@settings(max_examples=50)
@given(upscalings, seeds)
def test_the_stages_multiply_to_the_finest_distribution(upscaling: Upscaling, seed: int) -> None:
    x = np.arange(upscaling.values)
    finest = np.random.default_rng(seed).dirichlet(np.ones(upscaling.values))
    product = np.ones(upscaling.values)
    parent = np.zeros_like(x)
    for stage, digit in enumerate(digits_of(upscaling, x), start=1):
        theta = distribution(upscaling, stage, np.eye(intervals(upscaling, stage - 1))[parent], finest)
        np.testing.assert_allclose(theta.sum(axis=1), 1.0)
        parent = parent * upscaling.children(stage) + digit
        product *= theta[x, parent]
    np.testing.assert_allclose(product, finest, rtol=1e-9)


@settings(max_examples=50)
@given(upscalings, seeds)
def test_a_cdf_at_the_edges_gives_the_distribution_of_the_paper(upscaling: Upscaling, seed: int) -> None:
    finest = np.random.default_rng(seed).dirichlet(np.ones(upscaling.values))
    cdf = np.concatenate([[0.0], np.cumsum(finest)])
    for stage in range(1, upscaling.stages() + 1):
        parents = np.arange(intervals(upscaling, stage - 1))
        mass = np.diff(cdf[edges(upscaling, stage, parents)], axis=1)
        theta = distribution(upscaling, stage, np.eye(len(parents)), finest)
        children = parents[:, None] * upscaling.children(stage) + np.arange(upscaling.children(stage))
        by_edges = mass / mass.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(np.take_along_axis(theta, children, axis=1), by_edges, rtol=1e-6, atol=1e-9)


@given(upscalings)
def test_transitions_map_one_hot_children_to_parents(upscaling: Upscaling) -> None:
    x = np.arange(upscaling.values)
    for stage in range(1, upscaling.stages() + 1):
        child, parent = (np.eye(intervals(upscaling, s))[:, x // upscaling.width(s)] for s in (stage, stage - 1))
        np.testing.assert_array_equal(transition(upscaling, stage) @ child, parent)


@given(upscalings)
def test_the_cumulative_matrix_is_the_product_of_the_finer_transitions(upscaling: Upscaling) -> None:
    product = np.eye(upscaling.values)
    for stage in range(upscaling.stages(), 0, -1):
        np.testing.assert_array_equal(cumulative(upscaling, stage), product)
        product = transition(upscaling, stage) @ product
    np.testing.assert_array_equal(cumulative(upscaling, 0), product)


def test_the_matrices_of_four_values_bit_by_bit() -> None:
    upscaling = Upscaling(4, 2)
    assert transition(upscaling, 1).tolist() == [[1, 1]]
    assert transition(upscaling, 2).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    theta = distribution(upscaling, 2, np.array([0.0, 1.0]), np.array([0.25, 0.25, 0.125, 0.375]))
    assert theta.tolist() == [0, 0, 0.25, 0.75]


def test_a_parent_without_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="no probability"):
        distribution(Upscaling(4, 2), 2, np.array([0.0, 1.0]), np.array([0.5, 0.5, 0.0, 0.0]))


@pytest.mark.parametrize(("values", "branching"), [(0, 2), (1, 2), (6, 2), (-4, 2), (4, 0), (4, 1), (4, 3), (4, -2)])
def test_sizes_that_are_no_powers_of_two_are_refused(values: int, branching: int) -> None:
    with pytest.raises(ValueError, match="must be a power of two of at least 2"):
        Upscaling(values, branching)


def test_no_values_have_no_digits() -> None:
    assert digits_of(Upscaling(16, 4), np.zeros((0, 3), np.uint8)).shape == (2, 0, 3)


def test_stages_outside_the_upscaling_are_refused() -> None:
    upscaling = Upscaling(16, 4)
    for outside in (-1, 3):
        with pytest.raises(ValueError, match=r"stage must be in 0\.\.2"):
            upscaling.width(outside)
    for outside in (0, 3):
        with pytest.raises(ValueError, match=r"stage must be in 1\.\.2"):
            upscaling.children(outside)
        with pytest.raises(ValueError, match=r"stage must be in 1\.\.2"):
            edges(upscaling, outside, np.array([0]))
