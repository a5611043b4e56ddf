"""Headers of files, and payloads for them, made up for tests."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ardm_compress.ardm.schedule import Runs
from ardm_compress.container.image import Header, read_file


def header_of(data: bytes) -> Header:
    """The header of a file."""
    return read_file(data)[0]


def make_header(
    shape: tuple[int, int] = (9, 7),
    tile: tuple[int, int] | None = None,
    *,
    channels: int = 3,
    sections: int = 1,
    progressive: bool = False,
    style: int = 0,
    mirror: int = 0,
    latents: tuple[tuple[int, ...], ...] = (),
    runs: Runs = None,
    model_id: bytes = b"\x01\x02\x03\x04",
) -> Header:
    """A header for the payloads of ``payloads_of``."""
    header = Header(
        shape=shape, channels=channels, model_id=model_id, tile=tile or shape, sections=sections,
        progressive=progressive, style=style, mirror=mirror, latents=latents, runs=runs, checksums=(), lengths=(),
    )  # fmt: skip
    return replace(header, checksums=tuple(0x9E3779B1 * i % 2**32 for i in range(1, prod(header.grid) + 1)))


def payloads_of(header: Header) -> list[bytes]:
    """A short payload for every section, the first one empty if there are several."""
    count = prod(header.grid) * header.sections
    return [bytes(range(i, 2 * i)) + b"\xa5" * (count == 1) for i in range(count)]
