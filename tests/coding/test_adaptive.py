"""Tiles of sound that learn: lossless for all samples, and as the second decoder reads them."""

from __future__ import annotations

import numpy as np
import pytest
import reference_sound
from golden import integers, walk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ardm_compress.coding.sound.adaptive import LARGEST, decode_tile, encode_tile
from ardm_compress.coding.sound.filters import PROFILES
from ardm_compress.errors import FormatError


def ignore() -> None:
    """Take no notice of progress."""


SIGNALS = {
    "mono": walk(540, 1, 40),
    "stereo": walk(300, 2, 30),
    "24 bits": walk(120, 2, 9000),
    "three channels": walk(80, 3, 9),
    "low bits that are 0": walk(150, 2, 30) << np.array([3, 1]),
    "noise": integers(300)[:, None] % 65536 - 32768,
    "silence, then clicks": np.repeat(np.array([0, 0, 0, 9, 0, LARGEST, -LARGEST, 0]), 60)[:, None],
}


@pytest.mark.parametrize("profile", range(len(PROFILES)))
@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_the_second_decoder_reads_it(samples: NDArray[np.int64], profile: int) -> None:
    payload = encode_tile(samples, profile, ignore)
    np.testing.assert_array_equal(reference_sound.decode(payload, *samples.shape, profile), samples)


@settings(max_examples=50)
@given(
    samples=st.tuples(st.integers(1, 70), st.integers(1, 4)).flatmap(
        lambda shape: arrays(np.int64, shape, elements=st.integers(-LARGEST, LARGEST) | st.integers(-3, 3))
    ),
    profile=st.integers(0, len(PROFILES) - 1),
)
def test_every_tile_comes_back(samples: NDArray[np.int64], profile: int) -> None:
    payload = encode_tile(samples, profile, ignore)
    shape = samples.shape[0], samples.shape[1]
    np.testing.assert_array_equal(decode_tile(shape, profile, payload, ignore), samples)


def test_learning_makes_a_tone_small() -> None:
    tone = np.rint(8000 * np.sin(np.arange(4000) * 0.1))[:, None].astype(np.int64)
    assert len(encode_tile(tone, 0, ignore)) < 4000 * 2 / 4


def test_silence_costs_nothing() -> None:
    assert len(encode_tile(np.zeros((20000, 2), np.int64), 1, ignore)) < 80


def test_samples_left_over_are_damage() -> None:
    payload = encode_tile(walk(400, 1, 40), 0, ignore)
    with pytest.raises(FormatError):
        decode_tile((399, 1), 0, payload, ignore)
