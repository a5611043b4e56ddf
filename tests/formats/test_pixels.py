"""Pixels of any image file that Pillow opens, and simple image files of given pixels."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pictures import Samples, noise, read_image, saved, write_image
from PIL import Image

from ardm_compress.errors import ArdmError, FormatError, LimitError, UnsupportedError
from ardm_compress.formats.pixels import WRITERS, read_pixels, write_pixels
from ardm_compress.options import Limits

RGB = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)


@given(
    st.sampled_from([*WRITERS]),
    st.sampled_from([1, 3]).flatmap(
        lambda channels: arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(channels)))
    ),
)
def test_pixels_survive_every_writer(suffix: str, samples: Samples) -> None:
    if suffix == ".webp" and samples.shape[2] == 1:
        with pytest.raises(UnsupportedError):
            write_pixels(samples, suffix)
        return
    again = read_pixels(write_pixels(samples, suffix)).samples
    assert again.dtype == np.uint8
    assert np.array_equal(again, samples)


@given(st.sampled_from([*WRITERS]), st.data())
def test_damage_gives_our_errors_or_some_pixels(suffix: str, draws: st.DataObject) -> None:
    data = bytearray(write_pixels(RGB, suffix))
    for _ in range(draws.draw(st.integers(1, 4))):
        data[draws.draw(st.integers(0, len(data) - 1))] = draws.draw(st.integers(0, 255))
    with contextlib.suppress(ArdmError):
        read_pixels(bytes(data[: draws.draw(st.integers(0, len(data)))]))


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_cut_short_are_format_errors(suffix: str) -> None:
    data = write_pixels(RGB, suffix)
    for end in range(0, len(data) - 20, 13):  # all pixels of a PNG may be there before its last 20 bytes
        with pytest.raises(FormatError if end >= 16 or not end else ArdmError):
            read_pixels(data[:end])


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_a_png_never_changes_pixels_unseen(bit: int) -> None:
    data = write_pixels(RGB, ".png")
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << bit
        with contextlib.suppress(ArdmError):
            assert np.array_equal(read_pixels(bytes(damaged)).samples, RGB)


def test_unknown_bytes_are_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="not known"):
        read_pixels(b"hello, this is text")


def test_bombs_are_over_the_limit() -> None:
    with pytest.raises(LimitError, match="pixels"):
        read_pixels(saved(noise(20, 24, 3, 8), "PNG"), Limits(pixels=100))


def test_animations_have_no_one_set_of_pixels() -> None:
    data = write_pixels(RGB, ".png")
    with pytest.raises(UnsupportedError, match="animations"):
        read_pixels(saved(noise(9, 9, 3, 8), "GIF", save_all=True, append_images=[Image.open(io.BytesIO(data))]))


def test_an_image_too_wide_for_webp_names_another_way() -> None:
    with pytest.raises(UnsupportedError, match=r"\.png"):
        write_pixels(np.zeros((1, 20000, 3), np.uint8), ".webp")


@pytest.mark.parametrize("samples", [RGB[..., 0], RGB[..., :2], RGB.astype(np.uint16)])
def test_other_arrays_are_a_value_error(samples: Samples) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_pixels(samples, ".png")


def test_helpers_of_tests_write_and_read_the_same(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RGB)
    assert np.array_equal(read_image(tmp_path / "a.png"), RGB)
