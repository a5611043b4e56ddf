"""Reading and writing images: exact pixels, or an error that says what is taken."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ardm_compress.errors import ArdmError, FormatError, LimitError, OutputExistsError, UnsupportedError
from ardm_compress.formats.media import SUPPORTED, WRITERS, Samples, _decode_image, image_bytes, read_image, write_image

RGB = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
GRAY = RGB[..., :1]

Chunk = tuple[bytes, bytes]  # type and content


def saved(mode: str, kind: str, **options: object) -> bytes:
    """A file of that mode and kind, as Pillow writes it."""
    out = io.BytesIO()
    image = Image.new(mode, (4, 3)) if mode[0] in "IF" else Image.fromarray(RGB).convert(mode)
    if "A" in mode:
        image.putalpha(100)  # libwebp drops an alpha channel that is opaque everywhere
    image.save(out, kind, **options)
    return out.getvalue()


def png(depth: int, colour: int, rows: bytes, early: Chunk | None = None, late: Chunk | None = None) -> bytes:
    """A 2x1 PNG written by hand, because Pillow cannot write every kind that it reads."""
    header = struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n"
    chunks = [(b"IHDR", header), early, (b"IDAT", zlib.compress(b"\0" + rows)), late, (b"IEND", b"")]
    for kind, body in filter(None, chunks):
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


def tiff(bits: tuple[int, ...], photometric: int, pixels: bytes, **tags: tuple[int, ...]) -> bytes:
    """A 2x1 uncompressed TIFF written by hand; ``tags`` are t<number>=values."""
    fields = {256: (2,), 257: (1,), 258: bits, 259: (1,), 262: (photometric,), 273: (0,), 277: (len(bits),)}
    fields |= {278: (1,), 279: (len(pixels),)} | {int(name[1:]): values for name, values in tags.items()}
    end = 8 + 2 + 12 * len(fields) + 4
    entries, far = b"", b""
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"<{len(values)}H", *values)
        if tag == 273:
            packed = struct.pack("<H", end + sum(2 * len(v) for v in fields.values() if len(v) > 2))
        if len(packed) > 4:
            far, packed = far + packed, struct.pack("<I", end + len(far))
        entries += struct.pack("<HHI4s", tag, 3, len(values), packed)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + far + pixels


def frames(kind: str) -> bytes:
    return saved("RGB", kind, save_all=True, append_images=[Image.new("RGB", (24, 20))], lossless=True)


UNSUPPORTED = {
    "palette png": saved("P", "PNG"),
    "rgba png": saved("RGBA", "PNG"),
    "gray alpha png": saved("LA", "PNG"),
    "1-bit png": saved("1", "PNG"),
    "2-bit gray png": png(2, 0, b"\x50"),
    "4-bit gray png": png(4, 0, b"\x12"),
    "16-bit gray png": saved("I;16", "PNG"),
    "16-bit rgb png": png(16, 2, bytes(range(12))),
    "rgb png with transparent colour": png(8, 2, bytes(6), early=(b"tRNS", bytes(6))),
    "gray png with transparent colour": png(8, 0, bytes(2), early=(b"tRNS", bytes(2))),
    "rgb png with a late transparent colour": png(8, 2, bytes(6), late=(b"tRNS", bytes(6))),
    "animated png": frames("PNG"),
    "jpeg": saved("RGB", "JPEG"),
    "gray jpeg": saved("L", "JPEG"),
    "gif": saved("L", "GIF"),
    "lossy webp": saved("RGB", "WEBP"),
    "lossy webp with metadata": saved("RGB", "WEBP", exif=b"Exif\0\0"),
    "rgba webp": saved("RGBA", "WEBP", lossless=True),
    "animated webp": frames("WEBP"),
    "palette bmp": saved("P", "BMP"),
    "32-bit bmp": saved("RGBA", "BMP"),
    "1-bit pbm": saved("1", "PPM"),
    "pgm of maximum 15": b"P5 2 1 15 \x0f\x00",
    "pgm of maximum 65535": b"P5 2 1 65535\n" + bytes(4),
    "ppm of maximum 65535": b"P6 # two bytes each\n2 1 65535\n" + bytes(12),
    "ppm of two images": 2 * b"P6 2 1 255 abcdef",
    "float tiff": saved("F", "TIFF"),
    "16-bit gray tiff": saved("I;16", "TIFF"),
    "16-bit rgb tiff": tiff((16, 16, 16), 2, bytes(range(12))),
    "rgb tiff with a fourth channel": tiff((8, 8, 8, 8), 2, bytes(range(8)), t338=(0,)),
    "signed tiff": tiff((8,), 1, b"\x01\xff", t339=(2,)),
    "cmyk tiff": saved("CMYK", "TIFF"),
    "ycbcr tiff": saved("YCbCr", "TIFF"),
    "jpeg tiff": saved("RGB", "TIFF", compression="jpeg"),
    "tiff of two pages": frames("TIFF"),
}


@pytest.mark.parametrize("data", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_unsupported_kinds_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(UnsupportedError) as caught:
        _decode_image(data)
    assert SUPPORTED in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_files_are_best_kept(kind: str) -> None:
    with pytest.raises(UnsupportedError, match="best kept as it is"):
        _decode_image(saved("RGB", kind))


def test_hand_made_files_differ_from_good_ones_only_in_what_is_refused() -> None:
    assert _decode_image(png(8, 2, b"abcdef")).tobytes() == b"abcdef"
    assert _decode_image(tiff((8, 8, 8), 2, b"abcdef")).tobytes() == b"abcdef"
    assert _decode_image(tiff((8,), 1, b"ab")).tobytes() == b"ab"
    assert _decode_image(b"P6 # note\n2 1 255 abcdef").tobytes() == b"abcdef"
    assert _decode_image(b"P2 2 1 255 7 200").ravel().tolist() == [7, 200]


@given(
    st.sampled_from([*WRITERS]),
    st.sampled_from([1, 3]).flatmap(
        lambda channels: arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(channels)))
    ),
)
def test_pixels_survive_every_writer(suffix: str, samples: Samples) -> None:
    if suffix == ".webp" and samples.shape[2] == 1:
        with pytest.raises(UnsupportedError):
            image_bytes(samples, suffix)
        return
    again = _decode_image(image_bytes(samples, suffix))
    assert again.dtype == np.uint8
    assert np.array_equal(again, samples)


@given(st.sampled_from([*WRITERS]), st.data())
def test_damage_gives_our_errors_or_some_pixels(suffix: str, draws: st.DataObject) -> None:
    data = bytearray(image_bytes(RGB, suffix))
    for _ in range(draws.draw(st.integers(1, 4))):
        data[draws.draw(st.integers(0, len(data) - 1))] = draws.draw(st.integers(0, 255))
    with contextlib.suppress(ArdmError):
        _decode_image(bytes(data[: draws.draw(st.integers(0, len(data)))]))


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_cut_short_are_format_errors(suffix: str) -> None:
    data = image_bytes(RGB, suffix)
    for end in range(0, len(data) - 20, 13):  # all pixels of a PNG may be there before its last 20 bytes
        with pytest.raises(FormatError):
            _decode_image(data[:end])


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_a_png_never_changes_pixels_unseen(bit: int) -> None:
    data = image_bytes(RGB, ".png")
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << bit
        with contextlib.suppress(ArdmError):
            assert np.array_equal(_decode_image(bytes(damaged)), RGB)


def test_foreign_bytes_are_a_format_error() -> None:
    with pytest.raises(FormatError, match="not a readable image"):
        _decode_image(b"hello, this is text")


def test_bombs_are_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("RGB", "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(LimitError, match="pixels"):
        _decode_image(data)


def test_large_images_below_the_limit_give_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("RGB", "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 20 - 1)
    assert np.array_equal(_decode_image(data), RGB)


def test_paths_and_upper_case_suffixes(tmp_path: Path) -> None:
    write_image(tmp_path / "a.PNG", GRAY)
    assert np.array_equal(read_image(str(tmp_path / "a.PNG")), GRAY)
    with pytest.raises(OutputExistsError):
        write_image(tmp_path / "a.PNG", RGB)
    write_image(tmp_path / "a.PNG", RGB, force=True)
    assert np.array_equal(read_image(tmp_path / "a.PNG"), RGB)


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "a"])
def test_unknown_suffixes_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"\.png"):
        write_image(tmp_path / name, RGB)
    assert not [*tmp_path.iterdir()]


def test_an_image_too_wide_for_webp_names_another_way(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"\.png"):
        write_image(tmp_path / "a.webp", np.zeros((1, 20000, 3), np.uint8))


@pytest.mark.parametrize("samples", [RGB[..., 0], RGB[..., :2], RGB.astype(np.uint16)])
def test_other_arrays_are_a_value_error(tmp_path: Path, samples: Samples) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.png", samples)


def test_missing_files_are_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")
