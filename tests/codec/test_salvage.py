"""Salvage: what damaged files and the beginnings of files still hold is right, and the rest is told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from golden import FOLDER, GOLDEN
from pictures import TEXT, Samples, png_file
from sounds import wave

from ardm_compress.codec import images, sounds
from ardm_compress.codec.images import salvage_image
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.container import CRC_BYTES
from ardm_compress.container.image import read_header
from ardm_compress.container.picture import read_header as read_picture_header
from ardm_compress.errors import ChecksumError, FormatError
from ardm_compress.files import write_chunks
from ardm_compress.formats.contents import ImageWrapper, Picture
from ardm_compress.methods import salvage_tile
from ardm_compress.methods.choice import encode_apart
from ardm_compress.options import EncodeOptions


@pytest.fixture(scope="module")
def tiled(photo: Samples) -> bytes:
    """A photograph of 40 x 56 pixels in twelve tiles of five sections."""
    return images.encode_samples(photo, budget=12, tile=16, sections_from=1)


def salvage(data: bytes) -> tuple[Samples, list[int], int]:
    """Samples, numbers of the tiles that are not exact, and how many tiles there are."""
    found = images.salvage_image(data)
    return found.picture.samples, found.inexact, found.tiles


def error(samples: Samples, photo: Samples) -> float:
    return float(((samples.astype(float) - photo) ** 2).mean())


def test_every_beginning_of_a_file_gives_an_image_and_says_which_tiles_are_exact(tiled: bytes, photo: Samples) -> None:
    header, offset = read_header(tiled)
    for size in [*range(offset, len(tiled), 311), len(tiled) - 1, len(tiled)]:
        samples, inexact, tiles = salvage(tiled[:size])
        exact = [index for index in range(tiles) if (samples == photo)[header.tile_box(index)].all()]
        assert sorted([*inexact, *exact]) == list(range(tiles))
    assert inexact == []


def test_an_image_gets_better_while_it_arrives(photo: Samples) -> None:
    data = images.encode_samples(photo, sections_from=1)
    sizes = np.linspace(read_header(data)[1], len(data), 9).astype(int)
    found = [salvage(data[:size])[0] for size in sizes]
    right = [(samples == photo).all(2).mean() for samples in found]
    assert right == sorted(right)
    assert all(b > a for a, b in pairwise(right[2:]))
    errors = [error(samples, photo) for samples in found]
    assert all(b < a for a, b in pairwise(errors))
    quarter = np.repeat(np.repeat(photo[::4, ::4], 4, 0), 4, 1)[: photo.shape[0], : photo.shape[1]]
    assert errors[3] < error(quarter, photo) / 2  # 3 of 8 bytes, far better than one pixel of 16


def test_payloads_that_are_not_in_reverse_count_only_whole() -> None:
    samples, data = GOLDEN["photo-3-rgb-sections"][0], (FOLDER / "photo-3-rgb-sections.ardm").read_bytes()
    header, offset = read_header(data)
    start = offset + sum(header.lengths[:-1])
    for size in (start, len(data) - CRC_BYTES - 1):
        found, inexact, _ = salvage(data[:size])
        assert inexact == [0]
        np.testing.assert_array_equal(found[::2, ::2], samples[::2, ::2])
    whole = salvage(data)
    np.testing.assert_array_equal(whole[0], samples)
    assert whole[1] == []


def test_damage_in_a_tile_leaves_the_others(tiled: bytes, photo: Samples) -> None:
    header, offset = read_header(tiled)
    tiles = len(header.checksums)
    for section in (0, 2, 4):
        stream = tiles * section + 4
        damaged = bytearray(tiled)
        damaged[offset + sum(header.lengths[:stream]) + header.lengths[stream] // 2] ^= 4
        with pytest.raises(ChecksumError):
            images.decode_samples(bytes(damaged))
        samples, inexact, _ = salvage(bytes(damaged))
        assert inexact == [4]
        samples[header.tile_box(4)] = photo[header.tile_box(4)]
        np.testing.assert_array_equal(samples, photo)


def test_bytes_behind_the_end_are_left_out(tiled: bytes, photo: Samples) -> None:
    samples, inexact, _ = salvage(tiled + b"junk")
    np.testing.assert_array_equal(samples, photo)
    assert inexact == []


def test_lost_tiles_of_palette_images_have_the_first_colour() -> None:
    palette = ImageWrapper(0, 8, 1, 3, write_chunks([(b"PLTE", bytes(30))]))
    data = encode_picture(Picture((np.indices((40, 33)).sum(0) % 10).astype(np.uint8)[..., None], palette), tile=16)
    found = salvage_image(data[: read_picture_header(data)[1]])
    assert len(found.inexact) == found.tiles
    assert not found.picture.samples.any()


def test_nothing_is_salvaged_without_the_header(tiled: bytes) -> None:
    offset = read_header(tiled)[1]
    for data in (tiled[: offset - 1], b"", tiled[:10] + b"?" + tiled[11:]):
        with pytest.raises(FormatError):
            salvage(data)


def test_pictures_are_salvaged_tile_by_tile() -> None:
    drawn = (np.indices((40, 33)).sum(0) // 9 % 16).astype(np.uint8)[..., None]
    data = encode_picture(Picture(drawn, ImageWrapper(0, 4, 1)), tile=16)
    header, offset = read_picture_header(data)
    stream = 4
    start = offset + sum(header.lengths[:stream])
    damaged = bytearray(data)
    damaged[start : start + header.lengths[stream]] = bytes(header.lengths[stream])
    found = salvage_image(bytes(damaged))
    assert (found.inexact, found.tiles) == ([4], 9)
    samples = found.picture.samples.copy()
    samples[header.tile_box(4)] = drawn[header.tile_box(4)]
    np.testing.assert_array_equal(samples, drawn)
    cut = salvage_image(data[:start])
    assert cut.inexact == list(range(4, 9))
    assert salvage_image(data).inexact == []


def test_colour_and_transparency_are_salvaged_apart(photo: Samples) -> None:
    alpha = np.where(np.arange(photo.shape[1]) < 20, 255, 0).astype(np.uint8)
    samples = np.concatenate([photo, np.broadcast_to(alpha[None, :, None], (*photo.shape[:2], 1))], 2)
    (stream,) = encode_apart([samples], 8, EncodeOptions(budget=4))
    for cut in (stream, stream[:-1], stream[:1] + stream[1:].replace(stream[-9:], b"")):
        found = salvage_tile(cut, samples.shape, 8)
        assert found is not None
        np.testing.assert_array_equal(found[..., :3], photo)
    assert salvage_tile(stream[:1], samples.shape, 8) is None
    lost = salvage_tile(stream[:9], samples.shape, 8)
    assert lost is not None
    assert (lost == 128).all()


def test_what_surrounds_pixels_is_salvaged(photo: Samples) -> None:
    data = images.encode_image(png_file(photo, 8, 2, TEXT), budget=100, sections_from=1)
    found = salvage_image(data[: len(data) * 3 // 4])
    assert found.inexact == [0]
    assert TEXT[8:12] in found.picture.wrapper.head
    assert error(np.asarray(found.picture.samples, np.uint8), photo) < 60


def test_damaged_tiles_of_sound_are_silent() -> None:
    samples = np.random.default_rng(1).integers(-300, 300, 1000).astype("<i2")  # which is smaller coded than stored
    original = wave(samples.tobytes(), rate=8000)
    data = bytearray(sounds.encode_sound(original, budget=4, sound_tile=400))
    data[-300] ^= 1
    damaged: list[int] = []
    back = b"".join(sounds.decoded_sound(bytes(data), damaged=damaged))
    assert len(back) == len(original)
    decoded, (tile,) = np.frombuffer(back[-2000:], "<i2"), damaged
    silent = slice(400 * tile, 400 * tile + 400)
    assert not decoded[silent].any()
    expected = samples.copy()
    expected[silent] = 0
    np.testing.assert_array_equal(decoded, expected)
    with pytest.raises(ChecksumError):
        b"".join(sounds.decoded_sound(bytes(data)))
