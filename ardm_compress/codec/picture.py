"""Pictures and image files <-> compressed files, tile by tile. Imports torch only for what the model codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ardm_compress.ardm.tiles import (
    TILE,
    Region,
    box_shape,
    check_level,
    paste,
    region_box,
    scaled,
    shared,
    tile_box,
    tile_side,
)
from ardm_compress.container import image as container
from ardm_compress.container.image import is_wrapped, read_wrapped, write_wrapped
from ardm_compress.container.picture import APART, MODEL, PictureHeader, is_picture, read_file, write_file
from ardm_compress.container.stored import stored
from ardm_compress.container.streams import check_samples, sample_checksum
from ardm_compress.container.wrappers import read_image_wrapper, write_image_wrapper
from ardm_compress.errors import FormatError
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import part_wrapper, read_media
from ardm_compress.formats.contents import PNG, ImageWrapper, Picture, sample_type
from ardm_compress.inference.registry import model_of_file
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.methods.choice import (
    CLEAR,
    DEFAULT_SETTINGS,
    MODEL_DEPTH,
    Settings,
    compared,
    decode_tile,
    encode_tile,
    is_for_model,
    of_model,
    salvage_tile,
)
from ardm_compress.progress import Progress
from ardm_compress.tasks.processes import ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data


class Salvaged(NamedTuple):
    """What a damaged file still held."""

    picture: Picture
    inexact: list[int]  # numbers of the tiles, in raster order, that are not what was encoded
    tiles: int


def encode_image(
    data: bytes,
    *,
    budget: int | None = None,
    model: str = "photo",
    describe: bool = True,
    strip: bool = False,
    force_pixels: bool = False,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> bytes:
    """Compress an image file, by the model or by what else makes it smallest.

    Some kinds are stored as they are, and so is a file that would become larger.

    Args:
        data: the whole file.
        budget: network calls, as for ``encode``.
        model: name of a model, as for ``encode``.
        describe: as for ``encode``.
        strip: leave out metadata.
        force_pixels: of files that are lossy or would be stored, compress the pixels as those of a PNG file.
        jobs: processes, as for ``encode``.
        limits: as for ``encode``.
        progress: as for ``encode``, or of the tiles if not all of them are left to the model.

    Raises:
        UnsupportedError: the file is lossy already; FormatError: it is no image, or damaged; LimitError: too large.
    """
    picture = read_media(data, strip=strip, force_pixels=force_pixels, limits=limits)
    if not isinstance(picture, Picture):
        return stored(data)
    settings = Settings(budget, model, describe)
    coded = encode_picture(picture, settings, jobs=jobs, limits=limits, progress=progress)
    return coded if strip or force_pixels else not_larger(coded, data)


def not_larger(coded: bytes, data: bytes) -> bytes:
    """A compressed file, or the one that stores the original as it is if it has become larger than that."""
    return coded if len(coded) <= len(data) else min(coded, stored(data), key=len)


def decode_image(
    data: Data,
    *,
    region: Region | None = None,
    level: int = 0,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Picture:
    """Inverse of ``encode_image``, except of stored files: the image taken apart, for ``write_picture``.

    Args:
        data: a whole file, or for previews of what the model has coded the beginning of one.
        region: as for ``decode``; a part of an image has no metadata.
        level: as for ``decode``; nor has a preview.
        jobs: processes, as for ``decode``.
        limits: as for ``decode``.
        progress: as for ``encode_image``.

    Raises:
        As ``decode``.
    """
    if is_picture(data):
        return decode_tiles(data, region=region, level=level, jobs=jobs, limits=limits, progress=progress)
    wrapper, file = unwrapped(data, limits, whole=level == 0)
    shown = wrapper if region is None and level == 0 else part_wrapper(wrapper)
    from ardm_compress.codec import array

    samples = array.decode(file, region=region, level=level, jobs=jobs, limits=limits, progress=progress)
    return Picture(samples, shown)


def salvage_image(data: Data, *, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None) -> Salvaged:
    """As ``decode_image``, of a damaged file: what the model codes is completed by it, other tiles are gray.

    Raises:
        As ``decode_image``, if the header is damaged or cut short.
    """
    if is_picture(data):
        return _salvage_tiles(data, limits, progress)
    wrapper, file = unwrapped(data, limits, whole=False)
    from ardm_compress.codec import array

    samples, inexact, tiles = array.salvage(file, limits=limits, progress=progress)
    return Salvaged(Picture(samples, wrapper), inexact, tiles)


def encode_picture(
    picture: Picture,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> bytes:
    """Compress. What photographs hold is left to the model, of which a preview needs only the beginning of a file."""
    samples, wrapper = picture.samples, picture.wrapper
    shape = samples.shape[0], samples.shape[1]
    limits.check_image(*shape, _pixel_bytes(wrapper))
    tile = tile_side(shape[0], TILE), tile_side(shape[1], TILE)
    header = PictureHeader(shape=shape, tile=tile, wrapper=write_image_wrapper(wrapper), checksums=(), lengths=())
    parts = [samples[header.tile_box(index)] for index in range(prod(header.grid))]
    workers = limits.jobs(jobs, samples.nbytes, len(parts))
    shares: list[float | None] = [None] * len(parts)
    if is_for_model(wrapper.depth, wrapper.channels):
        shares = list(ordered(compared, ((part, settings) for part in parts), workers))
        if all(share is not None and share < CLEAR for share in shares):
            from ardm_compress.codec import array

            file = array.encode(
                samples, budget=settings.budget, model=settings.model, describe=settings.describe, jobs=jobs,
                limits=limits, progress=progress,
            )  # fmt: skip
            return _wrapped(wrapper, file)
    tasks = ((part, wrapper.depth, settings, share) for part, share in zip(parts, shares, strict=True))
    payloads = []
    for payload in ordered(encode_tile, tasks, workers):
        payloads.append(payload)
        if progress:
            progress(len(payloads), len(parts))
    if len(payloads) == 1 and (alone := of_model(payloads[0])):
        return _wrapped(wrapper, alone)
    checksums = tuple(sample_checksum(_serialised(part)) for part in parts)
    return write_file(replace(header, checksums=checksums), payloads)


def _wrapped(wrapper: ImageWrapper, file: bytes) -> bytes:
    """A file of the model; of a PNG file with nothing but gray or RGB samples, it alone."""
    return file if wrapper == png.plain(wrapper.channels) else write_wrapped(write_image_wrapper(wrapper), file)


def unwrapped(data: Data, limits: Limits, *, whole: bool) -> tuple[ImageWrapper, Data]:
    """What surrounds the samples, and the file of the model, which this refuses before anything large is imported.

    It is refused if it is too large, or has another number of channels than its wrapper, or an unknown model.
    """
    kept, file = read_wrapped(data) if is_wrapped(data) else (None, data)
    header, _ = container.read_file(file, limits, whole=whole)
    model_of_file(header.model_id)
    wrapper = png.plain(header.channels) if kept is None else read_image_wrapper(kept)
    if wrapper.depth != MODEL_DEPTH or wrapper.channels != header.channels:
        raise FormatError("the wrapper is of other samples than the file has", section="header")
    return wrapper, file


def decode_tiles(
    data: Data, *, region: Region | None = None, level: int = 0, jobs: int = 1, limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None, known: Mapping[bytes, NDArray[np.uint8]] | None = None,
) -> Picture:  # fmt: skip
    """As ``decode_image``, of a file whose tiles are coded one by one; ``known`` as for ``methods.decode_tile``."""
    check_level(level)
    header, payloads = read_file(data, limits)
    if region is None:
        payloads.check()
    wrapper = read_image_wrapper(header.wrapper)
    shown = wrapper if region is None and level == 0 else part_wrapper(wrapper)
    shape, tile = scaled(header.shape, header.tile, level)
    wanted = region_box(region, shape)
    limits.check_memory(prod(box_shape(wanted)) * _pixel_bytes(wrapper))
    samples = np.empty((*box_shape(wanted), wrapper.channels), sample_type(wrapper.depth))
    touched = [index for index in range(prod(header.grid)) if shared(tile_box(shape, tile, index), wanted)]
    shapes = [(*box_shape(header.tile_box(index)), wrapper.channels) for index in touched]
    tasks = ((payloads[index], sides, wrapper.depth, known) for index, sides in zip(touched, shapes, strict=True))
    slow = sum(payloads.first(index) in (bytes([MODEL]), bytes([APART])) for index in touched)
    jobs = limits.jobs(jobs, samples.nbytes, slow)
    for done, (index, part) in enumerate(zip(touched, ordered(decode_tile, tasks, jobs), strict=True), 1):
        check_samples(_serialised(part), header.checksums[index], index)
        paste(part[:: 1 << level, :: 1 << level], tile_box(shape, tile, index), samples, wanted)
        if progress:
            progress(done, len(touched))
    return Picture(samples, shown)


def _salvage_tiles(data: Data, limits: Limits, progress: Progress | None) -> Salvaged:
    header, payloads = read_file(data, limits, whole=False)
    wrapper, tiles, inexact = read_image_wrapper(header.wrapper), prod(header.grid), []
    limits.check_memory(prod(header.shape) * _pixel_bytes(wrapper))
    samples = np.empty((*header.shape, wrapper.channels), sample_type(wrapper.depth))
    unknown = 0 if wrapper.kind == PNG and wrapper.form == png.PALETTE else 1 << wrapper.depth - 1
    for index in range(tiles):
        box = header.tile_box(index)
        part = salvage_tile(payloads.raw(index), (*box_shape(box), wrapper.channels), wrapper.depth)
        if part is None or sample_checksum(_serialised(part)) != header.checksums[index]:
            inexact.append(index)
        samples[box] = unknown if part is None else part
        if progress:
            progress(index + 1, tiles)
    return Salvaged(Picture(samples, wrapper), inexact, tiles)


def _pixel_bytes(wrapper: ImageWrapper) -> int:
    return wrapper.channels * -(-wrapper.depth // 8)


def _serialised(samples: NDArray[Any]) -> bytes:
    """As checksums are taken over them."""
    return samples.astype("<u2" if samples.dtype == np.uint16 else "u1").tobytes()
