"""What ``info`` tells of a header, and the steps of tiles of all sizes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np
import pytest
from headers import make_header, payloads_of
from hypothesis import given
from hypothesis import strategies as st

from ardm_compress.ardm import COARSER, make_order
from ardm_compress.ardm.schedule import tile_steps
from ardm_compress.container import CRC_BYTES, parse
from ardm_compress.container.image import Header, write_file
from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.inference import find_model


def example(**changes: object) -> Header:
    """A header of the shipped model."""
    return replace(make_header(model_id=find_model("photo").model_id), **changes)


def expected_calls(tile: tuple[int, int]) -> int:
    entry = find_model("photo")
    ranks = make_order(entry.order, axes=2, period=entry.period).rank_map(tile)
    return len(np.unique(ranks[ranks != COARSER]))


@pytest.mark.parametrize("shape", [(1, 1), (9, 7), (33, 64)])
def test_describe_tells_what_a_header_says(shape: tuple[int, int]) -> None:
    header = example(shape=shape, tile=shape, channels=1)
    data = write_file(header, [bytes(11) + b"\x01"])
    told = parse(data).facts
    assert told == {
        "format": 1,
        "kind": "image",
        "width": shape[1],
        "height": shape[0],
        "channels": 1,
        "bit_depth": 8,
        "file": "png",
        "comes_back": "pixels and metadata",
        "model": "photo",
        "model_id": header.model_id.hex(),
        "calls": expected_calls(shape),
        "tiles": 1,
        "sections": 1,
        "progressive": False,
        "style": 0,
        "mirror": 0,
        "bytes": len(data),
        "payload_bytes": 12,
        "header_bytes": len(data) - 12 - CRC_BYTES,
        "latents": 0,
        "bits_per_sample": 8 * len(data) / prod(shape),
    }


def test_describe_counts_tiles_sections_and_steps() -> None:
    header = replace(
        make_header((40, 24), (16, 24), sections=2, model_id=find_model("photo").model_id),
        runs=(expected_calls((16, 24)) - 5, 2, 3),
    )
    payloads = payloads_of(header)
    told = parse(write_file(header, payloads)).facts
    assert (told["tiles"], told["sections"], told["calls"]) == (3, 2, 3)
    assert told["payload_bytes"] == sum(map(len, payloads))


def test_describe_refuses_unknown_models_and_schedules_that_do_not_fit() -> None:
    with pytest.raises(UnsupportedError, match="0badcafe"):
        parse(write_file(example(model_id=bytes.fromhex("0badcafe")), [b"x"]))
    right = expected_calls((9, 7))
    for runs in ((1, right - 2), (1, right), right, right + 1):
        with pytest.raises(FormatError, match="schedule"):
            assert parse(write_file(example(runs=runs), [b"x"])).facts
    assert parse(write_file(example(runs=right - 1), [b"x"])).facts["calls"] == right - 1


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_the_steps_of_a_smaller_tile_are_those_of_the_first_without_its_coarsest_levels(
    height: int, width: int, data: st.DataObject
) -> None:
    order = make_order("spread", axes=2, period=data.draw(st.sampled_from([2, 8])))
    tile = data.draw(st.tuples(st.integers(height, 45), st.integers(width, 45)))
    occupied = np.flatnonzero(order.sizes(tile))
    cuts = data.draw(st.sets(st.integers(1, max(1, len(occupied) - 1)), max_size=8)) if len(occupied) > 1 else set()
    edges = [0, *sorted(cuts), len(occupied)]
    runs = tuple(b - a for a, b in pairwise(edges)) if len(occupied) else None
    header = replace(make_header(tile), runs=runs)
    first, smaller = (tile_steps(header.runs, order, header.tile, shape) for shape in (tile, (height, width)))
    assert len(first) == len(smaller) == (len(runs) if runs else 0)
    # A rank of the tile and of the first tile is the same lattice if it is as far from the last.
    shift = order.ranks(tile) - order.ranks((height, width))
    for (a, b), (c, d) in zip(first, smaller, strict=True):
        assert set(range(c, d)) == {rank - shift for rank in range(a, b) if rank >= shift}
    covered = [rank for c, d in smaller for rank in range(c, d)]
    assert covered == list(range(order.ranks((height, width))))
    if runs:
        assert [sum(rank in range(a, b) for rank in occupied) for a, b in first] == list(runs)
