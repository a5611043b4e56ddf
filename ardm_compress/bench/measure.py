"""Files times coders. One that fails is told of, and the others go on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ardm_compress.bench.base import Coder
from ardm_compress.bench.inputs import Input, files_of, prepared
from ardm_compress.bench.ledger import Ledger, Row, row
from ardm_compress.bench.ours import OURS
from ardm_compress.errors import ArdmError, ChecksumError
from ardm_compress.progress import Progress

Tell = Callable[[str], None]
LOSSY: Final = "not lossless"
FAILURES: Final = (ArdmError, OSError, MemoryError)  # whatever a file can cause


class Result(NamedTuple):
    """What one file took, by all coders of its kind."""

    source: Input
    rows: list[Row]

    @property
    def is_ours_damaged(self) -> bool:
        """Whether this package has made something else of the file."""
        return any(row.coder.startswith(OURS) and row.reason.startswith(LOSSY) for row in self.rows)


def usable(coders: Iterable[Coder], tell: Tell) -> list[Coder]:
    """Those that are installed; the others are told of."""
    found = []
    for coder in coders:
        if missing := coder.missing():
            tell(f"not measured: {coder.name} needs {missing}")
        else:
            found.append(coder)
    return found


def measured(
    folders: Sequence[str], coders: Sequence[Coder], ledger: Ledger, tell: Tell, *, every: int = 1,
    most: int | None = None, progress: Progress | None = None,
) -> list[Result]:  # fmt: skip
    """Measure what is in folders.

    Args:
        folders: or files.
        coders: of both kinds.
        ledger: of what has been measured already, and for the rest.
        tell: what went wrong.
        every: file of a folder to take.
        most: files of a folder to take.
        progress: called with the files done and how many there are.

    Raises:
        UnsupportedError: a folder without files of a kind that coders take.
        FileNotFoundError: no such folder.
    """
    files = [(folder, file) for folder in folders for file in files_of(folder, every=every, most=most)]
    results = []
    for number, (folder, file) in enumerate(files):
        if result := measured_file(folder, file, coders, ledger, tell):
            results.append(result)
        if progress:
            progress(number + 1, len(files))
    return results


def measured_file(folder: str, file: Path, coders: Sequence[Coder], ledger: Ledger, tell: Tell) -> Result | None:
    """What a file of a folder takes; None, once that is told, if it cannot be measured."""
    with tempfile.TemporaryDirectory() as place:
        try:
            source = prepared(folder, file, Path(place, "source"))
        except FAILURES as error:
            tell(f"{file}: left out, {error}")
            return None
        return Result(source, [_row(source, coder, ledger, tell) for coder in coders if coder.kind == source.kind])


def _row(source: Input, coder: Coder, ledger: Ledger, tell: Tell) -> Row:
    if known := ledger.find(source, coder.name):
        return known
    try:
        found = row(source, coder.name, coder.measure(source))
    except FAILURES as error:
        tell(f"{source.name}: {coder.name}: {error}")
        found = row(source, coder.name, None, f"{LOSSY}: {error}" if isinstance(error, ChecksumError) else str(error))
    ledger.add(found)
    return found
