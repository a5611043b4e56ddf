"""FLAC files <-> samples and metadata blocks, by libsndfile."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soundfile

from ardm_compress.errors import UnsupportedError
from ardm_compress.files import Data, OnDisk, Stream, blocks, spool
from ardm_compress.formats.contents import FLAC, FLAC_RATE, Sound, SoundWrapper
from ardm_compress.formats.frames import frame_ends, frame_starts
from ardm_compress.formats.pcm import READ, low_bits, pack, spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.options import Limits

MAGIC: Final = b"fLaC"
STREAMINFO: Final = 0
SEEKTABLE: Final = 3
POINT: Final = struct.Struct(">QQH")  # of a SEEKTABLE: first sample of a frame, where it starts, and its samples
PLACEHOLDER: Final = (1 << 64) - 1  # as first sample
CHANNELS: Final = 8
WIDTHS: Final = {"PCM_S8": 1, "PCM_16": 2, "PCM_24": 3}  # bytes of a sample
MD5: Final = slice(22, 38)  # of STREAMINFO with its header
MOST_ENDS: Final = 4  # places that are tried at which the same frame may end
NO_MD5: Final = bytes(16)  # of files whose writer could not go back
FAILURES: Final = (soundfile.LibsndfileError, RuntimeError)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Reads without ever seeking, which fails in files that do not say how long they are."""

    def seekable(self) -> bool:
        return False


class FlacSamples:
    """Samples that are read when asked for, fastest from the beginning to the end."""

    def __init__(self, data: Data) -> None:
        """Open the file; raises UnsupportedError if libsndfile does not read it, or its checksum is wrong."""
        self._data, self._shift, self._at = data, 0, 0
        with self._opened() as file:
            if file.subtype not in WIDTHS:
                raise UnsupportedError(f"FLAC samples of {file.subtype}")
            self.rate, self.width = int(file.samplerate), WIDTHS[file.subtype]
            self.shape = self._measured(file)
        if not self.shape[0]:
            raise UnsupportedError("a FLAC file without samples, which libsndfile does not write")

    def without(self, shift: int) -> FlacSamples:
        """Return the same samples without some low bits."""
        self._shift = shift
        self._restart()
        return self

    def __getitem__(self, frames: slice, /) -> NDArray[np.int32]:
        start, stop, _ = frames.indices(self.shape[0])
        if start < self._at:
            self._restart()
        while self._at < start:
            passed = len(self._read(self._file, min(READ, start - self._at)))
            if not passed:
                raise UnsupportedError("a FLAC file that became shorter while it was read")
            self._at += passed
        self._at = max(start, stop)
        return self._read(self._file, max(0, stop - start)) >> self._shift

    def _restart(self) -> None:
        self._file, self._at = self._opened(), 0

    def _opened(self) -> Any:
        try:
            return _Forward(Stream(self._data))
        except FAILURES as error:
            raise _unread(error) from error

    def _read(self, file: Any, frames: int) -> NDArray[np.int32]:
        try:
            samples: NDArray[np.int32] = file.read(frames, dtype="int32", always_2d=True)
        except FAILURES as error:
            raise _unread(error) from error
        return samples >> 32 - 8 * self.width

    def _measured(self, file: Any) -> tuple[int, int]:
        """Frames and channels, which the header need not tell."""
        frames, digest = 0, hashlib.md5()
        while len(part := self._read(file, READ)):
            digest.update(pack(part, self.width, 0))
            frames += len(part)
        first = metadata_blocks(self._data)[0][0]
        if first[0] != STREAMINFO or first[MD5] not in (digest.digest(), NO_MD5):
            raise UnsupportedError("a FLAC file whose samples do not have the checksum in its header")
        return frames, int(file.channels)


def _unread(error: RuntimeError) -> UnsupportedError:
    """Without python-soundfile's prefix, which has the address of an object."""
    reason = getattr(error, "error_string", error)
    return UnsupportedError(f"a FLAC file that libsndfile does not read: {reason}")


def metadata_blocks(data: Data) -> tuple[list[bytes], int]:
    """Metadata blocks of a FLAC file, whole, and where its frames start; UnsupportedError if it ends before."""
    found, offset, last = [], 4, False
    while not last:
        if offset + 4 > len(data):
            raise UnsupportedError("a FLAC file that libsndfile does not read: it ends before its frames")
        kind, size = data[offset : offset + 1][0], int.from_bytes(data[offset + 1 : offset + 4], "big")
        last = bool(kind & 0x80)
        found.append(bytes([kind & 0x7F]) + data[offset + 1 : offset + 4 + size])
        offset += 4 + size
    return found, offset


def _kept_metadata(data: Data) -> bytes:
    """Join the metadata blocks but STREAMINFO, which is made anew; of a SEEKTABLE only the samples count."""
    blocks = metadata_blocks(data)[0]
    return b"".join(block for block in blocks if block[0] != STREAMINFO)


def without_points(head: bytes) -> bytes:
    """Leave out the points of SEEKTABLEs, which are others where frames are."""
    return b"".join(block[:4] if block[0] == SEEKTABLE else block for block in _blocks_of(head))


def _blocks_of(head: bytes) -> Iterator[bytes]:
    """Metadata blocks that are kept, each whole."""
    offset = 0
    while offset < len(head):
        end = offset + 4 + int.from_bytes(head[offset + 1 : offset + 4], "big")
        yield head[offset:end]
        offset = end


def _seek_table(block: bytes, info: bytes, frames: Data, start: int) -> bytes:
    """Let the points of a SEEKTABLE name the frames of a file that holds the samples that they name."""
    (size,) = struct.unpack_from(">H", info, 4)  # samples of all frames but the last
    total = int.from_bytes(info[4 + 13 : 4 + 18], "big") & (1 << 36) - 1
    points = list(POINT.iter_unpack(block[4 : 4 + (len(block) - 4) // POINT.size * POINT.size]))
    wanted = {first // size for first, _, _ in points if first < total}
    starts = {number: at - start for number, at in enumerate(frame_starts(frames, start)) if number in wanted}
    made = []
    for first, at, count in points:
        number = first // size
        if number in starts:
            first, at, count = number * size, starts[number], min(size, total - number * size)
        made.append(POINT.pack(first, at, count))
    return block[:4] + b"".join(made) + block[4 + len(points) * POINT.size :]


def read(data: Data, _limits: Limits) -> Sound:
    """Take a file apart.

    Raises:
        UnsupportedError: libsndfile does not read it, its checksum is wrong, or samples have more than 24 bits.
    """
    end = _end_of_frames(data)
    samples = FlacSamples(data if end == len(data) else data[:end])
    if samples.rate > FLAC_RATE:
        raise UnsupportedError(f"a FLAC file of {samples.rate} Hz")
    shift = low_bits(samples.without(0))
    wrapper = SoundWrapper(FLAC, samples.width, shift, samples.rate, _kept_metadata(data), data[end : len(data)])
    return Sound(samples.without(shift), wrapper)


def _end_of_frames(data: Data) -> int:
    """Where the last frame of a file ends: of all places where one may, that up to which most samples are read.

    Raises:
        UnsupportedError: none is found.
    """
    found = [ends for _, ends in frame_ends(data, metadata_blocks(data)[1])]
    if any(ends[-1:] == [len(data)] for ends in found):
        return len(data)
    read = dict[int, int]()  # frames by the end
    for end in (end for ends in found for end in ends[:MOST_ENDS]):
        with suppress(UnsupportedError):
            read[end] = FlacSamples(data[:end]).shape[0]
    if not read:
        raise UnsupportedError("a FLAC file of which it is not clear where it ends")
    return max(read, key=lambda end: (read[end], -end))


def parts(media: Sound) -> Iterator[bytes]:
    """Make another file with the same samples and metadata blocks, some of it at a time.

    Raises:
        UnsupportedError: libsndfile does not write it.
    """
    samples, shift, rate = media.samples, media.wrapper.shift, media.wrapper.rate
    width, kept = media.wrapper.width, media.wrapper.head
    subtype = {width: subtype for subtype, width in WIDTHS.items()}[width]
    with spool() as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", rate, samples.shape[1], subtype, format="FLAC") as file:
                for span in spans(samples.shape[0]):
                    file.write(samples[span] << 32 - 8 * width + shift)
        except FAILURES as error:
            raise UnsupportedError(f"libsndfile does not write this as FLAC: {error}") from error
        made = OnDisk(temporary)
        (info, *_), start = metadata_blocks(made)
        given = [info]
        given += [
            _seek_table(block, info, made, start) if block[0] == SEEKTABLE else block for block in _blocks_of(kept)
        ]
        given[-1] = bytes([given[-1][0] | 0x80]) + given[-1][1:]
        yield MAGIC + b"".join(given)
        yield from blocks(made, start)
        yield media.wrapper.tail
