"""Which steps a file's tiles are coded in, and what ``info`` tells of it. NumPy; no torch.

docs/format.md section 5 is normative.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ardm_compress.ardm.order import make_order
from ardm_compress.container import CRC_BYTES, DEFAULT_LIMITS, VERSION, Header, Limits, read_header
from ardm_compress.errors import FormatError
from ardm_compress.models import model_of_file

if TYPE_CHECKING:
    from ardm_compress.ardm.order import Order


def tile_steps(header: Header, order: Order, shape: Sequence[int]) -> list[tuple[int, int]]:
    """First and stop rank of every step of a tile; tiles smaller than the first lack its coarsest levels.

    Args:
        header: of the file.
        order: of its model.
        shape: of the tile, at most that of the first.

    Raises:
        FormatError: the schedule does not fit the first tile.
    """
    occupied = np.flatnonzero(order.sizes(header.tile))
    runs = header.runs if header.runs is not None else (1,) * len(occupied)
    if sum(runs) != len(occupied):
        raise FormatError("the schedule does not cover the image's ranks", section="header")
    if not len(occupied):
        return []
    firsts = occupied[np.cumsum(runs)[:-1]]
    skipped = (order.levels(header.tile) - order.levels(shape)) * order.ranks_per_level
    edges = np.maximum(0, np.array([0, *firsts, order.ranks(header.tile)]) - skipped).tolist()
    return list(pairwise(edges))


def describe(data: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, object]:
    """What ``info`` shows, from the header alone.

    Raises:
        FormatError, UnsupportedError, LimitError: as ``read_header``; UnsupportedError also for an unknown model.
    """
    header, offset = read_header(data, limits)
    model = model_of_file(header.model_id)
    order = make_order(model.order, axes=2, period=model.period)
    return {
        "format": VERSION,
        "kind": "image",
        "width": header.shape[1],
        "height": header.shape[0],
        "channels": header.channels,
        "bit_depth": 8,
        "model": model.name,
        "model_id": header.model_id.hex(),
        "calls": len(tile_steps(header, order, header.tile)),
        "tiles": prod(header.grid),
        "sections": header.sections,
        "style": header.style,
        "mirror": header.mirror,
        "latents": max(map(len, header.latents), default=0),
        "bytes": len(data),
        "payload_bytes": sum(header.lengths) - CRC_BYTES * len(header.lengths),
        "header_bytes": offset,
        "bits_per_sample": 8 * len(data) / (prod(header.shape) * header.channels),
    }
