"""Texts in compressed files: byte for byte, whatever they hold; else packed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from commands import run
from golden import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

import ardm_compress
from ardm_compress.codec.images import encode_image, encode_images
from ardm_compress.codec.jpegs import original_parts
from ardm_compress.codec.texts import decode_text, encode_text
from ardm_compress.container import crc, parse
from ardm_compress.container.stored import ParsedStored, stored
from ardm_compress.container.text import TILE_BYTES, ParsedText, parse_text, write_text
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.formats import is_text
from ardm_compress.inference import find_model
from ardm_compress.options import DEFAULT_LIMITS, Limits

LETTER = TEXTS["letter"]


def encode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    return encode_image(data, any_kind=True, limits=limits)


def restored(coded: bytes) -> bytes:
    file = parse(coded)
    assert isinstance(file, ParsedText | ParsedStored)
    return b"".join(original_parts(file))


@pytest.mark.parametrize("name", TEXTS)
def test_texts_come_back_and_are_never_much_larger(name: str) -> None:
    coded = encode(TEXTS[name])
    assert restored(coded) == TEXTS[name]
    assert len(coded) <= len(stored(TEXTS[name]))


def test_a_letter_takes_less_than_half_of_what_lzma_makes_of_it() -> None:
    assert len(encode(LETTER)) < len(stored(LETTER)) / 2


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_any_characters_come_back(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert decode_text(parse_text(encode_text(data))) == data


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_come_back(data: bytes) -> None:
    assert decode_text(parse_text(encode_text(data))) == data


def test_several_files_at_once_are_coded_as_one_by_one() -> None:
    files = [LETTER, TEXTS["table"]]
    assert list(encode_images(files, any_kind=True)) == [encode(data) for data in files]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\xfd" * 99, b"text\0" * 99, "caf\xe9".encode("latin-1") * 50])
def test_what_is_not_utf_8_is_no_text(data: bytes) -> None:
    assert not is_text(data)
    assert isinstance(parse(encode(data)), ParsedStored)


def test_text_is_no_image(tmp_path: Path) -> None:
    """A page that says that an image was not found, under the image's name, must not pass for the image."""
    with pytest.raises(UnsupportedError):
        encode_image(LETTER)
    place = tmp_path / "photo.png"
    place.write_bytes(b"404 Not Found\n")
    assert "not known" in run("encode", str(place)).stderr


def test_a_text_over_the_limits_is_packed() -> None:
    assert isinstance(parse(encode(LETTER, limits=Limits(memory=1 << 20))), ParsedStored)
    with pytest.raises(LimitError):
        parse(encode(LETTER), Limits(memory=1 << 20))


@pytest.mark.parametrize("place", range(0, 112, 4))
def test_damage_is_noticed(place: int) -> None:
    coded = bytearray(encode_text(LETTER))
    coded[place % len(coded)] ^= 1 << place % 8
    with pytest.raises(ArdmError):
        decode_text(parse_text(bytes(coded)))


@pytest.mark.parametrize("place", range(6, 108, 5))
def test_damage_with_a_right_checksum_gives_no_other_text(place: int) -> None:
    coded = bytearray(encode_text(LETTER)[:-4])
    coded[place % len(coded)] ^= 1 << place % 8
    with pytest.raises((ChecksumError, FormatError, UnsupportedError)):
        decode_text(parse_text(bytes(coded) + crc(bytes(coded))))


def test_every_length_is_refused() -> None:
    coded = encode_text(LETTER)
    for length in range(len(coded)):
        with pytest.raises((FormatError, ChecksumError)):
            parse(coded[:length])


def test_a_header_of_several_tiles_says_where_their_streams_are() -> None:
    data, model = bytes(2 * TILE_BYTES + 5), find_model("text")
    file = parse_text(write_text(data, model.model_id, [b"1" * 504, b"2" * 600, b"three"]))
    assert (file.streams, file.tiles) == ([b"1" * 504, b"2" * 600, b"three"], [TILE_BYTES, TILE_BYTES, 5])
    with pytest.raises(FormatError):
        parse_text(write_text(data, model.model_id, [b"\xff" * 9]))


def test_a_text_that_is_too_long_for_its_stream_is_refused_before_it_is_decoded() -> None:
    """A hundred bytes that promise 64 MB would take minutes."""
    with pytest.raises(FormatError, match="longer than its stream"):
        parse_text(write_text(bytes(1 << 20), find_model("text").model_id, [b"short"]))


def test_as_few_bits_as_there_can_be_are_enough() -> None:
    data = b"\n" * 100_000
    coded = encode_text(data)
    assert decode_text(parse_text(coded)) == data


def test_info_says_what_the_file_is() -> None:
    facts = parse(encode(LETTER)).facts
    told = {name: facts[name] for name in ("kind", "tiles", "model", "original_bytes", "comes_back")}
    assert told == {
        "kind": "text", "tiles": 1, "model": "text", "original_bytes": len(LETTER),
        "comes_back": "the file, byte for byte",
    }  # fmt: skip


def test_reading_gives_the_text() -> None:
    with ardm_compress.open(io.BytesIO(encode(LETTER))) as file:
        assert file.original() == LETTER


def test_commands_take_texts(tmp_path: Path) -> None:
    place = tmp_path / "letter.txt"
    place.write_bytes(LETTER)
    assert "bits per byte" in run("encode", str(place)).output
    place.rename(tmp_path / "before.txt")
    run("decode", str(tmp_path / "letter.txt.ardm"))
    assert place.read_bytes() == LETTER
    assert "byte for byte" in run("info", str(tmp_path / "letter.txt.ardm")).output
