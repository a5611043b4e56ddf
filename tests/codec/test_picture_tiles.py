"""Pictures <-> compressed files, tile by tile: every way of coding, regions, damage."""

from __future__ import annotations

from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import PALETTE, TEXT, noise, png_file

from ardm_compress.codec import images
from ardm_compress.codec.images import decode_image
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.container import parse
from ardm_compress.container.picture import (
    JPEG_XL,
    MODEL,
    PICTURE,
    WEBP,
    PictureHeader,
    method_name,
    read_header,
    write_file,
)
from ardm_compress.container.wrappers import write_image_wrapper
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.formats import png, webp
from ardm_compress.formats.catalogue import read_picture
from ardm_compress.formats.contents import ImageWrapper, Picture, same_picture
from ardm_compress.methods import decode_tiles, jpegxl
from ardm_compress.methods.choice import encode_tiles
from ardm_compress.options import EncodeOptions

QUICK = EncodeOptions(budget=4)


@settings(max_examples=25)
@given(st.data())
def test_tiles_of_any_samples_come_back(data: st.DataObject) -> None:
    depth, channels = data.draw(st.sampled_from([1, 2, 4, 8, 16])), data.draw(st.integers(1, 4))
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    samples = noise(rows, columns, channels, depth, data.draw(st.integers(0, 9)))
    if data.draw(st.booleans()):
        samples[:] = samples[:1, :1]
    (stream,) = encode_tiles([samples], depth, QUICK)
    assert len(stream) <= 1 + -(-samples.size * depth // 8)
    np.testing.assert_array_equal(decode_tiles([stream], samples.shape, depth)[0], samples)


def test_each_method_wins_somewhere(photo: NDArray[np.uint8]) -> None:
    flat = np.zeros((64, 64, 3), np.uint8)
    flat[10:40, 20:50] = 200
    soft = np.rint(np.add.outer(np.arange(64), np.arange(64))[..., None] * 300.0).astype(np.uint16)
    alpha = np.zeros((*photo.shape[:2], 1), np.uint8)
    alpha[:, 20:] = 255
    tiles = {
        "model": (photo, 8), "webp": (flat, 8), "jpeg xl": (soft, 16), "raw": (noise(8, 8, 1, 1), 1),
        "apart": (np.concatenate([photo, alpha], 2), 8),
    }  # fmt: skip
    for name in ("model", "jpeg xl", "raw", "apart"):
        samples, depth = tiles[name]
        (stream,) = encode_tiles([samples], depth, EncodeOptions())
        assert method_name(stream) == name


def test_photographs_without_anything_else_are_left_to_the_model(photo: NDArray[np.uint8]) -> None:
    data = encode_picture(Picture(photo, png.plain(3)))
    assert data == images.encode_samples(photo)
    same = images.decode_image(data)
    assert same_picture(same, Picture(photo, png.plain(3)))


REGIONS = [(0, 0, 33, 40), (0, 0, 1, 1), (15, 15, 2, 3), (32, 39, 1, 1), (3, 17, 20, 5)]


@pytest.mark.parametrize("region", REGIONS)
def test_regions_touch_only_their_tiles(region: tuple[int, int, int, int]) -> None:
    samples, decoded = noise(40, 33, 1, 4), []
    data = encode_picture(Picture(samples, ImageWrapper(0, 4, 1)), QUICK, tile=16)
    left, top, width, height = region
    part = decode_image(data, region=region, progress=lambda *told: decoded.append(told)).samples
    np.testing.assert_array_equal(part, samples[top : top + height, left : left + width])
    sides = [(16, 16, 8), (16, 16, 1)]  # of 40 rows and 33 columns
    edges = [np.cumsum([0, *side]) for side in sides]
    spans = zip((top, left), (height, width), edges, strict=True)
    touched = [sum(a < first + count and b > first for a, b in pairwise(e)) for first, count, e in spans]
    assert len(decoded) == touched[0] * touched[1]


@pytest.mark.parametrize("region", [(0, 0, 0, 1), (-1, 0, 2, 2), (30, 0, 4, 1), (0, 40, 1, 1)])
def test_regions_outside_are_refused(region: tuple[int, int, int, int]) -> None:
    data = encode_picture(Picture(noise(40, 33, 1, 4), ImageWrapper(0, 4, 1)), QUICK)
    with pytest.raises(UnsupportedError, match="33 x 40"):
        decode_image(data, region=region)


def test_regions_of_what_the_model_alone_coded(photo: NDArray[np.uint8]) -> None:
    data = images.encode_samples(photo, budget=4, tile=32)
    part = images.decode_image(data, region=(20, 10, 30, 25))
    assert same_picture(part, Picture(photo[10:35, 20:50], png.plain(3)))


def test_large_pictures_are_cut_into_tiles() -> None:
    picture = Picture(noise(40, 33, 1, 4), ImageWrapper(0, 4, 1))
    data = encode_picture(picture, QUICK, tile=16)
    file = parse(data)
    header, payloads = file.header, file.payloads
    assert header.grid == (3, 3)
    assert len(payloads) == 9
    assert same_picture(decode_image(data), picture)
    damaged = bytearray(data)
    damaged[-9] ^= 1
    with pytest.raises(ChecksumError):
        decode_image(bytes(damaged))


@pytest.fixture(scope="module")
def small() -> bytes:
    picture = read_picture(png_file(noise(4, 5, 1, 4), 4, 3, PALETTE, TEXT))
    assert picture is not None
    return encode_picture(picture, QUICK)


def test_every_flipped_bit_and_truncation_is_found(small: bytes) -> None:
    for position in range(8 * len(small)):
        damaged = bytearray(small)
        damaged[position >> 3] ^= 1 << (position & 7)
        with pytest.raises(ArdmError):
            images.decode_image(bytes(damaged))
    for length in range(len(small)):
        with pytest.raises(ArdmError):
            images.decode_image(small[:length])
    with pytest.raises(ArdmError):
        images.decode_image(small + b"\0")


@settings(max_examples=150)
@given(st.integers(0, 5), st.binary(max_size=40))
def test_any_stream_with_good_checksums_ends_in_a_named_error(method: int, body: bytes) -> None:
    for depth, channels in ((8, 3), (16, 1), (1, 1), (8, 4)):
        wrapper = write_image_wrapper(ImageWrapper(0, depth, channels, {1: 0, 3: 2, 4: 6}[channels]))
        header = PictureHeader(shape=(3, 3), tile=(3, 3), wrapper=wrapper, checksums=(0xDEADBEEF,), lengths=())
        with pytest.raises((FormatError, LimitError, UnsupportedError)):
            decode_image(write_file(header, [bytes([method]) + body]))


def test_headers_that_claim_too_much_are_refused_at_once() -> None:
    for fields in (b"\xff\xff\x3f\xff\xff\x3f", b"\x80\x80\x40\x80\x80\x40"):
        with pytest.raises((LimitError, FormatError)):
            read_header(b"ARDM\1" + bytes([PICTURE]) + fields + bytes(30))


@pytest.mark.parametrize("method", [WEBP, JPEG_XL, MODEL])
def test_tiles_that_claim_other_sides_are_refused_before_they_are_decoded(method: int) -> None:
    flat = np.zeros((2048, 512, 3), np.uint8)
    bodies = {WEBP: lambda: webp.pack(flat), JPEG_XL: lambda: imagecodecs.jpegxl_encode(flat, usecontainer=False),
              MODEL: lambda: images.encode_samples(flat[:16, :16], budget=2)[5:]}  # fmt: skip
    with pytest.raises(FormatError, match="sides"):
        decode_tiles([bytes([method]) + bytes(bodies[method]())], (4, 4, 3), 8)


@pytest.mark.parametrize(
    "shape", [(1, 1), (8, 8), (16, 24), (300, 400), (1000, 1000), (1080, 1920), (7, 9000), (9, 12)]
)
def test_the_sides_of_jpeg_xl_streams_are_known(shape: tuple[int, int]) -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros(shape, np.uint8), usecontainer=False, effort=1)
    assert jpegxl.sides(bytes(stream)) == shape
