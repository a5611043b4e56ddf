"""Files worked on in this process or in others; those that fail do not stop the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ardm_compress.batch import failing
from ardm_compress.batch.decoding import check_file, decode_file
from ardm_compress.batch.encoding import encode_file
from ardm_compress.batch.settings import Bar, Decoding, DoneBefore, Encoding, Outcome, Writing, finish, no_bar
from ardm_compress.errors import LimitError, OptionError
from ardm_compress.files import locations as storage
from ardm_compress.tasks.processes import affordable, completed

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job

How = TypeVar("How", bound=Writing)
Group: TypeAlias = "list[Job]"


def encode_group(how: Encoding, jobs: Group, bar: Bar = no_bar) -> list[Outcome]:
    """Encode a file, or small ones together."""
    if len(jobs) == 1:
        return [failing.attempt(jobs[0], partial(encode_file, jobs[0], how, bar))]
    from ardm_compress.batch.many import encode_files

    return encode_files(jobs, how)


def decode_group(how: Decoding, jobs: Group, bar: Bar = no_bar) -> list[Outcome]:
    """Decode a file, or small ones together."""
    if len(jobs) == 1:
        return [failing.attempt(jobs[0], partial(decode_file, jobs[0], how, bar))]
    from ardm_compress.batch.many import decode_files

    return decode_files(jobs, how)


def check_group(how: Decoding, jobs: Group, bar: Bar = no_bar) -> list[Outcome]:
    """Test files."""
    return [failing.attempt(job, partial(check_file, job, how, bar)) for job in jobs]


def keep_as_is(job: Job, how: Writing) -> Outcome:
    """Make a symbolic link, with the same text, or an empty folder at the place of a job.

    Raises:
        DoneBefore: it is there; OutputExistsError: something else is; OptionError: there are none at URLs.
    """
    source, target = Path(job.source), storage.local(job.place)
    if target is None:
        raise OptionError(f"{job.source}: no links and empty folders are kept at URLs; --exclude leaves it out")
    text = os.readlink(source) if source.is_symlink() else None
    if target.is_dir() if text is None else target.is_symlink() and os.readlink(target) == text:
        raise DoneBefore(job.place)
    storage.check_output(job.place, force=how.force, parents=True)
    if not how.dry:
        target.unlink(missing_ok=True)
        if text is None:
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(text, target_is_directory=source.is_dir())
    return Outcome(source=job.source, target=job.place, note="an empty folder" if text is None else "a symbolic link")


def outcomes(
    work: Callable[[How, Group, Bar], list[Outcome]], how: How, groups: list[Group], bar: Bar = no_bar,
    begin: Callable[[Group], object] = len,
) -> Iterator[Outcome]:  # fmt: skip
    """Yield what comes of all files, as they are done, with as many processes as ``how`` allows.

    Args:
        work: one of the functions above.
        how: its settings; ``jobs`` processes are shared out among the groups.
        groups: of files. If a process dies, those it may have been about are worked on once more, one by one.
        bar: of progress within a file, if all are worked on in this process.
        begin: told of a group when work on it begins.
    """
    processes = 1 if how.dry else min(how.jobs, len(groups), affordable())
    if processes <= 1:
        for group in groups:
            begin(group)
            yield from work(how, group, bar)
        return
    groups, failures = drop_unremovable(groups, how)
    yield from failures
    each = replace(how, jobs=max(1, how.jobs // processes), remove=False)
    alone: list[Group] = []
    begun = (group for group in groups if begin(group) or True)  # taken one by one, as processes get free
    for group, result in completed(partial(_quietly, work, each), begun, processes):
        if isinstance(result, LimitError):
            alone += [[job] for job in group]
        else:
            yield from remove_sources(group, result, how)
    for group in alone:
        for _, result in completed(partial(_quietly, work, replace(each, again=True)), [group], 1):
            yield from remove_sources(group, result, how)


def _quietly(work: Callable[[How, Group, Bar], list[Outcome]], how: How, group: Group) -> list[Outcome]:
    return work(how, group, no_bar)


def drop_unremovable(groups: list[Group], how: Writing) -> tuple[list[Group], list[Outcome]]:
    """Drop jobs whose source cannot be deleted; return the remaining groups and one failure for each dropped job."""
    if not how.remove:
        return groups, []
    failures = {job: failing.failure(job.source, partial(storage.check_removable, job.source))
                for group in groups for job in group}  # fmt: skip
    left = [[job for job in group if failures[job] is None] for group in groups]
    return [group for group in left if group], [failure for failure in failures.values() if failure]


def remove_sources(group: Group, result: list[Outcome] | LimitError, how: Writing) -> list[Outcome]:
    """Remove the sources of a group whose outputs other processes have written; return the outcomes."""
    if isinstance(result, LimitError):
        return [failing.failed_outcome(job.source, result) for job in group]
    return [outcome if outcome.code or outcome.done_before else failing.attempt(job, partial(finish, outcome, how))
            for job, outcome in zip(group, result, strict=True)]  # fmt: skip
