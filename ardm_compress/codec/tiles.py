"""The tasks of encoding and decoding a tile, which any process can do. NumPy; the model if it codes the tile."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.ardm.tiles import box_shape
from ardm_compress.container.picture import APART, MODEL
from ardm_compress.container.streams import sample_checksum
from ardm_compress.formats import png
from ardm_compress.formats.contents import PNG, sample_type
from ardm_compress.methods.choice import encode_tiles
from ardm_compress.methods.registry import decode_tiles, salvage_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.methods.model import CodedTile, EncodedTile, TilePlan
    from ardm_compress.options import DecodeOptions, EncodeOptions
    from ardm_compress.tasks.progress import Tick

LOST: Final = -1  # no checksum: nothing of the tile was decoded


class DecodedTile(NamedTuple):
    """What comes of a tile."""

    samples: NDArray[Any]  # (rows, columns, channels), of a preview its own
    checksum: int | None  # of all samples of the tile, or LOST; None if only those of a preview were decoded


class PictureTile(NamedTuple):
    """The task of encoding a tile as the shortest stream."""

    samples: NDArray[Any]  # (rows, columns, channels)
    depth: int  # bits of a sample
    options: EncodeOptions
    share: float  # see ``methods.choice.model_share``

    def run(self, _tick: Tick) -> bytes:
        """See ``TileTask``."""
        return encode_tiles([self.samples], self.depth, self.options, [self.share])[0]


class ModelTile(NamedTuple):
    """The task of encoding a tile of an image that the model codes as a whole."""

    plan: TilePlan
    samples: NDArray[np.uint8]  # (rows, columns, channels)
    style: tuple[int, int]  # and mirror
    conditioning: bool  # whether to fit latents

    def run(self, tick: Tick) -> EncodedTile:
        """See ``TileTask``."""
        from ardm_compress.methods.model import encode_tiles

        return encode_tiles(self.plan, [self.samples], [self.style], self.conditioning, tick)[0]


class CodedModelTile(NamedTuple):
    """The task of decoding a tile of an image that the model has coded as a whole."""

    tile: CodedTile
    preview: int
    salvage: bool  # whether it may be damaged

    def run(self, tick: Tick) -> DecodedTile:
        """See ``TileTask``."""
        from ardm_compress.methods.model import decode_tiles, salvage_tile

        samples = salvage_tile(self.tile, tick) if self.salvage else decode_tiles([self.tile], self.preview, tick)[0]
        return DecodedTile(samples, None if self.preview else checksum_of(samples))


class StreamTile(NamedTuple):
    """The task of decoding a tile of a picture."""

    stream: bytes
    shape: tuple[int, int, int]  # rows, columns, channels
    depth: int  # bits of a sample
    preview: int
    lost: int | None  # value of the samples of a tile of which nothing is left; None: damage is an error

    def run(self, _tick: Tick) -> DecodedTile:
        """See ``TileTask``."""
        if self.lost is None:
            (samples,) = decode_tiles([self.stream], self.shape, self.depth)
        elif (left := salvage_tile(self.stream, self.shape, self.depth)) is not None:
            samples = left
        else:
            return DecodedTile(np.full(self.shape, self.lost, sample_type(self.depth)), LOST)
        return DecodedTile(samples[:: 1 << self.preview, :: 1 << self.preview], checksum_of(samples))


class ModelTiles:
    """The tiles of a file that the model has coded as a whole."""

    def __init__(self, file: ParsedImage, options: DecodeOptions, salvage: bool) -> None:
        from ardm_compress.methods.model import Planner

        self._file, self._options, self._salvage = file, options, salvage
        self._planner = Planner(file.header)
        self._planner.check(file.header)
        self.calls = self._planner.calls  # of each

    def task(self, index: int) -> CodedModelTile:
        """Take what it needs to decode a tile, in any process, from the file."""
        header, payloads, preview = self._file.header, self._file.payloads, self._options.preview
        if self._salvage:
            return CodedModelTile(self._planner.arrived(header, index, payloads), 0, True)
        return CodedModelTile(self._planner.coded(header, index, payloads, preview), preview, False)

    def jobs(self, nbytes: int, touched: Sequence[int]) -> int:
        """How many processes decode tiles of samples that take so many bytes."""
        return 1 if self._salvage else model_jobs(self._options, self._file.header.tile, nbytes, len(touched))


class StreamTiles:
    """The tiles of a picture, each a stream of its own; see ``ModelTiles``."""

    calls = 1

    def __init__(self, file: ParsedPicture, options: DecodeOptions, salvage: bool) -> None:
        self._file, self._options, self._salvage = file, options, salvage
        wrapper = file.wrapper
        is_palette = wrapper.kind == PNG and wrapper.form == png.PALETTE
        self._lost = (0 if is_palette else 1 << wrapper.depth - 1) if salvage else None

    def task(self, index: int) -> StreamTile:
        """See ``ModelTiles``."""
        file, payloads = self._file, self._file.payloads
        stream = payloads.raw(index) if self._salvage else payloads[index]
        shape = (*box_shape(file.header.tile_box(index)), file.wrapper.channels)
        return StreamTile(stream, shape, file.wrapper.depth, self._options.preview, self._lost)

    def jobs(self, nbytes: int, touched: Sequence[int]) -> int:
        """How many processes decode tiles of samples that take so many bytes: only the model is worth any."""
        slow = sum(self._file.payloads.first(index) in (bytes([MODEL]), bytes([APART])) for index in touched)
        return 1 if self._salvage else self._options.limits.jobs(self._options.jobs, nbytes, slow)


def model_jobs(options: EncodeOptions | DecodeOptions, tile: tuple[int, int], nbytes: int, tiles: int) -> int:
    """How many processes code so many tiles of the model, of samples of so many bytes."""
    return options.limits.jobs(options.jobs, nbytes, tiles) if prod(tile) >= options.processes_from else 1


def checksum_of(samples: NDArray[Any]) -> int:
    """Return the checksum of a tile's samples, those of 16 bits little-endian."""
    return sample_checksum(samples.astype("<u2" if samples.dtype == np.uint16 else "u1").tobytes())
