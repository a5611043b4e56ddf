"""What it takes to work on a tile, in any process: tasks, and the functions that do them. NumPy; the model if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from ardm_compress.ardm.tiles import box_shape
from ardm_compress.container.picture import APART, MODEL
from ardm_compress.container.streams import sample_checksum
from ardm_compress.formats import png
from ardm_compress.formats.contents import PNG, ImageWrapper, sample_type
from ardm_compress.methods.choice import encode_tiles
from ardm_compress.methods.registry import decode_tiles, salvage_tile
from ardm_compress.tasks.progress import Tick

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.methods.model import CodedTile, EncodedTile, TilePlan
    from ardm_compress.options import DecodeOptions, EncodeOptions

LOST: Final = -1  # no checksum: nothing of the tile was decoded


class DecodedTile(NamedTuple):
    """What comes of a tile."""

    samples: NDArray[Any]  # (rows, columns, channels), of a preview its own
    checksum: int | None  # of all samples of the tile, or LOST; None if only those of a preview were decoded


def encode_tile(task: tuple[NDArray[Any], int, EncodeOptions, float], _tick: Tick) -> bytes:
    """Encode a tile as the shortest stream; the task is samples, bits, options and the model's share."""
    samples, depth, options, share = task
    return encode_tiles([samples], depth, options, [share])[0]


def encode_tile_by_model(task: tuple[TilePlan, NDArray[np.uint8], tuple[int, int], bool], tick: Tick) -> EncodedTile:
    """Let the model encode a tile; the task is its plan, samples, style and mirror, and whether to fit latents."""
    from ardm_compress.methods.model import encode_tiles

    plan, samples, style, conditioning = task
    return encode_tiles(plan, [samples], [style], conditioning, tick)[0]


Work: TypeAlias = Callable[[Any, Tick], DecodedTile]  # decodes the tile of a task


class ModelTiles:
    """The tiles of a file that the model has coded as a whole: how many calls each takes, and who codes them."""

    def __init__(self, file: ParsedImage, options: DecodeOptions, salvage: bool) -> None:
        from ardm_compress.methods.model import Planner

        self._file, self._options, self._planner = file, options, Planner(file.header)
        self._planner.check(file.header)
        self.calls, self._salvage = self._planner.calls, salvage
        self.work: Work = _salvage_coded if salvage else _decode_coded

    def task(self, index: int) -> tuple[Any, ...]:
        """Return the arguments to decode a tile with, in any process."""
        header, payloads, preview = self._file.header, self._file.payloads, self._options.preview
        if self._salvage:
            return self._planner.arrived(header, index, payloads), 0
        return self._planner.coded(header, index, payloads, preview), preview

    def jobs(self, nbytes: int, touched: Sequence[int]) -> int:
        """How many processes decode tiles of samples that take so many bytes."""
        return 1 if self._salvage else model_jobs(self._options, self._file.header.tile, nbytes, len(touched))


class StreamTiles:
    """The tiles of a picture, each a stream of its own; see ``ModelTiles``."""

    calls = 1

    def __init__(self, file: ParsedPicture, options: DecodeOptions, salvage: bool) -> None:
        self._file, self._options, self._salvage = file, options, salvage
        self.work: Work = _salvage_stream if salvage else _decode_stream

    def task(self, index: int) -> tuple[Any, ...]:
        """Return the arguments to decode a tile with, in any process."""
        file, payloads = self._file, self._file.payloads
        stream = payloads.raw(index) if self._salvage else payloads[index]
        shape = (*box_shape(file.header.tile_box(index)), file.wrapper.channels)
        return stream, replace(file.wrapper, head=b"", tail=b""), shape, self._options.preview

    def jobs(self, nbytes: int, touched: Sequence[int]) -> int:
        """How many processes decode tiles of samples that take so many bytes: only the model is worth any."""
        slow = sum(self._file.payloads.first(index) in (bytes([MODEL]), bytes([APART])) for index in touched)
        return 1 if self._salvage else self._options.limits.jobs(self._options.jobs, nbytes, slow)


def _decode_coded(task: tuple[CodedTile, int], tick: Tick) -> DecodedTile:
    from ardm_compress.methods.model import decode_tiles

    tile, preview = task
    (samples,) = decode_tiles([tile], preview, tick)
    return DecodedTile(samples, None if preview else checksum_of(samples))


def _salvage_coded(task: tuple[CodedTile, int], tick: Tick) -> DecodedTile:
    from ardm_compress.methods.model import salvage_tile

    samples = salvage_tile(task[0], tick)
    return DecodedTile(samples, checksum_of(samples))


def _decode_stream(task: tuple[bytes, ImageWrapper, tuple[int, int, int], int], _tick: Tick) -> DecodedTile:
    stream, wrapper, shape, preview = task
    (samples,) = decode_tiles([stream], shape, wrapper.depth)
    return DecodedTile(samples[:: 1 << preview, :: 1 << preview], checksum_of(samples))


def _salvage_stream(task: tuple[bytes, ImageWrapper, tuple[int, int, int], int], _tick: Tick) -> DecodedTile:
    stream, wrapper, shape, _ = task
    samples = salvage_tile(stream, shape, wrapper.depth)
    if samples is not None:
        return DecodedTile(samples, checksum_of(samples))
    unknown = 0 if wrapper.kind == PNG and wrapper.form == png.PALETTE else 1 << wrapper.depth - 1
    return DecodedTile(np.full(shape, unknown, sample_type(wrapper.depth)), LOST)


def model_jobs(options: EncodeOptions | DecodeOptions, tile: tuple[int, int], nbytes: int, tiles: int) -> int:
    """How many processes code so many tiles of the model, of samples of so many bytes."""
    return options.limits.jobs(options.jobs, nbytes, tiles) if prod(tile) >= options.processes_from else 1


def checksum_of(samples: NDArray[Any]) -> int:
    """Return the checksum of a tile's samples, those of 16 bits little-endian."""
    return sample_checksum(samples.astype("<u2" if samples.dtype == np.uint16 else "u1").tobytes())
