"""The coding loop: what goes in comes out, for every order, block and batch, and costs what the model says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from headers import header_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oa.schedules import even_schedule
from pictures import Samples

from ardm_compress.ardm import Order, Upscaling, make_order
from ardm_compress.ardm.schedule import Steps, planned_runs, tile_steps
from ardm_compress.ardm.tiles import PLAIN, Conditioning
from ardm_compress.codec import images
from ardm_compress.coding import loop
from ardm_compress.coding.ans import Cells, pushed_stacks
from ardm_compress.coding.image import ImageTiles, decode_tiles, encode_tiles, step_blocks, turned
from ardm_compress.coding.loop import Arrived, Collected, Expected, Popped, Symbols, draw
from ardm_compress.inference.network import Model, Parameters

PERIOD = 8


def encoded(model: Model, samples: Samples, steps: Steps, sections: int = 1, **options: Any) -> list[bytes]:
    """The payloads of one tile."""
    return encode_tiles(model, samples[None], steps, sections, lambda: None, [PLAIN], **options)[0]


def decoded(
    model: Model, like: Samples, steps: Steps, sources: list[Symbols], **options: Any
) -> NDArray[np.uint8]:  # fmt: skip
    """One tile of the shape of another."""
    rows, columns, channels = like.shape
    (found,) = decode_tiles(
        model, (rows, columns), channels, steps, sources, options.pop("progress", lambda: None), [PLAIN], **options
    )
    return found


def even_steps(order: Order, samples: Samples, budget: int) -> Steps:
    return list(even_schedule(order.ranks(samples.shape[:2]), budget))


# Orders and steps


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "period"), [("random", 8), ("raster", 8), ("block", 8), ("raster", 4), ("spread", 4), ("spread", 2)]
)
def test_every_order_round_trips(model: Model, photo: Samples, name: str, period: int, channels: int) -> None:
    coder = replace(model, order=make_order(name, axes=2, period=period))
    samples = np.ascontiguousarray(photo[:19, :26, :channels])
    for budget, sections in ((1, 1), (9, 3)):
        steps, count = even_steps(coder.order, samples, budget), Mock()
        (payloads,) = encode_tiles(coder, samples[None], steps, sections, count, [PLAIN])
        assert len(payloads) == sections
        assert count.call_count == budget
        streams = [Popped(payload) for payload in payloads]
        np.testing.assert_array_equal(decoded(coder, samples, steps, streams, progress=count), samples)
        assert count.call_count == 2 * budget
        for stream in streams:
            stream.finish()


def test_orders_that_spread_a_step_pay_less_for_few_calls(model: Model, photo: Samples) -> None:
    """The reason for the default: with eight calls, its neighbours are known where a block's or a row's are not."""
    bits = {}
    for name in ("spread", "random", "raster", "block"):
        coder = replace(model, order=make_order(name, axes=2, period=PERIOD))
        bits[name] = len(encoded(coder, photo, even_steps(coder.order, photo, 16))[0])
    assert bits["spread"] == min(bits.values())


@pytest.mark.parametrize("size", [5, 1 << 14])
def test_blocks_take_every_position_once(size: int) -> None:
    order = make_order("spread", axes=2, period=PERIOD)
    shape = (13, 22)
    ranks = order.rank_map(shape)
    for budget in (1, 5, order.ranks(shape)):
        seen = np.zeros(shape, int)
        for first, stop in even_schedule(order.ranks(shape), budget):
            blocks = step_blocks(order, shape, first, stop, size)
            assert [block.level for block in blocks] == sorted((block.level for block in blocks), reverse=True)
            for block in blocks:
                assert block.first == first
                assert 0 < len(block.positions) <= size
                for position in block.positions << block.level:
                    assert first <= ranks[tuple(position)] < stop
                    seen[tuple(position)] += 1
        assert seen.sum() == seen.size - 1
        assert seen.max() == 1
        assert seen[0, 0] == 0


class Watched(Collected):
    """Known symbols; keeps the mixtures that they were coded with."""

    def __init__(self) -> None:
        super().__init__()
        self.mixtures: list[Parameters] = []

    def cells(self, network: Any, mixtures: Parameters, cells: Cells, known: NDArray[np.int64]) -> NDArray[np.int64]:
        self.mixtures.append(mixtures)
        return super().cells(network, mixtures, cells, known)


def test_a_step_sees_only_the_ranks_before_it(model: Model, photo: Samples) -> None:
    """Mixtures of a step do not change with the samples of its own and later ranks: the decoder has not got them."""
    order, shape = model.order, photo.shape[:2]
    first, stop = order.ranks(shape) - 60, order.ranks(shape) - 20
    unknown = order.rank_map(shape) >= first
    other = np.where(unknown[..., None], 255 - photo, photo)
    tiles = [ImageTiles(model, samples[None], [Conditioning(1)]) for samples in (photo, other)]
    for block in step_blocks(order, shape, first, stop):
        seen = [Watched(), Watched()]
        for each, symbols in zip(tiles, seen, strict=True):
            each.code(block, symbols)
        for x, y in zip(*(symbols.mixtures[0] for symbols in seen), strict=True):
            np.testing.assert_array_equal(x, y)


# Batches, blocks, lockstep


@pytest.mark.parametrize("batch", [7, 33, 10**6])
def test_batches_change_neither_the_payload_nor_the_samples(model: Model, photo: Samples, batch: int) -> None:
    samples = photo[:25, :40]
    steps = even_steps(model.order, samples, 3)
    payloads = encoded(model, samples, steps)
    assert encoded(model, samples, steps, batch=batch) == payloads
    found = decoded(model, samples, steps, [Popped(*payloads)], batch=batch)
    np.testing.assert_array_equal(found, samples)


@pytest.mark.parametrize("batch", [17, 300])
def test_what_is_expected_is_the_same_in_any_batch(model: Model, photo: Samples, batch: int) -> None:
    steps = even_steps(model.order, photo, 9)
    payload = encoded(model, photo, steps)[0]
    cut = len(payload) // 3

    def sources() -> list[Symbols]:
        return [Arrived(bytes(len(payload) - cut) + payload[len(payload) - cut :], len(payload) - cut)]

    before = decoded(model, photo, steps, sources())
    assert (before == photo).mean() > 0.1
    assert (before != photo).any()
    np.testing.assert_array_equal(decoded(model, photo, steps, sources(), batch=batch), before)


def test_steps_of_several_blocks_round_trip(model: Model, photo: Samples) -> None:
    """A step of more than BLOCK_POSITIONS takes an image of 150x150; smaller blocks show the same."""
    steps = even_steps(model.order, photo, 3)
    whole, parted = encoded(model, photo, steps), encoded(model, photo, steps, block=100)
    assert parted != whole
    np.testing.assert_array_equal(decoded(model, photo, steps, [Popped(*parted)], block=100), photo)


def test_tiles_in_lockstep_are_those_of_each_by_itself(model: Model, photo: Samples) -> None:
    tiles = np.stack([photo[:16, :24], photo[16:32, 8:32], 255 - photo[:16, :24]])
    given = [PLAIN, Conditioning(2, 1, (5, -3)), Conditioning(1, 3)]
    steps = even_steps(model.order, tiles[0], 12)
    together = encode_tiles(model, tiles, steps, 2, lambda: None, given)
    for own, conditioning, payloads in zip(tiles, given, together, strict=True):
        assert encode_tiles(model, own[None], steps, 2, lambda: None, [conditioning]) == [payloads]
    streams = [Popped(*section) for section in zip(*together, strict=True)]
    found = decode_tiles(model, (16, 24), 3, steps, streams, lambda: None, given)
    np.testing.assert_array_equal(np.stack(found), tiles)


def test_known_positions_are_not_coded(model: Model, photo: Samples) -> None:
    known = np.random.default_rng(1).random(photo.shape[:2]) < 0.5
    holes = np.where(known[..., None], photo, 7)
    tiles = ImageTiles(model, holes[None], [PLAIN], known=known)
    loop.decode(tiles, even_steps(model.order, photo, 9), [draw(3 * photo[~known].size, 4)], lambda: None)
    np.testing.assert_array_equal(tiles.samples[0][known], photo[known])
    assert (tiles.samples[0][~known] != 7).any()


# Size


@pytest.mark.parametrize("budget", [1, 9, 60])
def test_a_file_is_as_large_as_the_cross_entropy_of_its_model(model: Model, photo: Samples, budget: int) -> None:
    data = images.encode_samples(photo, budget=budget)
    header = header_of(data)
    conditioning = header.conditioning(0)
    tiles = ImageTiles(model, turned(photo, conditioning.mirror)[None], [conditioning])
    symbols = Collected()
    tiles.begin(symbols)
    runs = planned_runs(header.runs, model.order, model.costs, header.tile)
    for step in tile_steps(runs, model.order, header.tile, header.tile):
        for block in tiles.blocks(*step):
            tiles.code(block, symbols)
    bits = sum(float((24 - np.log2(intervals.sizes)).sum()) for intervals in symbols.collected)
    assert abs(8 * sum(length - 4 for length in header.lengths) - bits) <= 0.001 * bits + 64
    assert bits < 8 * photo.nbytes * (1.2 if budget == 1 else 0.8)  # one call: of samples given nothing


# Symbols


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5), st.sampled_from([4, 5, 16, 24]))
def test_equally_likely_numbers_come_back_from_stacks(numbers: list[int], digit_bits: int) -> None:
    known, stacks, collected = np.array(numbers), pushed_stacks(1), Collected()
    np.testing.assert_array_equal(collected.uniform(32, digit_bits, known), known)
    collected.push_to(stacks)
    popped = Popped(*stacks.to_bytes())
    np.testing.assert_array_equal(popped.uniform(32, digit_bits, np.zeros_like(known)), known)
    popped.finish()


@pytest.mark.parametrize(("origin", "width"), [(0, 1), (128, 1), (128, 16)])
def test_what_is_expected_is_the_mean(model: Model, origin: int, width: int) -> None:
    """Two logistics of weights 1 and 3; cells below and above all that there are stand for what lies beyond."""
    means = np.array([[-20.0, 60.0], [1e5, 1e5], [-1e5, -1e5]], np.float32) * 64
    mixtures = Parameters(np.tile(np.int32([1, 3]), (3, 1)), means, np.ones((3, 2), np.float32))
    cells = Cells(Upscaling(256, 16), origin, width)
    found = Expected().cells(model.network, mixtures, cells, np.zeros(3, np.int64))
    assert found.tolist() == [40 // width + origin, 255, 0]
