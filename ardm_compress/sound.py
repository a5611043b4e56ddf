"""Sound files <-> integer samples and everything else in the file, byte for byte. Errors and NumPy; soundfile for FLAC.

A WAV or AIFF file is its samples between a head and a tail of other bytes (chunks), which are kept as they are. Of a
FLAC file the samples are kept, and its metadata blocks: tags, pictures, cue sheets.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from ardm_compress.container import Reader, write_varint
from ardm_compress.errors import FormatError, LimitError, UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples: TypeAlias = NDArray[np.int32]

MAGICS: Final = (b"RIFF", b"RIFX", b"RF64", b"FORM")
MAGIC_BYTES: Final = 12
MOST_CHANNELS: Final = 64
LARGEST: Final = 1 << 24  # magnitude of samples that are coded, without the low bits that are always 0
PCM: Final = 1  # WAVE format tag
EXTENSIBLE: Final = 0xFFFE
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)  # of a data chunk whose writer could not go back: it reaches to the end

BIG_ENDIAN: Final = 1
UNSIGNED: Final = 2
VERBATIM: Final = 4  # head and tail are given; else the file is the shortest WAV there is
FLAC: Final = 8
STREAMINFO: Final = 0
MADE_ANEW: Final = (STREAMINFO, 1, 3)  # metadata blocks of FLAC files that are not kept; PADDING and SEEKTABLE too
FLAC_CHANNELS: Final = 8
FLAC_RATE: Final = 655350
FLAC_WIDTH: Final = 3  # most bytes of its samples
MAX_SURROUNDINGS: Final = 1 << 27  # bytes of head and tail
READ: Final = 1 << 16  # frames at a time


@dataclass(frozen=True)
class Sound:
    """Samples, and how to make the file from them again."""

    samples: Samples  # (frames, channels), without ``shift`` low bits
    rate: int  # frames per second
    width: int  # bytes of a sample in the file
    shift: int  # low bits that are 0 in all samples
    kind: int  # flags, see above
    head: bytes = b""
    tail: bytes = b""

    @property
    def suffix(self) -> str:
        """Of files of this kind."""
        return ".flac" if self.kind & FLAC else suffix_of(self.head)


class _Layout(NamedTuple):
    """Where a file's samples are and what they are like."""

    rate: int
    channels: int
    width: int
    kind: int
    start: int
    size: int


def is_sound(data: bytes) -> bool:
    """Whether a file's first MAGIC_BYTES bytes are those of a sound file."""
    return data[:4] == b"fLaC" or (data[:4] in MAGICS and data[8:12] in (b"WAVE", b"AIFF", b"AIFC"))


def read_sound(data: bytes) -> Sound:
    """Take a file apart.

    Raises:
        UnsupportedError: its samples cannot be coded, or it would not come back exactly; store it as it is.
    """
    try:
        sound = _read_flac(data) if data[:4] == b"fLaC" else _read_chunks(data)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise UnsupportedError(f"not a sound file that can be taken apart: {error}") from error
    if sound.samples.shape[1] > MOST_CHANNELS:
        raise UnsupportedError(f"more than {MOST_CHANNELS} channels")
    if len(sound.head) + len(sound.tail) > MAX_SURROUNDINGS - 8:
        raise UnsupportedError(f"more than {MAX_SURROUNDINGS} bytes that are not samples")
    if not sound.kind & FLAC and write_sound(sound) != data:
        raise UnsupportedError("a sound file that would not come back byte for byte")
    return sound


def write_sound(sound: Sound) -> bytes:
    """The file again: inverse of ``read_sound``; of FLAC files, another with the same samples and metadata."""
    samples = sound.samples << sound.shift if sound.shift else sound.samples
    if sound.kind & FLAC:
        return _write_flac(samples, sound)
    body = _pack(samples, sound.width, sound.kind)
    if sound.kind & VERBATIM:
        return sound.head + body + sound.tail
    head = _shortest_head(sound.rate, samples.shape, sound.width)
    if not head:
        raise UnsupportedError("this is too much for a WAV file")
    return head + body + bytes(len(body) % 2)


def suffix_of(data: bytes) -> str:
    """The usual suffix of a sound file."""
    return ".flac" if data[:4] == b"fLaC" else ".aiff" if data[:4] == b"FORM" else ".wav"


def same_sound(data: bytes, original: bytes) -> bool:
    """Whether two files are the same byte for byte, or are FLAC files of the same samples and metadata."""
    if data == original:
        return True
    if data[:4] != b"fLaC" or original[:4] != b"fLaC":
        return False
    one, other = read_sound(data), read_sound(original)
    return np.array_equal(one.samples, other.samples) and write_wrapper(one) == write_wrapper(other)


def converted(sound: Sound, suffix: str) -> Sound:
    """The same samples in a file of another kind, or without what surrounds them; tags and chunks are left out.

    Raises:
        UnsupportedError: no such kind.
    """
    if suffix not in (".wav", ".flac"):
        raise UnsupportedError(f"cannot write {suffix or 'a file without a suffix'}: choose .wav or .flac")
    if suffix == ".flac" and sound.width > FLAC_WIDTH:
        raise UnsupportedError("FLAC files cannot hold samples of 32 bits here; choose .wav")
    channels = sound.samples.shape[1]
    if suffix == ".flac" and not (len(sound.samples) and channels <= FLAC_CHANNELS and 0 < sound.rate <= FLAC_RATE):
        raise UnsupportedError(
            f"FLAC files have samples, up to {FLAC_CHANNELS} channels and {FLAC_RATE} Hz; choose .wav"
        )
    kind = FLAC if suffix == ".flac" else UNSIGNED if sound.width == 1 else 0
    return replace(sound, kind=kind, head=b"", tail=b"")


def write_wrapper(sound: Sound) -> bytes:
    """Everything but the samples and their number, as the compressed file keeps it."""
    wrapper = bytes([sound.kind, sound.width, sound.shift]) + write_varint(sound.rate)
    if sound.kind & (VERBATIM | FLAC):
        wrapper += zlib.compress(write_varint(len(sound.head)) + sound.head + sound.tail, 9)
    return wrapper


def read_wrapper(wrapper: bytes, samples: Samples) -> Sound:
    """Put samples (frames, channels) back into their wrapper.

    Raises:
        FormatError: no such wrapper.
    """
    reader = Reader(memoryview(wrapper))
    kind, width, shift = reader.take(3)
    rate = reader.varint(0, (1 << 32) - 1, "the sample rate")
    if kind > FLAC or not 1 <= width <= (FLAC_WIDTH if kind == FLAC else 4) or shift >= 8 * width:
        raise FormatError("the wrapper is not one that version 1 defines", section="header")
    if not kind & (VERBATIM | FLAC):
        return Sound(samples, rate, width, shift, kind)
    rest = Reader(memoryview(_unpacked(wrapper[reader.offset :])))
    head = rest.take(rest.varint(0, 1 << 32, "the length of the head"))
    return Sound(samples, rate, width, shift, kind, head, bytes(rest.data[rest.offset :]))


def _unpacked(packed: bytes) -> bytes:
    """What surrounds the samples, at most MAX_SURROUNDINGS bytes of it."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, MAX_SURROUNDINGS + 1)
    except zlib.error as error:
        raise FormatError(f"the wrapper is damaged: {error}", section="header") from error
    if len(data) > MAX_SURROUNDINGS:
        raise LimitError(f"what surrounds the samples has more than {MAX_SURROUNDINGS} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError("the wrapper is cut short, or followed by something", section="header")
    return data


def wrapper_rate(wrapper: bytes) -> int:
    """Frames per second, without unpacking what surrounds the samples."""
    reader = Reader(memoryview(wrapper))
    reader.take(3)
    return reader.varint(0, (1 << 32) - 1, "the sample rate")


def _read_chunks(data: bytes) -> Sound:
    layout = _aiff_layout(data) if data[:4] == b"FORM" else _wave_layout(data)
    block = layout.channels * layout.width
    count = layout.size // block
    body = data[layout.start : layout.start + count * block]
    samples = _unpack(body, layout.width, layout.kind).reshape(count, layout.channels)
    samples, shift = _without_low_bits(samples)
    head, tail = data[: layout.start], data[layout.start + len(body) :]
    plain = head == _shortest_head(layout.rate, samples.shape, layout.width) and tail == bytes(len(body) % 2)
    if plain and layout.kind in (0, UNSIGNED):
        return Sound(samples, layout.rate, layout.width, shift, layout.kind)
    return Sound(samples, layout.rate, layout.width, shift, layout.kind | VERBATIM, head, tail)


def _without_low_bits(samples: Samples) -> tuple[Samples, int]:
    used = int(np.bitwise_or.reduce(samples, axis=None)) if samples.size else 0
    shift = (used & -used).bit_length() - 1 if used else 0
    samples = samples >> shift if shift else samples
    if samples.size and max(int(samples.max()), -int(samples.min())) > LARGEST:
        raise UnsupportedError("samples of more than 24 bits")
    return samples, shift


def _wave_layout(data: bytes) -> _Layout:
    order = ">" if data[:4] == b"RIFX" else "<"
    offset, large, form = 12, 0, None
    while offset + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, offset)
        offset += 8
        if name == b"ds64":
            (large,) = struct.unpack_from("<Q", data, offset + 8)
        elif name == b"fmt ":
            form = struct.unpack_from(f"{order}HHIIHH", data, offset)
            if form[0] == EXTENSIBLE:
                form = (*struct.unpack_from(f"{order}H", data, offset + 24), *form[1:])
        elif name == b"data" and form:
            left = len(data) - offset
            if size in UNKNOWN_SIZES:
                size = large or (0 if size == 0 and _chunks_follow(data, offset, order) else left)
            return _wave_form(form, order, offset, min(size, left))
        offset += size + size % 2
    raise UnsupportedError("a WAVE file without a format or without samples")


def _chunks_follow(data: bytes, offset: int, order: str) -> bool:
    """Whether nothing but whole chunks is left."""
    while offset + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, offset)
        if not name.isascii() or not name.decode("ascii").isprintable():
            return False
        offset += 8 + size + size % 2
    return offset == len(data)


def _wave_form(form: tuple[int, ...], order: str, start: int, size: int) -> _Layout:
    tag, channels, rate, _, block, bits = form
    if tag != PCM:
        raise UnsupportedError(f"WAVE samples of format {tag}")
    width = block // channels if channels else 0
    if not channels or block != width * channels or not 1 <= width <= 4 or not 0 < bits <= 8 * width:
        raise UnsupportedError(f"WAVE samples of {bits} bits, {channels} channels in {block} bytes")
    kind = (BIG_ENDIAN if order == ">" else 0) | (UNSIGNED if width == 1 else 0)
    return _Layout(rate, channels, width, kind, start, size)


def _aiff_layout(data: bytes) -> _Layout:
    if data[8:12] not in (b"AIFF", b"AIFC"):
        raise UnsupportedError("an IFF file that is not AIFF")
    offset, common, kind = 12, None, BIG_ENDIAN
    while offset + 8 <= len(data):
        name, size = struct.unpack_from(">4sI", data, offset)
        offset += 8
        if name == b"COMM":
            common = struct.unpack_from(">hIhHQ", data, offset)
            coding = data[offset + 18 : offset + 22] if data[8:12] == b"AIFC" else b"NONE"
            if coding not in (b"NONE", b"twos", b"sowt"):
                raise UnsupportedError(f"AIFF samples coded as {coding!r}")
            kind = 0 if coding == b"sowt" else BIG_ENDIAN
        elif name == b"SSND" and common:
            channels, _, bits, exponent, mantissa = common
            (skip,) = struct.unpack_from(">I", data, offset)
            start = offset + 8 + skip
            width = -(-bits // 8)
            if channels < 1 or not 1 <= width <= 4:
                raise UnsupportedError(f"AIFF samples of {bits} bits, {channels} channels")
            rate = round(min(mantissa * 2.0 ** (exponent - 16383 - 63), 2**32 - 1))
            return _Layout(rate, channels, width, kind, start, max(0, min(size - 8 - skip, len(data) - start)))
        offset += size + size % 2
    raise UnsupportedError("an AIFF file without a format or without samples")


def _unpack(body: bytes, width: int, kind: int) -> Samples:
    """Samples (n,) of packed integers."""
    order = ">" if kind & BIG_ENDIAN else "<"
    if width == 1 and kind & UNSIGNED:
        return np.frombuffer(body, np.uint8).astype(np.int32) - 128
    if width != 3:
        return np.frombuffer(body, f"{order}i{width}").astype(np.int32)
    parts = np.frombuffer(body, np.uint8).reshape(-1, 3)[:, :: -1 if order == ">" else 1]
    four = np.zeros((len(parts), 4), np.uint8)
    four[:, 1:] = parts
    value: Samples = four.view("<i4")[:, 0] >> 8
    return value.astype(np.int32, copy=False)


def _pack(samples: Samples, width: int, kind: int) -> bytes:
    """Inverse of ``_unpack``."""
    order = ">" if kind & BIG_ENDIAN else "<"
    if width == 1:
        return (samples + 128 if kind & UNSIGNED else samples).astype(np.uint8).tobytes()
    if width != 3:
        return samples.astype(f"{order}i{width}").tobytes()
    four = samples.astype(f"{order}i4").ravel().view(np.uint8).reshape(-1, 4)
    return (four[:, 1:] if order == ">" else four[:, :3]).tobytes()


def _shortest_head(rate: int, shape: tuple[int, ...], width: int) -> bytes:
    """The first 44 bytes of a WAVE file that holds nothing but its samples."""
    frames, channels = shape
    block, size = channels * width, frames * channels * width
    size += size % 2
    if size + 36 > 0xFFFFFFFF or block * rate > 0xFFFFFFFF or block > 0xFFFF:
        return b""
    form = struct.pack("<HHIIHH", PCM, channels, rate, block * rate, block, 8 * width)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16)
        + form
        + struct.pack("<4sI", b"data", frames * block)
    )


def _blocks(data: bytes) -> tuple[list[bytes], int]:
    """Metadata blocks of a FLAC file, whole, and where its frames start."""
    blocks, offset, last = [], 4, False
    while not last:
        kind, size = data[offset], int.from_bytes(data[offset + 1 : offset + 4], "big")
        last = bool(kind & 0x80)
        blocks.append(bytes([kind & 0x7F]) + data[offset + 1 : offset + 4 + size])
        offset += 4 + size
    return blocks, offset


def _read_flac(data: bytes) -> Sound:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, subtype, parts = file.samplerate, file.subtype, [np.zeros((0, file.channels), np.int32)]
            while len(part := file.read(READ, dtype="int32", always_2d=True)):  # the header may not say how many
                parts.append(part)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UnsupportedError(f"a FLAC file that libsndfile does not read: {error}") from error
    widths = {"PCM_S8": 1, "PCM_16": 2, "PCM_24": 3}
    if subtype not in widths:
        raise UnsupportedError(f"FLAC samples of {subtype}")
    width = widths[subtype]
    whole = np.concatenate(parts) >> 32 - 8 * width
    blocks, _ = _blocks(data)
    if blocks[0][0] != STREAMINFO or hashlib.md5(_pack(whole, width, 0)).digest() != blocks[0][22:38]:
        raise UnsupportedError("a FLAC file whose samples do not have the checksum in its header")
    samples, shift = _without_low_bits(whole)
    kept = b"".join(block for block in blocks if block[0] not in MADE_ANEW)
    return Sound(samples, rate, width, shift, FLAC, kept)


def _write_flac(samples: Samples, sound: Sound) -> bytes:
    import soundfile

    out = io.BytesIO()
    packed = (samples << 32 - 8 * sound.width).astype(np.int32)
    subtype = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24"}[sound.width]
    try:
        soundfile.write(out, packed, sound.rate, subtype=subtype, format="FLAC")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UnsupportedError(f"libsndfile does not write this as FLAC: {error}") from error
    data = out.getvalue()
    made, start = _blocks(data)
    blocks, offset = [made[0]], 0
    while offset < len(sound.head):
        end = offset + 4 + int.from_bytes(sound.head[offset + 1 : offset + 4], "big")
        blocks.append(sound.head[offset:end])
        offset = end
    blocks[-1] = bytes([blocks[-1][0] | 0x80]) + blocks[-1][1:]
    return b"fLaC" + b"".join(blocks) + data[start:]
