"""JPEG files taken apart into coefficients and the rest, and put together again, bit for bit."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpegs import SHAPES, jpeg

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.formats.jpeg import scans
from ardm_compress.formats.jpeg.files import put_together, take_apart
from ardm_compress.formats.jpeg.markers import (
    MOST_BREAKS,
    MOST_SEGMENTS,
    MOST_VISITS,
    ZEROS,
    Hole,
    Room,
    ScanNotes,
)  # fmt: skip
from ardm_compress.formats.jpeg.pictures import expand, strip
from ardm_compress.formats.jpeg.rest import NOTES_BYTES, Rest, pack, unpack


def comes_back(data: bytes) -> bool:
    """Whether a file comes back by way of packed bytes."""
    pictures, rest = take_apart(data)
    again = unpack(pack(rest), len(data))
    assert [each.frame for each in again.describe()] == [each.frame for each in pictures]
    return put_together(pictures, again) == data


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("restart", [{}, {"restart_marker_blocks": 3}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("quality", [5, 75, 100])
def test_files_of_libjpeg_come_back(mode: str, progressive: bool, restart: dict[str, int], quality: int) -> None:
    assert comes_back(jpeg(mode, quality=quality, progressive=progressive, **restart))
    assert comes_back(jpeg(mode, quality=quality, optimize=True, **restart))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_samplings_come_back(subsampling: str, progressive: bool) -> None:
    data = jpeg(subsampling=subsampling, progressive=progressive, exif=b"Exif\0\0" + bytes(50), comment=b"a comment")
    assert comes_back(data)


def test_frames_say_what_there_is() -> None:
    pictures, rest = take_apart(jpeg(quality=75, subsampling="4:2:0"))
    (only,) = pictures
    luma = only.frame.components[0]
    assert (only.frame.height, only.frame.width, only.frame.bits) == (40, 33, 8)
    assert (luma.rows, luma.columns, luma.height, luma.width) == (6, 6, 5, 5)
    assert only.steps_of(luma)[0] == 8
    assert only.plane(luma).shape == (6, 6, 64)
    assert rest.size == len(jpeg(quality=75, subsampling="4:2:0"))


@pytest.mark.parametrize("tail", [b"", b"\0" * 100, jpeg("gray"), b"\0\0ftypmp42" + bytes(range(256))])
def test_what_lies_behind_the_end_comes_back(tail: bytes) -> None:
    assert comes_back(jpeg() + tail)


def test_pictures_within_pictures_are_taken_apart() -> None:
    thumbnail = jpeg("gray", quality=60)
    data = jpeg(exif=b"Exif\0\0" + b"x" * 40 + thumbnail) + jpeg("cmyk")
    pictures, rest = take_apart(data)
    assert [len(each.frame.components) for each in pictures] == [3, 1, 4]
    assert len(rest.bare) < len(data) - len(thumbnail) // 2
    assert comes_back(data)


def test_the_end_may_be_missing() -> None:
    assert comes_back(jpeg()[:-2])


def test_fill_bytes_before_markers_come_back() -> None:
    data = jpeg()
    at = data.index(b"\xff\xda")
    assert comes_back(data[:at] + b"\xff\xff" + data[at:])
    assert comes_back(data[:-2] + b"\xff\xff" + data[-2:])


def padded_with_zeros(data: bytes) -> bytes:
    """The padding bits of the last byte of all scans set to 0, where there are any."""
    pictures, rest = take_apart(data)
    notes = tuple(
        tuple(ScanNotes(np.array([ZEROS], np.uint8), note.breaks) for note in picture.notes) for picture in pictures
    )
    return put_together(pictures, Rest(rest.bare, rest.holes, notes))


def test_padding_bits_come_back() -> None:
    data = jpeg(restart_marker_blocks=2)
    zeros = padded_with_zeros(data)
    assert zeros != data
    assert comes_back(zeros)
    at = zeros.rindex(b"\xff\xd9")
    mixed = bytes([*zeros[: at - 1], data[at - 1], *zeros[at:]])
    assert comes_back(mixed)
    _, rest = take_apart(data)
    assert rest.notes == ((),)


def test_runs_that_end_early_come_back() -> None:
    """Of a progressive scan, coded by an encoder that ends a run of blocks though it need not."""
    pictures, rest = take_apart(jpeg(progressive=True, quality=20))
    (hole,), (only,), changed = rest.holes, pictures, 0
    for scan, at, more in product(range(len(only.notes)), range(1, 20), range(4)):
        notes = list(only.notes)
        notes[scan] = ScanNotes(notes[scan].padding, np.array([at]))
        early = Rest(rest.bare, (Hole(0, hole.size + more),), (tuple(notes),))
        try:
            data = put_together(pictures, early)
        except UnsupportedError:  # the tables lack the code, or the size is another
            continue
        changed += len(take_apart(data)[0][0].notes[scan].breaks)
        assert comes_back(data)
    assert changed


def test_arithmetic_and_cut_files_are_refused() -> None:
    data = jpeg()
    at = data.index(b"\xff\xc0")
    for wrong in (data[:at] + b"\xff\xc9" + data[at + 2 :], data[: len(data) * 3 // 4], b"\xff\xd8\xff\xd9", b"", b"x"):
        with pytest.raises(UnsupportedError):
            take_apart(wrong)


def test_large_frames_are_refused_before_memory_is_taken() -> None:
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(UnsupportedError, match="too large"):
        take_apart(bytes(data))


def test_what_takes_long_is_refused() -> None:
    data, segment = jpeg(), b"\xff\xe1\0\2"
    assert comes_back(data[:2] + 100 * segment + data[2:])
    with pytest.raises(UnsupportedError, match="too many segments"):
        take_apart(data[:2] + MOST_SEGMENTS * segment + data[2:])
    assert comes_back(data[:-2] + bytes(1 << 20) + 100000 * b"\xff\xd0" + data[-2:])
    _, rest = take_apart(data)
    notes = ScanNotes(np.array([ZEROS], np.uint8), np.arange(MOST_BREAKS // 2 + 1))
    with pytest.raises(FormatError, match="number of breaks"):
        unpack(pack(Rest(rest.bare, rest.holes, ((notes, notes),))), rest.size)


def test_scans_by_blocks_are_few() -> None:
    """Runs of blocks without news let a small file visit many blocks many times."""
    data = jpeg(progressive=True)
    picture, _ = strip(data, 0, room := Room())
    visits = MOST_VISITS - room.visits
    assert visits > 3 * picture.frame.size // 64
    assert strip(data, 0, Room(visits=visits))[0].frame == picture.frame
    for few in (Room(visits=visits - 1), Room(coefficients=picture.frame.size - 1)):
        with pytest.raises(UnsupportedError, match="too large, or has too many scans"):
            strip(data, 0, few)


def test_what_unpacks_to_more_than_the_file_can_hold_is_refused() -> None:
    packed = pack(Rest(bytes(2 * NOTES_BYTES), (Hole(0, 0),), ((),)))
    assert len(packed) < NOTES_BYTES >> 8
    with pytest.raises(FormatError, match="too long"):
        unpack(packed, 1000)


def test_frames_of_another_size_than_their_coefficients_are_refused() -> None:
    """Where pictures lie in one another by damage, their data may hide the frame that was described."""
    (picture,), rest = take_apart(jpeg())
    for coefficients in (picture.coefficients[64:], np.zeros(0, np.int16)):
        with pytest.raises(UnsupportedError, match="another size"):
            expand(rest.bare, 0, coefficients, (), rest.holes[0].size)


FILES = [jpeg(quality=40), jpeg(progressive=True, quality=50, restart_marker_blocks=4), jpeg("gray", optimize=True)]


@settings(max_examples=300)
@given(
    file=st.sampled_from(FILES),
    edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 1 << 16),
)
def test_damaged_files_come_back_or_are_refused(file: bytes, edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(file)
    for at, value in edits:
        data[at % len(data)] = value
    damaged = bytes(data[: len(data) - cut % len(data) if cut % 4 == 0 else len(data)])
    with suppress(UnsupportedError):
        assert comes_back(damaged)


@settings(max_examples=200)
@given(edits=st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_rests_are_refused(edits: list[tuple[int, int]]) -> None:
    pictures, rest = take_apart(FILES[1])
    packed = bytearray(pack(rest))
    for at, value in edits:
        packed[at % len(packed)] = value
    try:
        found = unpack(bytes(packed), rest.size)
        described = found.describe()
    except (FormatError, UnsupportedError):
        return
    if [each.frame for each in described] == [each.frame for each in pictures]:
        with suppress(UnsupportedError):
            put_together(pictures, found)


@settings(max_examples=100)
@given(
    lengths=st.lists(st.integers(0, 3), min_size=16, max_size=16).map(lambda x: np.array(x, np.uint8)),
)
def test_tables_of_codes_fit(lengths: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    symbols = np.arange(int(lengths.sum()), dtype=np.uint8)
    try:
        table = scans.lookup(lengths, symbols)
    except ValueError:
        return
    for symbol, entry in enumerate(scans.codes(lengths, symbols)[: len(symbols)]):
        code, length = int(entry) >> 8, int(entry) & 0xFF
        assert int(table[code << 16 - length]) == length << 8 | symbol
