"""Arrays <-> files in memory. Imports torch; the command line imports this module only when it codes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from ardm_compress import codec
from ardm_compress.ardm.costs import conditional_bits
from ardm_compress.ardm.schedule import plan_all, plan_steps, table_from_conditional
from ardm_compress.audio import container, files
from ardm_compress.container import (
    MAX_SIDE,
    Header,
    Region,
    box_shape,
    check_samples,
    paste,
    read_file,
    region_box,
    sample_checksum,
    shared,
    write_file,
)
from ardm_compress.data import Data, spool
from ardm_compress.describe import describe_tiles
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.exact.model import Model, load_model
from ardm_compress.image import png
from ardm_compress.image.codec import decode_picture, encode_picture
from ardm_compress.image.container import is_picture
from ardm_compress.image.files import suffix_of as image_suffix
from ardm_compress.image.files import taken_apart
from ardm_compress.image.methods import Coder
from ardm_compress.image.picture import Picture
from ardm_compress.layout import tile_steps
from ardm_compress.models import AUTO, ModelFile, candidates, find_model, model_of_file
from ardm_compress.progress import Counter, Progress
from ardm_compress.sound.files import Sound, converted, is_sound, read_sound, sound_parts
from ardm_compress.sound.wrapper import suffix_of as sound_suffix
from ardm_compress.stored import read_stored, write_stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order

DEFAULT_BUDGET = 192  # network calls
TILE = 1024  # largest side of a tile
SECTIONED_FROM = 1 << 14  # positions of a tile from which its stream is cut by level
SECTIONS = 5  # levels 0 to 3 and the coarser ones together

ESTIMATE_BUDGET = 16  # network calls
TRIED = 192  # side of the part of an image by which a model is chosen
TRIED_FRAMES = 1 << 15  # of each part of a sound by which a model is chosen
TRIED_PLACES = 4  # these parts are at quarters of the sound
SUFFIXES = {
    ".aif": ".aiff",
    ".aifc": ".aiff",
    ".wave": ".wav",
    ".tiff": ".tif",
    ".dib": ".bmp",
}  # of the same kinds


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What a budget is expected to give."""

    budget: int  # network calls
    bits_per_sample: float
    steps_per_level: tuple[int, ...]  # coarsest level first; a step counts where it starts


@cache
def _model(entry: ModelFile) -> Model:
    return load_model(entry)


def encode(
    samples: NDArray[np.uint8], *, budget: int | None = None, model: str = "photo", progress: Progress | None = None
) -> bytes:
    """Compress an image.

    Args:
        samples: (rows, columns, 1 or 3), 8 bits.
        budget: network calls, at least 1; more make a smaller file. Above the useful maximum, the maximum is used.
        model: name of a model; ``auto`` is the one that makes the middle of the image smallest.
        progress: called with the network calls done and their total.

    Returns:
        A whole file.

    Raises:
        UnsupportedError: other shapes, depths or models; LimitError: too large; ValueError: budget below 1.
    """
    if samples.dtype != np.uint8 or samples.ndim != 3 or samples.shape[2] not in (1, 3):
        raise UnsupportedError("only 8-bit arrays of shape (rows, columns, 1 or 3) are supported")
    if min(samples.shape) == 0 or max(samples.shape[:2]) > MAX_SIDE:
        raise LimitError(f"an image's sides must be 1 to {MAX_SIDE} pixels")
    budget = DEFAULT_BUDGET if budget is None else budget
    if budget < 1:
        raise ValueError("the budget must be at least 1 network call")
    coder = _model_of(find_model(_image_model(samples, budget) if model == AUTO else model), 2)
    _check_channels(samples.shape[2], coder)
    rows, columns = samples.shape[:2]
    tile = _tile_side(rows), _tile_side(columns)
    sections = SECTIONS if prod(tile) >= SECTIONED_FROM else 1
    header = Header(
        shape=(rows, columns), channels=samples.shape[2], model_id=coder.model_id, tile=tile, sections=sections,
        runs=_plan_runs(coder, tile, budget), checksums=(), lengths=(),
    )  # fmt: skip
    count = Counter(progress, _calls(header, coder.order))
    parts = [samples[header.tile_box(i)] for i in range(prod(header.grid))]
    described = describe_tiles(coder, parts)
    steps = [tile_steps(header.runs, coder.order, tile, part.shape[:2]) for part in parts]
    coded = [
        codec.encode_tile(coder, part, step, sections, count.one, description)
        for part, step, description in zip(parts, steps, described, strict=True)
    ]
    checksums = tuple(sample_checksum(part.tobytes()) for part in parts)
    payloads = [payloads[section] for section in range(sections) for payloads in coded]
    latents = tuple(description.latents for description in described)
    header = replace(header, style=described[0].style, mirror=described[0].mirror, latents=latents, checksums=checksums)
    return write_file(header, payloads)


def decode(data: bytes, *, region: Region | None = None, progress: Progress | None = None) -> NDArray[np.uint8]:
    """Inverse of ``encode``: the samples, (rows, columns, 1 or 3).

    Args:
        data: a whole file.
        region: left, top, width and height of the part to decode; only the tiles that it touches are.
        progress: as for ``encode``.

    Raises:
        FormatError, ChecksumError: the bytes are not a file of this format, or a damaged one; UnsupportedError: it
        needs another version or model; LimitError: too large.
    """
    header, payloads = read_file(data)
    coder = _model_of(model_of_file(header.model_id), 2)
    _check_channels(header.channels, coder)
    _check_description(header, coder)
    wanted = region_box(region, header.shape)
    samples = np.empty((*box_shape(wanted), header.channels), np.uint8)
    tiles = prod(header.grid)
    touched = [index for index in range(tiles) if shared(header.tile_box(index), wanted)]
    count = Counter(progress, _calls(header, coder.order) // tiles * len(touched))
    for index in touched:
        box = header.tile_box(index)
        shape = box_shape(box)
        steps = tile_steps(header.runs, coder.order, header.tile, shape)
        decoded = codec.decode_tile(
            coder, shape, header.channels, steps, payloads[index::tiles], count.one, header.description(index)
        )
        check_samples(decoded.tobytes(), header.checksums[index], index)
        paste(decoded, box, samples, wanted)
    return samples


def encode_image(
    data: bytes,
    *,
    budget: int | None = None,
    model: str = "photo",
    strip: bool = False,
    force_pixels: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """Compress an image file, by the model or by what else makes it smallest.

    Some kinds are stored as they are, and so is a file that would become larger.

    Args:
        data: the whole file.
        budget: network calls, as for ``encode``.
        model: name of a model, as for ``encode``.
        strip: leave out metadata.
        force_pixels: of files that are lossy or would be stored, compress the pixels as those of a PNG file.
        progress: called with the network calls done and their total, by every part of the image that the model codes.

    Raises:
        UnsupportedError: the file is lossy already; FormatError: it is no image, or damaged; LimitError: too large.
    """
    picture = taken_apart(data, strip=strip, force_pixels=force_pixels)
    if picture is None:
        return _stored(data)
    coder = Coder(
        encode=lambda samples: encode(samples, budget=budget, model=model, progress=progress),
        decode=decode,
        estimate=lambda samples: _estimate(samples, model),
    )
    coded = encode_picture(picture, coder)
    return coded if strip or force_pixels or len(coded) <= len(data) else min(coded, _stored(data), key=len)


def _estimate(samples: NDArray[np.uint8], model: str) -> int:
    """About how many bytes the model takes for a small image: in few steps, and without telling it what it is like."""
    coder = _model_of(find_model("photo" if model == AUTO else model), 2)
    shape = samples.shape[:2]
    runs = _plan_runs(coder, (shape[0], shape[1]), ESTIMATE_BUDGET)
    return sum(
        map(len, codec.encode_tile(coder, samples, tile_steps(runs, coder.order, shape, shape), 1, lambda: None))
    )


def _stored(data: bytes) -> bytes:
    with spool() as collected:
        return write_stored(data, collected)[:]


def decode_image(data: Data, *, region: Region | None = None, progress: Progress | None = None) -> Picture:
    """Inverse of ``encode_image``, except of stored files: the image taken apart, for ``write_picture``.

    Args:
        data: a whole file.
        region: as for ``decode``; a part of an image has no metadata.
        progress: as for ``decode``.

    Raises:
        As ``decode``.
    """
    if is_picture(data):
        coder = Coder(encode, lambda part: decode(part, progress=progress), len)
        return decode_picture(data, coder, region)
    samples = decode(data[:], region=region, progress=progress)
    return Picture(samples, png.plain(samples.shape[2]))


def encode_sound(
    data: Data, *, budget: int | None = None, model: str = "sound", progress: Progress | None = None
) -> bytes:
    """Compress a WAV, AIFF or FLAC file; what no model can code is stored as it is, packed.

    Args:
        data: the whole file.
        budget: network calls of a tile and pair of channels, at least 2; more make a smaller file.
        model: name of a model of sound; ``auto`` is the one that makes a few seconds smallest.
        progress: called with the network calls done and their total.

    Raises:
        UnsupportedError: no such model, or a budget below 2; LimitError: too large.
    """
    with encoded_sound(data, budget=budget, model=model, progress=progress) as file:
        return file[:]


@contextmanager
def encoded_sound(
    data: Data, *, budget: int | None = None, model: str = "sound", progress: Progress | None = None
) -> Iterator[Data]:
    """As ``encode_sound``, for files larger than memory: gives the compressed file, which goes with the context."""
    if budget is not None and budget < files.LEAST_BUDGET:
        raise UnsupportedError(f"sound takes at least {files.LEAST_BUDGET} network calls")
    sound = _readable(data)
    if model == AUTO:
        model = _sound_model(sound, budget)
    coder = _model_of(find_model(model), 1)
    with spool() as collected:
        if sound:
            yield files.encode_sound(sound, coder, collected, budget=budget, progress=progress)
        else:
            yield write_stored(data, collected)


def _image_model(samples: NDArray[np.uint8], budget: int) -> str:
    """The name of the model that makes the middle of an image smallest."""
    rows, columns = (slice(max(0, side - TRIED) // 2, (side + TRIED) // 2) for side in samples.shape[:2])
    part = samples[rows, columns]
    return min(candidates(2, samples.shape[2]), key=lambda name: len(encode(part, budget=budget, model=name)))


def _sound_model(sound: Sound | None, budget: int | None) -> str:
    """The name of the model that makes a few parts of a sound smallest."""
    names = candidates(1, container.PAIR)
    if not sound or len(names) == 1:
        return names[0]
    last = max(0, sound.samples.shape[0] - TRIED_FRAMES)
    starts = sorted({last * place // TRIED_PLACES for place in range(1, TRIED_PLACES)})
    parts = [sound.samples[start : start + TRIED_FRAMES] for start in starts]
    tried = replace(sound, samples=np.concatenate(parts))

    def size(name: str) -> int:
        with spool() as collected:
            return len(files.encode_sound(tried, _model_of(find_model(name), 1), collected, budget=budget))

    return min(names, key=size)


def _readable(data: Data) -> Sound | None:
    try:
        return read_sound(data)
    except UnsupportedError:
        return None


def decode_sound(
    data: Data,
    *,
    suffix: str | None = None,
    start: float = 0,
    duration: float | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Inverse of ``encode_sound``: the file's bytes; of FLAC files, another with the same samples and metadata.

    Args:
        data: a whole compressed file.
        suffix: of the kind of file to make, ``.wav`` or ``.flac``; by default the one that was compressed.
        start: seconds to leave out at the beginning; parts of a file have none of its chunks and tags.
        duration: seconds to decode; by default to the end.
        progress: as for ``encode_sound``.

    Raises:
        FormatError, ChecksumError: damaged; UnsupportedError: it needs another version or model, or it is a stored
        file and a part or another kind of it is asked for; LimitError: too large.
    """
    return b"".join(decoded_sound(data, suffix=suffix, start=start, duration=duration, progress=progress))


def decoded_sound(
    data: Data,
    *,
    suffix: str | None = None,
    start: float = 0,
    duration: float | None = None,
    progress: Progress | None = None,
) -> Iterator[bytes]:
    """As ``decode_sound``, for files larger than memory: gives the file in parts, decoding as they are asked for."""
    whole = start == 0 and duration is None
    if not all(math.isfinite(seconds) and seconds >= 0 for seconds in (start, duration or 0)):
        raise UnsupportedError("start and duration must be finite and not negative")
    suffix = SUFFIXES.get(suffix, suffix) if suffix else None
    if container.is_sound(data) and container.is_stored(data):
        if not whole:
            raise UnsupportedError("this file is stored as it was, so only all of it can be decoded")
        return decoded_file(data, suffix=suffix)
    sound = files.decode_sound(data, _coder_of_sound, start=start, duration=duration, progress=progress)
    kind = sound.wrapper.suffix
    if not whole or suffix not in (None, kind):
        sound = converted(sound, suffix or (".wav" if kind == ".aiff" else kind))
    return sound_parts(sound)


def decoded_file(data: Data, *, suffix: str | None = None) -> Iterator[bytes]:
    """The parts of a file that is stored as it was; ``suffix`` as for ``decode_sound``."""
    start = b"".join(islice(read_stored(data), 1))
    known = sound_suffix(start) if is_sound(start) else image_suffix(start)
    if suffix and known and SUFFIXES.get(suffix, suffix) != known:
        raise UnsupportedError("this file is stored as it was, so it can only be decoded as what it was")
    return read_stored(data)


def _coder_of_sound(model_id: bytes) -> Model:
    return _model_of(model_of_file(model_id), 1)


def _model_of(entry: ModelFile, axes: int) -> Model:
    """A model that must be of images (2 axes) or of sound (1)."""
    model = _model(entry)
    if model.config.axes != axes:
        raise UnsupportedError(f"{entry.name} is not a model of {'sound' if axes == 1 else 'images'}")
    return model


def plan(model: str, shape: tuple[int, int]) -> list[PlanRow]:
    """What every budget from 1 to the maximum is expected to give for an image of ``shape`` (rows, columns)."""
    coder = _model_of(find_model(model), 2)
    tile = _tile_side(shape[0]), _tile_side(shape[1])
    bits, ranks = conditional_bits(coder.order, tile, coder.costs)
    if not len(ranks):
        return []
    plans = plan_all(table_from_conditional(bits))
    levels = coder.order.levels(tile)
    samples = prod(tile) * coder.config.channels
    root = coder.config.bit_depth * coder.config.channels
    rows = []
    for budget in range(1, len(ranks) + 1):
        starts = ranks[list(plans.schedule(budget).starts)] // coder.order.ranks_per_level
        per_level = tuple(np.bincount(starts, minlength=levels).tolist())
        rows.append(PlanRow(budget, (plans.cost(budget) + root) / samples, per_level))
    return rows


def _check_channels(channels: int, coder: Model) -> None:
    if channels > coder.config.channels:
        raise UnsupportedError(f"the image has {channels} channels, its model only {coder.config.channels}")


def _check_description(header: Header, coder: Model) -> None:
    config, latents = coder.config, max(map(len, header.latents), default=0)
    if header.style >= config.styles or latents > config.latents:
        message = f"style {header.style} and {latents} latents; its model has {config.styles} and {config.latents}"
        raise FormatError(f"the file has {message}", section="header")


def _tile_side(side: int) -> int:
    """The image's side cut evenly into tiles of at most TILE, a multiple of 16 unless there is one."""
    count = ceil(side / TILE)
    return side if count == 1 else ceil(side / count / 16) * 16


def _plan_runs(coder: Model, tile: tuple[int, int], budget: int) -> tuple[int, ...] | None:
    """Non-empty ranks per step; None if every rank has a step of its own."""
    bits, ranks = conditional_bits(coder.order, tile, coder.costs)
    if budget >= len(ranks):
        return None
    return tuple(stop - first for first, stop in plan_steps(table_from_conditional(bits), budget))


def _calls(header: Header, order: Order) -> int:
    """Network calls of a whole file."""
    return prod(header.grid) * len(tile_steps(header.runs, order, header.tile, header.tile))
