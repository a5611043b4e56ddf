"""Sound, and sound files, <-> compressed files, tile by tile: neither needs to be in memory. Imports the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import numpy as np

from ardm_compress.analysis.sound import analyse_tile
from ardm_compress.ardm.order import make_sound_order
from ardm_compress.ardm.plans import Steps, tile_steps
from ardm_compress.coding import loop
from ardm_compress.coding.loading import model_of
from ardm_compress.coding.sound.tile import decode_tile
from ardm_compress.container.parse import parse
from ardm_compress.container.sound import MAX_PERIOD_BITS, PAIR, ParsedSound, SoundHeader, add_payload, write_file
from ardm_compress.container.stored import ParsedStored, may_store_in, write_stored
from ardm_compress.container.streams import check_tile, sample_checksum
from ardm_compress.container.wrappers import write_sound_wrapper
from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.files.data import spool
from ardm_compress.formats.catalogue import converted, file_parts, is_foreign, read_sound, stored_as
from ardm_compress.formats.contents import Sound
from ardm_compress.inference.registry import AUTO, candidates, find_model
from ardm_compress.options import DEFAULT_DECODING, DEFAULT_ENCODING, DecodeOptions, EncodeOptions
from ardm_compress.tasks.progress import Counter, Progress, Tick
from ardm_compress.tasks.runner import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order
    from ardm_compress.files.data import Data
    from ardm_compress.inference.model import Model

DEFAULT_BUDGET: Final = 512  # network calls of a tile
LEAST_BUDGET: Final = 2
PART_FRAMES: Final = 1 << 15  # of each part of a sound by which a model is chosen
PART_PLACES: Final = 4  # these parts are at quarters of the sound


class TilePlan(NamedTuple):
    """How the tiles of one length are coded."""

    model: Model
    order: Order
    steps: Steps
    pairs: list[slice]  # channels of every stream


class SoundTile(NamedTuple):
    """The task of encoding a tile."""

    plan: TilePlan
    samples: NDArray[np.int32]  # (frames, channels)

    def run(self, tick: Tick) -> tuple[int, list[bytes]]:
        """Return the checksum of the samples and the payloads of the pairs of channels; see ``TileTask``."""
        (model, order, steps, pairs), part = self.plan, self.samples.astype(np.int64)
        payloads: list[bytes] = []
        for pair in pairs:
            payloads += loop.encode(analyse_tile(model, part[:, pair], order, steps), steps, 1, tick)[0]
        return sample_checksum(_serialised(part)), payloads


def encode_sound(
    data: Data, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None, **changes: Any
) -> bytes:
    """Compress a WAV, AIFF or FLAC file; what no model can code, or makes larger, is stored as it is, packed.

    Args:
        data: the whole file.
        options: how; the budget is of a tile and pair of channels, at least LEAST_BUDGET.
        progress: called with the network calls done and their total.
        changes: to the options.

    Raises:
        UnsupportedError: no such model, or a budget below 2; LimitError: too large.
    """
    with encoded_sound(data, options, progress=progress, **changes) as file:
        return file[:]


@contextmanager
def encoded_sound(
    data: Data, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None, **changes: Any
) -> Iterator[Data]:
    """As ``encode_sound``, for files larger than memory: gives the compressed file, which goes with the context."""
    options = replace(options, **changes)
    if options.budget is not None and options.budget < LEAST_BUDGET:
        raise UnsupportedError(f"sound takes at least {LEAST_BUDGET} network calls")
    try:
        sound = read_sound(data)
    except UnsupportedError:
        sound = None
    name = _smallest_model(sound, options) if options.model == AUTO else options.model or "sound"
    model = model_of(find_model(name), 1)
    with spool() as collected, spool() as kept:
        coded = encode_samples(sound, model, collected, options, progress=progress) if sound else None
        if coded is None:
            yield write_stored(data, kept)
        elif may_store_in(data, len(coded)):
            yield min(coded, write_stored(data, kept), key=len)
        else:
            yield coded


def encode_samples(
    sound: Sound, model: Model, collected: BinaryIO, options: EncodeOptions = DEFAULT_ENCODING, *,
    progress: Progress | None = None,
) -> Data:  # fmt: skip
    """Compress samples of at most 24 bits, and all that goes with them.

    Args:
        sound: to compress.
        model: of sound.
        collected: an empty file, to which streams are written; it must stay open while the result is read.
        options: as for ``encode_sound``.
        progress: called with the network calls done and their total.

    Returns:
        A whole file.
    """
    frames, channels = sound.samples.shape
    options.limits.check_samples(frames, channels)
    tile, period_bits = options.sound_tile, options.period_bits
    header = SoundHeader(
        frames=frames, channels=channels, model_id=model.model_id,
        tile=max(1, frames if frames <= tile * 3 // 2 else tile),
        period_bits=plan_period(options.budget, frames) if period_bits is None else period_bits,
        wrapper=write_sound_wrapper(sound.wrapper), checksums=(), lengths=(),
    )  # fmt: skip
    tasks = (SoundTile(_plan(header, model, index), sound.samples[header.span(index)]) for index in range(header.tiles))
    lengths, checksums = list[int](), list[int]()
    for checksum, payloads in in_order(tasks, 1, _counter(header, header.tiles, progress)):
        checksums.append(checksum)
        lengths += [add_payload(payload, collected) for payload in payloads]
    return write_file(replace(header, checksums=tuple(checksums), lengths=tuple(lengths)), collected)


def plan_period(budget: int | None, frames: int) -> int:
    """Plan the longest period, as a power of two, that takes no more than ``budget`` network calls."""
    most = (DEFAULT_BUDGET if budget is None else budget).bit_length() - 1
    return max(1, min(MAX_PERIOD_BITS, most, (max(1, frames) - 1).bit_length()))


def decode_sound(
    file: Data | ParsedSound | ParsedStored, options: DecodeOptions = DEFAULT_DECODING, *, suffix: str | None = None,
    progress: Progress | None = None, **changes: Any,
) -> bytes:  # fmt: skip
    """Invert ``encode_sound``: the file's bytes; of FLAC files, another with the same samples and metadata.

    Args:
        file: a whole compressed file, or what is parsed of it.
        options: which part to decode; parts of a file have none of its chunks and tags.
        suffix: of the kind of file to make, ``.wav`` or ``.flac``; by default the one that was compressed.
        progress: as for ``encode_sound``.
        changes: to the options.

    Raises:
        FormatError, ChecksumError: damaged; UnsupportedError: it needs another version or model, or it is a stored
        file and a part or another kind of it is asked for; LimitError: too large.
    """
    return b"".join(decoded_sound(file, options, suffix=suffix, progress=progress, **changes))


def decoded_sound(
    file: Data | ParsedSound | ParsedStored, options: DecodeOptions = DEFAULT_DECODING, *, suffix: str | None = None,
    damaged: list[int] | None = None, progress: Progress | None = None, **changes: Any,
) -> Iterator[bytes]:  # fmt: skip
    """As ``decode_sound``, for files larger than memory: gives the file in parts, decoding as they are asked for.

    ``damaged`` takes the numbers of damaged tiles, of some seconds each, which are silent then.
    """
    options = replace(options, **changes)
    parsed = file if isinstance(file, ParsedSound | ParsedStored) else parse(file, options.limits)
    if isinstance(parsed, ParsedStored):
        if options.is_part_of_sound:
            raise UnsupportedError("this file is stored as it was, so only all of it can be decoded")
        return stored_as(parsed.parts(), suffix)
    if not isinstance(parsed, ParsedSound):
        raise FormatError("the file holds no sound", section="header")
    sound = decode_samples(parsed, options, damaged=damaged, progress=progress)
    kind = sound.wrapper.file_kind
    if options.is_part_of_sound or is_foreign(suffix, kind):
        own = ".flac" if kind.plug == "flac" else ".wav"
        sound = converted(sound, suffix if suffix and is_foreign(suffix, kind) else own)
    return file_parts(sound)


def decode_samples(
    file: ParsedSound, options: DecodeOptions = DEFAULT_DECODING, *, damaged: list[int] | None = None,
    progress: Progress | None = None,
) -> Sound:  # fmt: skip
    """Decode samples, when they are asked for; they fail then if they are damaged.

    Args:
        file: parsed; what it was read from must stay open while samples are asked for.
        options: which part.
        damaged: takes the numbers of damaged tiles, which are silent then; without it they are an error.
        progress: as for ``encode_sound``.

    Raises:
        FormatError, ChecksumError: damaged; OptionError: no sound is where the part is.
    """
    if damaged is None:
        file.payloads.check_whole()
        if not options.is_part_of_sound:
            file.payloads.check()
    samples = DecodedSamples(file, options.frames(file.wrapper.rate, file.header.frames), progress, damaged)
    return Sound(samples, file.wrapper)


class DecodedSamples:
    """Samples that are decoded when asked for, fastest from the beginning to the end; the last tile is kept."""

    def __init__(
        self, file: ParsedSound, frames: range, progress: Progress | None = None, damaged: list[int] | None = None
    ) -> None:
        """Args: as for ``decode_samples``; ``frames``: which of the file's."""
        self.shape = len(frames), file.header.channels
        self._file, self._model, self._damaged, self._start = file, model_of(file.model, 1), damaged, frames.start
        self._decoded = (-1, np.zeros((0, 0), np.int32))
        tile = file.header.tile
        tiles = -(-frames.stop // tile) - frames.start // tile if frames else 0
        self._counter = _counter(file.header, tiles, progress)

    def __getitem__(self, frames: slice, /) -> NDArray[np.int32]:
        at, stop, _ = (self._start + offset for offset in frames.indices(self.shape[0]))
        parts = [np.zeros((0, self.shape[1]), np.int32)]
        while at < stop:
            index, first = divmod(at, self._file.header.tile)
            part = self._tile(index)[first : first + stop - at]
            parts.append(part)
            at += len(part)
        return np.concatenate(parts)

    def _tile(self, index: int) -> NDArray[np.int32]:
        number, samples = self._decoded  # at once: another thread may replace it
        if number != index:
            samples = self._decode(index) if self._damaged is None else self._salvage(index, self._damaged)
            self._decoded = index, samples
        return samples

    def _salvage(self, index: int, damaged: list[int]) -> NDArray[np.int32]:
        try:
            return self._decode(index)
        except FormatError:
            damaged.append(index)
            span = self._file.header.span(index)
            return np.zeros((span.stop - span.start, self._file.header.channels), np.int32)

    def _decode(self, index: int) -> NDArray[np.int32]:
        header, payloads = self._file.header, self._file.payloads
        plan, span = _plan(header, self._model, index), header.span(index)
        samples = np.empty((span.stop - span.start, header.channels), np.int32)
        for number, pair in enumerate(plan.pairs, index * len(plan.pairs)):
            shape, tick = samples[:, pair].shape, self._counter.one
            samples[:, pair] = decode_tile(plan.model, shape, plan.order, plan.steps, payloads[number], tick)
        check_tile(sample_checksum(_serialised(samples)), header.checksums[index], index)
        return samples


def _counter(header: SoundHeader, tiles: int, progress: Progress | None) -> Counter:
    """Of the network calls of so many tiles."""
    calls = len(header.pairs) * make_sound_order(header.period_bits).ranks((header.tile,))
    return Counter(progress, tiles, calls)


def _plan(header: SoundHeader, model: Model, index: int) -> TilePlan:
    order, span = make_sound_order(header.period_bits), header.span(index)
    steps = tile_steps(None, order, (header.tile,), (span.stop - span.start,))
    return TilePlan(model, order, steps, header.pairs)


def _smallest_model(sound: Sound | None, options: EncodeOptions) -> str:
    """Name the model that makes a few parts of a sound smallest."""
    names = candidates(1, PAIR)
    if not sound or len(names) == 1:
        return names[0]
    last = max(0, sound.samples.shape[0] - PART_FRAMES)
    starts = sorted({last * place // PART_PLACES for place in range(1, PART_PLACES)})
    parts = [sound.samples[start : start + PART_FRAMES] for start in starts]
    tried = replace(sound, samples=np.concatenate(parts))

    def size(name: str) -> int:
        with spool() as collected:
            return len(encode_samples(tried, model_of(find_model(name), 1), collected, options))

    return min(names, key=size)


def _serialised(samples: NDArray[np.integer[Any]]) -> bytes:
    """As checksums are taken over them."""
    return samples.astype("<i4").tobytes()
