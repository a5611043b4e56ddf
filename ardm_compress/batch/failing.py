"""What went wrong with a file, in one line and an exit code. Errors and standard library only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ardm_compress.batch.settings import DoneBefore, Outcome
from ardm_compress.errors import ArdmError, FormatError, LimitError, OptionError, UnsupportedError

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job

GENERAL: Final = 1
USAGE: Final = 2
CORRUPT: Final = 3
UNSUPPORTED: Final = 4
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it

IN_PYTHON: Final = re.compile(r" \((?:force=True|jobs=1|Limits\(\w+=\.\.\.\))\)")  # what else messages call options
WORST_FIRST: Final = (CORRUPT, UNSUPPORTED, GENERAL, USAGE)  # of several files, which code counts
EXPECTED: Final = (ArdmError, OSError, MemoryError)  # whatever a user or a file can cause


def explain(error: BaseException) -> tuple[str, int]:
    """Return the line to show for an expected error, and the exit code that goes with it."""
    message, code = _explained(error)
    return IN_PYTHON.sub("", message), code


def _explained(error: BaseException) -> tuple[str, int]:
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", GENERAL
    message = str(error) or "not enough memory"
    if isinstance(error, OptionError):
        return message, USAGE
    if isinstance(error, FormatError):
        return message, CORRUPT
    return message, UNSUPPORTED if isinstance(error, (UnsupportedError, LimitError)) else GENERAL


def failed_outcome(source: str, error: BaseException) -> Outcome:
    """Make the outcome of a file that could not be worked on."""
    message, code = explain(error)
    if isinstance(error, IsADirectoryError) and str(error.filename) == source:
        message += "; -r takes the files below it"
    return Outcome(source=source, error=message if source in message else f"{source}: {message}", code=code)


def attempt(job: Job, work: Callable[[], Outcome]) -> Outcome:
    """Return what ``work`` makes of a file, or how it failed."""
    done: list[Outcome] = []
    return failure(job.source, lambda: done.append(work())) or done[0]


def failure(source: str, work: Callable[[], None]) -> Outcome | None:
    """Return how ``work`` on a file failed, or that it was done before; None if it is done now."""
    try:
        work()
    except DoneBefore as done:
        return Outcome(source=source, target=done.target, done_before=True)
    except BrokenPipeError:
        raise  # the reader of standard output has gone: there is nobody to tell
    except EXPECTED as error:
        return failed_outcome(source, error)
    return None
