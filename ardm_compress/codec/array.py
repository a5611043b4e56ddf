"""8-bit gray and RGB samples <-> files that the model alone codes, tile by tile. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ardm_compress.analysis.conditioning import choose_conditionings, choose_styles
from ardm_compress.ardm.plans import (
    PlanRow,
    Steps,
    budget_runs,
    call_count,
    plan_budgets,
    planned_runs,
    tile_steps,
)
from ardm_compress.ardm.tiles import (
    SECTIONS,
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
from ardm_compress.coding.conditioning import PLAIN, Conditioning
from ardm_compress.coding.image import decode_tiles, encode_tiles
from ardm_compress.coding.symbols import Arrived, Expected, Popped, Symbols
from ardm_compress.container.image import Header, read_file, write_file
from ardm_compress.container.streams import Payloads, check_samples, sample_checksum
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.inference.loading import model_of
from ardm_compress.inference.registry import AUTO, ModelFile, candidates, find_model, model_of_file
from ardm_compress.limits import DEFAULT_LIMITS, MAX_SIDE, Limits
from ardm_compress.progress import Counter, Progress, ignored
from ardm_compress.tasks.processes import ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.loop import Progress as StepProgress
    from ardm_compress.files.data import Data
    from ardm_compress.inference.model import Model

DEFAULT_BUDGET: Final = 96  # network calls, from which more gain next to nothing
SECTIONED_FROM: Final = 1 << 14  # positions of a tile from which its stream is cut by level
SHARED_FROM: Final = 1 << 17  # pixels of a tile from which other processes, which take seconds to start, are worth it
ESTIMATE_BUDGET: Final = 16  # network calls
TRIED: Final = 192  # side of the part of an image by which a model is chosen


class CodedTile(NamedTuple):
    """What it takes to decode a tile by itself, in any process."""

    entry: ModelFile
    shape: tuple[int, int]  # rows, columns
    channels: int
    steps: Steps
    progressive: bool
    conditioning: Conditioning


def encode(
    samples: NDArray[np.uint8],
    *,
    budget: int | None = None,
    model: str = "photo",
    describe: bool = True,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> bytes:
    """Compress an image.

    Args:
        samples: (rows, columns, 1 or 3), 8 bits.
        budget: network calls, at least 1; more make a smaller file. Above the useful maximum, the maximum is used.
        model: name of a model; ``auto`` is the one that makes the middle of the image smallest.
        describe: tell the network of each tile what the encoder finds out about it, which takes most of the time of
            small images and makes them some percent smaller.
        jobs: processes for the tiles, as far as the memory allows; the bytes do not depend on it.
        limits: over which an image is refused.
        progress: called with the network calls done and their total.

    Returns:
        A whole file.

    Raises:
        UnsupportedError: other shapes, depths or models; LimitError: too large; ValueError: budget below 1.
    """
    check_kind(samples)
    if min(samples.shape) == 0 or max(samples.shape[:2]) > MAX_SIDE:
        raise LimitError(f"an image's sides must be 1 to {MAX_SIDE} pixels")
    rows, columns = samples.shape[:2]
    limits.check_image(rows, columns, samples.shape[2])
    budget = given_budget(budget)
    entry = find_model(_best_model(samples, budget, describe) if model == AUTO else model)
    coder = model_of(entry, 2)
    check_channels(samples.shape[2], coder)
    header = new_header(coder, (rows, columns), samples.shape[2], budget)
    tiles = prod(header.grid)
    if describe:
        ((style, mirror),) = choose_styles(coder, samples[header.tile_box(tiles // 2)][None])
        header = replace(header, style=style, mirror=mirror)
    jobs = _jobs(jobs, limits, header.tile, samples.nbytes, tiles)
    count = Counter(progress, _calls(header, coder))
    tile_of = _numbered(header, entry, coder)
    tasks = (
        (tile_of(index), samples[header.tile_box(index)], header.sections, describe,
         count.inside(jobs))
        for index in range(tiles)
    )  # fmt: skip
    coded, latents, checksums = [], [], []
    for payloads, found, checksum in ordered(_encode_tile, tasks, jobs):
        coded.append(payloads)
        latents.append(found)
        checksums.append(checksum)
        count.tile(tiles)
    header = replace(header, latents=tuple(latents), checksums=tuple(checksums))
    return write_file(header, [payloads[section] for section in range(header.sections) for payloads in coded])


def decode(
    data: Data,
    *,
    region: Region | None = None,
    level: int = 0,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """Inverse of ``encode``: the samples, (rows, columns, 1 or 3).

    Args:
        data: a whole file; for a level above 0, as much of its beginning as holds it.
        region: left, top, width and height, in pixels of the level, of what to decode; only its tiles are touched.
        level: 0 is all; else every 2**level-th row and column of every tile, up to ``tiles.COARSEST``.
        jobs: as for ``encode``.
        limits: as for ``encode``.
        progress: as for ``encode``.

    Raises:
        FormatError, ChecksumError: the bytes are not a file of this format, or a damaged one; UnsupportedError: it
        needs another version or model; LimitError: too large.
    """
    check_level(level)
    header, payloads = read_file(data, limits, whole=level == 0)
    entry, coder = model_of_header(header)
    shape, tile = scaled(header.shape, header.tile, level)
    wanted = region_box(region, shape)
    limits.check_memory(prod(box_shape(wanted)) * header.channels)
    samples = np.empty((*box_shape(wanted), header.channels), np.uint8)
    if region is None and level == 0:
        payloads.check()
    tiles = prod(header.grid)
    touched = [index for index in range(tiles) if shared(tile_box(shape, tile, index), wanted)]
    sections = max(1, header.sections - level)  # that hold it
    jobs = _jobs(jobs, limits, header.tile, samples.nbytes, len(touched))
    count = Counter(progress, _calls(header, coder) // tiles * len(touched))
    tile_of = _numbered(header, entry, coder)
    tasks = (
        (tile_of(index), [payloads[index + tiles * section] for section in range(sections)],
         header.sections, level, count.inside(jobs))
        for index in touched
    )  # fmt: skip
    for index, part in zip(touched, ordered(_decode_tile, tasks, jobs), strict=True):
        if level == 0:
            check_samples(part.tobytes(), header.checksums[index], index)
        paste(part, tile_box(shape, tile, index), samples, wanted)
        count.tile(len(touched))
    return samples


def salvage(
    data: Data, *, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> tuple[NDArray[np.uint8], list[int], int]:
    """What a damaged file, or the beginning of one, still holds; the rest is what the model expects.

    Args:
        data: at least the header of a file.
        limits: as for ``decode``.
        progress: as for ``decode``.

    Returns:
        The samples (rows, columns, 1 or 3), the numbers of the tiles that are not exact, and how many there are.

    Raises:
        As ``decode``, if the header is damaged or cut short.
    """
    header, payloads = read_file(data, limits, whole=False)
    entry, coder = model_of_header(header)
    limits.check_memory(prod(header.shape) * header.channels)
    samples = np.empty((*header.shape, header.channels), np.uint8)
    tiles, inexact = prod(header.grid), []
    count, tile_of = Counter(progress, _calls(header, coder)), _numbered(header, entry, coder)
    for index in range(tiles):
        coded = tile_of(index)
        sources = list(_sources(payloads, index, tiles, header.progressive))
        (part,) = decode_tiles(
            coder, coded.shape, coded.channels, coded.steps, sources, count.one, [coded.conditioning]
        )
        samples[header.tile_box(index)] = part
        if sample_checksum(part.tobytes()) != header.checksums[index]:
            inexact.append(index)
    return samples, inexact, tiles


def estimate(samples: NDArray[np.uint8], model: str) -> int:
    """About how many bytes the model takes for a small image: in few steps, and without telling it what it is like."""
    coder = model_of(find_model("photo" if model == AUTO else model), 2)
    shape = samples.shape[:2]
    steps = planned_steps(coder, (shape[0], shape[1]), ESTIMATE_BUDGET)
    (payloads,) = encode_tiles(coder, samples[None], steps, 1, ignored, [PLAIN])
    return sum(map(len, payloads))


def plan(model: str, shape: tuple[int, int]) -> list[PlanRow]:
    """What every budget from 1 to the maximum is expected to give for an image of ``shape`` (rows, columns)."""
    coder, tile = model_of(find_model(model), 2), (tile_side(shape[0], TILE), tile_side(shape[1], TILE))
    config = coder.config
    return plan_budgets(coder.order, coder.costs, tile, channels=config.channels, bit_depth=config.bit_depth)


def check_kind(samples: NDArray[np.uint8]) -> None:
    """Raise UnsupportedError unless an array is one of those that models code."""
    if samples.dtype != np.uint8 or samples.ndim != 3 or samples.shape[2] not in (1, 3):
        raise UnsupportedError("only 8-bit arrays of shape (rows, columns, 1 or 3) are supported")


def given_budget(budget: int | None) -> int:
    """Network calls, if none were asked for the usual ones.

    Raises:
        ValueError: less than 1.
    """
    budget = DEFAULT_BUDGET if budget is None else budget
    if budget < 1:
        raise ValueError("the budget must be at least 1 network call")
    return budget


def new_header(coder: Model, shape: tuple[int, int], channels: int, budget: int) -> Header:
    """Of an image of that shape (rows, columns), whose tiles have not been looked at yet."""
    tile = tile_side(shape[0], TILE), tile_side(shape[1], TILE)
    sections = SECTIONS if prod(tile) >= SECTIONED_FROM else 1
    return Header(
        shape=shape, channels=channels, model_id=coder.model_id, tile=tile, sections=sections,
        progressive=sections > 1, runs=budget_runs(coder.order, tile, budget), checksums=(), lengths=(),
    )  # fmt: skip


def planned_steps(coder: Model, shape: tuple[int, int], budget: int) -> Steps:
    """First and stop rank of every step of a tile, of at most ``budget`` steps."""
    runs = planned_runs(budget_runs(coder.order, shape, budget), coder.order, coder.costs, shape)
    return tile_steps(runs, coder.order, shape, shape)


def _jobs(wanted: int, limits: Limits, tile: tuple[int, int], samples: int, tiles: int) -> int:
    """How many processes code so many tiles of an image whose samples take so many bytes."""
    return limits.jobs(wanted, samples, tiles) if prod(tile) >= SHARED_FROM else 1


def _encode_tile(
    tile: CodedTile, samples: NDArray[np.uint8], sections: int, describe: bool, progress: StepProgress
) -> tuple[list[bytes], tuple[int, ...], int]:
    """Payloads of every section, latents and checksum of a tile."""
    coder = model_of(tile.entry, 2)
    conditioning = tile.conditioning
    if describe:
        (conditioning,) = choose_conditionings(coder, samples[None], [conditioning[:2]])
    (payloads,) = encode_tiles(coder, samples[None], tile.steps, sections, progress, [conditioning])
    payloads = [payload[::-1] if tile.progressive else payload for payload in payloads]
    return payloads, conditioning.latents, sample_checksum(samples.tobytes())


def _decode_tile(
    tile: CodedTile, payloads: list[bytes], sections: int, level: int, progress: StepProgress
) -> NDArray[np.uint8]:
    """The samples of a tile, from the payloads of its first sections."""
    coder = model_of(tile.entry, 2)
    streams = [Popped(payload[::-1] if tile.progressive else payload) for payload in payloads]
    sources: list[Symbols] = [*streams, *[Expected()] * (sections - len(streams))]  # those are not asked
    (samples,) = decode_tiles(
        coder, tile.shape, tile.channels, tile.steps, sources, progress, [tile.conditioning], level=level
    )
    if len(streams) == sections - level:
        for stream in streams:
            stream.finish()
    return samples


def _sources(payloads: Payloads, index: int, tiles: int, progressive: bool) -> Iterator[Symbols]:
    """Of the sections of a tile, as much as has arrived; what is behind a gap is worth nothing."""
    whole = True
    for number in range(index, len(payloads), tiles):
        payload, missing = payloads.arrived(number) if whole else (b"", 1)
        whole = missing == 0
        if missing and not (payload and progressive):
            yield Expected()
        else:
            yield Arrived(bytes(missing) + payload[::-1] if progressive else payload, missing)


def _numbered(header: Header, entry: ModelFile, coder: Model) -> Callable[[int], CodedTile]:
    """What gives the tiles of a file by their numbers."""
    runs = planned_runs(header.runs, coder.order, coder.costs, header.tile)

    def tile_of(index: int) -> CodedTile:
        shape = box_shape(header.tile_box(index))
        steps = tile_steps(runs, coder.order, header.tile, shape)
        return CodedTile(entry, shape, header.channels, steps, header.progressive, header.conditioning(index))

    return tile_of


def model_of_header(header: Header) -> tuple[ModelFile, Model]:
    """The model of a file; UnsupportedError if there is none, FormatError if it is not of such files."""
    entry = model_of_file(header.model_id)
    coder = model_of(entry, 2)
    check_channels(header.channels, coder)
    config, latents = coder.config, max(map(len, header.latents), default=0)
    if header.style >= config.styles or latents > config.latents:
        message = f"style {header.style} and {latents} latents; its model has {config.styles} and {config.latents}"
        raise FormatError(f"the file has {message}", section="header")
    return entry, coder


def _best_model(samples: NDArray[np.uint8], budget: int, describe: bool) -> str:
    """The name of the model that makes the middle of an image smallest."""
    rows, columns = (slice(max(0, side - TRIED) // 2, (side + TRIED) // 2) for side in samples.shape[:2])
    part = samples[rows, columns]

    def size(name: str) -> int:
        return len(encode(part, budget=budget, model=name, describe=describe))

    return min(candidates(2, samples.shape[2]), key=size)


def check_channels(channels: int, coder: Model) -> None:
    """Raise UnsupportedError if a model has fewer channels."""
    if channels > coder.config.channels:
        raise UnsupportedError(f"the image has {channels} channels, its model only {coder.config.channels}")


def _calls(header: Header, coder: Model) -> int:
    """Network calls of a whole file."""
    return prod(header.grid) * call_count(header.runs, coder.order, header.tile)
