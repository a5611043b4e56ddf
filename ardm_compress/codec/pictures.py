"""Pictures <-> compressed files: one loop over tiles, by tasks that any process can do. The model if it codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from ardm_compress.ardm.tiles import box_shape, check_level, paste, region_box, scaled, shared, tile_box, tile_side
from ardm_compress.container import START, check_tile, sample_checksum
from ardm_compress.container.image import ParsedImage, write_wrapped
from ardm_compress.container.picture import APART, MODEL, ParsedPicture, PictureHeader, write_file
from ardm_compress.container.wrappers import write_image_wrapper
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import part_wrapper
from ardm_compress.formats.contents import PNG, ImageWrapper, Picture, sample_type
from ardm_compress.methods import decode_tiles, salvage_tile
from ardm_compress.methods.choice import CLEAR, encode_tiles, model_share
from ardm_compress.options import DEFAULT_ENCODING, DecodeOptions, EncodeOptions
from ardm_compress.tasks import Counter, Progress, TileTask, in_order, ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.methods.model import CodedTile, EncodedTile, TilePlan
    from ardm_compress.options import DecodeOptions, EncodeOptions
    from ardm_compress.tasks import Tick

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


CodedImage: TypeAlias = ParsedImage | ParsedPicture


def encode_picture(
    picture: Picture, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None, **changes: Any
) -> bytes:
    """Compress a picture, as ``encode_image``; photographs are left to the model, which codes previews first."""
    options = replace(options, **changes)
    samples, wrapper = picture.samples, picture.wrapper
    header = _new_header(picture, options)
    parts = [samples[header.tile_box(index)] for index in range(prod(header.grid))]
    jobs = options.limits.jobs(options.jobs, samples.nbytes, len(parts))
    shares = list(ordered(model_share, ((part, wrapper.depth, options) for part in parts), jobs))
    if all(share < CLEAR for share in shares):
        return _wrapped(wrapper, encode_by_model(samples, options, progress))
    tasks = (PictureTile(part, wrapper.depth, options, share) for part, share in zip(parts, shares, strict=True))
    return _file_of(picture, header, parts, list(in_order(tasks, jobs, Counter(progress, len(parts)))))


def _new_header(picture: Picture, options: EncodeOptions) -> PictureHeader:
    """Make the header of a picture whose tiles have not been looked at yet."""
    shape = picture.samples.shape[0], picture.samples.shape[1]
    options.limits.check_image(*shape, _pixel_bytes(picture.wrapper))
    tile = tile_side(shape[0], options.tile), tile_side(shape[1], options.tile)
    return PictureHeader(shape=shape, tile=tile, wrapper=write_image_wrapper(picture.wrapper), checksums=(), lengths=())


def _file_of(picture: Picture, header: PictureHeader, parts: Sequence[NDArray[Any]], streams: Sequence[bytes]) -> bytes:
    """Write the file of a picture's tiles and streams, or the model's own if it has coded the only tile."""
    if len(streams) == 1 and streams[0][0] == MODEL:
        return _wrapped(picture.wrapper, START + streams[0][1:])
    return write_file(replace(header, checksums=tuple(map(checksum_of, parts))), list(streams))


def _wrapped(wrapper: ImageWrapper, file: bytes) -> bytes:
    """Put the wrapper before a file of the model, unless a PNG file had nothing but gray or RGB samples."""
    is_plain = wrapper == png.plain(wrapper.channels) and not wrapper.original
    return file if is_plain else write_wrapped(write_image_wrapper(wrapper), file)


def encode_by_model(samples: NDArray[np.uint8], options: EncodeOptions, progress: Progress | None) -> bytes:
    """Let the model code all samples as one file."""
    from ardm_compress.methods import model

    header = model.new_header(samples, options)
    style, planner, tiles = model.choose_style(header, samples, options), model.Planner(header), prod(header.grid)
    jobs = model_jobs(options, header.tile, samples.nbytes, tiles)
    tasks = (
        ModelTile(planner.plan(index), samples[header.tile_box(index)], style, options.conditioning)
        for index in range(tiles)
    )
    encoded = in_order(tasks, jobs, Counter(progress, tiles, planner.calls))
    return model.write_tiles(header, style, list(encoded))


def encode_together(options: EncodeOptions, pictures: Sequence[Picture]) -> list[bytes]:
    """Pictures of one shape and depth that are one tile each."""
    headers, parts = [_new_header(own, options) for own in pictures], [own.samples for own in pictures]
    streams = encode_tiles(parts, pictures[0].wrapper.depth, options, None)
    return [
        _file_of(own, header, [part], [stream])
        for own, header, part, stream in zip(pictures, headers, parts, streams, strict=True)
    ]


def decode_picture(
    file: CodedImage, options: DecodeOptions, progress: Progress | None, inexact: list[int] | None
) -> Picture:
    """Decode a picture as far as wanted; ``inexact`` takes the numbers of damaged tiles, else they are an error."""
    check_level(options.preview)
    header, salvage = file.header, inexact is not None
    wrapper = file.wrapper if options.region is None and options.preview == 0 else part_wrapper(file.wrapper)
    shape, tile = scaled(header.shape, header.tile, options.preview)
    wanted = region_box(options.region, shape)
    options.limits.check_memory(prod(box_shape(wanted)) * _pixel_bytes(wrapper))
    touched = [index for index in range(prod(header.grid)) if shared(tile_box(shape, tile, index), wanted)]
    by_model = isinstance(file, ParsedImage)
    if not salvage and not (by_model and options.preview):  # of previews of the model the beginning is enough
        file.payloads.check_whole()
        if options.region is None:
            file.payloads.check()
    tiles = ModelTiles(file, options, salvage) if isinstance(file, ParsedImage) else StreamTiles(file, options, salvage)
    samples = np.empty((*box_shape(wanted), wrapper.channels), sample_type(wrapper.depth))
    jobs, counter = tiles.jobs(samples.nbytes, touched), Counter(progress, len(touched), tiles.calls)
    tasks: Iterator[TileTask[DecodedTile]] = (tiles.task(index) for index in touched)
    for index, (part, checksum) in zip(touched, in_order(tasks, jobs, counter), strict=True):
        if checksum not in (None, header.checksums[index]) and inexact is not None:
            inexact.append(index)
        elif checksum is not None and inexact is None:
            check_tile(checksum, header.checksums[index], index)
        paste(part, tile_box(shape, tile, index), samples, wanted)
    return Picture(samples, wrapper)


def decode_together(options: DecodeOptions, files: Sequence[CodedImage]) -> list[Picture]:
    """Pictures of one kind, shape and depth that are one tile each."""
    shape, depth = (*files[0].shape, files[0].wrapper.channels), files[0].wrapper.depth
    options.limits.check_memory(prod(files[0].shape) * _pixel_bytes(files[0].wrapper))
    for file in files:
        file.payloads.check_whole()
    by_model = [(file.header, file.payloads) for file in files if isinstance(file, ParsedImage)]
    if by_model:
        from ardm_compress.methods.model import decode_images

        parts = decode_images(by_model)
    else:
        parts = decode_tiles([file.payloads[0] for file in files], shape, depth)
    for file, part in zip(files, parts, strict=True):
        check_tile(checksum_of(part), file.header.checksums[0], 0)
    return [Picture(part, file.wrapper) for file, part in zip(files, parts, strict=True)]


def _pixel_bytes(wrapper: ImageWrapper) -> int:
    return wrapper.channels * -(-wrapper.depth // 8)
