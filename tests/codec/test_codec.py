"""The coding loops and the functions around them: what goes in comes out, for every shape, order, budget and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np
import pytest
from headers import header_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import PHOTO, Samples, read_image
from PIL import Image

from ardm_compress.ardm import COARSER, make_order
from ardm_compress.ardm.tiles import SECTIONS
from ardm_compress.codec import drawing, images
from ardm_compress.coding import models
from ardm_compress.coding.image import turned
from ardm_compress.container import parse
from ardm_compress.container.image import read_file
from ardm_compress.errors import LimitError, UnsupportedError
from ardm_compress.inference.network import Model
from ardm_compress.options import MAX_SIDE
from ardm_compress.training import styles

PERIOD = 8


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
    data = images.encode_samples(samples, **options)
    decoded = images.decode_samples(data)
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
    assert check(turned, budget=4) == images.encode_samples(np.ascontiguousarray(turned), budget=4)


# Tiles, sections, blocks and batches


@pytest.mark.parametrize("shape", [(40, 27), (16, 17), (17, 33)], ids=str)
@pytest.mark.parametrize("sections", [1, 5])
def test_tiles_and_sections_round_trip(photo: Samples, shape: tuple[int, int], sections: int) -> None:
    samples = np.resize(photo, (*shape, 3))
    data = images.encode_samples(samples, budget=6, tile=16, sections_from=1 if sections > 1 else 1 << 14)
    header = header_of(data)
    assert header.tile == (16, 16)
    assert header.sections == sections
    assert len(header.lengths) == sections * -(-shape[0] // 16) * -(-shape[1] // 16)
    np.testing.assert_array_equal(images.decode_samples(data), samples)  # by a decoder that knows the file only


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_in_sections_holds_the_same_in_each_as_its_levels_need(photo: Samples, channels: int) -> None:
    samples = np.ascontiguousarray(photo[..., :channels])
    whole = check(samples, budget=10)
    cut = check(samples, budget=10, sections_from=prod(samples.shape[:2]))
    lengths = header_of(cut).lengths
    assert len(lengths) == SECTIONS
    assert lengths[1] < lengths[2] < lengths[3] < lengths[4]  # each level has four times the positions
    assert header_of(cut).checksums == header_of(whole).checksums
    assert images.encode_samples(samples, budget=10, sections_from=prod(samples.shape[:2]) + 1) == whole


def test_tiles_do_not_depend_on_each_other(photo: Samples) -> None:
    other = photo[:32, :32].copy()
    other[16:, 16:] = 255 - other[16:, 16:]
    (a, first), (b, second) = (read_file(images.encode_samples(s, budget=5, tile=16)) for s in (photo[:32, :32], other))
    assert list(first)[:3] == list(second)[:3]
    assert first[3] != second[3]
    assert a.checksums[:3] == b.checksums[:3]


def test_progress_counts_the_calls_of_all_tiles(photo: Samples) -> None:
    samples, told = photo[:20, :40], []
    data = images.encode_samples(samples, budget=4, tile=16, progress=lambda *call: told.append(call))
    assert told == [(i, 6 * 4) for i in range(1, 25)]
    told.clear()
    images.decode_samples(data, progress=lambda *call: told.append(call))
    assert told == [(i, 6 * 4) for i in range(1, 25)]


# Size


def test_a_small_photograph_pays_at_most_24_bytes_beyond_its_payload(photo: Samples) -> None:
    data = images.encode_samples(photo[:32, :32])
    latents = 1 + len(header_of(data).latents[0])  # which save more than they take, or are left out
    assert len(data) - int(str(parse(data).facts["payload_bytes"])) - latents <= 24


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
        images.encode_samples(samples)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 1), (MAX_SIDE + 1, 1, 1), (1, MAX_SIDE + 1, 3)], ids=str)
def test_empty_and_too_long_images_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(LimitError):
        images.encode_samples(np.broadcast_to(np.uint8(0), shape))


@pytest.mark.parametrize("budget", [0, -1])
def test_budgets_start_at_one(budget: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        images.encode_samples(constant((4, 4, 3)), budget=budget)


def test_colours_under_a_model_of_gray_images_are_unsupported(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    gray = replace(model, config=replace(model.config, channels=1))
    monkeypatch.setattr(models, "loaded", lambda _: gray)
    with pytest.raises(UnsupportedError, match="3 channels, its model only 1"):
        images.encode_samples(constant((4, 4, 3)))


def test_unknown_models_are_named() -> None:
    with pytest.raises(UnsupportedError, match=r"no model 'nosuch'.*photo"):
        images.encode_samples(constant((4, 4, 3)), model="nosuch")


# Styles


@pytest.mark.parametrize("mirror", range(4))
def test_the_style_that_suits_an_image_is_chosen(mirror: int) -> None:
    whole = Image.fromarray(read_image(PHOTO)[100:200, 200:280])
    tried = (styles.developed(whole, np.random.default_rng(seed)) for seed in range(100))
    samples, style = next(found for found in tried if found[1] == styles.COSITED)
    samples = turned(samples[:-1, :-1], mirror)  # of even sides, so that colour lies on odd positions as well
    data = images.encode_samples(samples, budget=16)
    assert (header_of(data).style, header_of(data).mirror) == (style, mirror)
    np.testing.assert_array_equal(images.decode_samples(data), samples)
    sizes = [
        len(images.encode_samples(samples, budget=16, style=each, conditioning=False))
        for each in ((style, mirror), (0, 0))
    ]
    assert sizes[0] < 0.97 * sizes[1]


def test_latents_are_fitted_where_they_save_more_than_they_take() -> None:
    samples = read_image(PHOTO)[100:228, 200:328]
    data = images.encode_samples(samples, budget=16)
    fitted = header_of(data).conditioning(0)
    assert fitted.latents
    np.testing.assert_array_equal(images.decode_samples(data), samples)
    style = fitted.style, fitted.mirror
    assert len(data) < 0.98 * len(images.encode_samples(samples, budget=16, style=style, conditioning=False))
    assert not header_of(images.encode_samples(samples[:7, :7], budget=16)).latents


def test_a_plan_has_a_row_for_every_useful_budget() -> None:
    rows = drawing.plan("photo", (40, 56))
    assert [row.budget for row in rows] == list(range(1, useful_calls((40, 56)) + 1))
    costs = [row.bits_per_sample for row in rows]
    assert all(b <= a + 1e-9 for a, b in pairwise(costs))
    for row in rows:
        assert sum(row.steps_per_level) == row.budget
    assert drawing.plan("photo", (1, 1)) == []
