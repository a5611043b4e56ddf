"""Small 8-bit gray and RGB images <-> files that the model alone codes, in lockstep. Imports torch.

Images of one shape have the same steps, so that all go through the network together. Each file is what the image by
itself would give: what is computed of a position does not depend on what is computed beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from ardm_compress.analysis.conditioning import choose_conditionings, choose_styles
from ardm_compress.ardm.plans import planned_runs, tile_steps
from ardm_compress.ardm.tiles import TILE
from ardm_compress.codec.array import SECTIONED_FROM, check_channels, given_budget, model_of_header, new_header
from ardm_compress.coding.ans import SymbolDecoder
from ardm_compress.coding.conditioning import PLAIN
from ardm_compress.coding.image import decode_tiles, encode_tiles
from ardm_compress.coding.symbols import Popped
from ardm_compress.container.image import Header, read_file, write_file
from ardm_compress.container.streams import sample_checksum
from ardm_compress.errors import ArdmError
from ardm_compress.inference.loading import model_of
from ardm_compress.inference.registry import find_model
from ardm_compress.limits import Limits
from ardm_compress.progress import ignored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data

Item = TypeVar("Item")

POSITIONS: Final = 1 << 16  # of all images of a batch, about


def is_small(shape: Sequence[int]) -> bool:
    """Whether images (rows, columns) are one tile of one stream, and worth coding together."""
    return prod(shape) < SECTIONED_FROM and max(shape) <= TILE


def batches(alike: dict[Hashable, list[Item]], pixels: dict[Hashable, int]) -> Iterator[list[Item]]:
    """Items of a key, as many at once as have about POSITIONS pixels; none that would be alone."""
    for key, items in alike.items():
        size = max(2, POSITIONS // pixels[key])
        parts = (items[start : start + size] for start in range(0, len(items), size))
        yield from (part for part in parts if len(part) > 1)


def encode_together(
    samples: NDArray[np.uint8], *, budget: int | None = None, model: str = "photo", describe: bool = True
) -> list[bytes]:
    """Compress small images of one shape: the files that ``array.encode`` makes of each.

    Args:
        samples: (images, rows, columns, 1 or 3), 8 bits.
        budget: network calls, as for ``array.encode``.
        model: name of a model.
        describe: as for ``array.encode``.

    Raises:
        As ``array.encode``.
    """
    coder, shape = model_of(find_model(model), 2), (samples.shape[1], samples.shape[2])
    check_channels(samples.shape[3], coder)
    header = new_header(coder, shape, samples.shape[3], given_budget(budget))
    runs = planned_runs(header.runs, coder.order, coder.costs, shape)
    steps = tile_steps(runs, coder.order, shape, shape)
    conditionings = [PLAIN] * len(samples)
    if describe:
        conditionings = choose_conditionings(coder, samples, choose_styles(coder, samples))
    coded = encode_tiles(coder, samples, steps, header.sections, ignored, conditionings)
    files = []
    for own, (style, mirror, latents), payloads in zip(samples, conditionings, coded, strict=True):
        checksums = (sample_checksum(own.tobytes()),)
        own_header = replace(header, style=style, mirror=mirror, latents=(latents,), checksums=checksums)
        files.append(write_file(own_header, payloads))
    return files


def decode_together(files: Sequence[Data], limits: Limits) -> dict[int, NDArray[np.uint8]]:
    """Decode whole files of small images, those of one shape and schedule together.

    Returns:
        By their numbers, what ``array.decode`` gives; nothing of those of which it would raise, or that are alone.
    """
    alike: dict[Hashable, list[tuple[int, Header, bytes]]] = {}
    pixels: dict[Hashable, int] = {}
    for number, data in enumerate(files):
        with suppress(ArdmError):
            header, payload = _checked(data, limits)
            key = replace(header, style=0, mirror=0, latents=(), checksums=(), lengths=())
            alike.setdefault(key, []).append((number, header, payload))
            pixels[key] = prod(header.shape)
    found = {}
    for batch in batches(alike, pixels):
        numbers, headers, payloads = zip(*batch, strict=True)
        decoded = zip(numbers, _decode_alike(headers, payloads), strict=True)
        found.update({number: samples for number, samples in decoded if samples is not None})
    return found


def _checked(data: Data, limits: Limits) -> tuple[Header, bytes]:
    """Header and payload of a file of one small image.

    Raises:
        ArdmError: it is none, or ``array.decode`` would refuse it.
    """
    header, payloads = read_file(data, limits)
    if not is_small(header.shape) or len(payloads) > 1:
        raise ArdmError("not one small image")
    limits.check_memory(prod(header.shape) * header.channels)
    model_of_header(header)
    SymbolDecoder(payloads[0])
    return header, payloads[0]


def _decode_alike(headers: Sequence[Header], payloads: Sequence[bytes]) -> Iterator[NDArray[np.uint8] | None]:
    """The samples of images whose headers differ in conditionings and checksums only; None of damaged ones."""
    header, source = headers[0], Popped(*payloads)
    _, coder = model_of_header(header)
    runs = planned_runs(header.runs, coder.order, coder.costs, header.tile)
    steps = tile_steps(runs, coder.order, header.tile, header.shape)
    conditionings = [own.conditioning(0) for own in headers]
    decoded = decode_tiles(coder, header.shape, header.channels, steps, [source], ignored, conditionings)
    for own, samples, stack in zip(headers, decoded, source.stacks, strict=True):
        whole = stack.finished and sample_checksum(samples.tobytes()) == own.checksums[0]
        yield samples if whole else None
