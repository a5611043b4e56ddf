"""Nothing grows by more than what stored files begin and end with: what is coded is compared with storing."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pictures import noise, png_chunk, png_file, saved
from sounds import wave

from ardm_compress.codec.images import encode_image
from ardm_compress.codec.sounds import decode_sound, encode_sound
from ardm_compress.container import parse
from ardm_compress.container.stored import ParsedStored, may_store_in, stored
from ardm_compress.options import EncodeOptions

MOST = 16  # bytes
QUICK = EncodeOptions(budget=2)
SQUARE = np.tile(np.repeat(np.array([9000, -9000], "<i2"), 50), 400)
SOUNDS = {
    "square": wave(SQUARE.tobytes()),
    "noise of 8 bits": wave(np.random.default_rng(1).integers(0, 256, 20000, np.uint8).tobytes(), width=1),
    "a frame of 64 channels": wave(bytes(range(1, 129)), channels=64),
    "nothing": wave(b""),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_never_much_larger_than_stored(name: str) -> None:
    data = SOUNDS[name]
    coded = encode_sound(data, QUICK)
    assert len(coded) <= min(len(data) + MOST, len(stored(data)))
    assert decode_sound(coded) == data


def test_repeated_sound_is_stored() -> None:
    """A square wave of 80,000 bytes took 45,000, and 151 if it was stored."""
    assert len(encode_sound(SOUNDS["square"], QUICK)) < 400


def test_flac_files_that_say_more_in_less_are_kept() -> None:
    out = io.BytesIO()
    soundfile.write(out, np.arange(40000, dtype=np.int16) * 91, 8000, format="FLAC")
    coded = encode_sound(out.getvalue(), QUICK)
    assert len(coded) <= len(out.getvalue()) + MOST


def test_sound_that_the_model_makes_smaller_is_not_stored() -> None:
    tone = (np.sin(np.arange(9000) / 9) * 9000 + np.random.default_rng(1).normal(size=9000) * 9).astype("<i2")
    assert not isinstance(parse(encode_sound(wave(tone.tobytes()), budget=64)), ParsedStored)


@given(st.binary(max_size=600), st.integers(1, 9))
def test_what_stores_in_less_is_found(part: bytes, times: int) -> None:
    data = part * times
    size = len(stored(data))
    if size < len(data):
        assert may_store_in(data, size + 1) or not may_store_in(data, size // 2)


@pytest.mark.parametrize("around", [bytes(9000), noise(90, 100, 1, 8).tobytes()])
def test_images_with_much_around_them_are_never_larger_than_stored(around: bytes) -> None:
    gray = png_file(noise(9, 9, 1, 8), 8, 0, png_chunk(b"prVt", around))
    for data in (gray, saved(noise(9, 9, 3, 8), "BMP") + around):
        assert len(encode_image(data, QUICK)) <= min(len(stored(data)), len(data) + MOST)
