"""How to encode and decode, and what is accepted at all: small values, the same in every process. Errors only."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ardm_compress.errors import LimitError, OptionError, UnsupportedError

if TYPE_CHECKING:
    from typing_extensions import Self

    from ardm_compress.ardm.tiles import Region


MIB: Final = 1 << 20
MAX_SIDE: Final = 1 << 20  # pixels of an image's height and width, for which the format has room
CODING: Final = 420 * MIB  # of a process that codes a tile: Python, PyTorch, the model and its work
TILE_PIXELS: Final = 1 << 14
SPARSE_FROM_BITS: Final = 4  # sound is never sparse below this part of the samples allowed
SAMPLES_OF_BYTE: Final = 128  # above this it is
COPIES: Final = 3  # of an image's samples: themselves, what they are read from or written to, and the pixels packed


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader or writer accepts."""

    pixels: int = 1 << 28
    tiles: int = 64  # and one more for every TILE_PIXELS pixels: each takes all network calls, however small it is
    tile_pixels: int = 1 << 20  # of one tile, which is coded in one piece
    memory: int = 1536 * MIB  # bytes, about, of all processes together, that code an image
    samples: int = 1 << 30  # of sound, of all channels

    def check_pixels(self, rows: int, columns: int) -> None:
        """Raise LimitError if an image has too many."""
        if rows * columns > self.pixels:
            raise LimitError(
                f"{columns} x {rows} pixels are over the limit of {self.pixels}; --max-pixels {rows * columns} "
                "(Limits(pixels=...)) allows them"
            )

    def check_image(self, rows: int, columns: int, pixel_bytes: int) -> None:
        """Raise LimitError if an image, whose samples take so many bytes a pixel, has too many or takes too much."""
        self.check_pixels(rows, columns)
        self.check_memory(rows * columns * pixel_bytes)

    def check_samples(self, frames: int, channels: int) -> None:
        """Raise LimitError if sound has too many."""
        if frames * channels > self.samples:
            raise LimitError(
                f"{frames} times {channels} samples are over the limit of {self.samples}; --max-samples "
                f"{frames * channels} (Limits(samples=...)) allows them"
            )

    def is_sparse(self, samples: int, size: int) -> bool:
        """Say whether many samples of sound are in so few bytes that they cost far more time than they look."""
        return samples > self.samples >> SPARSE_FROM_BITS and samples > size * SAMPLES_OF_BYTE

    def check_sparse(self, samples: int, size: int) -> None:
        """Raise LimitError if samples of sound are sparse."""
        if self.is_sparse(samples, size):
            raise LimitError(
                f"{samples} samples in {size} bytes are suspicious; --max-samples {samples << SPARSE_FROM_BITS} "
                f"(Limits(samples=...)) allows them"
            )

    def check_tiles(self, tiles: int, rows: int, columns: int) -> None:
        """Raise LimitError if an image is cut into too many."""
        most = self.tiles + rows * columns // TILE_PIXELS
        if tiles > most:
            raise LimitError(f"{tiles} tiles of {columns} x {rows} pixels are over the limit of {most}")

    def check_memory(self, samples: int) -> None:
        """Raise LimitError if coding an image whose samples take so many bytes takes too much."""
        needed = CODING + COPIES * samples
        if needed > self.memory:
            raise LimitError(
                f"this image takes about {-(-needed // MIB)} MiB of memory, the limit is {self.memory // MIB}; "
                f"--max-memory {-(-needed // MIB)} (Limits(memory=...)) allows it"
            )

    def jobs(self, wanted: int, samples: int, tiles: int) -> int:
        """How many processes, up to those wanted, can code an image's tiles within the memory; 1 is this process."""
        spare = self.memory - CODING - COPIES * samples
        workers = min(wanted, tiles, spare // CODING)
        return max(1, workers)


DEFAULT_LIMITS: Final = Limits()


def check_jobs(jobs: int) -> None:
    """Raise ValueError unless there is a process to work."""
    if jobs < 1:
        raise ValueError("jobs must be at least 1 process")


class Preset(NamedTuple):
    """Network calls of a tile, and which models; None is the usual one of the kind."""

    image: int
    sound: int
    image_model: str | None = None
    sound_model: str | None = None


AUTO: Final = "auto"  # as the name of a model: the one that makes a part of the file smallest
FAST: Final = "photo-fast"  # a model of images, an eighth of the usual one's products
DEFAULT_PRESET: Final = 7
PRESETS: Final = {
    1: Preset(8, 8, FAST),
    2: Preset(16, 16, FAST),
    3: Preset(32, 32, FAST),
    4: Preset(24, 64),
    5: Preset(32, 128),
    6: Preset(64, 256),
    7: Preset(96, 512),
    8: Preset(192, 1024),
    9: Preset(1 << 20, 2048, AUTO, AUTO),  # of images all ranks, which are some hundred
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """How to encode.

    Raises:
        ValueError: a budget or a number of processes below 1, or not whole; no such level.
    """

    level: int | None = None  # preset 1 (fastest) to 9 (smallest), which says what budget and model do not

    budget: int | None = None  # network calls of a tile; None: the default of the medium
    model: str | None = None  # name; None: the default of the medium; "auto": the one that makes a part smallest
    conditioning: bool = True  # tell the network about each tile: style, mirror, latents
    style: tuple[int, int] | None = None  # style and mirror of an image; None: those that make it smallest
    strip: bool = False  # leave out the metadata of images
    force_pixels: bool = False  # code the pixels of lossy images
    strict: bool = False  # refuse image files that would be stored as they are, packed
    any_kind: bool = False  # store what is neither image nor sound, or is damaged, as it is, packed
    tile: int = 896  # pixels, largest side of a tile: a small region of 100 megapixels meets 4 of 144 at most
    sections_from: int = 1 << 14  # pixels of a tile from which its stream is cut into one section for each level
    sound_tile: int = 1 << 19  # frames; the last tile may have up to half as many more
    period_bits: int | None = None  # of the order of sound; None: as the budget allows; 0: the spread order
    jobs: int = 1  # processes
    processes_from: int = 1 << 17  # pixels of a tile from which starting processes, which takes seconds, is worth it
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.budget is not None and (self.budget < 1 or self.budget != int(self.budget)):
            raise ValueError("the budget must be at least 1 network call, and whole")
        if self.level is not None and operator.index(self.level) not in PRESETS:
            raise ValueError(f"level must be one of {min(PRESETS)} to {max(PRESETS)}, not {self.level}")
        check_jobs(self.jobs)

    def of_medium(self, medium: str) -> Self:
        """Return the options for images or sound, with what the level says of that medium."""
        preset = PRESETS[self.level or DEFAULT_PRESET]
        calls, model = (preset.image, preset.image_model) if medium == "image" else (preset.sound, preset.sound_model)
        budget = self.budget or (calls if self.level else None)
        return replace(self, level=None, budget=budget, model=self.model or model)


class SampleNumber(int):
    """A time within sound as the number of the sample, of every channel, that is heard then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeOptions:
    """What to decode, by default all of a file, and how.

    Raises:
        ValueError: a number of processes below 1; UnsupportedError: times that are negative or not finite.
    """

    region: Region | None = None  # of an image: left, top, width, height in pixels of the preview
    preview: int = 0  # of an image: every 2**preview-th row and column; 0 is all
    start: float | SampleNumber = 0.0  # of sound: seconds to leave out
    end: float | SampleNumber | None = None  # of sound: seconds after which to stop; None: at its end
    duration: float | SampleNumber | None = None  # of sound: seconds, instead of ``end``
    jobs: int = 1
    processes_from: int = 1 << 17
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        check_jobs(self.jobs)
        if not all(math.isfinite(time) and time >= 0 for time in (self.start, self.end or 0, self.duration or 0)):
            raise UnsupportedError("start, end and duration must be finite and not negative")

    @property
    def is_part_of_image(self) -> bool:
        """Whether a region or a preview of an image is asked for."""
        return self.region is not None or self.preview > 0

    @property
    def is_part_of_sound(self) -> bool:
        """Whether some seconds of sound are asked for."""
        return self.start > 0 or self.end is not None or self.duration is not None

    def frames(self, rate: int, frames: int) -> range:
        """Return the frames that are asked for, of sound of so many of them and so many a second.

        Raises:
            OptionError: both an end and a duration are given, or no sound is between start and end.
        """

        def number(time: float | SampleNumber) -> int:
            return int(time) if isinstance(time, SampleNumber) else round(min(time, frames / max(1, rate) + 1) * rate)

        first, stop = number(self.start), frames
        if self.duration is not None:
            stop = first + number(self.duration)
        if self.end is not None:
            if self.duration is not None:
                raise OptionError("an end and a duration are both given; leave out one")
            stop = number(self.end)
        if self.is_part_of_sound and (first >= frames or stop <= first):
            seconds = f"{frames / max(1, rate):.3f} seconds, {frames} samples"
            raise OptionError(f"no sound is between start and end: it has {seconds}")
        return range(first, min(stop, frames))


DEFAULT_ENCODING: Final = EncodeOptions()
DEFAULT_DECODING: Final = DecodeOptions()
