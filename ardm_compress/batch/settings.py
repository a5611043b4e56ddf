"""How files are encoded and decoded, and what came of it: small, and the same in every process. Standard library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ardm_compress.files.locations import remove_source
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.progress import Progress

if TYPE_CHECKING:
    from ardm_compress.ardm.tiles import Region

SUFFIX: Final = ".ardm"
Bar: TypeAlias = Callable[[str], AbstractContextManager[Progress | None]]  # a bar of progress with that label


def no_bar(_label: str) -> AbstractContextManager[None]:
    """Progress that nobody watches."""
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What encoding and decoding have in common."""

    force: bool = False  # replace existing outputs
    again: bool = False  # a process was lost: outputs that are there, and as they should be, are its
    remove: bool = False  # remove the source once its output is written
    parents: bool = False  # make the folders of outputs
    dry: bool = False  # look at what would be done only
    jobs: int = 1  # processes for the tiles of an image
    scheduler: str | None = None  # address of that of a Dask cluster, which works instead of this machine
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding(Writing):
    """How to encode; see ``ardm_compress.codec.api``."""

    level: int | None = None  # a preset, which says what the next two do not
    budget: int | None = None  # network calls
    model: str | None = None  # by default photo or sound
    verify: bool = True  # decode and compare before writing
    strip: bool = False  # of images: leave out metadata
    force_pixels: bool = False  # of lossy images: code their pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding(Writing):
    """How to decode: by default all of a file."""

    region: Region | None = None  # of images: left, top, width, height
    level: int = 0  # of images: of a preview
    salvage: bool = False  # what a damaged file still holds
    start: float = 0.0  # of sound: seconds to leave out
    duration: float | None = None  # of sound: seconds

    @property
    def is_all(self) -> bool:
        """Whether it is all of the file, exact."""
        return not (self.of_image or self.of_sound or self.salvage)

    @property
    def of_image(self) -> bool:
        """Whether it is a part of an image."""
        return self.region is not None or self.level > 0

    @property
    def of_sound(self) -> bool:
        """Whether it is a part of sound."""
        return bool(self.start) or self.duration is not None


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
    """The outcome, once its source is removed if that was asked for."""
    if how.remove:
        remove_source(outcome.source, outcome.target)
    return outcome
