"""Files measured by the workers of a cluster, which keep what they find in the ledger here. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ardm_compress.bench.inputs import files_of, name_of
from ardm_compress.bench.ledger import Ledger, Row
from ardm_compress.bench.measure import Result, Tell, measured_file
from ardm_compress.cluster.tasks import completed
from ardm_compress.errors import LimitError

if TYPE_CHECKING:
    from ardm_compress.bench.base import Coder
    from ardm_compress.cluster.workers import Workers
    from ardm_compress.progress import Progress


class _Task(NamedTuple):
    number: int
    folder: str
    file: Path
    known: list[Row]


def measured_by(
    workers: Workers, folders: Sequence[str], coders: Sequence[Coder], ledger: Ledger, tell: Tell, *, every: int = 1,
    most: int | None = None, progress: Progress | None = None,
) -> list[Result]:  # fmt: skip
    """``measured`` by the workers of a cluster, one file each; folders are where all of it finds them."""
    files = [
        (folder, file) for folder in map(os.path.abspath, folders) for file in files_of(folder, every=every, most=most)
    ]
    tasks = [_Task(number, *task, ledger.of(name_of(*task))) for number, task in enumerate(files)]
    results: dict[int, Result] = {}
    for count, (task, found, _) in enumerate(completed(workers, partial(_measured, coders), tasks), 1):
        result, told = (None, [f"{task.file}: left out, {found}"]) if isinstance(found, LimitError) else found
        for line in told:
            tell(line)
        if result:
            results[task.number] = result
            for row in result.rows:
                if row not in task.known:
                    ledger.add(row)
        if progress:
            progress(count, len(tasks))
    return [results[number] for number in sorted(results)]


def _measured(coders: Sequence[Coder], task: _Task) -> tuple[Result | None, list[str]]:
    """On a worker: the result, and what is to be told."""
    ledger, told = Ledger(None), list[str]()
    for row in task.known:
        ledger.add(row)
    return measured_file(task.folder, task.file, coders, ledger, told.append), told
