"""Kinds of files from public bug reports of other tools: each comes back, or is stored, and never called damaged."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import PALETTE, TEXT, noise, png_chunk, png_file, saved
from PIL import Image
from sounds import LIST, riff_chunk, wave

from ardm_compress.container.wrappers import (
    read_image_wrapper,
    read_sound_wrapper,
    write_image_wrapper,
    write_sound_wrapper,
)
from ardm_compress.errors import AlreadyCompressedError, ArdmError, FormatError, UnsupportedError
from ardm_compress.formats import KINDS, OTHER, flac, kind_of, png
from ardm_compress.formats.catalogue import file_bytes, read_media, same_file, same_image
from ardm_compress.formats.contents import Coefficients, Media, Picture, Sound, Stored
from ardm_compress.formats.tags import read_directories, read_orientation, write_orientation
from ardm_compress.options import DEFAULT_LIMITS

RGB = noise(7, 9, 3, 8)


def back(data: bytes) -> tuple[Media, bytes]:
    """A file taken apart, and made again from what a compressed file keeps of it."""
    media = read_media(data)
    if isinstance(media, Picture):
        wrapper = read_image_wrapper(write_image_wrapper(media.wrapper))
        return media, file_bytes(Picture(media.samples, wrapper))
    if isinstance(media, Sound):
        return media, file_bytes(Sound(media.samples, read_sound_wrapper(write_sound_wrapper(media.wrapper))))
    return media, file_bytes(media)


Page = tuple[NDArray[np.generic], dict[int, tuple[int, ...]]]  # samples, and tags that are not as usual


def tiff_file(*pages: Page, order: str = "<", big: bool = False) -> bytes:
    """A TIFF file, written by hand: all samples, one strip a page, then its directories."""
    kind, size = ("Q", 8) if big else ("I", 4)
    start = 16 if big else 8
    bodies = [samples.astype(samples.dtype.newbyteorder(order)).tobytes() for samples, _ in pages]
    at, directories = start + sum(map(len, bodies)), b""
    place = start
    for number, ((samples, changed), body) in enumerate(zip(pages, bodies, strict=True)):
        rows, columns, channels = samples.shape
        tags = {256: (columns,), 257: (rows,), 258: (8 * samples.itemsize,), 259: (1,), 262: (1,), 273: (place,),
                277: (channels,), 278: (rows,), 279: (len(body),)} | changed  # fmt: skip
        place += len(body)
        entries = b"".join(struct.pack(f"{order}HH{kind}{kind}", tag, 16 if big else 4, 1, *value)
                           for tag, value in sorted(tags.items()))  # fmt: skip
        head = struct.pack(order + ("Q" if big else "H"), len(tags))
        following = at + len(head) + len(entries) + size
        last = number == len(pages) - 1
        directories += head + entries + struct.pack(order + kind, 0 if last else following)
        at = following
    name = b"II" if order == "<" else b"MM"
    version = struct.pack(order + "HHHQ", 43, 8, 0, start + sum(map(len, bodies)))
    classic = struct.pack(order + "HI", 42, start + sum(map(len, bodies)))
    return name + (version if big else classic) + b"".join(bodies) + directories


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_tiff_files_of_both_orders_and_sizes_are_coded(order: str, big: bool, depth: int) -> None:
    samples = noise(7, 9, 1, depth)
    data = tiff_file((samples, {}), order=order, big=big)
    media, again = back(data)
    assert isinstance(media, Picture)
    np.testing.assert_array_equal(media.samples, samples)
    assert again == data


@pytest.mark.parametrize(
    "tags",
    [{258: (12,)}, {259: (34712,)}, {259: (50001,)}, {277: (5,), 279: (63 * 5,)}, {339: (3,)}, {262: (6,), 277: (3,)}],
)
def test_unusual_tiff_files_are_stored_without_asking_pillow(tags: dict[int, tuple[int, ...]]) -> None:
    data = tiff_file((noise(7, 9, 5, 8), tags))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        media, again = back(data)
    assert isinstance(media, Stored)
    assert "TIFF" in media.reason or "channels" in media.reason
    assert again == data


def test_pages_that_follow_one_another_are_one_image() -> None:
    pages = [noise(7, 9, 1, 16, seed) for seed in range(3)]
    data = tiff_file(*[(page, {}) for page in pages])
    media, again = back(data)
    assert isinstance(media, Picture)
    np.testing.assert_array_equal(media.samples, np.concatenate(pages))
    assert again == data


def test_stacks_that_describe_one_page_are_coded_as_a_whole() -> None:
    pages = np.concatenate([noise(7, 9, 1, 8, seed) for seed in range(4)])
    data = tiff_file((pages, {257: (7,), 279: (63,)}))
    told = b"ImageJ=1.11a\nimages=4\nslices=4\n\0"
    assert read_media(data).samples.shape == (7, 9, 1)  # type: ignore[union-attr]
    media, again = back(data + told)
    assert isinstance(media, Picture)
    assert media.samples.shape == (28, 9, 1)
    assert again == data + told


def test_of_raw_files_the_raw_image_is_coded_and_not_the_thumbnail() -> None:
    raw = noise(40, 30, 1, 16)
    media, again = back(data := tiff_file((noise(4, 3, 3, 8), {}), (raw, {262: (32803,)})))
    assert isinstance(media, Picture)
    np.testing.assert_array_equal(media.samples, raw)
    assert again == data


@given(st.binary(max_size=60), st.integers(0, 120), st.integers(0, 255))
def test_damaged_directories_are_read_or_refused(extra: bytes, at: int, value: int) -> None:
    data = bytearray(tiff_file((noise(2, 3, 1, 8), {})) + extra)
    data[at % len(data)] = value
    try:
        media = read_media(bytes(data))
    except ArdmError:
        return
    assert file_bytes(media) == bytes(data)


def test_directories_in_a_circle_end() -> None:
    data = bytearray(tiff_file((noise(2, 3, 1, 8), {})))
    data[-4:] = struct.pack("<I", 8 + 6)
    assert len(list(read_directories(bytes(data)))) == 1


def test_pillow_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """It logged what it raised as well, which Python shows if nobody listens."""
    data = tiff_file((noise(7, 9, 5, 8), {277: (29,)}))
    with pytest.raises(FormatError, match="TIFF"):
        read_media(data, force_pixels=True)
    for at in range(64, len(data)):
        with pytest.raises(FormatError, match="TIFF"):
            read_media(data[:at])
    assert capfd.readouterr() == ("", "")


def test_directories_that_overlap_take_no_longer_than_others() -> None:
    """Every two bytes are a directory of 65,535 entries."""
    entry = struct.pack("<HHII", 330, 3, 1 << 18, 8)
    data = b"II*\0" + struct.pack("<I", 8) + b"\xff\xff" + entry * 65535 + bytes(4)
    media, again = back(data)
    assert isinstance(media, Stored)
    assert "too much" in media.reason
    assert again == data


@pytest.mark.parametrize(("before", "after"), [(b"behind", b""), (b"", b"the end"), (b"both", bytes(300))])
def test_what_is_behind_the_pixels_or_the_end_of_a_png_file_is_kept(before: bytes, after: bytes) -> None:
    data = png_file(RGB, 8, 2, TEXT, after=png_chunk(b"tIME", bytes(7)))
    at = data.index(b"IDAT") - 4
    (size,) = struct.unpack_from(">I", data, at)
    body = data[at + 8 : at + 8 + size]
    data = data[:at] + png_chunk(b"IDAT", body + before) + data[at + 12 + size :] + after
    media, again = back(data)
    assert isinstance(media, Picture)
    np.testing.assert_array_equal(media.samples, RGB)
    assert again.endswith(png_chunk(b"tIME", bytes(7)) + png_chunk(b"IEND", b"") + after)
    assert before in again
    assert same_image(media, again, strip=False, force_pixels=False)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(again))), RGB)


@pytest.mark.parametrize("name", [b"tEXt", b"IDAT", b"tIME", b"IHDR", b"IEND"])
def test_a_wrong_crc_is_named_and_the_file_stored_wherever_it_is(name: bytes) -> None:
    data = bytearray(png_file(RGB, 8, 2, TEXT, after=png_chunk(b"tIME", bytes(7))))
    at = data.index(name)
    data[at + 4 + int.from_bytes(data[at - 4 : at], "big")] ^= 1
    media, again = back(bytes(data))
    assert isinstance(media, Stored)
    assert f"{name.decode()} has a wrong CRC" in media.reason
    assert again == bytes(data)


@pytest.mark.parametrize("colour", [2, 6])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (17, 33)])
def test_interlaced_deep_colour_is_coded(colour: int, shape: tuple[int, int]) -> None:
    samples = noise(*shape, png.CHANNELS[colour], 16)
    lines = b""
    for left, top, right, down in png.PASSES:
        for row in samples[top::down, left::right]:
            lines += (b"\0" + row.astype(">u2").tobytes()) if row.size else b""
    header = struct.pack(png.HEADER, shape[1], shape[0], 16, colour, 0, 0, 1)
    data = png.file_of([(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")])
    media, again = back(data)
    assert isinstance(media, Picture)
    np.testing.assert_array_equal(media.samples, samples)
    assert same_image(media, again, strip=False, force_pixels=False)


def test_png_files_for_ios_are_stored() -> None:
    data = png_file(RGB, 8, 2)
    data = data[:8] + png_chunk(b"CgBI", b"P\0 \2") + data[8:]
    media, again = back(data)
    assert isinstance(media, Stored)
    assert "iOS" in media.reason
    assert again == data


def test_stripped_files_look_the_same() -> None:
    exif = Image.Exif()
    exif[271], exif[274] = "maker", 6
    shape = png_chunk(b"pHYs", struct.pack(">IIB", 1, 2, 0))
    shown = [shape, png_chunk(b"mDCV", bytes(24)), png_chunk(b"cLLI", bytes(8))]
    data = png_file(RGB, 8, 2, TEXT, *shown, after=png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    bare = file_bytes(read_media(data, strip=True))
    assert all(chunk in bare for chunk in shown)
    assert TEXT not in bare
    assert b"maker" not in bare
    assert Image.open(io.BytesIO(bare)).getexif()[274] == 6
    square = png_file(RGB, 8, 2, png_chunk(b"pHYs", struct.pack(">IIB", 300, 300, 0)))
    assert b"pHYs" not in file_bytes(read_media(square, strip=True))
    webp = saved(RGB, "WEBP", lossless=True, exif=exif.tobytes())
    bare = file_bytes(read_media(webp, strip=True))
    assert b"maker" not in bare
    assert Image.open(io.BytesIO(bare)).getexif()[274] == 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_read_as_they_are_written(orientation: int) -> None:
    assert read_orientation(write_orientation(orientation)) == orientation


def test_forced_pixels_keep_profile_orientation_and_shape_of_pixels() -> None:
    exif = Image.Exif()
    exif[274] = 6
    profile = bytes(16) + b"RGB " + bytes(108)
    jpeg = saved(RGB, "JPEG", icc_profile=profile, exif=exif.tobytes(), dpi=(300, 150))
    media = read_media(jpeg, force_pixels=True)
    assert isinstance(media, Picture)
    made = Image.open(io.BytesIO(file_bytes(media)))
    assert made.info["icc_profile"] == profile
    assert made.getexif()[274] == 6
    assert made.info["dpi"][0] == pytest.approx(2 * made.info["dpi"][1], rel=0.01)


def flac_file(samples: NDArray[np.int16], rate: int = 44100) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


STEREO = (np.random.default_rng(1).normal(size=(9000, 2)).cumsum(0) * 90).astype(np.int16)


@pytest.mark.parametrize("end", [b"\xff", b"TAG" + bytes(125), b"\xff\xf8\xc9\x18" * 40, flac_file(STEREO[:50])[42:]])
def test_what_is_behind_the_last_frame_of_a_flac_file_is_kept(end: bytes) -> None:
    data = flac_file(STEREO) + end
    media, again = back(data)
    assert again.endswith(end)
    if isinstance(media, Sound):
        assert media.samples.shape == STEREO.shape
        assert same_file([again], data)


@given(st.integers(1, 600), st.integers(1, 2), st.binary(max_size=40))
def test_the_last_frame_is_found(frames: int, channels: int, end: bytes) -> None:
    media = flac.read(data := flac_file(STEREO[:frames, :channels]) + end, DEFAULT_LIMITS)
    assert data.endswith(media.wrapper.tail)
    assert len(media.wrapper.tail) == len(end)


def test_flac_files_made_into_a_pipe_are_coded() -> None:
    data = bytearray(flac_file(STEREO))
    data[26:42] = bytes(16)  # no MD5
    media, again = back(bytes(data))
    assert isinstance(media, Sound)
    assert same_file([again], bytes(data))


def test_rates_that_wrappers_cannot_hold_are_stored() -> None:
    data = bytearray(flac_file(STEREO, 96000))
    data[18:21] = (768000 << 4 | data[20] & 15).to_bytes(3, "big")
    media, again = back(bytes(data))
    assert isinstance(media, Stored)
    assert again == bytes(data)


def test_files_of_the_broadcasting_union_are_sound() -> None:
    body = STEREO.tobytes()
    data = wave(body, channels=2, before=LIST)
    sizes = riff_chunk(b"ds64", struct.pack("<QQQI", 0, len(body), 0, 0))
    sized = b"BW64\xff\xff\xff\xff" + data[8:12] + sizes + data[12:]
    media, again = back(sized)
    assert isinstance(media, Sound)
    assert media.samples.shape == STEREO.shape
    assert again == sized


def test_frames_are_there_although_their_chunk_says_none() -> None:
    body = STEREO.astype(">i2").tobytes()
    common = struct.pack(">hIhHQ", 2, len(STEREO), 16, 16383 + 15, 44100 << 48)
    data = b"AIFF" + riff_chunk(b"COMM", common, ">") + b"SSND" + bytes(12) + body
    data = b"FORM" + struct.pack(">I", len(data)) + data
    media, again = back(data)
    assert isinstance(media, Sound)
    assert media.samples.shape == STEREO.shape
    assert again == data


STARTS = {
    "JPEG XL": b"\xff\x0a",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "JPEG XR": b"II\xbc\1",
    "AVIF": b"\0\0\0 ftypavif",
    "HEIF": b"\0\0\0 ftypheic",
    "Radiance HDR": b"#?RADIANCE\n",
    "LERC": b"Lerc2 ",
    "JPEG-LS": b"\xff\xd8\xff\xf7",
    "Ogg": b"OggS\0",
    "OpenEXR": b"v/1\1",
    "AU": b".snd",
    "DSD": b"DSD ",
    "Fujifilm raw": b"FUJIFILM",
}


@pytest.mark.parametrize("name", STARTS)
def test_images_and_sound_of_other_kinds_are_stored(name: str) -> None:
    data = STARTS[name] + bytes(range(256))
    media, again = back(data)
    assert isinstance(media, Stored)
    assert media.kind.name == name
    assert name in media.reason
    assert again == data


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"%PDF-1.4", "PDF"), (b"\0\0\0 ftypisom", "MP4"), (b"PK\3\4", "ZIP"), (b"<svg ", "XML"), (b"hello", "not known")],
)
def test_files_that_are_neither_image_nor_sound_are_named_and_not_called_damaged(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        read_media(data + bytes(99))


def test_what_this_program_has_compressed_is_best_kept() -> None:
    with pytest.raises(AlreadyCompressedError, match="by this program"):
        read_media(b"ARDM\1\0")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"ID3\4\0\0\0\0\0\4----\xff\xfb\x90\0", "MP3"),
        (b"\xff\xfb\x90\0", "MP3"),
        (saved(RGB, "WEBP"), "WebP"),
    ],
)
def test_what_is_lossily_compressed_is_stored_for_a_reason(data: bytes, reason: str) -> None:
    media = read_media(data)
    assert isinstance(media, Stored)
    assert reason in media.reason


def test_jpeg_files_are_taken_apart_or_stored() -> None:
    data = saved(RGB, "JPEG")
    media, cut = read_media(data), read_media(data[:-30])
    assert isinstance(media, Coefficients)
    assert file_bytes(media) == data
    assert isinstance(cut, Stored)
    assert "cut short" in cut.reason


def test_a_tag_before_sound_that_is_not_lossy_is_no_reason_to_refuse_it() -> None:
    media, _ = back(b"ID3\4\0\0\0\0\0\4----" + flac_file(STEREO[:99]))
    assert isinstance(media, Stored)


@given(st.binary(max_size=80))
def test_every_start_has_one_kind(data: bytes) -> None:
    kind = kind_of(data)
    assert kind.medium != OTHER or not kind.plug
    assert not (kind.plug and kind.is_lossy)


def test_the_table_of_kinds_is_whole() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(suffix == suffix.lower() and suffix[0] == "." for kind in KINDS for suffix in kind.suffixes)


def test_threads_leave_pillow_and_warnings_as_they_were() -> None:
    """They left Image.MAX_IMAGE_PIXELS at None, and all warnings off, for the whole process."""
    palette = png_file(noise(4, 5, 1, 4), 4, 3, PALETTE)
    gif, before = saved(noise(5, 7, 1, 8), "GIF"), (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read_media, [palette, gif] * 40))
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
