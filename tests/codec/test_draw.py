"""Sampling and in-painting: what the decoder makes of random bits, exact and as probable as the model says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Samples

from ardm_compress.ardm.tiles import PLAIN
from ardm_compress.codec import drawing
from ardm_compress.coding.image import decode_tiles, encode_tiles
from ardm_compress.coding.loop import draw
from ardm_compress.errors import LimitError, UnsupportedError
from ardm_compress.inference.network import Model
from ardm_compress.methods.model import planned_steps

SHAPE = (24, 20)


def test_a_seed_gives_the_same_sample_on_every_machine() -> None:
    drawn = drawing.sample(SHAPE, seed=3, budget=30)
    assert drawn.shape == (*SHAPE, 3)
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == "d8f53ebb6b07a52a"
    assert (drawn != drawing.sample(SHAPE, seed=4, budget=30)).any()


@pytest.mark.parametrize("budget", [6, 60])
def test_a_sample_codes_at_its_own_entropy(model: Model, budget: int) -> None:
    """The bits that it was drawn from are the bits of its code, to the last one."""
    steps = planned_steps(model, SHAPE, budget)
    noise = draw(SHAPE[0] * SHAPE[1] * 3, 1)
    before = noise.stacks.words_left()[0]
    (samples,) = decode_tiles(model, SHAPE, 3, steps, [noise], lambda: None, [PLAIN])
    ((payload,),) = encode_tiles(model, samples[None], steps, 1, lambda: None, [PLAIN])
    used = 4 * (before - noise.stacks.words_left()[0])
    assert abs(len(payload) - used) <= 8
    assert used > 200


def test_samples_look_like_photographs_more_than_noise() -> None:
    """Neighbours are alike, and all calls make them more so than few."""
    steps = []
    for budget in (2, 10**6):
        drawn = np.concatenate([drawing.sample((32, 32), seed=seed, budget=budget).astype(int) for seed in range(3)], 1)
        steps.append(np.abs(np.diff(drawn, axis=0)).mean())
    assert steps[1] < steps[0] < 80  # of independent values: 85


@settings(max_examples=8)
@given(st.integers(0, 2**32), st.sampled_from([1, 3]), st.integers(1, 20))
def test_known_pixels_stay_and_holes_depend_on_the_seed_alone(seed: int, channels: int, budget: int) -> None:
    random = np.random.default_rng(seed)
    samples = random.integers(0, 256, (12, 15, channels), np.uint8)
    holes = random.random((12, 15)) < random.random()
    painted = drawing.inpaint(samples, holes, seed=seed, budget=budget)
    np.testing.assert_array_equal(painted[~holes], samples[~holes])
    other = samples.copy()
    other[holes] = 255 - other[holes]
    np.testing.assert_array_equal(drawing.inpaint(other, holes, seed=seed, budget=budget), painted)


def test_holes_get_what_is_around_them() -> None:
    rows, columns = np.mgrid[:40, :56]
    ramp = np.repeat((2 * rows + columns)[..., None], 3, 2).astype(np.uint8)
    holes = np.zeros((40, 56), bool)
    holes[12:20, 30:38] = holes[:4, :4] = True
    painted = drawing.inpaint(ramp, holes, budget=60)
    assert np.abs(painted[holes].astype(int) - ramp[holes]).mean() < 12
    assert (painted[~holes] == ramp[~holes]).all()


def test_only_what_is_around_holes_is_looked_at() -> None:
    large = np.full((1200, 1200, 3), 90, np.uint8)
    holes = np.zeros((1200, 1200), bool)
    holes[600, 600] = True
    painted = drawing.inpaint(large, holes, budget=4)
    assert abs(int(painted[600, 600, 0]) - 90) < 30
    holes[0, 0] = holes[-1, -1] = True
    with pytest.raises(LimitError, match="at once"):
        drawing.inpaint(large, holes)


def test_an_image_without_known_pixels_is_drawn() -> None:
    painted = drawing.inpaint(np.zeros((6, 5, 1), np.uint8), np.ones((6, 5), bool), budget=9)
    assert painted.shape == (6, 5, 1)
    assert painted[0, 0, 0] == 128
    assert painted.std() > 0


def test_wrong_arguments_are_refused(photo: Samples) -> None:
    holes = np.zeros(photo.shape[:2], bool)
    np.testing.assert_array_equal(drawing.inpaint(photo, holes), photo)
    with pytest.raises(UnsupportedError, match="mask"):
        drawing.inpaint(photo, holes[1:])
    with pytest.raises(UnsupportedError):
        drawing.inpaint(photo.astype(np.uint16), holes)
    for shape in ((0, 3), (2048, 1024)):
        with pytest.raises(LimitError):
            drawing.sample(shape)
    with pytest.raises(ValueError, match="at least 1"):
        drawing.sample((3, 3), budget=0)
    with pytest.raises(UnsupportedError, match="sound"):
        drawing.sample((3, 3), model="sound")
