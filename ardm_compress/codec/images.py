"""Pictures, and image files, <-> compressed files: one loop over tiles. Imports the model only for what it codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

import numpy as np

from ardm_compress.ardm.tiles import box_shape, check_level, paste, region_box, scaled, shared, tile_box, tile_side
from ardm_compress.container.image import ParsedImage, write_wrapped
from ardm_compress.container.parse import parse
from ardm_compress.container.picture import APART, MODEL, ParsedPicture, PictureHeader, write_file
from ardm_compress.container.stored import may_store_in, stored
from ardm_compress.container.streams import START, check_samples, sample_checksum
from ardm_compress.container.wrappers import write_image_wrapper
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import part_wrapper, read_media
from ardm_compress.formats.contents import PNG, ImageWrapper, Media, Picture, sample_type
from ardm_compress.methods.choice import CLEAR, MODEL_CHANNELS, encode_tiles, model_share
from ardm_compress.methods.registry import decode_tiles, salvage_tile
from ardm_compress.options import DEFAULT_DECODING, DEFAULT_ENCODING, MAX_SIDE, DecodeOptions, EncodeOptions
from ardm_compress.tasks.processes import ordered
from ardm_compress.tasks.progress import Counter, Progress, Tick
from ardm_compress.tasks.runner import in_order, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data
    from ardm_compress.methods.model import CodedTile, EncodedTile, TilePlan

Result = TypeVar("Result")
File = TypeVar("File", bound="Data | ParsedImage | ParsedPicture")
CodedImage: TypeAlias = ParsedImage | ParsedPicture

WINDOW_FILES: Final = 256  # that are looked at together
WINDOW_BYTES: Final = 1 << 24  # of such files
SMALL_BYTES: Final = 1 << 17  # of a file that may hold a small image
SMALL_PIXELS: Final = 1 << 14
MUCH_AROUND: Final = 1 << 12  # bytes of a file that are not its samples, from which they may count
LOST: Final = -1  # no checksum: nothing of the tile was decoded


class Salvaged(NamedTuple):
    """What a damaged file still held."""

    picture: Picture
    inexact: list[int]  # numbers of the tiles, in raster order, that are not what was encoded
    tiles: int


class DecodedTile(NamedTuple):
    """What comes of a tile."""

    samples: NDArray[Any]  # (rows, columns, channels), of a preview its own
    checksum: int | None  # of all samples of the tile, or LOST; None if only those of a preview were decoded


def encode_image(
    data: bytes, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None, **changes: Any
) -> bytes:
    """Compress an image file, by the model or by what else makes it smallest.

    Some kinds are stored as they are, and so is a file that would become larger.

    Args:
        data: the whole file.
        options: how.
        progress: called with the network calls done and their total, or, if not all tiles are left to the model, tiles.
        changes: to the options.

    Raises:
        UnsupportedError: the file is lossy already, or there is no such model; FormatError: it is no image, or damaged;
        LimitError: too large; ValueError: budget below 1.
    """
    options = replace(options, **changes)
    media = _read(data, options)
    if not isinstance(media, Picture):
        return stored(data)
    return _smaller(encode_picture(media, options, progress=progress), data, media.wrapper, options)


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
        return _wrapped(wrapper, _encode_by_model(samples, options, progress))
    tasks = ((part, wrapper.depth, options, share) for part, share in zip(parts, shares, strict=True))
    return _written(picture, header, parts, list(in_order(_encode_tile, tasks, jobs, Counter(progress, len(parts)))))


def encode_samples(
    samples: NDArray[np.uint8], options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None,
    **changes: Any,
) -> bytes:  # fmt: skip
    """Compress samples (rows, columns, 1 or 3) of 8 bits by the model, whatever else would make them smaller.

    Args:
        samples: of an image.
        options: how; a budget above the useful maximum is the maximum.
        progress: called with the network calls done and their total.
        changes: to the options.

    Raises:
        UnsupportedError: other shapes, depths or models; LimitError: too large; ValueError: budget below 1.
    """
    check_for_model(samples)
    if min(samples.shape) == 0 or max(samples.shape[:2]) > MAX_SIDE:
        raise LimitError(f"an image's sides must be 1 to {MAX_SIDE} pixels")
    options = replace(options, **changes)
    options.limits.check_image(samples.shape[0], samples.shape[1], samples.shape[2])
    return _encode_by_model(samples, options, progress)


def encode_images(
    files: Iterable[bytes], options: EncodeOptions = DEFAULT_ENCODING, **changes: Any
) -> Iterator[bytes | ArdmError]:
    """Compress image files, small ones of one shape in lockstep: many times faster than one by one, and the same bytes.

    Args:
        files: whole files; some dozens to hundreds are taken at a time.
        options: as for ``encode_image``, of each file.
        changes: to the options.

    Returns:
        What ``encode_image`` gives for each file, in their order, or the error that it raises.

    Raises:
        ValueError: budget below 1.
    """
    options = replace(options, **changes)
    sides = options.tile, options.tile

    def kind(picture: Picture) -> tuple[tuple[int, ...], int]:
        return picture.samples.shape, picture.wrapper.depth

    for window in _windows(files):
        read = [_attempted(partial(_read, data, options)) for data in window]
        small = [own for own in read if isinstance(own, Picture) and _is_small(own.samples.shape, sides)]
        coded = iter(together(partial(_encode_small, options), small, kind, lambda own: prod(own.samples.shape[:2])))
        for data, own in zip(window, read, strict=True):
            if isinstance(own, ArdmError):
                yield own
            elif not isinstance(own, Picture):
                yield stored(data)
            else:
                is_small = _is_small(own.samples.shape, sides)
                made = next(coded) if is_small else _attempted(partial(encode_picture, own, options))
                yield made if isinstance(made, ArdmError) else _smaller(made, data, own.wrapper, options)


def decode_image(
    file: Data | CodedImage,
    options: DecodeOptions = DEFAULT_DECODING,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> Picture:  # fmt: skip
    """Decode an image, a region or a preview of it; ``formats`` makes the file again.

    Args:
        file: a whole file, or for previews of what the model has coded the beginning of one; or what is parsed of it.
        options: what; a part of an image and a preview have no metadata.
        progress: as for ``encode_image``.
        changes: to the options.

    Raises:
        FormatError: damaged; ChecksumError: likewise; LimitError: too large; UnsupportedError: of another version or
        model, a region that is not inside the image, or a level of which there are no previews.
    """
    options = replace(options, **changes)
    return _decode(_coded(file, options), options, progress, None)


def decode_samples(
    file: Data | CodedImage,
    options: DecodeOptions = DEFAULT_DECODING,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> NDArray[Any]:  # fmt: skip
    """Decode the samples of an image; as ``decode_image``."""
    return decode_image(file, options, progress=progress, **changes).samples


def decode_images(
    files: Iterable[Data | CodedImage], options: DecodeOptions = DEFAULT_DECODING, **changes: Any
) -> Iterator[Picture | ArdmError]:
    """Invert ``encode_images``: what ``decode_image`` gives for each file, in their order, or the error it raises.

    Args:
        files: whole compressed files.
        options: as for ``decode_image``, but all of each file is decoded.
        changes: to the options.
    """
    options = replace(options, **changes)

    def kind(file: CodedImage) -> tuple[type, tuple[int, ...], int, int]:
        return type(file), file.shape, file.wrapper.channels, file.wrapper.depth

    for window in _windows(files):
        parsed = [_attempted(partial(_coded, file, options)) for file in window]
        small = [own for own in parsed if isinstance(own, CodedImage) and _is_small_file(own)]
        decoded = iter(together(partial(_decode_small, options), small, kind, lambda file: prod(file.shape)))
        for own in parsed:
            if isinstance(own, ArdmError):
                yield own
            else:
                yield next(decoded) if _is_small_file(own) else _attempted(partial(_decode, own, options, None, None))


def salvage_image(
    file: Data | CodedImage,
    options: DecodeOptions = DEFAULT_DECODING,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> Salvaged:  # fmt: skip
    """Decode what a damaged file still holds: what the model codes is completed by it, other lost tiles are gray.

    Raises:
        As ``decode_image``, if the header is damaged or cut short.
    """
    options, inexact = replace(options, jobs=1, **changes), list[int]()
    parsed = _coded(file, options)
    return Salvaged(_decode(parsed, options, progress, inexact), inexact, prod(parsed.header.grid))


def check_for_model(samples: NDArray[Any]) -> None:
    """Raise UnsupportedError unless an array is one of those that models code."""
    if samples.dtype != np.uint8 or samples.ndim != 3 or samples.shape[2] not in MODEL_CHANNELS:
        raise UnsupportedError("only 8-bit arrays of shape (rows, columns, 1 or 3) are supported")


def _read(data: bytes, options: EncodeOptions) -> Media:
    return read_media(data, strip=options.strip, force_pixels=options.force_pixels, limits=options.limits)


def _smaller(coded: bytes, data: bytes, wrapper: ImageWrapper, options: EncodeOptions) -> bytes:
    """Return the compressed file, or store the original as it is if that is smaller."""
    is_image = len(wrapper.head) + len(wrapper.tail) < MUCH_AROUND  # else storing packs what is around it better
    kept = len(coded) <= len(data) and (is_image or not may_store_in(data, len(coded)))
    return coded if kept or options.strip or options.force_pixels else min(coded, stored(data), key=len)


def _new_header(picture: Picture, options: EncodeOptions) -> PictureHeader:
    """Make the header of a picture whose tiles have not been looked at yet."""
    shape = picture.samples.shape[0], picture.samples.shape[1]
    options.limits.check_image(*shape, _pixel_bytes(picture.wrapper))
    tile = tile_side(shape[0], options.tile), tile_side(shape[1], options.tile)
    return PictureHeader(shape=shape, tile=tile, wrapper=write_image_wrapper(picture.wrapper), checksums=(), lengths=())


def _written(picture: Picture, header: PictureHeader, parts: Sequence[NDArray[Any]], streams: Sequence[bytes]) -> bytes:
    """Write the file of a picture's tiles and streams, or the model's own if it has coded the only tile."""
    if len(streams) == 1 and streams[0][0] == MODEL:
        return _wrapped(picture.wrapper, START + streams[0][1:])
    return write_file(replace(header, checksums=tuple(map(_checksum, parts))), list(streams))


def _wrapped(wrapper: ImageWrapper, file: bytes) -> bytes:
    """Put the wrapper before a file of the model, unless a PNG file had nothing but gray or RGB samples."""
    return file if wrapper == png.plain(wrapper.channels) else write_wrapped(write_image_wrapper(wrapper), file)


def _encode_by_model(samples: NDArray[np.uint8], options: EncodeOptions, progress: Progress | None) -> bytes:
    """Let the model code all samples as one file."""
    from ardm_compress.methods import model

    header = model.new_header(samples, options)
    style, planner, tiles = model.choose_style(header, samples, options), model.Planner(header), prod(header.grid)
    jobs = _jobs(options, header.tile, samples.nbytes, tiles)
    tasks = (
        (planner.plan(index), samples[header.tile_box(index)], style, options.conditioning) for index in range(tiles)
    )
    encoded = in_order(_encode_tile_by_model, tasks, jobs, Counter(progress, tiles, planner.calls))
    return model.write_tiles(header, style, list(encoded))


def _jobs(options: EncodeOptions | DecodeOptions, tile: tuple[int, int], nbytes: int, tiles: int) -> int:
    """How many processes code so many tiles of the model, of samples of so many bytes."""
    return options.limits.jobs(options.jobs, nbytes, tiles) if prod(tile) >= options.processes_from else 1


def _encode_tile(task: tuple[NDArray[Any], int, EncodeOptions, float], _tick: Tick) -> bytes:
    samples, depth, options, share = task
    return encode_tiles([samples], depth, options, [share])[0]


def _encode_tile_by_model(task: tuple[TilePlan, NDArray[np.uint8], tuple[int, int], bool], tick: Tick) -> EncodedTile:
    from ardm_compress.methods.model import encode_tiles

    plan, samples, style, conditioning = task
    return encode_tiles(plan, [samples], [style], conditioning, tick)[0]


def _encode_small(options: EncodeOptions, pictures: Sequence[Picture]) -> list[bytes]:
    """Pictures of one shape and depth that are one tile each."""
    headers, parts = [_new_header(own, options) for own in pictures], [own.samples for own in pictures]
    streams = encode_tiles(parts, pictures[0].wrapper.depth, options, None)
    return [
        _written(own, header, [part], [stream])
        for own, header, part, stream in zip(pictures, headers, parts, streams, strict=True)
    ]


def _decode(file: CodedImage, options: DecodeOptions, progress: Progress | None, inexact: list[int] | None) -> Picture:
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
    tiles = (
        _ModelTiles(file, options, salvage) if isinstance(file, ParsedImage) else _StreamTiles(file, options, salvage)
    )
    samples = np.empty((*box_shape(wanted), wrapper.channels), sample_type(wrapper.depth))
    jobs, counter = tiles.jobs(samples.nbytes, touched), Counter(progress, len(touched), tiles.calls)
    decoded = in_order(tiles.work, map(tiles.task, touched), jobs, counter)
    for index, (part, checksum) in zip(touched, decoded, strict=True):
        if checksum not in (None, header.checksums[index]):
            if inexact is None:
                message = f"tile {index} decoded to other samples than were encoded"
                raise ChecksumError(message, section=f"tile {index}")
            inexact.append(index)
        paste(part, tile_box(shape, tile, index), samples, wanted)
    return Picture(samples, wrapper)


Work: TypeAlias = Callable[[Any, Tick], DecodedTile]  # decodes the tile of a task


class _ModelTiles:
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
        return 1 if self._salvage else _jobs(self._options, self._file.header.tile, nbytes, len(touched))


class _StreamTiles:
    """The tiles of a picture, each a stream of its own; see ``_ModelTiles``."""

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
    return DecodedTile(samples, None if preview else _checksum(samples))


def _salvage_coded(task: tuple[CodedTile, int], tick: Tick) -> DecodedTile:
    from ardm_compress.methods.model import salvage_tile

    samples = salvage_tile(task[0], tick)
    return DecodedTile(samples, _checksum(samples))


def _decode_stream(task: tuple[bytes, ImageWrapper, tuple[int, int, int], int], _tick: Tick) -> DecodedTile:
    stream, wrapper, shape, preview = task
    (samples,) = decode_tiles([stream], shape, wrapper.depth)
    return DecodedTile(samples[:: 1 << preview, :: 1 << preview], _checksum(samples))


def _salvage_stream(task: tuple[bytes, ImageWrapper, tuple[int, int, int], int], _tick: Tick) -> DecodedTile:
    stream, wrapper, shape, _ = task
    samples = salvage_tile(stream, shape, wrapper.depth)
    if samples is not None:
        return DecodedTile(samples, _checksum(samples))
    unknown = 0 if wrapper.kind == PNG and wrapper.form == png.PALETTE else 1 << wrapper.depth - 1
    return DecodedTile(np.full(shape, unknown, sample_type(wrapper.depth)), LOST)


def _decode_small(options: DecodeOptions, files: Sequence[CodedImage]) -> list[Picture]:
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
        check_samples(_serialised(part), file.header.checksums[0], 0)
    return [Picture(part, file.wrapper) for file, part in zip(files, parts, strict=True)]


def _is_small(shape: Sequence[int], tile: Sequence[int]) -> bool:
    """Whether images (rows, columns, ...) are one tile, too small to fill the network's batches."""
    return prod(shape[:2]) < SMALL_PIXELS and shape[0] <= tile[0] and shape[1] <= tile[1]


def _is_small_file(file: CodedImage) -> bool:
    return file.size <= SMALL_BYTES and _is_small(file.shape, file.header.tile)


def _coded(file: Data | CodedImage, options: DecodeOptions) -> CodedImage:
    """Parse a file, unless it is parsed.

    Raises:
        FormatError: it is no image; others as ``parse``.
    """
    found = file if isinstance(file, ParsedImage | ParsedPicture) else parse(file, options.limits)
    if not isinstance(found, ParsedImage | ParsedPicture):
        raise FormatError("the file holds no samples of an image", section="header")
    return found


def _windows(files: Iterable[File]) -> Iterator[list[File]]:
    """Files in lists of bounded size."""
    window: list[File] = []
    size = 0
    for file in files:
        window.append(file)
        size += file.size if isinstance(file, ParsedImage | ParsedPicture) else len(file)
        if len(window) == WINDOW_FILES or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    if window:
        yield window


def _attempted(work: Callable[[], Result]) -> Result | ArdmError:
    try:
        return work()
    except ArdmError as error:
        return error


def _pixel_bytes(wrapper: ImageWrapper) -> int:
    return wrapper.channels * -(-wrapper.depth // 8)


def _serialised(samples: NDArray[Any]) -> bytes:
    """As checksums are taken over them."""
    return samples.astype("<u2" if samples.dtype == np.uint16 else "u1").tobytes()


def _checksum(samples: NDArray[Any]) -> int:
    return sample_checksum(_serialised(samples))
