"""NumPy arrays of images and of sound <-> compressed files."""

from __future__ import annotations

import io
import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.codec.pictures import encode_picture
from ardm_compress.errors import LimitError, UnsupportedError
from ardm_compress.files import write_chunks
from ardm_compress.formats import png
from ardm_compress.formats.contents import MOST_CHANNELS, MOST_SOUND_CHANNELS, PNG, UNSIGNED, ImageWrapper, Picture
from ardm_compress.formats.pcm import pack
from ardm_compress.formats.wav import shortest_head
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, EncodeOptions, Limits
from ardm_compress.reading import OWN_AXIS, StoredFile
from ardm_compress.reading import open as open_file
from ardm_compress.reading.sound import MARK

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ardm_compress.tasks import Progress

DEPTHS: Final = {"bool": 1, "uint8": 8, "uint16": 16}  # bits, of images
WIDTHS: Final = {"uint8": 1, "int16": 2, "int32": 4}  # bytes of a sample, of sound
IMAGES: Final = "images are uint8, uint16 or bool (gray) of shape (rows, columns) or (rows, columns, 1 to 4)"
SOUND: Final = "sound, which needs its rate, is int16, int32 or uint8 of shape (frames,) or (frames, 1 to 64)"


def encode(
    array: ArrayLike,
    *,
    rate: int | None = None,
    level: int | None = None,
    budget: int | None = None,
    model: str | None = None,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> bytes:
    """Compress an image, or sound if there is a ``rate``, by the model or by what else makes it smallest.

    Args:
        array: of an image, uint8, uint16 or, if gray, bool: (rows, columns) or (rows, columns, channels), where 2 and
            4 channels are gray and colour with transparency; of sound, int16, int32 or uint8, where 128 is silence:
            (frames,) or (frames, channels). The whole range of the type is full scale; int32 of more than 24 bits is
            only packed.
        rate: of sound, frames per second.
        level: preset 1 (fastest) to 9 (smallest), which says what ``budget`` and ``model`` do not.
        budget: network calls, at least 1, of sound 2; more make a smaller file.
        model: name of a model; ``auto`` is the one that makes a part smallest. By default ``photo``; sound needs none.
        jobs: processes that code the tiles of an image, as far as the memory allows.
        limits: over which arrays are refused.
        progress: called with the network calls or tiles done and their total.

    Returns:
        A whole file, which ``decode`` and the command line read; they write it as PNG or WAV.

    Raises:
        UnsupportedError: other arrays or models; LimitError: too large; ValueError: level, budget or jobs out of range;
        TypeError: no array of numbers.
    """
    samples = np.asarray(array)
    options = EncodeOptions(level=level, budget=budget, model=model, jobs=jobs, limits=limits)
    if samples.dtype.kind in "OSU":
        raise TypeError(f"an array of numbers is needed, not {type(array).__name__} of {samples.dtype}")
    if rate is None:
        return encode_picture(_picture(samples), options.of_medium("image"), progress=progress)
    file = _wave(samples, rate)
    from ardm_compress.codec.sounds import encode_sound

    return encode_sound(file, options, progress=progress)


def decode(
    data: bytes | bytearray | memoryview,
    *,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Inverse of ``encode``: an equal array, in native byte order. Also of other files, as ``open(...).read()``.

    Args:
        data: a whole file.
        jobs: as for ``encode``.
        limits: as for ``encode``.
        progress: as for ``encode``.

    Raises:
        FormatError, ChecksumError: damaged, or no such file; UnsupportedError: it holds a stored file instead of
        samples, or needs another version or model; LimitError: too large; ValueError: jobs below 1.
    """
    with open_file(io.BytesIO(data), jobs=jobs, limits=limits, progress=progress) as file:
        if isinstance(file, StoredFile):
            raise UnsupportedError("this is a stored file and holds no samples; open(...).original() gives it back")
        return file.read()


def _picture(samples: NDArray[Any]) -> Picture:
    """As of a PNG file."""
    depth = DEPTHS.get(samples.dtype.name)
    channels = samples.shape[2] if samples.ndim == 3 else 1
    if depth is None or samples.ndim not in (2, 3) or not 1 <= channels <= MOST_CHANNELS or (depth == 1 < channels):
        raise UnsupportedError(f"{IMAGES}, {SOUND}; this array is {samples.dtype} of shape {samples.shape}")
    if not 1 <= min(samples.shape[:2]) <= max(samples.shape[:2]) <= MAX_SIDE:
        raise LimitError(f"an image's sides must be 1 to {MAX_SIDE} pixels")
    chunks = write_chunks([(OWN_AXIS, b"")]) if samples.ndim == 3 and channels == 1 else b""
    wrapper = ImageWrapper(PNG, depth, channels, png.plain(channels, depth).form, chunks)
    kind = np.uint16 if depth > 8 else np.uint8
    return Picture(np.ascontiguousarray(samples.reshape(*samples.shape[:2], channels), kind), wrapper)


def _wave(samples: NDArray[Any], rate: int) -> bytes:
    """Build a WAV file."""
    width = WIDTHS.get(samples.dtype.name)
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if width is None or samples.ndim not in (1, 2) or not 1 <= channels <= MOST_SOUND_CHANNELS:
        raise UnsupportedError(
            f"{SOUND}; this array is {samples.dtype} of shape {samples.shape}. Floating point: see "
            "ardm_compress.soundfile.write"
        )
    if not 1 <= operator.index(rate) < 1 << 32:
        raise UnsupportedError("the rate must be 1 to 4294967295 frames per second")
    signed = samples.reshape(-1, channels).astype(np.int32) - (128 if width == 1 else 0)
    mark = MARK if samples.ndim == 2 and channels == 1 else b""
    head = shortest_head(rate, signed.shape, width)
    if not head:
        raise LimitError("this is more sound than a WAV file can hold")
    size = (int.from_bytes(head[4:8], "little") + len(mark)).to_bytes(4, "little")
    body = pack(signed, width, UNSIGNED if width == 1 else 0)
    return b"".join((head[:4], size, head[8:], body, bytes(len(body) % 2), mark))
