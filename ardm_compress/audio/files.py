"""Sound files <-> compressed files, both in memory. Imports torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.audio.container import MAX_PERIOD_BITS, MAX_SAMPLES, SoundHeader, read_file, write_file
from ardm_compress.audio.tile import decode_tile, encode_tile
from ardm_compress.container import sample_checksum
from ardm_compress.errors import ChecksumError, FormatError, LimitError
from ardm_compress.layout import make_sound_order, tile_steps
from ardm_compress.progress import Counter, Progress
from ardm_compress.sound import Sound, read_wrapper, write_wrapper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.exact.model import Model

TILE: Final = 1 << 19  # frames; the last tile may have up to half as many more
DEFAULT_BUDGET: Final = 512  # network calls of a tile
LEAST_BUDGET: Final = 2


def plan_period(budget: int, frames: int) -> int:
    """The longest period, as a power of two, that takes no more than ``budget`` network calls."""
    return max(1, min(MAX_PERIOD_BITS, budget.bit_length() - 1, (max(1, frames) - 1).bit_length()))


def encode_sound(sound: Sound, model: Model, *, budget: int | None = None, progress: Progress | None = None) -> bytes:
    """Compress.

    Args:
        sound: samples of at most 24 bits and all that goes with them.
        model: of sound.
        budget: network calls of a tile and pair of channels, at least LEAST_BUDGET; more make a smaller file.
        progress: called with the network calls done and their total.

    Returns:
        A whole file.
    """
    frames, channels = sound.samples.shape
    if sound.samples.size > MAX_SAMPLES:
        raise LimitError(f"sound may have at most {MAX_SAMPLES} samples")
    tile = frames if frames <= TILE * 3 // 2 else TILE
    header = SoundHeader(
        frames=frames, channels=channels, model_id=model.model_id, tile=max(1, tile),
        period_bits=plan_period(DEFAULT_BUDGET if budget is None else budget, frames),
        wrapper=write_wrapper(sound), checksums=(), lengths=(),
    )  # fmt: skip
    order, payloads, checksums = make_sound_order(header.period_bits), [], []
    count = Counter(progress, header.tiles * len(header.pairs) * order.ranks((tile,)))
    for index in range(header.tiles):
        part = sound.samples[header.span(index)].astype(np.int64)
        steps = tile_steps(None, order, (header.tile,), part.shape[:1])
        checksums.append(_checksum(part))
        payloads += [encode_tile(model, part[:, pair], order, steps, count.one) for pair in header.pairs]
    return write_file(replace(header, checksums=tuple(checksums)), payloads)


def decode_sound(
    data: bytes, model: Model, *, start: int = 0, stop: int | None = None, progress: Progress | None = None
) -> Sound:
    """Inverse of ``encode_sound``, or of the tiles that have frames start..stop-1.

    Raises:
        FormatError, ChecksumError: damaged; UnsupportedError: it needs another model; LimitError: too large.
    """
    header, payloads = read_file(data)
    if header.model_id != model.model_id or model.config.axes != 1:
        raise FormatError("the file is of sound but names a model of images", section="header")
    stop = header.frames if stop is None else min(stop, header.frames)
    tiles = range(start // header.tile, -(-stop // header.tile)) if start < stop else range(0)
    first = tiles.start * header.tile
    samples = np.empty((max(0, min(tiles.stop * header.tile, header.frames) - first), header.channels), np.int32)
    order, pairs = make_sound_order(header.period_bits), header.pairs
    count = Counter(progress, len(tiles) * len(pairs) * order.ranks((header.tile,)))
    for index in tiles:
        span = header.span(index)
        part = samples[span.start - first : span.stop - first]
        steps = tile_steps(None, order, (header.tile,), part.shape[:1])
        for pair, payload in zip(pairs, payloads[index * len(pairs) :], strict=False):
            shape = len(part), pair.stop - pair.start
            part[:, pair] = decode_tile(model, shape, order, steps, payload, count.one)
        if _checksum(part) != header.checksums[index]:
            raise ChecksumError(f"tile {index} decoded to other samples than were encoded", section=f"tile {index}")
    return read_wrapper(header.wrapper, samples[start - first : stop - first] if tiles else samples)


def _checksum(samples: NDArray[np.integer[Any]]) -> int:
    return sample_checksum(samples.astype("<i4").tobytes())
