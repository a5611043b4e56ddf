"""Sound as python-soundfile reads and writes it: ``read``, ``write`` and ``info`` of compressed files.

Names, conversions and defaults are those of https://python-soundfile.readthedocs.io; what differs is said below.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import numpy as np
import soundfile

from ardm_compress.errors import UnsupportedError
from ardm_compress.files.atomic import write_atomically
from ardm_compress.options import DEFAULT_LIMITS, Limits
from ardm_compress.reading import open as open_file
from ardm_compress.reading.sound import SoundFile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ardm_compress.tasks import Progress

DTYPES: Final = ("float64", "float32", "int32", "int16")  # of samples that are read or written
SUBTYPES: Final = {"int16": "PCM_16", "int32": "PCM_32"}  # that keep all bits; floating point: PCM_16


@dataclass(frozen=True)
class Info:
    """What is known of a file without decoding it."""

    name: str
    samplerate: int  # frames per second
    channels: int
    frames: int
    format: str  # of the file that was compressed: "WAV", "AIFF" or "FLAC"
    subtype: str  # "PCM_16" ...

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.samplerate if self.samplerate else 0.0


def info(file: str | os.PathLike[str] | BinaryIO) -> Info:
    """From the header alone.

    Raises:
        FormatError: damaged; UnsupportedError: it is not of sound, or of another version or model.
    """
    with _opened(file, DEFAULT_LIMITS) as sound:
        name = os.fspath(file) if isinstance(file, (str, os.PathLike)) else str(getattr(file, "name", ""))
        return Info(name, sound.rate, sound.channels, sound.frames, sound.format, sound.subtype)


def read(
    file: str | os.PathLike[str] | BinaryIO,
    frames: int = -1,
    start: int = 0,
    stop: int | None = None,
    dtype: Literal["float64", "float32", "int32", "int16"] = "float64",
    always_2d: bool = False,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[NDArray[Any], int]:
    """Read samples, of a part only those tiles that hold it.

    Args:
        file: a path, or a file that is open for reading bytes.
        frames: how many; -1 is all.
        start: first frame; negative ones count from the end.
        stop: behind the last frame, instead of ``frames``.
        dtype: of the samples: floating point is within -1 to 1, and integers are scaled so that their type's range is
            full scale. ``int16`` of wider samples leaves out low bits; ``ardm_compress.decode`` never does.
        always_2d: whether one channel, too, has an axis.
        limits: over which files are refused.

    Returns:
        Samples, (frames,) or (frames, channels), and frames per second.

    Raises:
        TypeError: both ``frames`` and ``stop``; ValueError: another ``dtype``; FormatError, ChecksumError: damaged;
        UnsupportedError: not of sound, or of another version or model, or floating point is to be integers; LimitError:
        too large.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}")
    if frames >= 0 and stop is not None:
        raise TypeError("only one of frames and stop can be used")
    with _opened(file, limits) as sound:
        first, end, _ = slice(start, stop).indices(sound.frames)
        samples = sound.read(first, min(end, first + frames) if frames >= 0 else end).reshape(-1, sound.channels)
        converted = _converted(samples, np.dtype(dtype))
        return (converted if always_2d or sound.channels > 1 else converted[:, 0]), sound.rate


def write(
    file: str | os.PathLike[str] | BinaryIO,
    data: ArrayLike,
    samplerate: int,
    subtype: str | None = None,
    *,
    budget: int | None = None,
    model: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> None:
    """Write samples, as those of a WAV file; a path appears complete or not at all, and is overwritten.

    Args:
        file: a path, or a file that is open for writing bytes.
        data: (frames,) or (frames, channels) of int16, int32, float32 or float64. Floating point is within -1 to 1.
        samplerate: frames per second.
        subtype: "PCM_U8", "PCM_16", "PCM_24", "PCM_32", or, which is only packed, "FLOAT" or "DOUBLE". By default
            integers keep all their bits, other than python-soundfile's, and floating point becomes "PCM_16".
        budget: network calls; more make a smaller file.
        model: name of a model; by default filters learn from the samples.
        limits: over which sound is refused.
        progress: called with the network calls done and their total.

    Raises:
        UnsupportedError: there is no such WAV file, or no such model; LimitError: too large.
    """
    samples = np.asarray(data)
    if samples.dtype.name not in DTYPES:
        raise UnsupportedError(f"samples must be of {', '.join(DTYPES)}, not {samples.dtype}")
    wave = io.BytesIO()
    try:
        soundfile.write(wave, samples, samplerate, subtype or SUBTYPES.get(samples.dtype.name, "PCM_16"), format="WAV")
    except (ValueError, TypeError, OverflowError, soundfile.LibsndfileError) as error:
        raise UnsupportedError(f"no WAV file can hold this: {error}") from error
    from ardm_compress.codec.sounds import encode_sound

    coded = encode_sound(wave.getvalue(), budget=budget, model=model, limits=limits, progress=progress)
    if isinstance(file, (str, os.PathLike)):
        write_atomically(Path(file), coded, force=True)
    else:
        file.write(coded)


def _opened(file: str | os.PathLike[str] | BinaryIO, limits: Limits) -> SoundFile:
    found = open_file(file, limits=limits)
    if not isinstance(found, SoundFile):
        found.close()
        raise UnsupportedError(f"this is not sound but {found.kind}: {found!r}")
    return found


def _converted(samples: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """As libsndfile does, which makes nothing but 0 and 1 of floating point that is read as integers."""
    if samples.dtype.kind == "f":
        if dtype.kind != "f":
            raise UnsupportedError(f"samples of floating point cannot be read as {dtype}")
        return samples.astype(dtype)
    signed = samples.astype(np.int32) - (128 if samples.dtype == np.uint8 else 0)
    wide = signed << 32 - 8 * samples.dtype.itemsize
    if dtype.kind == "f":
        return np.asarray(wide.astype(dtype) / (1 << 31), dtype)
    return (wide >> 32 - 8 * dtype.itemsize).astype(dtype)
