"""Groups of files worked on by a cluster, which reads and writes them where all of it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ardm_compress.batch.run import drop_unremovable, remove_sources
from ardm_compress.batch.settings import Outcome, Writing
from ardm_compress.errors import LimitError, OptionError
from ardm_compress.files import locations as storage
from ardm_compress.tasks.cluster.tasks import completed

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job
    from ardm_compress.batch.run import Group
    from ardm_compress.tasks.cluster.workers import Workers

How = TypeVar("How", bound=Writing)


def absolute_jobs(jobs: Iterable[Job]) -> list[Job]:
    """Give jobs names that mean the same on every machine that has the same folders.

    Raises:
        OptionError: one is standard input or output.
    """
    return [job._replace(source=_absolute(job.source), place=_absolute(job.place),
                         target=job.target and _absolute(job.target)) for job in jobs]  # fmt: skip


def _absolute(location: str) -> str:
    if location == storage.STDIO:
        raise OptionError("standard input and output are not on a cluster; name files")
    path = storage.local(location)
    return os.path.abspath(path) if path else location


def outcomes(
    workers: Workers, work: Callable[[How, Group], list[Outcome]], how: How, groups: list[Group]
) -> Iterator[Outcome]:
    """Yield what comes of all files, as they are done.

    Args:
        workers: of the cluster.
        work: one of the functions of ``batch.run``.
        how: its settings; sources are removed from here, once it is known that their outputs are there.
        groups: of jobs from ``absolute_jobs``.

    Yields:
        Every file once. Those of a group that was too large for a worker, and those that failed after a worker that had
        begun them was lost, are tried once more, one by one; that worker may have written some of the outputs.

    Raises:
        As ``cluster.tasks.completed``.
    """
    groups, failures = drop_unremovable(groups, how)
    yield from failures
    each = replace(how, jobs=1, remove=False)
    failed: list[Group] = []
    for group, result, again in completed(workers, partial(work, each), groups):
        retried = len(group) > 1 if isinstance(result, LimitError) else again
        for job, outcome in zip(group, remove_sources(group, result, how), strict=True):
            if outcome.code and retried:
                failed.append([job])
            else:
                yield outcome
    for group, result, _ in completed(workers, partial(work, replace(each, again=True)), failed):
        yield from remove_sources(group, result, how)
