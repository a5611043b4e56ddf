"""One JPEG picture <-> its coefficients, and its bytes without its scans' data. NumPy and Numba only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.formats.jpeg import scans
from ardm_compress.formats.jpeg.markers import (
    AC_FIRST,
    MODE,
    MOST_BREAKS,
    USUAL,
    ZEROS,
    Picture,
    Room,
    Scan,
    ScanNotes,
    Walk,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SPARE: Final = 8  # bytes behind the data that the writer may want before it knows


def _noted(padding: NDArray[np.uint8], breaks: NDArray[np.int64]) -> ScanNotes:
    """Make notes as short as they can be."""
    bits = padding.astype(np.int64)
    if not (bits & (bits + 1)).any():
        padding = USUAL.padding
    elif not (bits & (bits - 1)).any():
        padding = np.array([ZEROS], np.uint8)
    return ScanNotes(padding.copy(), breaks.copy())


def strip(data: bytes, start: int, room: Room) -> tuple[Picture, bytes]:
    """Take a picture out of the data in which it begins at ``start``; returns the data without its scans as well.

    What it takes of ``room`` is gone, whether or not it comes back.

    Raises:
        UnsupportedError: it is not of a kind that is coded, is damaged, or would not come back as it is.
    """
    samples = np.frombuffer(data, np.uint8)
    kept: list[tuple[int, int]] = []  # of the scans' data
    notes: list[ScanNotes] = []

    def read(scan: Scan, at: int) -> int:
        assert walk.picture is not None
        try:
            dc, ac = (np.stack([scans.lookup(*table) for table in tables]) for tables in (scan.dc, scan.ac))
        except ValueError as error:
            raise refused("a Huffman table is damaged") from error
        padding = np.zeros(scan.intervals, np.uint8)
        breaks = np.zeros(scan.blocks if scan.settings[MODE] >= AC_FIRST else 0, np.int64)
        stop, intervals, broken = scans.read(
            samples, at, scan.settings, scan.places(), scan.owners, walk.picture.coefficients, dc, ac, padding, breaks
        )  # fmt: skip
        if stop < 0:
            raise refused("its scans are damaged or cut short")
        kept.append((at, stop))
        notes.append(_noted(padding[:intervals], breaks[:broken]))
        return int(stop)

    walk = Walk(data, start, read, room=room)
    picture = walk.run()
    picture.notes = notes
    if sum(len(note.breaks) for note in notes) > MOST_BREAKS:
        raise refused("too many runs of its blocks end early")
    view, edges = memoryview(data), [0, *(edge for pair in kept for edge in pair), len(data)]
    bare = b"".join(view[first:stop] for first, stop in zip(edges[::2], edges[1::2], strict=True))
    if expand(bare, start, picture.coefficients, notes, len(data) - len(bare)) != data:
        raise refused("its scans would not come back bit for bit")
    return picture, bare


def expand(
    bare: bytes, start: int, coefficients: NDArray[np.int16], notes: Sequence[ScanNotes], size: int
) -> bytes:  # fmt: skip
    """Inverse of ``strip``; ``size`` is how many bytes of scans are missing.

    Raises:
        UnsupportedError: coefficients and markers do not fit.
    """
    view, missing = memoryview(bare), size
    parts: list[bytes] = []
    left = iter(notes)
    last = 0

    def write(scan: Scan, at: int) -> int:
        nonlocal last, missing
        if walk.picture is None or walk.picture.frame.size != len(coefficients):
            raise refused("its frame is of another size than its coefficients")
        note = next(left, USUAL)
        out = np.zeros(missing + SPARE, np.uint8)
        dc, ac = (np.stack([scans.codes(*table) for table in tables]) for tables in (scan.dc, scan.ac))
        written = scans.write(
            out, scan.settings, scan.places(), scan.owners, coefficients, dc, ac, note.padding, note.breaks
        )  # fmt: skip
        if not 0 <= written <= missing:
            raise refused("coefficients do not fit their tables")
        parts.extend((bytes(view[last:at]), out[:written].tobytes()))
        last, missing = at, missing - int(written)
        return at

    walk = Walk(bare, start, write)
    walk.run()
    if missing:
        raise refused("coefficients take less room than they should")
    return b"".join((*parts, bytes(view[last:])))
