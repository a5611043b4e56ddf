"""Open files of sound."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from ardm_compress.container.sound import MAX_FRAMES
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import Stream
from ardm_compress.formats.contents import UNSIGNED, Samples, SoundWrapper
from ardm_compress.reading import OWN_AXIS, SampledFile, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.container.sound import ParsedSound
    from ardm_compress.files import Data

SUBTYPES: Final = {2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}  # of more than one byte a sample
DTYPES: Final = {"PCM_U8": np.uint8, "PCM_S8": np.int8, "PCM_24": np.int32, "PCM_32": np.int32, "FLOAT": np.float32,
                 "DOUBLE": np.float64}  # all others: int16  # fmt: skip
WIDE: Final = 32  # bits
MARK: Final = OWN_AXIS + bytes(4)  # the empty chunk, whole


class SoundFile(SampledFile):
    """Sound; ``read`` gives its samples. A *frame* is one sample of every channel."""

    kind: ClassVar[Literal["sound"]] = "sound"
    AXES: ClassVar[int] = 1
    rate: int  # frames per second
    frames: int
    channels: int
    subtype: str  # what samples are in the file that was compressed, as libsndfile calls it: "PCM_16" ...
    _flat: bool  # one channel, without an axis

    @property
    def format(self) -> str:
        """Of the file that was compressed: "WAV", "AIFF" or "FLAC"."""
        return self.suffix[1:].upper()

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Of all samples: (frames,) or (frames, channels)."""
        return (self.frames,) if self._flat else (self.frames, self.channels)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """Of the samples; its whole range is full scale, so those of 24 bits have 8 low bits that are 0."""
        return np.dtype(DTYPES.get(self.subtype, np.int16))

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Decode the frames ``start`` to ``stop``, and only the tiles of some seconds that hold them.

        Args:
            start: first frame; negative ones count from the end.
            stop: behind the last frame; by default the end.

        Returns:
            (frames,) or (frames, channels), of ``dtype``.

        Raises:
            FormatError, ChecksumError: damaged; UnsupportedError: it needs another model.
        """
        first, end, _ = slice(start, stop).indices(self.frames)
        samples = self._read(first, max(first, end))
        return samples[:, 0] if self._flat else samples

    def _cut(self, spans: list[range]) -> NDArray[Any]:
        (frames,) = spans
        return self.read(frames.start, frames.stop)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        """Decode samples (frames, channels)."""
        raise NotImplementedError

    def _of_dtype(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Of signed samples."""
        return (samples + 128 if self.dtype == np.uint8 else samples).astype(self.dtype)

    def __repr__(self) -> str:
        return f"<SoundFile {self.shape} {self.dtype} at {self.rate} Hz of {self.suffix}>"


class CodedSound(SoundFile):
    """Sound that a model has coded."""

    def __init__(self, source: Source, file: ParsedSound) -> None:
        """Keep the parsed file; raise FormatError if it is cut short."""
        super().__init__(source)
        file.payloads.check_whole()
        self._file, self._wrapper, wrapper = file, file.wrapper, file.wrapper
        self.suffix = wrapper.file_kind.suffix
        self.rate, self.frames, self.channels = wrapper.rate, file.header.frames, file.header.channels
        self.subtype = _subtype(wrapper)
        self._flat = self.channels == 1 and not wrapper.tail.endswith(MARK)

    def original(self) -> bytes:
        """See ``File.original``."""
        from ardm_compress.codec.sounds import decode_sound

        return decode_sound(self._file, progress=self._source.progress)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        shift = self._wrapper.shift + (WIDE - 8 * self._wrapper.width if self.dtype == np.int32 else 0)
        return self._of_dtype(self._samples[start:stop] << shift)

    @cached_property
    def _samples(self) -> Samples:
        """Decoded when they are asked for; the last tile is kept for who reads one block after another."""
        from ardm_compress.codec.sounds import DecodedSamples

        return DecodedSamples(self._file, range(self.frames), self._source.progress)


class StoredSound(SoundFile):
    """Sound that no model can code, stored as it was; all of it is unpacked."""

    def __init__(self, source: Source, suffix: str, unpacked: Data) -> None:
        """Args: ``unpacked``: the file that was stored.

        Raises:
            UnsupportedError: libsndfile does not read it.
        """
        import soundfile

        super().__init__(source)
        self.suffix, self._unpacked, self._lock = suffix, unpacked, threading.Lock()
        try:
            self._file = soundfile.SoundFile(Stream(unpacked))
        except soundfile.LibsndfileError as error:
            raise UnsupportedError(f"a stored sound file that libsndfile does not read: {error}") from error
        self.rate, self.frames, self.channels = self._file.samplerate, self._file.frames, self._file.channels
        self.subtype = self._file.subtype
        if self.frames > MAX_FRAMES:
            raise UnsupportedError("a stored sound file that does not say how long it is")
        self._flat = self.channels == 1 and unpacked[len(unpacked) - len(MARK) :] != MARK

    def original(self) -> bytes:
        """See ``File.original``."""
        return self._unpacked[:]

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        narrow = self.dtype.itemsize == 1  # libsndfile reads those as 16 bits
        dtype = "int16" if narrow else self.dtype.name
        with self._lock:
            self._file.seek(start)
            samples: NDArray[Any] = self._file.read(stop - start, dtype=dtype, always_2d=True)
        return self._of_dtype(samples >> 8) if narrow else samples


def _subtype(wrapper: SoundWrapper) -> str:
    return SUBTYPES.get(wrapper.width, "PCM_U8" if wrapper.kind & UNSIGNED else "PCM_S8")
