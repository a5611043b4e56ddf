"""Image files of every kind: taken apart and made again, they keep what is promised."""

from __future__ import annotations

import contextlib
import io
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import PALETTE, TEXT, noise, png_chunk, png_file, saved
from PIL import Image

from ardm_compress.codec import images
from ardm_compress.codec.images import decode_image
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.container.stored import parse_stored
from ardm_compress.container.wrappers import read_image_wrapper, write_image_wrapper
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.files import write_chunks
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import (
    file_bytes,
    read_media,
    read_picture,
    same_image,
    stored_as,
    stripped,
    written_as,
)
from ardm_compress.formats.contents import ImageWrapper, Stored
from ardm_compress.formats.pixels import read_pixels
from ardm_compress.options import EncodeOptions

QUICK = EncodeOptions(budget=4)


KINDS = [(depth, colour) for depth in (1, 2, 4, 8, 16) for colour in (0, 2, 3, 4, 6)
         if depth >= 8 or colour in (0, 3) if depth < 16 or colour != 3]  # fmt: skip


@pytest.mark.parametrize(("depth", "colour"), KINDS)
def test_png_files_of_every_kind_keep_samples_and_chunks(depth: int, colour: int) -> None:
    samples = noise(5, 7, png.CHANNELS[colour], min(depth, 4) if colour == 3 else depth)
    palette = [png_chunk(b"PLTE", bytes(range(3 << min(depth, 4))))] if colour == 3 else []
    transparent = {0: bytes(2), 2: bytes(6), 3: b"\x50\x60"}.get(colour)
    before = [TEXT, *palette, *([png_chunk(b"tRNS", transparent)] if transparent else [])]
    data = png_file(samples, depth, colour, *before, after=png_chunk(b"eXIf", b"II"))
    picture = read_picture(data)
    np.testing.assert_array_equal(picture.samples, samples)
    coded = encode_picture(picture, QUICK)
    assert same_image(decode_image(coded), data, strip=False, force_pixels=False)
    again = file_bytes(decode_image(coded))
    assert all(part in again for part in before)
    assert again.index(TEXT) < again.index(b"IDAT") < again.index(b"eXIf")
    bare = file_bytes(stripped(picture))
    assert TEXT not in bare
    assert all(part in bare for part in before[1:])


def test_interlaced_files_come_back_without_interlace() -> None:
    """Adam7 by Pillow is not to be had, so a 1x1 image, which has one pass and looks alike either way."""
    data = bytearray(png_file(noise(1, 1, 3, 8), 8, 2))
    data[28] = 1
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    picture = read_picture(bytes(data))
    assert file_bytes(picture)[28] == 0
    assert same_image(picture, bytes(data), strip=False, force_pixels=False)


RASTERS = {
    "bmp": saved(noise(5, 7, 3, 8), "BMP"),
    "bmp gray": saved(noise(5, 7, 1, 8), "BMP"),
    "bmp rgba": saved(noise(5, 7, 4, 8), "BMP"),
    "ppm": b"P6\n# why\n7 5 255\n" + bytes(noise(5, 7, 3, 8).tobytes()) + b"tail",
    "pgm": b"P5 7 5 255\n" + bytes(noise(5, 7, 1, 8).tobytes()),
    "pgm of 16 bits": b"P5 7 5 65535\n" + noise(5, 7, 1, 16).astype(">u2").tobytes(),
    "pam": b"P7\nWIDTH 7\nHEIGHT 5\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n" + bytes(range(70)),
    "tiff": saved(noise(5, 7, 3, 8), "TIFF"),
    "tiff of 16 bits": saved(noise(5, 7, 1, 16), "TIFF"),
}


@pytest.mark.parametrize("name", RASTERS)
def test_files_of_plain_samples_come_back_byte_for_byte(name: str) -> None:
    data = RASTERS[name]
    picture = read_picture(data)
    assert read_image_wrapper(write_image_wrapper(picture.wrapper)) == picture.wrapper
    decoded = decode_image(encode_picture(picture, QUICK))
    assert file_bytes(decoded) == data
    assert written_as(decoded, picture.wrapper.file_kind.suffix) == data
    if name in ("bmp", "bmp gray", "ppm", "pgm", "tiff"):
        np.testing.assert_array_equal(picture.samples.squeeze(), np.asarray(Image.open(io.BytesIO(data))))


def test_webp_files_keep_colour_under_transparency_and_chunks() -> None:
    samples = noise(9, 11, 4, 8)
    samples[:4, :, 3] = 0
    data = saved(samples, "WEBP", lossless=True, exact=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", xmp=b"<x/>")
    picture = read_picture(data)
    np.testing.assert_array_equal(picture.samples, samples)
    again = file_bytes(decode_image(encode_picture(picture, QUICK)))
    assert same_image(picture, again, strip=False, force_pixels=False)
    assert Image.open(io.BytesIO(again)).info["xmp"] == b"<x/>"
    assert b"<x/>" not in file_bytes(stripped(picture))


@pytest.mark.parametrize(
    "data",
    [
        saved(noise(5, 7, 1, 8), "GIF"),
        saved(noise(5, 7, 3, 8), "TIFF", compression="lzma"),
        png_file(noise(5, 7, 1, 8), 8, 0, png_chunk(b"acTL", bytes(8))),
        RASTERS["bmp"][:60] + b"?" + RASTERS["bmp"][61:-1] + b"?",
    ],
)
def test_what_would_not_come_back_is_stored(data: bytes) -> None:
    if data[:2] == b"BM":
        data = data[:75] + b"?" + data[76:]  # padding of a row
    assert isinstance(read_media(data), Stored)
    assert b"".join(parse_stored(images.encode_image(data)).parts()) == data


@pytest.mark.parametrize("data", [b"", png.SIGNATURE, RASTERS["bmp"][:80], RASTERS["ppm"][:30]])
def test_damaged_files_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_picture(data)


def test_lossy_files_are_refused() -> None:
    for kind in ("JPEG", "WEBP"):
        with pytest.raises(UnsupportedError, match="--force-pixels"):
            read_picture(saved(noise(9, 9, 3, 8), kind))


@given(st.binary(max_size=30))
def test_wrappers_are_read_or_refused(data: bytes) -> None:
    try:
        wrapper = read_image_wrapper(data)
    except (FormatError, LimitError):
        return
    assert read_image_wrapper(write_image_wrapper(wrapper)) == wrapper


def test_ramps_in_wrappers_take_little() -> None:
    ramp = bytes(value for level in range(256) for value in (level, level, level))
    for head in (bytes(range(255)), ramp, b"text " * 40):
        wrapper = ImageWrapper(0, 8, 1, 3, write_chunks([(b"PLTE", head)]))
        assert read_image_wrapper(write_image_wrapper(wrapper)) == wrapper
        assert len(write_image_wrapper(wrapper)) < 40


def test_conversion_is_refused_where_it_would_change_pixels() -> None:
    palette = read_picture(png_file(noise(4, 5, 1, 4), 4, 3, PALETTE))
    with pytest.raises(UnsupportedError, match=r"\.png"):
        written_as(palette, ".webp")
    bmp = read_picture(RASTERS["bmp gray"])
    with pytest.raises(UnsupportedError, match=r"\.bmp"):
        written_as(bmp, ".png")
    ppm = read_picture(RASTERS["ppm"])
    dark = read_picture(RASTERS["pgm"].replace(b"5 255", b"5 99"))
    with pytest.raises(UnsupportedError, match=r"\.ppm"):
        written_as(dark, ".png")
    with pytest.raises(UnsupportedError, match="all of it"):
        decode_image(encode_picture(dark, QUICK), region=(0, 0, 2, 2))
    keyed = read_picture(png_file(noise(4, 5, 1, 8), 8, 0, png_chunk(b"tRNS", b"\0\5")))
    with pytest.raises(UnsupportedError, match=r"\.png"):
        written_as(keyed, ".pgm")
    made = read_picture(written_as(ppm, ".png"))
    assert made.wrapper == png.plain(3)
    np.testing.assert_array_equal(made.samples, ppm.samples)


def test_kinds_that_pillow_lacks_are_stored() -> None:
    bitfields = bytearray(RASTERS["bmp rgba"])
    bitfields[28:30] = (2).to_bytes(2, "little")  # bits of a pixel
    floating = imagecodecs.tiff_encode(np.linspace(0, 1, 120, dtype=np.float32).reshape(5, 8, 3))
    for data in (bytes(bitfields), bytes(floating)):
        assert isinstance(read_media(data), Stored)


def test_a_damaged_bitmap_is_refused() -> None:
    """imagecodecs, asked after Pillow, crashed on it."""
    data = bytearray(RASTERS["bmp"])
    data[0x19] = 2  # of the height, which makes it too large as well
    with pytest.raises((FormatError, LimitError)):
        read_picture(bytes(data))
    data[0x19], data[0x17] = 0, 2
    with pytest.raises(FormatError):
        read_picture(bytes(data))


def test_damaged_deep_files_are_refused() -> None:
    """libpng's errors came through."""
    data = png_file(noise(5, 7, 3, 16), 16, 2)
    at = data.index(b"IDAT") + 4
    body = data[at : data.index(b"IEND") - 8]
    for wrong in (
        zlib.compress(zlib.decompress(body)[:-9]),
        body[:-6],
        zlib.compress(b"\7" + zlib.decompress(body)[1:]),
    ):
        with pytest.raises(FormatError):
            read_picture(data[: at - 8] + png_chunk(b"IDAT", wrong) + png_chunk(b"IEND", b""))


@pytest.mark.parametrize("change", ["filter", "packing", "end", "rows"])
def test_unusual_png_files_are_not_made_usual(change: str) -> None:
    samples = noise(5, 7, 1, 8)
    body = zlib.compress(np.pad(samples[..., 0].astype(np.uint8), ((0, 0), (1, 0))).tobytes())
    header, end = bytearray(png_file(samples, 8, 0)[16:29]), b""
    if change == "filter":
        header[11] = 64
    elif change == "end":
        end = b"more"
    elif change == "rows":
        body = zlib.compress(zlib.decompress(body) + bytes(8))
    else:
        header[10] = 1
    data = png.SIGNATURE + png_chunk(b"IHDR", bytes(header)) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", end)
    with contextlib.suppress(FormatError):  # if Pillow refuses it
        assert isinstance(read_media(data), Stored)


def test_forced_pixels_keep_transparency_and_refuse_what_they_would_narrow() -> None:
    samples = noise(9, 9, 4, 8)
    lossy = saved(samples, "WEBP", quality=90)
    assert read_pixels(lossy).samples.shape == (9, 9, 4)
    deep = saved(noise(5, 7, 1, 16), "TIFF", compression="lzma")
    with pytest.raises(UnsupportedError, match="I;16"):
        images.encode_image(deep, force_pixels=True)
    gray = saved(noise(5, 7, 1, 8), "TIFF", compression="lzma")
    assert same_image(
        images.decode_image(images.encode_image(gray, force_pixels=True)), gray, strip=False, force_pixels=True
    )
    plain = RASTERS["pgm of 16 bits"]
    assert file_bytes(images.decode_image(images.encode_image(plain, force_pixels=True))) == plain


def test_opaque_webp_files_that_say_they_are_not_are_stored() -> None:
    """They came back without transparency, so nothing was written."""
    data = bytearray(saved(noise(9, 9, 3, 8), "WEBP", lossless=True))
    data[24] |= 1 << 4
    assert isinstance(read_media(bytes(data)), Stored)


def test_programs_are_not_run_for_images() -> None:
    with pytest.raises(UnsupportedError, match="PostScript"):
        read_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")


def test_stored_files_keep_their_own_suffix() -> None:
    bits = images.encode_image(b"P4\n8 2\n\xaa\x55")
    assert b"".join(stored_as(parse_stored(bits).parts(), ".pbm")) == b"P4\n8 2\n\xaa\x55"
    gif = images.encode_image(saved(noise(5, 7, 1, 8), "GIF"))
    with pytest.raises(UnsupportedError):
        stored_as(parse_stored(gif).parts(), ".png")


@pytest.mark.parametrize(("header", "plain"), [
    (b"P7\nWIDTH 7\nHEIGHT 5\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\n", False),
    (b"P7\nWIDTH 7\nHEIGHT 5\nDEPTH 4\n#MAXVAL 255\nMAXVAL 1\nTUPLTYPE RGB_ALPHA\nENDHDR\n", False),
    (b"P7\nWIDTH 7\nHEIGHT 5\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n", True),
])  # fmt: skip
def test_only_what_looks_the_same_is_converted(header: bytes, plain: bool) -> None:
    picture = read_picture(header + bytes(140))
    if plain:
        assert written_as(picture, ".png")
    else:
        with pytest.raises(UnsupportedError):
            written_as(picture, ".png")


def test_webp_of_more_pixels_than_pillow_opens_is_stored() -> None:
    """Found by fuzzing: Pillow's WebP plugin has a limit of its own, and its error came through."""
    packed = io.BytesIO()
    Image.new("RGB", (8, 8)).save(packed, "WEBP", lossless=True)
    file = bytearray(packed.getvalue())
    at, side = file.index(b"VP8L") + 9, 16383
    other = int.from_bytes(file[at : at + 4], "little") >> 28 << 28
    file[at : at + 4] = (other | side - 1 | side - 1 << 14).to_bytes(4, "little")
    found = read_media(bytes(file))
    assert isinstance(found, Stored)
    assert "more pixels" in found.reason
