"""JPEG files in compressed files: byte for byte, by the model, by JPEG XL, or packed."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpegs import jpeg
from PIL import Image

import ardm_compress
import ardm_compress.pillow
from ardm_compress.codec.images import encode_image, encode_images
from ardm_compress.codec.jpegs import decode_jpeg, original_parts
from ardm_compress.container import crc, parse
from ardm_compress.container.jpeg import ParsedJpeg, parse_jpeg, write_jpeg_xl
from ardm_compress.container.stored import ParsedStored
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.options import Limits

MIB = 1 << 20


def restored(coded: bytes) -> bytes:
    file = parse(coded)
    assert isinstance(file, ParsedJpeg | ParsedStored)
    return b"".join(original_parts(file))


FILES = {
    "gray": jpeg("gray", quality=60),
    "colour": jpeg(quality=80, exif=b"Exif\0\0" + bytes(30) + jpeg("gray", quality=30)),
    "progressive": jpeg(progressive=True, quality=97, restart_marker_blocks=2),
    "four components": jpeg("cmyk", quality=50),
    "two files": jpeg() + jpeg("gray"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_come_back_smaller(name: str) -> None:
    data = FILES[name]
    coded = encode_image(data)
    assert len(coded) < 0.9 * len(data)
    assert parse(coded).facts["method"] == "model"
    assert restored(coded) == data


def test_info_says_what_the_file_is() -> None:
    facts = parse(encode_image(FILES["colour"])).facts
    told = {name: facts[name] for name in ("kind", "width", "height", "sampling", "quality", "progressive", "pictures")}
    assert told == {
        "kind": "JPEG file", "width": 33, "height": 40, "sampling": "4:2:0", "quality": 80, "progressive": False,
        "pictures": 2,
    }  # fmt: skip


@pytest.mark.parametrize("cut", [3, 100, 400, 620, -30])
def test_files_that_are_cut_short_are_stored(cut: int) -> None:
    data = jpeg(quality=90)[:cut]
    coded = encode_image(data)
    assert isinstance(parse(coded), ParsedStored)
    assert restored(coded) == data
    assert len(coded) <= len(data) + 16
    with pytest.raises(UnsupportedError, match="--strict"):
        encode_image(data, strict=True)


def test_what_takes_the_model_too_much_memory_is_coded_by_jpeg_xl() -> None:
    """Coefficients of 16 bits take twice the memory of pixels, if colour is not at half resolution."""
    large = io.BytesIO()
    Image.effect_noise((1200, 900), 40).convert("RGB").save(large, "JPEG", quality=60, subsampling=0)
    data = large.getvalue()
    coded = encode_image(data, limits=Limits(memory=432 * MIB))
    assert parse(coded).facts["method"] == "JPEG XL"
    assert restored(coded) == data


def test_files_over_the_limits_are_stored() -> None:
    data = FILES["colour"]
    assert isinstance(parse(encode_image(data, limits=Limits(pixels=100))), ParsedStored)
    with pytest.raises(LimitError):
        parse(encode_image(data), Limits(pixels=100))


def by_jpeg_xl(data: bytes, shape: tuple[int, int]) -> bytes:
    """A file of that JPEG file, coded by JPEG XL."""
    return write_jpeg_xl(data, shape, bytes(imagecodecs.jpegxl_encode_jpeg(data)))


def test_turned_files_come_back_from_jpeg_xl_whose_sides_are_checked() -> None:
    """A small JPEG XL file could say that it is so large that it takes all memory."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(exif=exif)
    assert restored(by_jpeg_xl(data, (40, 33))) == data
    with pytest.raises(FormatError, match="sides"):
        restored(by_jpeg_xl(data, (33, 40)))
    for body in (b"", b"\0\0\0\1jxlc", bytes(20), b"\xff\x0a"):
        with pytest.raises(FormatError):
            restored(write_jpeg_xl(data, (40, 33), body))


@pytest.mark.parametrize("sides", [(65535, 65535), (65535, 1), (14000, 14000)])
def test_files_that_say_they_are_large_are_stored(sides: tuple[int, int]) -> None:
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"".join(side.to_bytes(2, "big") for side in sides)
    coded = encode_image(bytes(data))
    assert isinstance(parse(coded), ParsedStored)
    assert restored(coded) == data


def test_many_files_are_what_they_are_alone() -> None:
    assert list(encode_images(FILES.values())) == [encode_image(data) for data in FILES.values()]


def test_pixels_can_be_forced() -> None:
    data = FILES["gray"]
    assert parse(encode_image(data, force_pixels=True)).facts["kind"] == "image"


def test_doors_give_pixels_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg.ardm"
    path.write_bytes(encode_image(FILES["colour"]))
    expected = np.asarray(Image.open(io.BytesIO(FILES["colour"])))
    with ardm_compress.open(path) as file:
        assert (file.kind, file.suffix, file.size, file.info["quality"]) == ("JPEG file", ".jpg", (40, 33), 80)
        np.testing.assert_array_equal(file.read(), expected)
        small = file.read(level=2)
        assert file.original() == FILES["colour"]
    assert small.shape == (10, 9, 3)
    assert abs(small.astype(float).mean((0, 1)) - expected.mean((0, 1))).max() < 4
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)


@pytest.mark.parametrize("preview", [0, 1, 3, 4])
def test_pixels_and_previews_are_other_kinds_of_images(tmp_path: Path, preview: int) -> None:
    source, target = tmp_path / "a.jpg.ardm", tmp_path / "small.png"
    source.write_bytes(encode_image(FILES["two files"]))
    ardm_compress.decode_file(source, target, preview=preview)
    with Image.open(target) as image, Image.open(io.BytesIO(FILES["two files"])) as expected:
        assert image.size == (-(-33 // 2**preview), -(-40 // 2**preview))
        if preview == 0:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    if preview:
        with Image.open(ardm_compress.decode_file(source, preview=preview)) as image:
            assert (image.format, image.size) == ("JPEG", (-(-33 // 2**preview), -(-40 // 2**preview)))


@pytest.fixture(scope="module")
def coded() -> bytes:
    return encode_image(FILES["progressive"])


def test_every_flipped_bit_is_found(coded: bytes) -> None:
    for bit in range(0, 8 * len(coded), 7):
        damaged = bytearray(coded)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ArdmError):
            parse(bytes(damaged))


def test_every_length_is_found(coded: bytes) -> None:
    for size in range(len(coded)):
        with pytest.raises(ArdmError):
            parse(coded[:size])


@settings(max_examples=60)
@given(edits=st.lists(st.tuples(st.integers(11, 1 << 12), st.integers(0, 255)), min_size=1, max_size=3))
def test_damage_under_a_right_checksum_is_found(coded: bytes, edits: list[tuple[int, int]]) -> None:
    damaged = bytearray(coded[:-4])
    for at, value in edits:
        damaged[at % len(damaged)] = value
    data = bytes(damaged) + crc(bytes(damaged))
    if data == coded:
        return
    with pytest.raises(ArdmError):
        decode_jpeg(parse_jpeg(data, Limits(pixels=1 << 12)))


def test_wrong_checksums_of_the_file_are_found(coded: bytes) -> None:
    at = coded.index(crc(FILES["progressive"]))
    damaged = coded[:at] + bytes(4) + coded[at + 4 : -4]
    with pytest.raises(ChecksumError):
        decode_jpeg(parse_jpeg(damaged + crc(damaged)))


def test_forms_that_no_writer_makes_are_refused(coded: bytes) -> None:
    size = coded[6:8]
    longer = coded[:6] + bytes([size[0], size[1] | 0x80, 0]) + coded[8:-4]
    with pytest.raises(FormatError, match="only valid form"):
        parse_jpeg(longer + crc(longer))
