"""The coding loops and the functions around them: what goes in comes out, for every shape, order, budget and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from unittest.mock import Mock

import numpy as np
import pytest
from headers import header_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oa.schedules import even_schedule
from pictures import PHOTO, Samples, read_image
from PIL import Image

from ardm_compress.ardm.order import COARSER, make_order
from ardm_compress.codec import api, array
from ardm_compress.coding import loop as codec
from ardm_compress.coding import tile
from ardm_compress.container.image import MAX_SIDE, Description, read_file
from ardm_compress.container.parse import parse
from ardm_compress.errors import LimitError, UnsupportedError
from ardm_compress.inference import loading
from ardm_compress.inference.model import Model
from ardm_compress.training import styles

PERIOD = 8


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    """All of this module's files share one loaded model."""
    monkeypatch.setattr(loading, "loaded", lambda _: model)


def constant(shape: Sequence[int]) -> Samples:
    return np.full(shape, 200, np.uint8)


def noise(shape: Sequence[int]) -> Samples:
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def gradient(shape: Sequence[int]) -> Samples:
    return (np.indices(shape).astype(np.int64) * [[[[3]]], [[[5]]], [[[40]]]]).sum(0).astype(np.uint8)


def extremes(shape: Sequence[int]) -> Samples:
    return np.random.default_rng(6).choice(np.array([0, 255], np.uint8), shape)


KINDS = {"constant": constant, "noise": noise, "gradient": gradient, "extremes": extremes}


def check(samples: Samples, **options: int | None) -> bytes:
    """Encode, decode, compare; returns the file."""
    data = api.encode(samples, **options)
    decoded = api.decode(data)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, samples)
    return data


def useful_calls(shape: tuple[int, int]) -> int:
    """Ranks that are not empty, each worth a call of its own."""
    ranks = make_order("spread", axes=2, period=PERIOD).rank_map(shape)
    return len(np.unique(ranks[ranks != COARSER]))


SHAPES = [(1, 1), (1, 2), (2, 1), (1, 37), (29, 1), (3, 3), (17, 13)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_and_budget_round_trips(shape: tuple[int, int], channels: int) -> None:
    most = useful_calls(shape)
    for budget in (1, 2, 7, 10**6 if prod(shape) < 50 else 50):
        data = check(noise((*shape, channels)) // 3, budget=budget)
        assert parse(data).facts["calls"] == min(budget, most)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_round_trips(kind: str, channels: int) -> None:
    check(KINDS[kind]((21, 34, channels)), budget=5)


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_any_small_image_round_trips(height: int, width: int, channels: int, budget: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    centre, spread = random.integers(0, 256), random.choice([0, 2, 30, 300])
    samples = np.clip(centre + spread * random.standard_normal((height, width, channels)), 0, 255).astype(np.uint8)
    check(samples, budget=budget)


def test_a_photograph_shrinks_and_a_budget_above_the_useful_maximum_is_the_maximum(photo: Samples) -> None:
    small = photo[:16, :16]
    most = useful_calls((16, 16))
    files = [check(small, budget=budget) for budget in (most, 10**6)]
    assert files[0] == files[1]
    assert parse(files[0]).facts["calls"] == most
    assert len(files[0]) < len(check(small, budget=most // 8)) < len(check(small, budget=1)) < small.nbytes * 1.1
    assert len(files[0]) < 0.7 * small.nbytes


def test_a_gray_image_is_cheaper_than_the_same_in_three_channels(photo: Samples) -> None:
    gray = np.ascontiguousarray(photo[:16, :16, 1:2])
    assert len(check(gray, budget=8)) < len(check(np.repeat(gray, 3, axis=2), budget=8))


def test_views_and_byte_orders_do_not_matter(photo: Samples) -> None:
    turned = photo[::-2, ::-3, ::-1]
    assert check(turned, budget=4) == api.encode(np.ascontiguousarray(turned), budget=4)


# Tiles, sections, blocks and batches


@pytest.mark.parametrize("shape", [(40, 27), (16, 17), (17, 33)], ids=str)
@pytest.mark.parametrize("sections", [1, 5])
def test_tiles_and_sections_round_trip(
    monkeypatch: pytest.MonkeyPatch, photo: Samples, shape: tuple[int, int], sections: int
) -> None:
    samples = np.resize(photo, (*shape, 3))
    with monkeypatch.context() as encoder:
        encoder.setattr(array, "TILE", 16)
        if sections > 1:
            encoder.setattr(array, "SECTIONED_FROM", 1)
        data = api.encode(samples, budget=6)
    header = header_of(data)
    assert header.tile == (16, 16)
    assert header.sections == sections
    assert len(header.lengths) == sections * -(-shape[0] // 16) * -(-shape[1] // 16)
    np.testing.assert_array_equal(api.decode(data), samples)  # by a decoder that knows the file only


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_in_sections_holds_the_same_in_each_as_its_levels_need(
    monkeypatch: pytest.MonkeyPatch, photo: Samples, channels: int
) -> None:
    samples = np.ascontiguousarray(photo[..., :channels])
    whole = check(samples, budget=10)
    monkeypatch.setattr(array, "SECTIONED_FROM", prod(samples.shape[:2]))
    cut = check(samples, budget=10)
    lengths = header_of(cut).lengths
    assert len(lengths) == array.SECTIONS
    assert lengths[1] < lengths[2] < lengths[3] < lengths[4]  # each level has four times the positions
    assert header_of(cut).checksums == header_of(whole).checksums
    monkeypatch.setattr(array, "SECTIONED_FROM", prod(samples.shape[:2]) + 1)
    assert api.encode(samples, budget=10) == whole


def test_tiles_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch, photo: Samples) -> None:
    monkeypatch.setattr(array, "TILE", 16)
    other = photo[:32, :32].copy()
    other[16:, 16:] = 255 - other[16:, 16:]
    (a, first), (b, second) = (read_file(api.encode(s, budget=5)) for s in (photo[:32, :32], other))
    assert list(first)[:3] == list(second)[:3]
    assert first[3] != second[3]
    assert a.checksums[:3] == b.checksums[:3]


@pytest.mark.parametrize("batch", [7, 33, 10**6])
def test_batches_change_neither_the_file_nor_the_samples(
    monkeypatch: pytest.MonkeyPatch, photo: Samples, batch: int
) -> None:
    samples = photo[:25, :40]
    data = api.encode(samples, budget=3)
    monkeypatch.setattr(tile, "BATCH", batch)
    assert api.encode(samples, budget=3) == data
    np.testing.assert_array_equal(api.decode(data), samples)


def test_steps_of_several_blocks_round_trip(monkeypatch: pytest.MonkeyPatch, photo: Samples) -> None:
    """A step of more than BLOCK positions takes an image of 150x150; smaller blocks show the same."""
    whole = api.encode(photo, budget=3)
    monkeypatch.setattr(tile, "BLOCK", 100)
    assert check(photo, budget=3) != whole


def test_progress_counts_the_calls_of_all_tiles(monkeypatch: pytest.MonkeyPatch, photo: Samples) -> None:
    monkeypatch.setattr(array, "TILE", 16)
    samples, told = photo[:20, :40], []
    data = api.encode(samples, budget=4, progress=lambda *call: told.append(call))
    assert told == [(i, 6 * 4) for i in range(1, 25)]
    told.clear()
    api.decode(data, progress=lambda *call: told.append(call))
    assert told == [(i, 6 * 4) for i in range(1, 25)]


# Size


def test_a_small_photograph_pays_at_most_24_bytes_beyond_its_payload(photo: Samples) -> None:
    data = api.encode(photo[:32, :32])
    latents = 1 + len(header_of(data).latents[0])  # which save more than they take, or are left out
    assert len(data) - int(str(parse(data).facts["payload_bytes"])) - latents <= 24


class Tally:
    """Digits that only add up what coding them costs; takes the place of ``codec.KnownDigits``."""

    bits = 0.0

    def __init__(self, samples: NDArray[np.uint8], _: Model) -> None:
        self._left = [digit for channel in samples.T for digit in (channel >> 4, channel & 15)]

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        digits = self._left.pop(0).astype(np.int32)
        frequencies = np.broadcast_to(rows, (len(digits), rows.shape[1]))[np.arange(len(digits)), digits]
        Tally.bits += float((24 - np.log2(frequencies.astype(np.float64) + 1)).sum())
        return digits

    def push_to(self, _: object) -> None:
        assert not self._left


@pytest.mark.parametrize("budget", [1, 9, 60])
def test_a_file_is_as_large_as_the_cross_entropy_of_its_model(
    monkeypatch: pytest.MonkeyPatch, photo: Samples, budget: int
) -> None:
    payload = 8 * int(str(parse(api.encode(photo, budget=budget)).facts["payload_bytes"]))
    monkeypatch.setattr(codec, "KnownDigits", Tally)
    monkeypatch.setattr(Tally, "bits", 0.0)
    api.encode(photo, budget=budget)
    assert abs(payload - Tally.bits) <= 0.001 * Tally.bits + 64
    assert Tally.bits < 8 * photo.nbytes * (1.2 if budget == 1 else 0.8)  # one call: of samples given nothing


# What is refused before coding


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 4, 3), np.float32),
    ],
    ids=lambda samples: f"{samples.shape} {samples.dtype}",
)
def test_other_arrays_are_unsupported(samples: Samples) -> None:
    with pytest.raises(UnsupportedError):
        api.encode(samples)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 1), (MAX_SIDE + 1, 1, 1), (1, MAX_SIDE + 1, 3)], ids=str)
def test_empty_and_too_long_images_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(LimitError):
        api.encode(np.broadcast_to(np.uint8(0), shape))


@pytest.mark.parametrize("budget", [0, -1])
def test_budgets_start_at_one(budget: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        api.encode(constant((4, 4, 3)), budget=budget)


def test_colours_under_a_model_of_gray_images_are_unsupported(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    gray = replace(model, config=replace(model.config, channels=1))
    monkeypatch.setattr(loading, "loaded", lambda _: gray)
    with pytest.raises(UnsupportedError, match="3 channels, its model only 1"):
        api.encode(constant((4, 4, 3)))


def test_unknown_models_are_named() -> None:
    with pytest.raises(UnsupportedError, match=r"no model 'nosuch'.*photo"):
        api.encode(constant((4, 4, 3)), model="nosuch")


# Styles


@pytest.mark.parametrize("mirror", range(4))
def test_the_style_that_suits_an_image_is_chosen(monkeypatch: pytest.MonkeyPatch, mirror: int) -> None:
    monkeypatch.setattr(styles, "SHARES", np.eye(styles.STYLES)[styles.COSITED])
    whole = Image.fromarray(read_image(PHOTO)[100:200, 200:280])
    samples, style = styles.developed(whole, np.random.default_rng(2))
    samples = tile.mirrored(samples[:-1, :-1], mirror)  # of even sides, so that colour lies on odd positions as well
    data = api.encode(samples, budget=16)
    assert (header_of(data).style, header_of(data).mirror) == (style, mirror)
    np.testing.assert_array_equal(api.decode(data), samples)
    unstyled = header_of(data).description(0)._replace(style=0, mirror=0)
    monkeypatch.setattr(array, "choose_styles", lambda *_: [(0, 0)])
    monkeypatch.setattr(array, "describe_tiles", lambda *_: [unstyled])
    assert len(data) < 0.97 * len(api.encode(samples, budget=16))


def test_latents_are_fitted_where_they_save_more_than_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = read_image(PHOTO)[100:228, 200:328]
    data = api.encode(samples, budget=16)
    described = header_of(data).description(0)
    assert described.latents
    np.testing.assert_array_equal(api.decode(data), samples)
    monkeypatch.setattr(array, "describe_tiles", lambda *_: [described._replace(latents=())])
    assert len(data) < 0.98 * len(api.encode(samples, budget=16))
    monkeypatch.undo()
    assert not header_of(api.encode(samples[:7, :7], budget=16)).latents


# Orders


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "period"), [("random", 8), ("raster", 8), ("block", 8), ("raster", 4), ("spread", 4), ("spread", 2)]
)
def test_every_order_round_trips(model: Model, photo: Samples, name: str, period: int, channels: int) -> None:
    coder = replace(model, order=make_order(name, axes=2, period=period))
    samples = np.ascontiguousarray(photo[:19, :26, :channels])
    shape = samples.shape[:2]
    for budget, sections in ((1, 1), (9, 3)):
        steps = list(even_schedule(coder.order.ranks(shape), budget))
        count = Mock()
        payloads = codec.encode_tile(coder, samples, steps, sections, count)
        assert len(payloads) == sections
        assert count.call_count == budget
        decoded = codec.decode_tile(coder, shape, channels, steps, payloads, count)
        assert count.call_count == 2 * budget
        np.testing.assert_array_equal(decoded, samples)


def test_orders_that_spread_a_step_pay_less_for_few_calls(model: Model, photo: Samples) -> None:
    """The reason for the default: with eight calls, its neighbours are known where a block's or a row's are not."""
    bits = {}
    for name in ("spread", "random", "raster", "block"):
        coder = replace(model, order=make_order(name, axes=2, period=PERIOD))
        steps = list(even_schedule(coder.order.ranks((40, 56)), 16))
        bits[name] = len(codec.encode_tile(coder, photo, steps, 1, lambda: None)[0])
    assert bits["spread"] == min(bits.values())


def test_groups_take_every_position_once() -> None:
    order = make_order("spread", axes=2, period=PERIOD)
    shape = (13, 22)
    ranks = order.rank_map(shape)
    for budget in (1, 5, order.ranks(shape)):
        seen = np.zeros(shape, int)
        for first, stop in even_schedule(order.ranks(shape), budget):
            groups = tile.groups(order, shape, first, stop)
            assert [g.level for g in groups] == sorted((g.level for g in groups), reverse=True)
            for group in groups:
                assert group.first == first
                assert len(group.positions)
                for position in group.positions << group.level:
                    assert first <= ranks[tuple(position)] < stop
                    seen[tuple(position)] += 1
        assert seen.sum() == seen.size - 1
        assert seen.max() == 1
        assert seen[0, 0] == 0


def test_a_step_sees_only_the_ranks_before_it(model: Model, photo: Samples) -> None:
    """Mixtures of a step do not change with the samples of its own and later ranks: the decoder has not got them."""
    tiles = [tile.Tiles(model, samples[None].copy(), [Description(1)]) for samples in (photo, photo)]
    order, shape = model.order, photo.shape[:2]
    first, stop = order.ranks(shape) - 60, order.ranks(shape) - 20
    unknown = order.rank_map(shape) >= first
    tiles[1].samples[:, unknown] = 255 - tiles[1].samples[:, unknown]
    for group in tile.groups(order, shape, first, stop):
        evaluated = (each.evaluate(group, group.positions) for each in tiles)
        a, b = (block.channels().parameters(block.reference[:, 0]) for block in evaluated)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_plan_has_a_row_for_every_useful_budget() -> None:
    rows = api.plan("photo", (40, 56))
    assert [row.budget for row in rows] == list(range(1, useful_calls((40, 56)) + 1))
    costs = [row.bits_per_sample for row in rows]
    assert all(b <= a + 1e-9 for a, b in pairwise(costs))
    for row in rows:
        assert sum(row.steps_per_level) == row.budget
    assert api.plan("photo", (1, 1)) == []
