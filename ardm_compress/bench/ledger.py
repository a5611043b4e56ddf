"""What was measured <-> a CSV file that grows, so that an interrupted run goes on. Standard library only."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ardm_compress.bench.base import Coder, Measured
from ardm_compress.bench.inputs import Input
from ardm_compress.errors import FormatError


class Row(NamedTuple):
    """One coder and one file. Without a size it is a coder that could not take the file, and why."""

    folder: str
    file: str
    kind: str
    checksum: int  # of what the coder was given
    coder: str
    version: str  # of the coder
    date: str  # of the measurement
    size: int | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    memory: float | None = None
    calls: int | None = None
    reason: str = ""

    @property
    def key(self) -> tuple[str, int, str, str]:
        """Of which two rows are the same measurement."""
        return self.file, self.checksum, self.coder, self.version


NAMES: Final = "surrogateescape"  # of files need not be UTF-8
TYPES: Final = {
    "checksum": int, "size": int, "encode_seconds": float, "decode_seconds": float, "memory": float, "calls": int,
}  # fmt: skip


def row(source: Input, coder: Coder, measured: Measured | None, reason: str = "") -> Row:
    """Of a measurement of today, or of why there is none."""
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    given = Row(source.folder, source.name, source.kind, source.checksum, coder.name, coder.version, today,
                reason=reason)  # fmt: skip
    return given._replace(**measured._asdict()) if measured else given


class Ledger:
    """Rows, in memory and, if it is asked for, in a file."""

    def __init__(self, file: Path | None) -> None:
        """Read the file, if there is one; raises FormatError if it is another kind of CSV file."""
        self._file = file
        self._rows = {found.key: found for found in _read(file)} if file and file.exists() else {}

    def find(self, source: Input, coder: Coder) -> Row | None:
        """Return what an earlier run measured with the same version, or None."""
        return self._rows.get((source.name, source.checksum, coder.name, coder.version))

    def of(self, file: str) -> list[Row]:
        """List what is known of files of that name."""
        return [found for found in self._rows.values() if found.file == file]

    def add(self, found: Row) -> None:
        """Keep a row, at once."""
        self._rows[found.key] = found
        if self._file:
            title = [] if self._file.exists() and self._file.stat().st_size else [Row._fields]
            with self._file.open("a", newline="", encoding="utf-8", errors=NAMES) as file:
                csv.writer(file).writerows([*title, found])  # which leaves None empty


def _read(file: Path) -> list[Row]:
    try:
        with file.open(newline="", encoding="utf-8", errors=NAMES) as lines:
            title, *rows = csv.reader(lines, strict=True) if file.stat().st_size else [Row._fields]
        if tuple(title) != Row._fields:
            raise ValueError(f"its first line is not {','.join(Row._fields)}")
        return [Row(*(_value(name, text) for name, text in zip(Row._fields, line, strict=True))) for line in rows]
    except (csv.Error, TypeError, ValueError) as error:
        raise FormatError(f"{file} is no file of results as this version of bench writes them: {error}") from error


def _value(name: str, text: str) -> Any:
    if name not in TYPES:
        return text
    return TYPES[name](text) if text else None
