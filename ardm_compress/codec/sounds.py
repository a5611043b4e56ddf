"""Sound, and sound files, <-> compressed files, tile by tile: neither needs to be in memory. Imports the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import numpy as np

from ardm_compress.ardm import make_sound_order
from ardm_compress.ardm.schedule import Steps, tile_steps
from ardm_compress.coding import loop
from ardm_compress.coding.models import model_of
from ardm_compress.coding.sound import adaptive
from ardm_compress.coding.sound.analysis import analyse_tile
from ardm_compress.coding.sound.profiles import choose_profile
from ardm_compress.coding.sound.tile import decode_tile
from ardm_compress.computing import mapped, threads
from ardm_compress.container import check_tile, parse, sample_checksum
from ardm_compress.container.sound import MAX_PERIOD_BITS, ParsedSound, SoundHeader, add_payload, write_file
from ardm_compress.container.stored import ParsedStored, may_store_in, write_stored
from ardm_compress.container.wrappers import write_sound_wrapper
from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.files import file_content, spool
from ardm_compress.formats.catalogue import converted, file_parts, is_foreign, read_sound, stored_as
from ardm_compress.formats.contents import Sound, with_original
from ardm_compress.inference import find_model
from ardm_compress.options import AUTO, DEFAULT_DECODING, DEFAULT_ENCODING, DecodeOptions, EncodeOptions
from ardm_compress.tasks import Counter, Progress, Tick, ignored, in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm import Order
    from ardm_compress.files import Data
    from ardm_compress.inference.network import Model

DEFAULT_BUDGET: Final = 512  # network calls of a tile
LEAST_BUDGET: Final = 2
FRAMES_OF_CALL: Final = 1 << 13  # of a tile, for each call of the budget, where filters learn
MOST_SAMPLES: Final = 1 << 21  # of such a tile, of all channels together
SAMPLES_AT_ONCE: Final = 1 << 23  # of tiles that threads code, which take 60 bytes a sample


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
    data: bytes | bytearray | memoryview,
    options: EncodeOptions = DEFAULT_ENCODING,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> bytes:
    """Compress a WAV, AIFF or FLAC file; what no model can code, or makes larger, is stored as it is, packed.

    Args:
        data: the whole file.
        options: how; the budget is of a tile and pair of channels, at least LEAST_BUDGET. Without a model filters learn
            from the recording, and the budget is how long its tiles are; below DEFAULT_BUDGET there are fewer filters.
        progress: called with the network calls done and their total.
        changes: to the options.

    Raises:
        UnsupportedError: no such model, or a budget below 2; LimitError: too large; TypeError: no bytes.
    """
    with encoded_sound(file_content(data), options, progress=progress, **changes) as file:
        return file[:]


@contextmanager
def encoded_sound(
    data: Data, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None, **changes: Any
) -> Iterator[Data]:
    """As ``encode_sound``, for files larger than memory: gives the compressed file, which goes with the context."""
    options = replace(options, **changes).of_medium("sound")
    if options.budget is not None and options.budget < LEAST_BUDGET:
        raise UnsupportedError(f"sound takes at least {LEAST_BUDGET} network calls")
    try:
        sound = with_original(read_sound(data), data)
    except UnsupportedError:
        sound = None
    name = None if options.model == AUTO else options.model
    model = model_of(find_model(name), 1) if name else None
    with spool() as collected, spool() as kept:
        coded = encode_samples(sound, model, collected, options, progress=progress) if sound else None
        if sound and coded and options.limits.is_sparse(math.prod(sound.samples.shape), len(coded)):
            coded = None  # no reader would take it
        if coded is None:
            yield write_stored(data, kept)
        elif may_store_in(data, len(coded)):
            yield min(coded, write_stored(data, kept), key=len)
        else:
            yield coded


def encode_samples(
    sound: Sound, model: Model | None, collected: BinaryIO, options: EncodeOptions = DEFAULT_ENCODING, *,
    progress: Progress | None = None,
) -> Data:  # fmt: skip
    """Compress samples of at most 24 bits, and all that goes with them.

    Args:
        sound: to compress.
        model: of sound; None: filters that learn.
        collected: an empty file, to which streams are written; it must stay open while the result is read.
        options: as for ``encode_sound``.
        progress: called with the network calls done and their total.

    Returns:
        A whole file.
    """
    frames, channels = sound.samples.shape
    options.limits.check_samples(frames, channels)
    tile, period_bits = plan_tile(options, channels, learns=model is None), options.period_bits
    if model is None:
        period_bits = 0
    elif period_bits is None:
        period_bits = plan_period(options.budget, frames)
    header = SoundHeader(
        frames=frames, channels=channels, model_id=model.model_id if model else b"",
        tile=max(1, frames if frames <= tile * 3 // 2 else tile),
        period_bits=period_bits, profile=0 if model else choose_profile(sound.samples, quickly=_is_quick(options)),
        wrapper=write_sound_wrapper(sound.wrapper), checksums=(), lengths=(),
    )  # fmt: skip
    lengths, checksums = list[int](), list[int]()
    for checksum, payloads in _encode_tiles(header, model, sound, _counter(header, header.tiles, progress)):
        checksums.append(checksum)
        lengths += [add_payload(payload, collected) for payload in payloads]
    return write_file(replace(header, checksums=tuple(checksums), lengths=tuple(lengths)), collected)


def plan_tile(options: EncodeOptions, channels: int, *, learns: bool) -> int:
    """Return how many frames a tile is to have; the last may have up to half as many more."""
    if not learns:
        return options.sound_tile
    bought = options.sound_tile if options.budget is None else options.budget * FRAMES_OF_CALL
    return max(1, min(options.sound_tile, bought, MOST_SAMPLES // channels))


def _is_quick(options: EncodeOptions) -> bool:
    return options.budget is not None and options.budget < DEFAULT_BUDGET


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
        self._file, self._damaged, self._start = file, damaged, frames.start
        self._model = model_of(file.model, 1) if file.model else None
        self._decoded: dict[int, NDArray[np.int32]] = {}
        tile = file.header.tile
        self._tiles = range(frames.start // tile, -(-frames.stop // tile) if frames else frames.start // tile)
        self._counter = _counter(file.header, len(self._tiles), progress)

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
        tiles = self._decoded  # at once: another thread may replace it
        if index not in tiles:
            ahead = range(index, min(index + _at_once(self._file.header), self._tiles.stop))
            tiles = dict(zip(ahead, self._decode_tiles(ahead), strict=True))
            self._decoded = tiles
        return tiles[index]

    def _decode_tiles(self, indices: range) -> list[NDArray[np.int32]]:
        """Decode tiles in a row; damaged ones are silent if that is asked for."""
        alone = self._model is not None or len(indices) == 1

        def decoded(index: int, streams: list[bytes] | FormatError) -> NDArray[np.int32] | FormatError:
            if isinstance(streams, FormatError):
                return streams
            try:
                return self._decode(index, streams, self._counter.one if alone else ignored)
            except FormatError as error:
                return error

        tiles = []
        streams = [self._streams(index) for index in indices]  # here: a file is read at one place at a time
        for index, found in zip(indices, mapped(decoded, indices, streams), strict=True):
            tiles.append(self._silence(index, found) if isinstance(found, FormatError) else found)
            if not alone:
                self._counter.tile()
        return tiles

    def _streams(self, index: int) -> list[bytes] | FormatError:
        """Read the streams of a tile, or return why that is not possible."""
        count = len(self._file.header.groups)
        try:
            return [self._file.payloads[number] for number in range(index * count, (index + 1) * count)]
        except FormatError as error:
            return error

    def _silence(self, index: int, error: FormatError) -> NDArray[np.int32]:
        """Return silence for a damaged tile, unless that is an error."""
        if self._damaged is None:
            raise error
        self._damaged.append(index)
        span = self._file.header.span(index)
        return np.zeros((span.stop - span.start, self._file.header.channels), np.int32)

    def _decode(self, index: int, streams: list[bytes], tick: Tick) -> NDArray[np.int32]:
        header = self._file.header
        span = header.span(index)
        samples = np.empty((span.stop - span.start, header.channels), np.int32)
        for group, stream in zip(header.groups, streams, strict=True):
            shape = samples[:, group].shape
            if self._model is None:
                samples[:, group] = adaptive.decode_tile(shape, header.profile, stream, tick)
            else:
                plan = _plan(header, self._model, index)
                samples[:, group] = decode_tile(plan.model, shape, plan.order, plan.steps, stream, tick)
        check_tile(sample_checksum(_serialised(samples)), header.checksums[index], index)
        return samples


def _at_once(header: SoundHeader) -> int:
    """Return how many tiles are coded at once, each by a thread; a network takes the threads for one tile."""
    if header.model_id:
        return 1
    return max(1, min(threads(), SAMPLES_AT_ONCE // (header.tile * header.channels)))


def _counter(header: SoundHeader, tiles: int, progress: Progress | None) -> Counter:
    """Of the network calls of so many tiles, or where filters learn of runs of samples."""
    if not header.model_id:
        return Counter(progress, tiles, -(-header.tile // adaptive.CHUNK))
    calls = len(header.groups) * make_sound_order(header.period_bits).ranks((header.tile,))
    return Counter(progress, tiles, calls)


def _plan(header: SoundHeader, model: Model, index: int) -> TilePlan:
    order, span = make_sound_order(header.period_bits), header.span(index)
    steps = tile_steps(None, order, (header.tile,), (span.stop - span.start,))
    return TilePlan(model, order, steps, header.groups)


def _encode_tiles(
    header: SoundHeader, model: Model | None, sound: Sound, counter: Counter
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield, of every tile, the checksum of its samples and its payloads."""
    if model:
        tiles = ((_plan(header, model, index), sound.samples[header.span(index)]) for index in range(header.tiles))
        yield from in_order((SoundTile(*tile) for tile in tiles), 1, counter)
        return
    at_once = _at_once(header)
    for first in range(0, header.tiles, at_once):
        parts = [sound.samples[header.span(index)] for index in range(first, min(first + at_once, header.tiles))]
        tick = counter.one if len(parts) == 1 else ignored
        for coded in mapped(partial(_encode_learning, header.profile, tick), parts):
            yield coded
            counter.tile()


def _encode_learning(profile: int, tick: Tick, samples: NDArray[np.int32]) -> tuple[int, list[bytes]]:
    """Return the checksum of a tile's samples, and its payload."""
    return sample_checksum(_serialised(samples)), [adaptive.encode_tile(samples.astype(np.int64), profile, tick)]


def _serialised(samples: NDArray[np.integer[Any]]) -> bytes:
    """As checksums are taken over them."""
    return samples.astype("<i4").tobytes()
