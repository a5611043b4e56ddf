"""Per coder, what all files of a folder and kind took. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ardm_compress.bench.inputs import IMAGE
from ardm_compress.bench.ledger import Row
from ardm_compress.bench.measure import Result

AS_FOUND: Final = "files as found"
MEGA: Final = 1e6


@dataclass(frozen=True)
class Total:
    """A coder's figures, over the files that it could take."""

    coder: str
    files: int
    bits: float  # per subpixel or sample, of whole files
    size: int | None = None  # bytes; None of published figures
    encode_speed: float | None = None  # megapixels or million samples a second
    decode_speed: float | None = None
    memory: float | None = None  # MiB, of the file that took the most
    calls: float | None = None  # of the network, in the mean


@dataclass(frozen=True)
class Group:
    """The files of one kind of a folder, and all coders' figures."""

    folder: str
    kind: str
    files: int
    samples: int
    units: int  # pixels or samples
    totals: list[Total]
    reasons: list[str]  # why coders did not take files

    @property
    def name(self) -> str:
        """Of the folder alone."""
        return Path(self.folder).resolve().name

    @property
    def unit(self) -> str:
        """Of sizes."""
        return "bits per subpixel" if self.kind == IMAGE else "bits per sample"

    @property
    def speed(self) -> str:
        """Of speeds."""
        return "Mpixel/s" if self.kind == IMAGE else "Msample/s"


def grouped(results: Sequence[Result], published: Sequence[tuple[str, float]] = ()) -> list[Group]:
    """By folder and kind, in the order in which they first come; published figures go into all groups."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault((result.source.folder, result.source.kind), []).append(result)
    return [_group(*key, members, published) for key, members in found.items()]


def _group(folder: str, kind: str, results: list[Result], published: Sequence[tuple[str, float]]) -> Group:
    sources = [result.source for result in results]
    samples = sum(source.samples for source in sources)
    size = sum(source.found for source in sources)
    totals = [Total(AS_FOUND, len(sources), 8 * size / max(1, samples), size)]
    for coder in dict.fromkeys(row.coder for result in results for row in result.rows):
        taken = [(result, row) for result in results for row in result.rows if row.coder == coder and row.size]
        if taken:
            totals.append(_total(coder, taken))
    totals += [Total(f"{name} (published)", 0, bits) for name, bits in published]
    reasons = [f"{row.file}, {row.coder}: {row.reason}" for result in results for row in result.rows if row.reason]
    return Group(folder, kind, len(sources), samples, sum(source.units for source in sources), totals, reasons)


def _total(coder: str, taken: list[tuple[Result, Row]]) -> Total:
    rows = [row for _, row in taken]
    size, samples = sum(row.size or 0 for row in rows), sum(result.source.samples for result, _ in taken)
    units = sum(result.source.units for result, _ in taken)
    memories, calls = [row.memory for row in rows if row.memory], [row.calls for row in rows if row.calls]
    return Total(
        coder, len(rows), 8 * size / max(1, samples), size,
        _speed(units, [row.encode_seconds for row in rows]), _speed(units, [row.decode_seconds for row in rows]),
        max(memories, default=None), sum(calls) / len(calls) if calls else None,
    )  # fmt: skip


def _speed(units: int, seconds: list[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    total = sum(known)
    return units / MEGA / total if total and len(known) == len(seconds) else None
