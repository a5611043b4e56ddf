"""Sound files <-> integer samples and everything else in the file, byte for byte.

A WAV or AIFF file is its samples between a head and a tail of other bytes (chunks), which are kept as they are. Of a
FLAC file the samples are kept, and its metadata blocks: tags, pictures, cue sheets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ardm_compress.container.surroundings import MAX_SURROUNDINGS
from ardm_compress.errors import UnsupportedError
from ardm_compress.files.data import Data, OnDisk, blocks, spool
from ardm_compress.formats.pcm import FLAC, UNSIGNED, VERBATIM, Packed, Samples, pack, spans
from ardm_compress.formats.sound_chunks import find_samples, shortest_head
from ardm_compress.formats.sound_wrapper import FLAC_RATE, Wrapper

MAGICS: Final = (b"RIFF", b"RIFX", b"RF64", b"FORM")
MAGIC_BYTES: Final = 12
MOST_CHANNELS: Final = 64
LARGEST: Final = 1 << 24  # magnitude of samples that are coded, without the low bits that are always 0


@dataclass(frozen=True)
class Sound:
    """Samples, and how to make the file from them again."""

    samples: Samples  # (frames, channels), without ``wrapper.shift`` low bits
    wrapper: Wrapper


def is_sound(data: Data) -> bool:
    """Whether a file's first MAGIC_BYTES bytes are those of a sound file."""
    return data[:4] == b"fLaC" or (data[:4] in MAGICS and data[8:12] in (b"WAVE", b"AIFF", b"AIFC"))


def read_sound(data: Data) -> Sound:
    """Take a file apart; its samples are read when they are asked for, but have been read once, to know their range.

    Raises:
        UnsupportedError: its samples cannot be coded, or it would not come back exactly; store it as it is.
    """
    try:
        sound = _read_flac(data) if data[:4] == b"fLaC" else _read_chunks(data)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise UnsupportedError(f"not a sound file that can be taken apart: {error}") from error
    if sound.samples.shape[1] > MOST_CHANNELS:
        raise UnsupportedError(f"more than {MOST_CHANNELS} channels")
    if len(sound.wrapper.head) + len(sound.wrapper.tail) > MAX_SURROUNDINGS - 8:
        raise UnsupportedError(f"more than {MAX_SURROUNDINGS} bytes that are not samples")
    if not sound.wrapper.kind & FLAC and not _same_bytes(sound_parts(sound), data):
        raise UnsupportedError("a sound file that would not come back byte for byte")
    return sound


def sound_parts(sound: Sound) -> Iterator[bytes]:
    """The file again, some at a time: of FLAC files, another with the same samples and metadata.

    Raises:
        UnsupportedError: there is no such file.
    """
    samples, wrapper = sound.samples, sound.wrapper
    if wrapper.kind & FLAC:
        from ardm_compress.formats.flac import flac_parts

        yield from flac_parts(samples, wrapper.shift, wrapper.rate, wrapper.width, wrapper.head)
        return
    verbatim = wrapper.kind & VERBATIM
    head = wrapper.head if verbatim else shortest_head(wrapper.rate, samples.shape, wrapper.width)
    if not head and not verbatim:
        raise UnsupportedError("this is too much for a WAV file")
    yield head
    for span in spans(samples.shape[0]):
        yield pack(samples[span] << wrapper.shift, wrapper.width, wrapper.kind)
    size = samples.shape[0] * samples.shape[1] * wrapper.width
    yield wrapper.tail if verbatim else bytes(size % 2)


def write_sound(sound: Sound) -> bytes:
    """The file again, in memory."""
    return b"".join(sound_parts(sound))


def same_file(parts: Iterable[bytes], original: Data) -> bool:
    """Whether a file's parts are the same byte for byte, or are a FLAC file of the same samples and metadata."""
    if original[:4] != b"fLaC":
        return _same_bytes(parts, original)
    with spool(parts) as file:
        again = OnDisk(file)
        if _same_bytes(blocks(again), original):
            return True
        try:
            return _same_sound(read_sound(again), read_sound(original))
        except UnsupportedError:
            return False


def converted(sound: Sound, suffix: str) -> Sound:
    """The same samples in a file of another kind, or without what surrounds them; tags and chunks are left out.

    Raises:
        UnsupportedError: no such kind.
    """
    if suffix not in (".wav", ".flac"):
        raise UnsupportedError(f"cannot write {suffix or 'a file without a suffix'}: choose .wav or .flac")
    if suffix == ".flac":
        _check_flac(sound)
    kind = FLAC if suffix == ".flac" else UNSIGNED if sound.wrapper.width == 1 else 0
    return replace(sound, wrapper=replace(sound.wrapper, kind=kind, head=b"", tail=b""))


def _check_flac(sound: Sound) -> None:
    from ardm_compress.formats.flac import CHANNELS, WIDTHS

    if sound.wrapper.width > max(WIDTHS.values()):
        raise UnsupportedError("FLAC files cannot hold samples of 32 bits here; choose .wav")
    frames, channels = sound.samples.shape
    if not (frames and channels <= CHANNELS and 0 < sound.wrapper.rate <= FLAC_RATE):
        raise UnsupportedError(f"FLAC files have samples, up to {CHANNELS} channels and {FLAC_RATE} Hz; choose .wav")


def _same_bytes(parts: Iterable[bytes], original: Data) -> bool:
    at = 0
    for part in parts:
        if original[at : at + len(part)] != part:
            return False
        at += len(part)
    return at == len(original)


def _same_sound(one: Sound, other: Sound) -> bool:
    if one.wrapper != other.wrapper or one.samples.shape != other.samples.shape:
        return False
    return all(np.array_equal(one.samples[span], other.samples[span]) for span in spans(one.samples.shape[0]))


def _read_chunks(data: Data) -> Sound:
    layout = find_samples(data)
    block = layout.channels * layout.width
    shape = layout.size // block, layout.channels
    end = layout.start + shape[0] * block
    shift = _low_bits(Packed(data, layout.start, shape, layout.width, layout.kind))
    samples = Packed(data, layout.start, shape, layout.width, layout.kind, shift)
    if layout.start + len(data) - end > MAX_SURROUNDINGS:
        raise UnsupportedError(f"more than {MAX_SURROUNDINGS} bytes that are not samples")
    head, tail = data[: layout.start], data[end:]
    plain = head == shortest_head(layout.rate, shape, layout.width) and tail == bytes(shape[0] * block % 2)
    if plain and layout.kind in (0, UNSIGNED):
        return Sound(samples, Wrapper(layout.kind, layout.width, shift, layout.rate))
    return Sound(samples, Wrapper(layout.kind | VERBATIM, layout.width, shift, layout.rate, head, tail))


def _read_flac(data: Data) -> Sound:
    from ardm_compress.formats.flac import FlacSamples, kept_metadata

    samples = FlacSamples(data)
    shift = _low_bits(samples.without(0))
    return Sound(samples.without(shift), Wrapper(FLAC, samples.width, shift, samples.rate, kept_metadata(data)))


def _low_bits(samples: Samples) -> int:
    """How many low bits are 0 in all samples."""
    used = low = high = 0
    for span in spans(samples.shape[0]):
        part = samples[span]
        used |= int(np.bitwise_or.reduce(part, axis=None))
        low, high = min(low, int(part.min())), max(high, int(part.max()))
    shift = (used & -used).bit_length() - 1 if used else 0
    if max(high, -low) >> shift > LARGEST:
        raise UnsupportedError("samples of more than 24 bits")
    return shift
