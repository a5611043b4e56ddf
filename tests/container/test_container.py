"""The container: everything written is read back, and every damaged byte is refused before anything is decoded."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from headers import make_header, payloads_of
from hypothesis import given
from hypothesis import strategies as st

from ardm_compress.container import CRC_BYTES, MAGIC, VERSION, crc, parse
from ardm_compress.container import image as container
from ardm_compress.container.image import (
    DEFAULT_LIMITS,
    KNOWN_FLAGS,
    SCHEDULED,
    SECTIONED,
    STYLED,
    TILED,
    Header,
    Limits,
    read_header,
    read_runs,
    write_file,
    write_runs,
)
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.files import Reader, write_varint
from ardm_compress.inference import MODEL_ID_BYTES, find_model
from ardm_compress.options import MAX_SIDE

REFUSED = (FormatError, UnsupportedError, LimitError)


def read_file(data: bytes) -> tuple[Header, list[bytes]]:
    """A file's header and payloads, every checksum checked."""
    header, payloads = container.read_file(data)
    return header, list(payloads)


crcs = st.integers(0, 2**32 - 1)
given_runs = st.lists(st.integers(1, 2**20), min_size=1, max_size=40).filter(lambda r: max(r) > 1).map(tuple)
all_runs = st.none() | st.integers(1, 1 << 16) | given_runs


def with_lengths(header: Header, payloads: list[bytes]) -> Header:
    """What reading gives: lengths include the checksums."""
    return replace(header, lengths=tuple(len(p) + CRC_BYTES for p in payloads))


ONE_SECTION = {
    "plain": make_header(),
    "gray with a schedule": make_header((1, 300), channels=1, runs=(1, 2, 7, 30)),
    "a style": make_header(style=3),
    "latents": make_header(latents=((-127, 0, 5),)),
}
MANY_SECTIONS = {
    "sections": make_header((40, 24), sections=3),
    "payloads in reverse": make_header((40, 24), sections=20, progressive=True),
    "tiles": make_header((40, 24), (16, 24), channels=1),
    "tiles with latents": make_header((40, 24), (16, 24), latents=((), (127,), (1, -2))),
    "tiles, sections and a schedule": make_header((40, 30), (32, 16), sections=3, style=31, mirror=3, runs=(5, 1, 9)),
}
FILES = {name: write_file(header, payloads_of(header)) for name, header in {**ONE_SECTION, **MANY_SECTIONS}.items()}
every_file = pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, list[bytes]]:
    """Any header of few tiles, with payloads of a few bytes."""
    channels = draw(st.sampled_from([1, 3]))
    height = draw(st.integers(1, MAX_SIDE))
    width = draw(st.integers(1, min(MAX_SIDE, DEFAULT_LIMITS.tile_pixels // height)))
    shape = height, width
    tile = draw(st.just(shape) | st.tuples(*(st.integers(-(-n // 3), n) for n in shape)))
    header = Header(
        shape=shape, channels=channels, model_id=draw(st.binary(min_size=MODEL_ID_BYTES, max_size=MODEL_ID_BYTES)),
        tile=tile, sections=(sections := draw(st.sampled_from([1, 2, 5, 20]))),
        progressive=sections > 1 and draw(st.booleans()), style=draw(st.integers(0, 31)),
        mirror=draw(st.integers(0, 3)), runs=draw(all_runs), checksums=(), lengths=(),
    )  # fmt: skip
    tiles = prod(header.grid)
    checksums = draw(st.lists(crcs, min_size=tiles, max_size=tiles).map(tuple))
    noise = random.Random(draw(st.integers(0, 99)))
    payloads = [noise.randbytes(noise.choice([0, 1, 5, 200])) for _ in range(tiles * header.sections)]
    return replace(header, checksums=checksums), payloads


@given(files())
def test_a_file_is_read_back_as_written(file: tuple[Header, list[bytes]]) -> None:
    header, payloads = file
    data = write_file(header, payloads)
    read, offset = read_header(data)
    assert read == with_lengths(header, payloads)
    assert offset + sum(map(len, payloads)) + CRC_BYTES * len(payloads) == len(data)
    assert read_file(data) == (read, payloads)


@given(files())
def test_the_header_of_a_file_of_several_sections_is_read_from_a_prefix(file: tuple[Header, list[bytes]]) -> None:
    header, payloads = file
    data = write_file(header, payloads)
    _, offset = read_header(data)
    if len(payloads) > 1:
        assert read_header(data[:offset]) == (with_lengths(header, payloads), offset)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90))
def test_the_boxes_of_the_tiles_partition_the_image(height: int, width: int, rows: int, columns: int) -> None:
    header = make_header((height, width), (min(height, rows), min(width, columns)))
    seen = np.zeros(header.shape, int)
    boxes = [header.tile_box(i) for i in range(prod(header.grid))]
    for box in boxes:
        seen[box] += 1
    assert (seen == 1).all()
    assert boxes == sorted(boxes, key=lambda box: (box[0].start, box[1].start))


@pytest.mark.parametrize(
    ("value", "code"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (624485, "e58e26"), (2**32, "8080808010")]
)
def test_varints_are_leb128(value: int, code: str) -> None:
    assert write_varint(value).hex() == code


@given(st.integers(0, 2**35 - 1), st.binary(max_size=3))
def test_varints_are_read_back(value: int, rest: bytes) -> None:
    reader = Reader(memoryview(write_varint(value) + rest))
    assert reader.varint(value, value, "it") == value
    assert reader.offset == len(write_varint(value))


@pytest.mark.parametrize("value", [4, 9])
def test_varints_outside_their_range_are_refused_at_their_offset(value: int) -> None:
    reader = Reader(memoryview(b"xy" + write_varint(value)))
    reader.take(2)
    with pytest.raises(FormatError, match=r"the width is not within 5\.\.8") as caught:
        reader.varint(5, 8, "the width")
    assert (caught.value.offset, caught.value.section) == (2, "header")


def test_runs_are_elias_gamma_codes() -> None:
    assert write_runs((1, 2, 3, 4)).hex() == "a640"  # 1 010 011 00100 and four zero bits


@given(st.lists(st.integers(1, 2**20), min_size=1, max_size=60).map(tuple))
def test_runs_are_read_back(runs: tuple[int, ...]) -> None:
    assert read_runs(write_runs(runs), 0) == runs


def test_a_run_that_is_cut_short_is_refused() -> None:
    with pytest.raises(FormatError):
        read_runs(write_runs((1, 300))[:-1], 0)


@every_file
def test_every_flipped_bit_is_refused(data: bytes) -> None:
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(REFUSED):
            read_file(bytes(damaged))


@every_file
def test_every_truncation_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(FormatError):
            read_file(data[:length])


@every_file
@pytest.mark.parametrize("junk", [b"\0", b"\0" * 4, b"\0" * 100, b"\xff", b"junk", MAGIC])
def test_trailing_bytes_are_refused(data: bytes, junk: bytes) -> None:
    with pytest.raises(FormatError):
        read_file(data + junk)


@every_file
def test_a_file_twice_in_a_row_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_file(data + data)


@pytest.mark.parametrize("name", MANY_SECTIONS)
def test_a_damaged_section_is_named(name: str) -> None:
    data = bytearray(FILES[name])
    data[-1] ^= 1
    last = len(payloads_of(MANY_SECTIONS[name])) - 1
    with pytest.raises(ChecksumError, match=f"section {last} is damaged") as caught:
        read_file(bytes(data))
    assert caught.value.section == f"section {last}"


@pytest.mark.parametrize("data", [b"", b"A", b"ARD", b"\x89PNG\r\n\x1a\n" + bytes(40), b"ardm" + bytes(40), bytes(99)])
def test_foreign_files_are_named_as_such(data: bytes) -> None:
    with pytest.raises(FormatError, match="not an ardm-compress file"):
        read_file(data)


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_other_versions_are_unsupported_whatever_follows(version: int) -> None:
    with pytest.raises(UnsupportedError, match=f"version {version}"):
        read_file(MAGIC + bytes([version, 0xFF]))


def head_of(flags: int, *numbers: int) -> bytes:
    """A header up to the tile's sides."""
    shape, tile = (b"".join(map(write_varint, sides)) for sides in (numbers[:2], numbers[2:]))
    return MAGIC + bytes([VERSION, flags]) + shape + bytes(MODEL_ID_BYTES) + tile


def test_unknown_flags_are_refused() -> None:
    for flags in range(256):
        if flags & ~KNOWN_FLAGS or flags & 3 in (1, 3):
            head = head_of(flags, 1, 1) + bytes(CRC_BYTES)
            with pytest.raises(FormatError, match="flags"):
                read_file(head + crc(head))


@pytest.mark.parametrize(
    "head",
    [
        head_of(2, MAX_SIDE, MAX_SIDE),
        head_of(2, 1 << 14, (1 << 14) + 1),
        head_of(TILED, 1 << 14, 1 << 14, 1, 1),
        head_of(TILED, 1, MAX_SIDE, 1, (1 << 13) - 64),
    ],
    ids=["a huge image", "just too many pixels", "a tile per pixel", "just too many tiles"],
)
def test_claims_over_the_limits_are_refused_at_once(head: bytes) -> None:
    data = head + bytes(64)
    tracemalloc.start()
    try:
        with pytest.raises(LimitError):
            read_file(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16  # nothing has been made for each tile
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "head", [head_of(TILED, 1 << 14, 1 << 14, 1 << 10, 1 << 10), head_of(TILED, 1, MAX_SIDE, 1, 1 << 13)]
)
def test_claims_just_within_the_limits_are_not_over_them(head: bytes) -> None:
    with pytest.raises(FormatError):  # and not LimitError
        read_file(head)


@pytest.mark.parametrize("head", [head_of(0, MAX_SIDE + 1, 1), head_of(0, 0, 1), head_of(0, 1, 0)])
def test_sides_are_1_to_the_largest(head: bytes) -> None:
    with pytest.raises(FormatError):
        read_file(head + bytes(CRC_BYTES) + crc(head + bytes(CRC_BYTES)))


def test_a_header_has_only_one_form() -> None:
    """Otherwise two files could say the same, and a checksum over the bytes would not be one over the meaning."""

    def one_section(flags: int, body: str) -> bytes:
        data = MAGIC + bytes([VERSION, flags]) + bytes.fromhex(body)
        return data + crc(data)

    rest = "01020304" + "aabbccdd" + "99"  # model, samples, payload
    assert read_file(one_section(2, "0907" + rest))[0].shape == (9, 7)
    for flags, body in {
        "long height": (2, "890007" + rest),
        "longer height": (2, "8980800007" + rest),
        "long width": (2, "098700" + rest),
        "a tile as large as the image": (2 | TILED, "0907" + "01020304" + "0907" + rest[8:]),
        "a step per rank": (2 | SCHEDULED, "0907" + "01020304" + "01" + "ff" + rest[8:]),
        "no steps": (2 | SCHEDULED, "0907" + "01020304" + "01" + "00" + rest[8:]),
        "no planned steps": (2 | SCHEDULED, "0907" + "01020304" + "0000" + rest[8:]),
        "too many planned steps": (2 | SCHEDULED, "0907" + "01020304" + "00818004" + rest[8:]),
        "a byte too many in the schedule": (2 | SCHEDULED, "0907" + "01020304" + "02" + "4000" + rest[8:]),
        "style 0": (2 | STYLED, "0907" + "01020304" + "00" + rest[8:]),
        "style 128": (2 | STYLED, "0907" + "01020304" + "8001" + rest[8:]),
        "one section": (2 | SECTIONED, "0907" + "01020304" + "01" + rest[8:]),
    }.values():
        with pytest.raises(FormatError) as caught:
            read_file(one_section(flags, body))
        assert not isinstance(caught.value, ChecksumError)
    assert read_file(one_section(2 | SCHEDULED, "0907" + "01020304" + "01" + "40" + rest[8:]))[0].runs == (2,)
    assert read_file(one_section(2 | SCHEDULED, "0907" + "01020304" + "00" + "03" + rest[8:]))[0].runs == 3


@pytest.mark.parametrize("runs", [None, (1, 1, 1)])
def test_a_step_per_rank_is_not_written(runs: tuple[int, ...] | None) -> None:
    header = make_header(runs=runs)
    assert write_file(header, [b"x"]) == write_file(replace(header, runs=None), [b"x"])


@pytest.mark.parametrize("code", ["80" * 5, "ff" * 5, "ff" * 9 + "01", "8080808080808000", "80", ""])
def test_endless_and_missing_numbers_are_refused(code: str) -> None:
    head = MAGIC + bytes([VERSION, 2]) + bytes.fromhex(code)
    with pytest.raises(FormatError):
        read_file(head)


def test_a_reader_can_ask_for_lower_limits() -> None:
    data = FILES["tiles"]
    assert read_header(data, Limits(pixels=960, tiles=3, tile_pixels=384))
    for limits in (Limits(pixels=959), Limits(tiles=2), Limits(tile_pixels=383)):
        with pytest.raises(LimitError):
            read_header(data, limits)


def test_one_tile_as_large_as_a_large_image_is_refused() -> None:
    with pytest.raises(LimitError, match="a tile of 1025 x 1024 pixels"):
        read_header(write_file(make_header((1024, 1025)), [b"x"]))


def read_or_refuse(data: bytes) -> bool:
    """Whether ``data`` was read; any error but ours fails the test."""
    try:
        read_file(data)
    except ArdmError:
        return False
    return True


def test_ten_thousand_random_files_raise_only_our_errors() -> None:
    noise = random.Random(1)
    for _ in range(10_000):
        flags = noise.choice([0, 2]) | noise.getrandbits(3) << 2
        body = bytes(noise.choice([noise.getrandbits(8), noise.getrandbits(3)]) for _ in range(noise.randrange(60)))
        assert not read_or_refuse(MAGIC + bytes([VERSION, flags]) + body)


@given(st.binary(max_size=80))
def test_any_bytes_raise_only_our_errors(body: bytes) -> None:
    assert not read_or_refuse(MAGIC + body)
    assert not read_or_refuse(MAGIC + bytes([VERSION]) + body)


def test_random_headers_with_a_right_checksum_raise_only_our_errors() -> None:
    """Malice repairs checksums: what lies behind them must stand on its own."""
    noise, model_id, described = random.Random(2), find_model("photo").model_id, 0
    for _ in range(800):
        flags = noise.choice([0, 2]) | noise.choice([0, 4, 4, noise.getrandbits(3) << 2])
        sides = b"".join(write_varint(1 + noise.getrandbits(noise.randrange(9))) for _ in range(2))
        body = bytes(noise.choice([noise.getrandbits(8), noise.getrandbits(3)]) for _ in range(noise.randrange(60)))
        data = MAGIC + bytes([VERSION, flags]) + sides + model_id + body
        data += crc(data)
        read_or_refuse(data)
        try:
            assert parse(data).facts["bytes"] == len(data)
            described += 1
        except ArdmError:
            pass
    assert described > 20  # otherwise the checks behind the checksum were not reached
