"""Sound <-> compressed files, tile by tile: neither needs to be in memory. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from ardm_compress.analysis.sound import analyse_tile
from ardm_compress.ardm.order import make_sound_order
from ardm_compress.ardm.plans import tile_steps
from ardm_compress.coding import loop
from ardm_compress.coding.sound.tile import decode_tile
from ardm_compress.container.sound import MAX_PERIOD_BITS, SoundHeader, add_payload, read_file, write_file
from ardm_compress.container.streams import Payloads, check_samples, sample_checksum
from ardm_compress.container.wrappers import read_sound_wrapper, write_sound_wrapper
from ardm_compress.errors import FormatError
from ardm_compress.formats.contents import Sound
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.progress import Counter, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data
    from ardm_compress.inference.model import Model

TILE: Final = 1 << 19  # frames; the last tile may have up to half as many more
DEFAULT_BUDGET: Final = 512  # network calls of a tile
LEAST_BUDGET: Final = 2


def plan_period(budget: int, frames: int) -> int:
    """The longest period, as a power of two, that takes no more than ``budget`` network calls."""
    return max(1, min(MAX_PERIOD_BITS, budget.bit_length() - 1, (max(1, frames) - 1).bit_length()))


def encode_sound(
    sound: Sound, model: Model, collected: BinaryIO, *, budget: int | None = None, limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Data:  # fmt: skip
    """Compress.

    Args:
        sound: samples of at most 24 bits and all that goes with them.
        model: of sound.
        collected: an empty file, to which streams are written; it must stay open while the result is read.
        budget: network calls of a tile and pair of channels, at least LEAST_BUDGET; more make a smaller file.
        limits: over which sound is refused.
        progress: called with the network calls done and their total.

    Returns:
        A whole file.
    """
    frames, channels = sound.samples.shape
    limits.check_samples(frames, channels)
    tile = frames if frames <= TILE * 3 // 2 else TILE
    header = SoundHeader(
        frames=frames, channels=channels, model_id=model.model_id, tile=max(1, tile),
        period_bits=plan_period(DEFAULT_BUDGET if budget is None else budget, frames),
        wrapper=write_sound_wrapper(sound.wrapper), checksums=(), lengths=(),
    )  # fmt: skip
    order, lengths, checksums = make_sound_order(header.period_bits), [], []
    count = Counter(progress, header.tiles * len(header.pairs) * order.ranks((tile,)))
    for index in range(header.tiles):
        part = sound.samples[header.span(index)].astype(np.int64)
        steps = tile_steps(None, order, (header.tile,), part.shape[:1])
        checksums.append(sample_checksum(_serialised(part)))
        for pair in header.pairs:
            ((payload,),) = loop.encode(analyse_tile(model, part[:, pair], order, steps), steps, 1, count.one)
            lengths.append(add_payload(payload, collected))
    return write_file(replace(header, checksums=tuple(checksums), lengths=tuple(lengths)), collected)


class DecodedSamples:
    """Samples that are decoded when asked for, fastest from the beginning to the end."""

    def __init__(
        self, header: SoundHeader, payloads: Payloads, model: Model, frames: range, progress: Progress | None,
        damaged: list[int] | None,
    ) -> None:  # fmt: skip
        self.shape = len(frames), header.channels
        self._damaged = damaged
        self._header, self._payloads, self._model, self._start = header, payloads, model, frames.start
        self._order, self._decoded = make_sound_order(header.period_bits), (-1, np.zeros((0, 0), np.int32))
        tiles = -(-frames.stop // header.tile) - frames.start // header.tile if frames else 0
        self._count = Counter(progress, tiles * len(header.pairs) * self._order.ranks((header.tile,)))

    def __getitem__(self, frames: slice, /) -> NDArray[np.int32]:
        at, stop, _ = (self._start + offset for offset in frames.indices(self.shape[0]))
        parts = [np.zeros((0, self.shape[1]), np.int32)]
        while at < stop:
            index, first = divmod(at, self._header.tile)
            part = self._tile(index)[first : first + stop - at]
            parts.append(part)
            at += len(part)
        return np.concatenate(parts)

    def _tile(self, index: int) -> NDArray[np.int32]:
        if self._decoded[0] != index:
            self._decoded = index, self._decode(index) if self._damaged is None else self._salvage(index, self._damaged)
        return self._decoded[1]

    def _salvage(self, index: int, damaged: list[int]) -> NDArray[np.int32]:
        try:
            return self._decode(index)
        except FormatError:
            damaged.append(index)
            span = self._header.span(index)
            return np.zeros((span.stop - span.start, self._header.channels), np.int32)

    def _decode(self, index: int) -> NDArray[np.int32]:
        header, pairs = self._header, self._header.pairs
        span = header.span(index)
        samples = np.empty((span.stop - span.start, header.channels), np.int32)
        steps = tile_steps(None, self._order, (header.tile,), samples.shape[:1])
        for number, pair in enumerate(pairs):
            payload, shape = self._payloads[index * len(pairs) + number], samples[:, pair].shape
            samples[:, pair] = decode_tile(self._model, shape, self._order, steps, payload, self._count.one)
        check_samples(_serialised(samples), header.checksums[index], index)
        return samples


def decode_sound(
    data: Data, find_model: Callable[[bytes], Model], *, start: float = 0, duration: float | None = None,
    damaged: list[int] | None = None, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None,
) -> Sound:  # fmt: skip
    """Inverse of ``encode_sound``; its samples are decoded when they are asked for, and fail then if damaged.

    Args:
        data: a whole file, which must stay open while samples are asked for.
        find_model: gives the model that an id names.
        start: seconds to leave out at the beginning.
        duration: seconds to decode; by default to the end.
        damaged: takes the numbers of damaged tiles, which are silent then; without it they are an error.
        limits: as for ``encode_sound``.
        progress: called with the network calls done and their total.

    Raises:
        FormatError, ChecksumError: damaged; LimitError: too large.
    """
    header, payloads = read_file(data, limits, whole=damaged is None)
    if damaged is None and start == 0 and duration is None:
        payloads.check()
    model, wrapper = find_model(header.model_id), read_sound_wrapper(header.wrapper)
    seconds = header.frames / max(1, wrapper.rate) + 1
    first = min(header.frames, round(min(start, seconds) * wrapper.rate))
    stop = header.frames if duration is None else first + round(min(duration, seconds) * wrapper.rate)
    frames = range(first, min(stop, header.frames))
    return Sound(DecodedSamples(header, payloads, model, frames, progress, damaged), wrapper)


def _serialised(samples: NDArray[np.integer[Any]]) -> bytes:
    """As checksums are taken over them."""
    return samples.astype("<i4").tobytes()
