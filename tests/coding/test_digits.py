"""Digits on stacks: the intervals are those of the mixtures' frequencies, and every cell comes back."""

from __future__ import annotations

from typing import cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ardm_compress.ardm import Upscaling
from ardm_compress.coding.ans import (
    Cells,
    CompiledPopped,
    CompiledPushed,
    ConstrictionPopped,
    ConstrictionPushed,
    PoppedStacks,
    PushedStacks,
)
from ardm_compress.coding.loop import Collected
from ardm_compress.inference import config
from ardm_compress.inference.network import Children, ExactNetwork, Parameters, cumulative, frequencies


class Nodes:
    """All that coding cells takes from a network."""

    nodes = config.logistic_nodes()

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        return frequencies(cumulative(parameters, children.boundaries(), self.nodes))


NETWORK = cast(ExactNetwork, Nodes())


@st.composite
def coded_cells(draw: st.DrawFn) -> tuple[Cells, Parameters, NDArray[np.int64]]:
    """Mixtures from wide to narrow, some far beyond all cells, and a cell for each; those of a stack in a row."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 4)) * draw(st.integers(1, 30))
    upscaling = Upscaling(draw(st.sampled_from([128, 256, 4096])), 16)
    width = draw(st.sampled_from([1, 8])) if draw(st.booleans()) else 1 << rng.integers(0, 20, n)
    cells = Cells(upscaling, draw(st.sampled_from([0, upscaling.values // 2])), width)
    spread = draw(st.sampled_from([1e2, 1e4, 1e6]))
    means = (rng.normal(0, spread, (n, 3)) * 64).clip(-config.MEAN_LIMIT, config.MEAN_LIMIT).astype(np.float32)
    inverse = np.exp2(rng.uniform(-4, 20, (n, 3))).astype(np.float32)
    weights = rng.integers(0, config.WEIGHT_TOP + 1, (n, 3)).astype(np.int32)
    return cells, Parameters(weights, np.rint(means), inverse), rng.integers(0, upscaling.values, n)


@settings(max_examples=200)
@given(coded_cells())
def test_intervals_are_those_of_the_frequencies(coded: tuple[Cells, Parameters, NDArray[np.int64]]) -> None:
    cells, mixtures, known = coded
    collected = Collected()
    np.testing.assert_array_equal(collected.cells(NETWORK, mixtures, cells, known), known)
    first = np.zeros_like(known)
    for (width, children), intervals in zip(cells.upscaling.splits, collected.collected, strict=True):
        edges = Children(first, width, children, cells.upscaling.values, cells.origin, cells.width).boundaries()
        rows = frequencies(cumulative(mixtures, edges, NETWORK.nodes)).astype(np.int64) + 1
        digit = (known - first) // width
        ends = rows.cumsum(1)[np.arange(len(known)), digit]
        np.testing.assert_array_equal(intervals.sizes, rows[np.arange(len(known)), digit])
        np.testing.assert_array_equal(intervals.lefts, ends - intervals.sizes)
        first = first + digit * width


def pushed(coder: type[PushedStacks], symbols: Collected, stacks: int) -> list[bytes]:
    found = coder(stacks)  # type: ignore[call-arg]
    symbols.push_to(found)
    return found.to_bytes()


@settings(max_examples=200)
@given(coded_cells(), st.integers(1, 4))
def test_both_coders_make_the_same_stacks_and_pop_them(
    coded: tuple[Cells, Parameters, NDArray[np.int64]], stacks: int
) -> None:
    cells, mixtures, known = coded
    stacks = stacks if len(known) % stacks == 0 else 1
    collected, counts = Collected(), np.arange(len(known)) % 24 + 1
    numbers = known * 65537 & (1 << counts) - 1
    collected.cells(NETWORK, mixtures, cells, known)
    collected.bits(counts, numbers)
    collected.cells(NETWORK, mixtures, cells, known[::-1].copy())
    payloads = pushed(CompiledPushed, collected, stacks)
    assert pushed(ConstrictionPushed, collected, stacks) == payloads
    popped: list[PoppedStacks] = [CompiledPopped(payloads), ConstrictionPopped(payloads)]
    for each in popped:
        np.testing.assert_array_equal(each.cells(NETWORK, mixtures, cells), known)
        np.testing.assert_array_equal(each.bits(counts), numbers)
        assert len(each.words_left()) == stacks
    assert popped[0].words_left() == popped[1].words_left()
    for each in popped:
        np.testing.assert_array_equal(each.cells(NETWORK, mixtures, cells), known[::-1])
        assert all(each.are_empty())


@settings(max_examples=100)
@given(coded_cells(), st.binary(max_size=64).map(lambda data: data.rstrip(b"\0")))
def test_both_coders_pop_the_same_from_garbage(
    coded: tuple[Cells, Parameters, NDArray[np.int64]], garbage: bytes
) -> None:
    cells, mixtures, _ = coded
    both: list[PoppedStacks] = [CompiledPopped([garbage]), ConstrictionPopped([garbage])]
    found = [each.cells(NETWORK, mixtures, cells) for each in both]
    np.testing.assert_array_equal(*found)
    assert found[0].min() >= 0
    assert found[0].max() < cells.upscaling.values
    assert both[0].words_left() == both[1].words_left()
    assert both[0].are_empty() == both[1].are_empty()
