"""Per coder, what all files of a folder and kind took. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ardm_compress.bench.ledger import Row
from ardm_compress.bench.measure import LeftOut, Result
from ardm_compress.formats import SOUND

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


class Refusal(NamedTuple):
    """A file that a coder did not take, or did not give back."""

    file: str
    coder: str
    reason: str


@dataclass(frozen=True)
class Group:
    """The files of one kind of a folder, and all coders' figures."""

    folder: str
    kind: str
    files: int
    samples: int
    units: int  # pixels or samples
    totals: list[Total]
    refusals: list[Refusal]

    @property
    def name(self) -> str:
        """Of the folder alone."""
        return folder_name(self.folder)

    @property
    def unit(self) -> str:
        """Of sizes."""
        return "bits per sample" if self.kind == SOUND else "bits per subpixel"

    @property
    def speed(self) -> str:
        """Of speeds."""
        return "Msample/s" if self.kind == SOUND else "Mpixel/s"


@dataclass(frozen=True)
class Report:
    """All that is told of files."""

    groups: list[Group]
    left_out: list[LeftOut]
    facts: dict[str, str]  # when and on what it was measured, with which versions


def reported(
    found: Sequence[Result | LeftOut], published: Sequence[tuple[str, float]], machine: dict[str, str]
) -> Report:
    """Make the report of what was found, whenever it was measured."""
    results = [result for result in found if isinstance(result, Result)]
    rows = [row for result in results for row in result.rows]
    facts = {"date": _range(row.date for row in rows), **machine,
             "versions": ", ".join(dict.fromkeys(row.version for row in rows))}  # fmt: skip
    return Report(grouped(results, published), [left for left in found if isinstance(left, LeftOut)], facts)


def folder_name(folder: str) -> str:
    """Without what it is in."""
    return Path(folder).resolve().name


def _range(dates: Iterable[str]) -> str:
    found = sorted(set(dates))
    return " to ".join(dict.fromkeys([*found[:1], *found[-1:]]))


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
    refusals = [Refusal(row.file, row.coder, row.reason) for result in results for row in result.rows if row.reason]
    return Group(folder, kind, len(sources), samples, sum(source.units for source in sources), totals, refusals)


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
