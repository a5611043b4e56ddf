"""Sound files taken apart and put together again: every byte comes back, or the file is refused."""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sounds import INFO, LIST, riff_chunk, wave

from ardm_compress.container.wrappers import read_sound_wrapper, write_sound_wrapper
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.files import OnDisk
from ardm_compress.formats import SOUND, kind_of
from ardm_compress.formats.catalogue import converted, file_bytes, read_sound, same_file
from ardm_compress.formats.contents import FLAC, VERBATIM, Sound
from ardm_compress.formats.flac import MAGIC, POINT, SEEKTABLE, metadata_blocks
from ardm_compress.formats.frames import frame_starts
from ardm_compress.formats.pcm import READ


def aiff(body: bytes, *, width: int = 2, channels: int = 1, bits: int = 0, coding: bytes = b"", skip: int = 0) -> bytes:
    frames = len(body) // (width * channels)
    rate = struct.pack(">HQ", 16383 + 13, int(16000 * 2.0 ** (63 - 13)))
    common = struct.pack(">hIh", channels, frames, bits or 8 * width) + rate
    common += coding + b"\0\0" if coding else b""
    sound = struct.pack(">II", skip, 0) + bytes(skip) + body
    chunks = riff_chunk(b"COMM", common, ">") + riff_chunk(b"NAME", b"odd", ">") + riff_chunk(b"SSND", sound, ">")
    return b"FORM" + struct.pack(">I", len(chunks) + 4) + (b"AIFC" if coding else b"AIFF") + chunks


def back(data: bytes) -> bytes:
    """Taken apart, through its wrapper, and put together."""
    sound = read_sound(data)
    return file_bytes(Sound(sound.samples, read_sound_wrapper(write_sound_wrapper(sound.wrapper))))


@given(
    st.integers(1, 4), st.integers(1, 8), st.binary(max_size=96), st.sampled_from(["<", ">"]),
    st.booleans(), st.sampled_from([b"", b"\1\2", b"\xff" * 9]),
)  # fmt: skip
def test_wave_files_come_back_byte_for_byte(
    width: int, channels: int, body: bytes, order: str, before: bool, after: bytes
) -> None:
    if width == 4:
        body = b"".join(body[i : i + 3] + b"\0" for i in range(0, len(body) - 2, 3))  # 24 bits of 32
        body = body if order == ">" else b"".join(body[i : i + 4][::-1] for i in range(0, len(body), 4))
    surroundings = {"before": riff_chunk(b"LIST", INFO, order) if before else b"", "after": after}
    data = wave(body, width=width, channels=channels, order=order, **surroundings)
    assert back(data) == data
    sound = read_sound(data)
    if body:  # else the size is 0, and what follows may be samples
        assert sound.samples.shape == (len(body) // (width * channels), channels)
    assert sound.wrapper.rate == 16000


@given(st.integers(1, 3), st.integers(1, 3), st.binary(max_size=60), st.sampled_from([b"", b"sowt", b"NONE"]))
def test_aiff_files_come_back_byte_for_byte(width: int, channels: int, body: bytes, coding: bytes) -> None:
    data = aiff(body, width=width, channels=channels, coding=coding, skip=4)
    assert back(data) == data
    sound = read_sound(data)
    assert sound.wrapper.rate == 16000
    assert sound.wrapper.file_kind.suffix == ".aiff"
    assert sound.samples.shape == (len(body) // (width * channels), channels)


def test_samples_are_what_other_readers_give() -> None:
    rng = np.random.default_rng(1)
    for subtype, kind in [("PCM_U8", "WAV"), ("PCM_16", "WAV"), ("PCM_24", "WAV"), ("PCM_S8", "AIFF"),
                          ("PCM_16", "AIFF"), ("PCM_24", "AIFF"), ("PCM_16", "FLAC"), ("PCM_24", "FLAC"),
                          ("PCM_S8", "FLAC"), ("PCM_16", "RF64"), ("PCM_16", "WAVEX")]:  # fmt: skip
        packed = rng.integers(-(2**31), 2**31, (50, 2)).astype(np.int32)
        file = io.BytesIO()
        soundfile.write(file, packed, 44100, subtype=subtype, format=kind)
        data = file.getvalue()
        expected = soundfile.read(io.BytesIO(data), dtype="int32", always_2d=True)[0].astype(np.int64)
        sound = read_sound(data)
        np.testing.assert_array_equal(sound.samples[:] << sound.wrapper.shift + 32 - 8 * sound.wrapper.width, expected)
        assert same_file([back(data)], data)


def test_a_plain_wave_file_needs_no_bytes_for_its_head() -> None:
    assert len(write_sound_wrapper(read_sound(wave(bytes(range(1, 101)))).wrapper)) <= 6
    assert read_sound(wave(bytes(100), after=LIST)).wrapper.kind & VERBATIM


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_data_chunk_of_unknown_size_reaches_to_the_end(size: int) -> None:
    data = wave(bytes(range(1, 41)))
    data = data[:40] + struct.pack("<I", size) + data[44:]
    assert read_sound(data).samples.shape[0] == 20
    assert back(data) == data


def test_an_odd_byte_at_the_end_comes_back() -> None:
    data = wave(bytes(range(1, 41))) + b"x"
    assert back(data) == data
    data = wave(bytes(range(1, 41)))[:-3]  # cut short inside a sample
    assert back(data) == data
    assert read_sound(data).samples.shape[0] == 18


@pytest.mark.parametrize("data", [wave(bytes(range(40)), before=LIST), aiff(bytes(range(40)))])
def test_files_cut_short_come_back_or_are_refused(data: bytes) -> None:
    for length in range(len(data)):
        if length < len(data) - 40:
            with contextlib.suppress(UnsupportedError):
                assert back(data[:length]) == data[:length]
        else:  # samples are there
            assert back(data[:length]) == data[:length]


@given(st.binary(max_size=120))
@settings(max_examples=300)
def test_other_bytes_are_refused_or_come_back(body: bytes) -> None:
    for magic in (b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF", b"fLaC", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"):
        with contextlib.suppress(UnsupportedError):
            assert back(magic + body) == magic + body


def test_low_bits_that_are_always_zero_are_left_out() -> None:
    samples = np.array([[-32768], [4096], [256 * 17]], "<i2")
    sound = read_sound(wave(samples.tobytes()))
    assert sound.wrapper.shift == 8
    assert sound.samples[:].ravel().tolist() == [-128, 16, 17]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wave(bytes(8), tag=3, width=4), "format 3"),
        (wave(bytes(8), tag=7, width=1), "format 7"),
        (wave(np.array([1, 2**30], "<i4").tobytes(), width=4), "more than 24 bits"),
        (wave(bytes(15), width=5), "40 bits"),
        (aiff(bytes(8), coding=b"fl32"), "fl32"),
        (b"RIFF\0\0\0\0WAVE", "without a format"),
        (b"FORM\0\0\0\0ILBM", "no sound file"),
        (b"fLaC" + bytes(50), "libsndfile"),
        (wave(bytes(130), channels=65), "more than 64 channels"),
    ],
)
def test_what_cannot_be_coded_is_named(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        read_sound(data)


def flac(samples: NDArray[np.int16], *blocks: bytes) -> bytes:
    """A FLAC file with more metadata blocks behind its first."""
    file = io.BytesIO()
    soundfile.write(file, samples, 44100, subtype="PCM_16", format="FLAC")
    data = file.getvalue()
    first = 4 + 4 + int.from_bytes(data[5:8], "big")
    return data[:first] + b"".join(blocks) + data[first:]


IMAGE = struct.pack(">II9sIIIIII4s", 3, 9, b"image/png", 0, 1, 1, 24, 0, 4, b"pixl")
PICTURE = bytes([6]) + len(IMAGE).to_bytes(3, "big") + IMAGE
CUE = bytes([2]) + (9).to_bytes(3, "big") + b"riffCUE!!"


def test_flac_files_keep_their_metadata() -> None:
    samples = np.random.default_rng(3).integers(-3000, 3000, (500, 2)).astype(np.int16)
    data = flac(samples, PICTURE, CUE)
    sound = read_sound(data)
    assert sound.wrapper.kind == FLAC
    assert sound.wrapper.file_kind.suffix == ".flac"
    assert PICTURE in sound.wrapper.head
    again = back(data)
    assert same_file([again], data)
    assert PICTURE in again
    assert CUE in again
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(again), dtype="int16")[0], samples)
    assert not same_file([flac(samples, PICTURE)], data)


def test_a_flac_file_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(flac(np.arange(400, dtype=np.int16)))
    data[8 + 18] ^= 1  # of the MD5 in STREAMINFO
    with pytest.raises(UnsupportedError, match="checksum"):
        read_sound(bytes(data))


def test_flac_files_of_unknown_length_are_read() -> None:
    """soundfile seeks after every read, which fails in them: they were stored as they are."""
    samples = np.random.default_rng(4).integers(-3000, 3000, (2 * READ + 77, 1)).astype(np.int16)
    data = bytearray(flac(samples))
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # 36 bits
    sound = read_sound(bytes(data))
    np.testing.assert_array_equal(sound.samples[:], samples)
    assert same_file([file_bytes(sound)], bytes(data))


@pytest.mark.parametrize("packing", ["wav", "flac"])
def test_any_part_of_a_file_on_disk_can_be_read(packing: str) -> None:
    samples = np.random.default_rng(5).integers(-3000, 3000, (2 * READ + 77, 2)).astype(np.int16)
    data = flac(samples) if packing == "flac" else wave(samples.tobytes(), channels=2)
    sound = read_sound(OnDisk(io.BytesIO(data)))
    for start, stop in ((0, 10), (READ - 1, READ + 1), (5, 5), (2 * READ, 2 * READ + 500), (3, 2 * READ), (0, 1)):
        np.testing.assert_array_equal(sound.samples[start:stop], samples[start:stop])
    assert same_file([file_bytes(sound)], data)
    assert not same_file([file_bytes(sound)[:-1], b"?"], data)


def test_conversion_keeps_samples_and_drops_the_rest() -> None:
    data = wave(np.arange(-50, 50, dtype="<i2").tobytes(), channels=2, before=LIST)
    sound = read_sound(data)
    for suffix, magic in ((".wav", b"RIFF"), (".flac", b"fLaC")):
        made = file_bytes(converted(sound, suffix))
        assert made[:4] == magic
        assert LIST not in made
        np.testing.assert_array_equal(read_sound(made).samples[:], sound.samples[:])
    with pytest.raises(UnsupportedError, match="choose"):
        converted(sound, ".mp3")


def test_an_odd_number_of_bytes_is_padded() -> None:
    """It was written without any header: the shortest one had been for even numbers only."""
    data = wave(bytes(range(1, 10)), width=3)
    assert len(data) == 44 + 10
    assert not read_sound(data).wrapper.kind & VERBATIM
    assert back(data) == data
    part = file_bytes(converted(read_sound(wave(bytes(range(1, 10)), width=3, before=LIST)), ".wav"))
    assert part == data
    assert soundfile.info(io.BytesIO(part)).frames == 3


def test_other_riff_and_iff_files_are_not_sound() -> None:
    assert kind_of(b"RIFF\0\0\0\0WEBPVP8L").medium != SOUND
    assert kind_of(b"FORM\0\0\0\0ILBMBMHD").medium != SOUND
    for magic in (b"RIFF\0\0\0\0WAVE", b"RF64\0\0\0\0WAVE", b"FORM\0\0\0\0AIFC", b"fLaC\0\0\0\x22\0\0\0\0"):
        assert kind_of(magic).medium == SOUND


def test_what_flac_cannot_hold_is_named() -> None:
    for data in (wave(b""), wave(bytes(90), channels=9), wave(bytes(90), rate=2_000_000), wave(bytes(90), width=4)):
        with pytest.raises(UnsupportedError, match="FLAC"):
            converted(read_sound(data), ".flac")


def test_a_wrapper_that_unpacks_to_too_much_is_refused() -> None:
    bomb = bytes([VERBATIM, 2, 0, 1]) + zlib.compress(bytes(1 << 28), 9)
    with pytest.raises(LimitError):
        read_sound_wrapper(bomb)


def test_damaged_wrappers_are_refused() -> None:
    wrapper = write_sound_wrapper(read_sound(wave(bytes(40), before=LIST)).wrapper)
    for bad in (b"\x10" + wrapper[1:], wrapper[:1] + b"\0" + wrapper[2:], wrapper[:-4], wrapper[:2], wrapper + b"x"):
        with pytest.raises(FormatError):
            read_sound_wrapper(bad)


def test_a_flac_file_without_samples_is_stored() -> None:
    empty = flac(np.zeros(9, np.int16))
    info = bytearray(empty[: 4 + 4 + 34])
    info[4] |= 0x80
    info[21] &= 0xF0
    info[22:42] = bytes(4) + hashlib.md5(b"").digest()
    with pytest.raises(UnsupportedError):
        read_sound(bytes(info))


def test_rates_that_flac_files_do_not_have_are_refused() -> None:
    with pytest.raises(FormatError, match="rate"):
        read_sound_wrapper(bytes([FLAC, 2, 0]) + b"\xff\xff\xff\xff\x0f" + zlib.compress(b"\0"))


def test_seek_tables_and_padding_of_flac_files_come_back() -> None:
    """With points that name the frames of the new file, which has the same bytes where libFLAC makes the same ones."""
    samples = np.random.default_rng(2).integers(-300, 301, (30000, 2)).cumsum(0).astype(np.int16)
    out = io.BytesIO()
    soundfile.write(out, samples, 44100, format="FLAC")
    made = out.getvalue()
    (info, *_), start = metadata_blocks(made)
    starts = [at - start for at in frame_starts(made, start)]
    assert len(starts) == 8

    def with_points(*points: tuple[int, int, int]) -> bytes:
        body = b"".join(POINT.pack(*point) for point in (*points, (2**64 - 1, 0, 0)))
        table, padding = bytes([SEEKTABLE]) + len(body).to_bytes(3, "big") + body, b"\x81\0\0\x09" + bytes(9)
        return MAGIC + info + table + padding + made[start:]

    exact = with_points((0, 0, 4096), (12288, starts[3], 4096), (28672, starts[7], 1328))
    assert file_bytes(read_sound(exact)) == exact
    other = with_points((0, 1, 4608), (13000, 2, 4608), (29999, 3, 4608))  # as of another encoder's frames
    assert file_bytes(read_sound(other)) == exact
    assert same_file([exact], other)
    assert not same_file([made], other)
