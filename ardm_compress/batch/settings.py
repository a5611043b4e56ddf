"""How files are encoded and decoded, and what came of it: small, and the same in every process. Standard library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, TypeAlias

from ardm_compress.errors import OutputExistsError
from ardm_compress.files import locations
from ardm_compress.options import DEFAULT_LIMITS, DecodeOptions, EncodeOptions, Limits
from ardm_compress.tasks import Progress

SUFFIX: Final = ".ardm"
Bar: TypeAlias = Callable[[str], AbstractContextManager[Progress | None]]  # a bar of progress with that label


def no_bar(_label: str) -> AbstractContextManager[None]:
    """Progress that nobody watches."""
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How outputs are written, and where the work is done."""

    force: bool = False  # replace existing outputs
    resume: bool = False  # outputs that are there, complete and not older than their sources, are done
    again: bool = False  # a process was lost: outputs that are there, and as they should be, are its
    remove: bool = False  # remove the source once its output is written
    parents: bool = False  # make the folders of outputs
    dry: bool = False  # look at what would be done only
    jobs: int = 1  # processes
    scheduler: str | None = None  # address of that of a Dask cluster, which works instead of this machine
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, kw_only=True)
class Encoding(EncodeOptions, Writing):
    """How to encode files."""

    verify: bool = True  # decode and compare before writing
    exact: bool = False  # refuse files of which another one with the same content would come back


@dataclass(frozen=True, kw_only=True)
class Decoding(DecodeOptions, Writing):
    """How to decode files, by default all of each."""

    salvage: bool = False  # what a damaged file still holds
    against: bool = False  # compare with the files that were compressed, which are at the places of jobs

    @property
    def is_all(self) -> bool:
        """Whether it is all of the file, exact."""
        return not (self.is_part_of_image or self.is_part_of_sound or self.salvage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a file."""

    source: str
    target: str = ""
    before: int = 0  # bytes of the source
    after: int = 0  # bytes of the target
    seconds: float = 0.0
    note: str = ""  # how it was coded
    comes_back: str = ""  # what of the file that was compressed does
    sha256: str = ""  # of the file that is compressed, in hexadecimal digits
    error: str = ""  # why it failed
    state: locations.State | None = None  # of the source, when it was read
    done_before: bool = False  # the output was there already
    skipped: str = ""  # why it was found below a folder, but not taken
    code: int = 0  # exit code of a command for this file alone; 0 if it did not fail


class DoneBefore(Exception):  # no error: it ends the work on a file
    """The output of a file is there already, complete and not older than the file."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


def check_output(source: str, target: str, how: Writing, is_complete: Callable[[str], bool] = locations.exists) -> None:
    """Say at once, not after minutes of work, that an output could not be written.

    Args:
        source: what it is made of.
        target: the output.
        how: it is written.
        is_complete: whether an output that is there is one that an earlier run has written.

    Raises:
        DoneBefore: one has; OutputExistsError, OSError: as ``locations.check_output``.
    """
    replaced = how.force or how.again
    if how.resume and not replaced and locations.exists(target) and is_complete(target):
        if not locations.is_newer(source, target):
            raise DoneBefore(target)
        raise OutputExistsError(f"{source} has changed since {target} was written; -f (force=True) overwrites it")
    locations.check_output(target, force=replaced, parents=how.parents)


def finish(outcome: Outcome, how: Writing) -> Outcome:
    """Return the outcome, once the source is known to be as it was read, and removed if that was asked for.

    Raises:
        SourceChangedError: it is not; then it is kept.
    """
    locations.check_unchanged(outcome.source, outcome.target, outcome.state)
    if how.remove:
        locations.remove_source(outcome.source, outcome.target)
    return outcome
