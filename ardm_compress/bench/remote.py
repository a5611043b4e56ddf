"""Files measured by the workers of a cluster, which keep what they find in the ledger here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ardm_compress.bench.inputs import Found
from ardm_compress.bench.ledger import Ledger, Row
from ardm_compress.bench.measure import LeftOut, Result, Tell, left_out, measured_file
from ardm_compress.errors import LimitError
from ardm_compress.tasks.cluster.tasks import completed

if TYPE_CHECKING:
    from ardm_compress.bench.base import Coder
    from ardm_compress.tasks import Progress
    from ardm_compress.tasks.cluster.workers import Workers


class _Task(NamedTuple):
    number: int
    found: Found
    known: list[Row]


def measured_by(
    workers: Workers, files: Sequence[Found], coders: Sequence[Coder], ledger: Ledger, tell: Tell, *,
    progress: Progress | None = None,
) -> list[Result | LeftOut]:  # fmt: skip
    """``measured`` by the workers of a cluster, one file each, which are where all of it finds them."""
    everywhere = [Found(os.path.abspath(found.folder), found.file.absolute()) for found in files]
    tasks = [_Task(number, found, ledger.of(found.name)) for number, found in enumerate(everywhere)]
    results: dict[int, Result | LeftOut] = {}
    for count, (task, answer, _) in enumerate(completed(workers, partial(_measured, coders), tasks), 1):
        if isinstance(answer, LimitError):
            results[task.number] = left_out(task.found, answer, tell)
        else:
            results[task.number] = _taken(task, *answer, ledger, tell)
        if progress:
            progress(count, len(tasks))
    return [results[number] for number in sorted(results)]


def _taken(task: _Task, result: Result | LeftOut, told: list[str], ledger: Ledger, tell: Tell) -> Result | LeftOut:
    """Tell and keep here what a worker has found, and return it."""
    for line in told:
        tell(line)
    for row in result.rows if isinstance(result, Result) else ():
        if row not in task.known:
            ledger.add(row)
    return result


def _measured(coders: Sequence[Coder], task: _Task) -> tuple[Result | LeftOut, list[str]]:
    """On a worker: the result, and what is to be told."""
    ledger, told = Ledger(None), list[str]()
    for row in task.known:
        ledger.add(row)
    return measured_file(task.found, coders, ledger, told.append), told
