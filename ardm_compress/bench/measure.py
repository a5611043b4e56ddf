"""Files times coders. One that fails is told of, and the others go on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ardm_compress.bench.base import Coder
from ardm_compress.bench.inputs import Found, Input, prepared
from ardm_compress.bench.ledger import Ledger, Row, row
from ardm_compress.bench.ours import OURS
from ardm_compress.errors import ArdmError, ChecksumError
from ardm_compress.tasks import Progress

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


class LeftOut(NamedTuple):
    """A file that no coder was given."""

    folder: str  # whose table it would be in
    file: str
    reason: str


def usable(coders: Iterable[Coder], kinds: Collection[str], tell: Tell) -> list[Coder]:
    """Those of some kinds that are installed; the others of these kinds are told of."""
    found = []
    for coder in coders:
        if coder.kind not in kinds:
            continue
        if missing := coder.missing():
            tell(f"not measured: {coder.name} needs {missing}")
        else:
            found.append(coder)
    return found


def measured(
    files: Sequence[Found], coders: Sequence[Coder], ledger: Ledger, tell: Tell, *, progress: Progress | None = None
) -> list[Result | LeftOut]:
    """Measure files.

    Args:
        files: to measure.
        coders: of the kinds of the files.
        ledger: of what has been measured already, and for the rest.
        tell: what went wrong.
        progress: called with the files done and how many there are.
    """
    results = []
    for number, found in enumerate(files):
        results.append(measured_file(found, coders, ledger, tell))
        if progress:
            progress(number + 1, len(files))
    return results


def measured_file(found: Found, coders: Sequence[Coder], ledger: Ledger, tell: Tell) -> Result | LeftOut:
    """Measure a file with every coder; if that is impossible, tell why and return the reason."""
    with tempfile.TemporaryDirectory() as place:
        try:
            source = prepared(found, Path(place, "source"))
        except FAILURES as error:
            return left_out(found, error, tell)
        return Result(source, [_row(source, coder, ledger, tell) for coder in coders if coder.kind == source.kind])


def left_out(found: Found, error: BaseException, tell: Tell) -> LeftOut:
    """Tell why a file cannot be measured, and return that."""
    tell(f"{found.file}: left out, {error}")
    return LeftOut(found.table, found.name, str(error))


def _row(source: Input, coder: Coder, ledger: Ledger, tell: Tell) -> Row:
    if known := ledger.find(source, coder):
        return known
    try:
        found = row(source, coder, coder.measure(source))
    except FAILURES as error:
        tell(f"{source.name}: {coder.name}: {error}")
        found = row(source, coder, None, f"{LOSSY}: {error}" if isinstance(error, ChecksumError) else str(error))
    ledger.add(found)
    return found
