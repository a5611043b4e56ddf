"""8-bit gray and RGB samples by the model: tiles of one shape in lockstep, alone or as parts of larger images.

A stream of the model is a whole file without its first bytes, so what is here serves files of the model and single
tiles of pictures alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.ardm.schedule import Steps, budget_runs, call_count, planned_runs, tile_steps
from ardm_compress.ardm.tiles import PLAIN, SECTIONS, Conditioning, box_shape, tile_side
from ardm_compress.coding import image as coding
from ardm_compress.coding.loop import Arrived, Expected, Popped, Symbols
from ardm_compress.coding.models import model_of
from ardm_compress.computing import mapped
from ardm_compress.container import START, Payloads, check_tile, sample_checksum
from ardm_compress.container.image import Header, read_file, write_file
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.inference import ModelFile, candidates, find_model, model_of_file
from ardm_compress.methods import Method, Shape, check_shape
from ardm_compress.methods.conditioning import choose_conditionings, choose_styles
from ardm_compress.options import AUTO, EncodeOptions
from ardm_compress.tasks import Tick, ignored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.network import Model

DEPTH: Final = 8  # bits of the samples that models code
DEFAULT_BUDGET: Final = 96  # network calls, from which more gain next to nothing
ESTIMATE_BUDGET: Final = 16  # network calls
TRIED_PIXELS: Final = 192  # side of the part of an image by which a model is chosen


@dataclass(frozen=True, slots=True)
class TilePlan:
    """How the tiles of one shape of a file are coded: with it, any process can."""

    entry: ModelFile
    shape: tuple[int, int]  # rows, columns
    channels: int
    steps: tuple[tuple[int, int], ...]  # first and stop rank of every network call
    sections: int
    progressive: bool  # whether payloads are in reverse


class EncodedTile(NamedTuple):
    """What a file holds of a tile."""

    payloads: list[bytes]  # of every section
    latents: tuple[int, ...]
    checksum: int  # of the samples


class CodedTile(NamedTuple):
    """What it takes to decode a tile."""

    plan: TilePlan
    conditioning: Conditioning
    payloads: list[bytes]  # of the first sections
    missing: list[int]  # bytes of each of them that have not arrived, at its end


class Planner:
    """Plans the tiles of files whose headers differ in what they say about single tiles only."""

    def __init__(self, header: Header) -> None:
        self._header, self._entry = header, model_of_file(header.model_id)
        self._coder = model_of(self._entry, 2)
        check_channels(header.channels, self._coder)
        self.calls = call_count(header.runs, self._coder.order, header.tile)  # of every tile
        self._runs = planned_runs(header.runs, self._coder.order, self._coder.costs, header.tile)

    def plan(self, index: int) -> TilePlan:
        """Plan a tile by its number."""
        header = self._header
        shape = box_shape(header.tile_box(index))
        steps = tuple(tile_steps(self._runs, self._coder.order, header.tile, shape))
        return TilePlan(self._entry, shape, header.channels, steps, header.sections, header.progressive)

    def check(self, header: Header) -> None:
        """Raise FormatError unless the model has the style and the latents of a header."""
        config, latents = self._coder.config, max(map(len, header.latents), default=0)
        if header.style >= config.styles or latents > config.latents:
            message = f"style {header.style} and {latents} latents; its model has {config.styles} and {config.latents}"
            raise FormatError(f"the file has {message}", section="header")

    def coded(self, header: Header, index: int, payloads: Payloads, preview: int = 0) -> CodedTile:
        """Take from a file what it holds of a tile, as far as a preview needs it.

        Raises:
            ChecksumError, FormatError: it is damaged, or not all there.
        """
        wanted = max(1, header.sections - preview)
        found = [payloads[index + prod(header.grid) * section] for section in range(wanted)]
        return CodedTile(self.plan(index), header.conditioning(index), found, [0] * wanted)

    def arrived(self, header: Header, index: int, payloads: Payloads) -> CodedTile:
        """Take from a file what is left of a tile; what is behind a gap is worth nothing."""
        found: list[bytes] = []
        gaps: list[int] = []
        for number in range(index, len(payloads), prod(header.grid)):
            payload, missing = (b"", 1) if any(gaps) else payloads.arrived(number)
            found.append(payload)
            gaps.append(missing)
        return CodedTile(self.plan(index), header.conditioning(index), found, gaps)


def encode_tiles(
    plan: TilePlan, tiles: Sequence[NDArray[np.uint8]], styles: Sequence[tuple[int, int]], conditioning: bool,
    tick: Tick = ignored,
) -> list[EncodedTile]:  # fmt: skip
    """Encode tiles in lockstep, each given its style and mirror and, with ``conditioning``, latents fitted to it."""
    coder, stack = model_of(plan.entry, 2), np.stack(tiles)
    described = [Conditioning(*style) for style in styles]
    if conditioning:
        described = choose_conditionings(coder, stack, styles)
    coded = coding.encode_tiles(coder, stack, plan.steps, plan.sections, tick, described)
    return [
        EncodedTile(
            [payload[::-1] if plan.progressive else payload for payload in payloads],
            own.latents,
            sample_checksum(samples.tobytes()),
        )
        for samples, own, payloads in zip(tiles, described, coded, strict=True)
    ]


def decode_tiles(tiles: Sequence[CodedTile], preview: int = 0, tick: Tick = ignored) -> list[NDArray[np.uint8]]:
    """Decode tiles of one plan in lockstep: every 2**preview-th row and column.

    Raises:
        FormatError: one of them holds more or other than its samples, as far as that shows.
    """
    plan, sections = tiles[0].plan, zip(*(each.payloads for each in tiles), strict=True)
    streams = [Popped(*(each[::-1] if plan.progressive else each for each in payloads)) for payloads in sections]
    sources: list[Symbols] = [*streams, *[Expected()] * (plan.sections - len(streams))]  # those are not asked
    samples = _draw(tiles, sources, preview, tick)
    if len(streams) == plan.sections - preview:
        for stream in streams:
            stream.finish()
    return samples


def salvage_tile(tile: CodedTile, tick: Tick = ignored) -> NDArray[np.uint8]:
    """Decode what is left of a tile; the rest is what the model expects."""
    sources: list[Symbols] = []
    for payload, missing in zip(tile.payloads, tile.missing, strict=True):
        if missing and not (payload and tile.plan.progressive):
            sources.append(Expected())
        else:
            sources.append(Arrived(bytes(missing) + payload[::-1] if tile.plan.progressive else payload, missing))
    return _draw([tile], sources, 0, tick)[0]


def _draw(tiles: Sequence[CodedTile], sources: Sequence[Symbols], preview: int, tick: Tick) -> list[NDArray[np.uint8]]:
    plan, described = tiles[0].plan, [each.conditioning for each in tiles]
    coder = model_of(plan.entry, 2)
    return coding.decode_tiles(coder, plan.shape, plan.channels, plan.steps, sources, tick, described, level=preview)


def new_header(samples: NDArray[np.uint8], options: EncodeOptions) -> Header:
    """Make the header of an image whose tiles have not been looked at yet.

    Raises:
        UnsupportedError: no such model, or one of fewer channels; ValueError: a budget below 1.
    """
    budget = given_budget(options.budget)
    coder = model_of(find_model(_model_name(samples, options)), 2)
    shape, channels = (samples.shape[0], samples.shape[1]), samples.shape[2]
    check_channels(channels, coder)
    tile = tile_side(shape[0], options.tile), tile_side(shape[1], options.tile)
    sections = SECTIONS if prod(tile) >= options.sections_from else 1
    return Header(
        shape=shape, channels=channels, model_id=coder.model_id, tile=tile, sections=sections,
        progressive=sections > 1, runs=budget_runs(coder.order, tile, budget), checksums=(), lengths=(),
    )  # fmt: skip


def choose_style(header: Header, samples: NDArray[np.uint8], options: EncodeOptions) -> tuple[int, int]:
    """Choose the style and mirror of an image, by its middle tile."""
    if options.style is not None or not options.conditioning:
        return options.style or (0, 0)
    middle = samples[header.tile_box(prod(header.grid) // 2)]
    return choose_styles(model_of(model_of_file(header.model_id), 2), middle[None])[0]


def write_tiles(header: Header, style: tuple[int, int], tiles: Sequence[EncodedTile]) -> bytes:
    """Make a file of its header and all its tiles."""
    style_, mirror = style
    whole = replace(
        header, style=style_, mirror=mirror, latents=tuple(tile.latents for tile in tiles),
        checksums=tuple(tile.checksum for tile in tiles),
    )  # fmt: skip
    return write_file(whole, [tile.payloads[section] for section in range(header.sections) for tile in tiles])


def encode_images(images: Sequence[NDArray[np.uint8]], options: EncodeOptions) -> list[bytes]:
    """Encode images of one shape, each of which is one tile, in lockstep: the files that each by itself would give."""
    if options.model == AUTO:
        names = [_model_name(image, options) for image in images]
        return [encode_images([own], replace(options, model=name))[0] for own, name in zip(images, names, strict=True)]
    header = new_header(images[0], options)
    coder, stack = model_of(model_of_file(header.model_id), 2), np.stack(images)
    styles = [options.style or (0, 0)] * len(images)
    if options.conditioning and options.style is None:
        styles = choose_styles(coder, stack)
    tiles = encode_tiles(Planner(header).plan(0), images, styles, options.conditioning)
    return [write_tiles(header, style, [tile]) for style, tile in zip(styles, tiles, strict=True)]


def decode_images(files: Sequence[tuple[Header, Payloads]]) -> list[NDArray[np.uint8]]:
    """Decode whole files; their tiles of one plan go through the network in lockstep.

    Raises:
        FormatError, ChecksumError: one of them is damaged.
    """
    found = [np.empty((*header.shape, header.channels), np.uint8) for header, _ in files]
    planners: dict[Header, Planner] = {}
    alike: dict[TilePlan, list[tuple[int, int, CodedTile]]] = {}  # numbers of files and tiles
    for number, (header, payloads) in enumerate(files):
        payloads.check()
        key = replace(header, style=0, mirror=0, latents=(), checksums=(), lengths=())
        if key not in planners:
            planners[key] = Planner(key)
        planners[key].check(header)
        for index in range(prod(header.grid)):
            tile = planners[key].coded(header, index, payloads)
            alike.setdefault(tile.plan, []).append((number, index, tile))
    for tiles in alike.values():
        for (number, index, _), samples in zip(tiles, decode_tiles([tile for *_, tile in tiles]), strict=True):
            header, _ = files[number]
            check_tile(sample_checksum(samples.tobytes()), header.checksums[index], index)
            found[number][header.tile_box(index)] = samples
    return found


def estimate(parts: Sequence[NDArray[np.uint8]], options: EncodeOptions) -> int:
    """Estimate the bytes that the model takes for small images: in few steps, and without conditioning."""
    coder = model_of(find_model(options.model if options.model not in (None, AUTO) else "photo"), 2)

    def size(samples: NDArray[np.uint8]) -> int:
        steps = planned_steps(coder, (samples.shape[0], samples.shape[1]), ESTIMATE_BUDGET)
        (payloads,) = coding.encode_tiles(coder, samples[None], steps, 1, ignored, [PLAIN])
        return sum(map(len, payloads))

    return sum(mapped(size, parts))


def given_budget(budget: int | None) -> int:
    """Return the network calls of a tile: those asked for, or the usual ones.

    Raises:
        ValueError: less than 1.
    """
    budget = DEFAULT_BUDGET if budget is None else budget
    if budget < 1:
        raise ValueError("the budget must be at least 1 network call")
    return budget


def planned_steps(coder: Model, shape: tuple[int, int], budget: int) -> Steps:
    """Plan the first and stop rank of every step of a tile, of at most ``budget`` steps."""
    runs = planned_runs(budget_runs(coder.order, shape, budget), coder.order, coder.costs, shape)
    return tile_steps(runs, coder.order, shape, shape)


def check_channels(channels: int, coder: Model) -> None:
    """Raise UnsupportedError if a model has fewer channels."""
    if channels > coder.config.channels:
        raise UnsupportedError(f"the image has {channels} channels, its model only {coder.config.channels}")


def _model_name(samples: NDArray[np.uint8], options: EncodeOptions) -> str:
    """Return the name of the model that is asked for, or that makes the middle of an image smallest."""
    if options.model != AUTO:
        return options.model or "photo"
    side = TRIED_PIXELS
    rows, columns = (slice(max(0, length - side) // 2, (length + side) // 2) for length in samples.shape[:2])

    def size(name: str) -> int:
        return len(encode_images([samples[rows, columns]], replace(options, model=name))[0])

    return min(candidates(2, samples.shape[2]), key=size)


class ByModel(Method):
    """See ``Method``."""

    depths = (DEPTH,)

    def encode_tiles(self, tiles: Sequence[NDArray[Any]], options: EncodeOptions) -> list[bytes]:
        """Encode tiles of one shape in lockstep."""
        files = encode_images([np.asarray(tile, np.uint8) for tile in tiles], options)
        return [file[len(START) :] for file in files]

    def decode_tiles(self, bodies: Sequence[bytes], shape: Shape, _depth: int) -> list[NDArray[Any]]:
        """See ``Method``."""
        files = [read_file(START + body) for body in bodies]
        for header, _ in files:
            check_shape((*header.shape, header.channels), shape)
        return decode_images(files)

    def salvage(self, body: bytes, shape: Shape, _depth: int) -> NDArray[Any] | None:
        """See ``Method``."""
        try:
            header, payloads = read_file(START + body, whole=False)
            check_shape((*header.shape, header.channels), shape)
            planner = Planner(header)
            planner.check(header)
        except (FormatError, UnsupportedError, LimitError):
            return None
        samples = np.empty(shape, np.uint8)
        for index in range(prod(header.grid)):
            samples[header.tile_box(index)] = salvage_tile(planner.arrived(header, index, payloads))
        return samples


METHOD = ByModel()
