"""Image files <-> compressed files, one by one, or many small ones together. Imports the model only if it codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np

from ardm_compress.codec.pictures import (
    CodedImage,
    decode_picture,
    decode_together,
    encode_by_model,
    encode_picture,
    encode_together,
)
from ardm_compress.container import parse
from ardm_compress.container.image import ParsedImage
from ardm_compress.container.picture import ParsedPicture
from ardm_compress.errors import ArdmError, FormatError, LimitError, UnsupportedError
from ardm_compress.files import file_content
from ardm_compress.formats.catalogue import read_media
from ardm_compress.formats.contents import ImageWrapper, Media, Picture, with_original
from ardm_compress.methods.choice import MODEL_CHANNELS
from ardm_compress.options import DEFAULT_DECODING, DEFAULT_ENCODING, MAX_SIDE, DecodeOptions, EncodeOptions
from ardm_compress.tasks import Progress, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files import Data

Result = TypeVar("Result")
File = TypeVar("File", bound="Data | ParsedImage | ParsedPicture")

WINDOW_FILES: Final = 256  # that are looked at together
WINDOW_BYTES: Final = 1 << 24  # of such files
SMALL_BYTES: Final = 1 << 17  # of a file that may hold a small image
SMALL_PIXELS: Final = 1 << 14  # of an image too small to fill the network's batches
MUCH_AROUND: Final = 1 << 12  # bytes of a file that are not its samples, from which they may count


class Salvaged(NamedTuple):
    """What a damaged file still held."""

    picture: Picture
    inexact: list[int]  # numbers of the tiles, in raster order, that are not what was encoded
    tiles: int


def encode_image(
    data: bytes | bytearray | memoryview, options: EncodeOptions = DEFAULT_ENCODING, *,
    progress: Progress | None = None, **changes: Any,
) -> bytes:  # fmt: skip
    """Compress an image file, by the model or by what else makes it smallest.

    JPEG files come back byte for byte. Some kinds are stored as they are, and so is a file that would become larger.

    Args:
        data: the whole file.
        options: how.
        progress: called with the network calls done and their total, or, if not all tiles are left to the model, tiles.
        changes: to the options.

    Raises:
        UnsupportedError: the file is no image, or there is no such model; FormatError: it is no image, or damaged;
        LimitError: too large; ValueError: budget below 1, or no such level; TypeError: no bytes.
    """
    options, data = replace(options, **changes).of_medium("image"), file_content(data)
    media = _read(data, options)
    if not isinstance(media, Picture):
        return _encode_whole(data, media, options, progress)
    return _smaller(encode_picture(media, options, progress=progress), data, media.wrapper, options)


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
    return encode_by_model(samples, options, progress)


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
    options = replace(options, **changes).of_medium("image")
    sides = options.tile, options.tile

    def kind(picture: Picture) -> tuple[tuple[int, ...], int]:
        return picture.samples.shape, picture.wrapper.depth

    for window in _windows(files):
        read = [_attempted(partial(_read, data, options)) for data in window]
        small = [own for own in read if isinstance(own, Picture) and _is_small(own.samples.shape, sides)]
        coded = iter(together(partial(encode_together, options), small, kind, lambda own: prod(own.samples.shape[:2])))
        for data, own in zip(window, read, strict=True):
            if isinstance(own, ArdmError):
                yield own
            elif not isinstance(own, Picture):
                yield _attempted(partial(_encode_whole, data, own, options))
            else:
                is_small = _is_small(own.samples.shape, sides)
                made = next(coded) if is_small else _attempted(partial(encode_picture, own, options))
                yield made if isinstance(made, ArdmError) else _smaller(made, data, own.wrapper, options)


def decode_image(
    file: Data | CodedImage, options: DecodeOptions = DEFAULT_DECODING, *, progress: Progress | None = None,
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
    return decode_picture(_coded(file, options), options, progress, None)


def decode_samples(
    file: Data | CodedImage, options: DecodeOptions = DEFAULT_DECODING, *, progress: Progress | None = None,
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
    options = replace(options, **changes, region=None, preview=0)

    def kind(file: CodedImage) -> tuple[type, tuple[int, ...], int, int]:
        return type(file), file.shape, file.wrapper.channels, file.wrapper.depth

    for window in _windows(files):
        parsed = [_attempted(partial(_coded, file, options)) for file in window]
        small = [own for own in parsed if isinstance(own, CodedImage) and _is_small_file(own)]
        decoded = iter(together(partial(decode_together, options), small, kind, lambda file: prod(file.shape)))
        for own in parsed:
            if isinstance(own, ArdmError):
                yield own
            else:
                yield (
                    next(decoded)
                    if _is_small_file(own)
                    else _attempted(partial(decode_picture, own, options, None, None))
                )


def salvage_image(
    file: Data | CodedImage, options: DecodeOptions = DEFAULT_DECODING, *, progress: Progress | None = None,
    **changes: Any,
) -> Salvaged:  # fmt: skip
    """Decode what a damaged file still holds: what the model codes is completed by it, other lost tiles are gray.

    Raises:
        As ``decode_image``, if the header is damaged or cut short.
    """
    options, inexact = replace(options, jobs=1, **changes), list[int]()
    parsed = _coded(file, options)
    return Salvaged(decode_picture(parsed, options, progress, inexact), inexact, prod(parsed.header.grid))


def check_for_model(samples: NDArray[Any]) -> None:
    """Raise UnsupportedError unless an array is one of those that models code."""
    if samples.dtype != np.uint8 or samples.ndim != 3 or samples.shape[2] not in MODEL_CHANNELS:
        raise UnsupportedError("only 8-bit arrays of shape (rows, columns, 1 or 3) are supported")


def _read(data: bytes, options: EncodeOptions) -> Media:
    media = read_media(
        data, strip=options.strip, force_pixels=options.force_pixels, any_kind=options.any_kind, limits=options.limits
    )
    return with_original(media, data)


def _encode_whole(data: bytes, media: Media, options: EncodeOptions, progress: Progress | None = None) -> bytes:
    from ardm_compress.codec.jpegs import encode_whole

    return encode_whole(data, media, options, progress=progress)


def _smaller(coded: bytes, data: bytes, wrapper: ImageWrapper, options: EncodeOptions) -> bytes:
    """Return the compressed file, or store the original as it is if that is smaller."""
    is_image = len(wrapper.head) + len(wrapper.tail) < MUCH_AROUND  # else storing packs what is around it better
    if (is_image and len(coded) <= len(data)) or options.strip or options.force_pixels:
        return coded
    from ardm_compress.container.stored import may_store_in, stored  # most images are smaller by far

    kept = len(coded) <= len(data) and not may_store_in(data, len(coded))
    return coded if kept else min(coded, stored(data), key=len)


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
