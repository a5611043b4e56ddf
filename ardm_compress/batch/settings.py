"""How files are encoded and decoded, and what came of it: small, and the same in every process. Standard library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, TypeAlias

from ardm_compress.files.locations import remove_source
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.options import DecodeOptions, EncodeOptions
from ardm_compress.progress import Progress

SUFFIX: Final = ".ardm"
Bar: TypeAlias = Callable[[str], AbstractContextManager[Progress | None]]  # a bar of progress with that label


def no_bar(_label: str) -> AbstractContextManager[None]:
    """Progress that nobody watches."""
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How outputs are written, and where the work is done."""

    force: bool = False  # replace existing outputs
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

    preset: int | None = None  # says what budget and model do not
    verify: bool = True  # decode and compare before writing


@dataclass(frozen=True, kw_only=True)
class Decoding(DecodeOptions, Writing):
    """How to decode files, by default all of each."""

    salvage: bool = False  # what a damaged file still holds

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
    error: str = ""  # why it failed
    code: int = 0  # exit code of a command for this file alone; 0 if it did not fail


def cleared(outcome: Outcome, how: Writing) -> Outcome:
    """Remove the source of an outcome if that was asked for; return the outcome."""
    if how.remove:
        remove_source(outcome.source, outcome.target)
    return outcome
