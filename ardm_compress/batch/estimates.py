"""How long files take on this machine and how small they become, by those before. Imports the codec to measure."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from ardm_compress.batch.settings import SUFFIX
from ardm_compress.errors import ArdmError
from ardm_compress.files import locations as storage

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job
    from ardm_compress.batch.settings import Outcome

FILE_NAME: Final = "rates.json"
PIXELS: Final = "pixels"  # stands for the suffix where pixels that the model has coded are counted, not bytes
LEAST_BYTES: Final = 1 << 16  # of a file that counts: smaller ones tell how long it takes to begin
MEMORY_BYTES: Final = 1 << 28  # from which on older files count less
WORTH_MEASURING: Final = 60.0  # seconds of work from which on the machine is measured before
MEASURED: Final = "photo"  # the model by which a machine is measured
MEASURED_SIDE: Final = 384  # pixels
USUAL_MEGAPIXEL: Final = 29.0  # seconds to encode and verify one, on the machine of USUAL
USUAL: Final = {
    ".png": (17.0, 0.6), ".webp": (24.0, 0.8), ".bmp": (10.0, 0.33), ".ppm": (10.0, 0.33), ".tif": (10.0, 0.33),
    ".tiff": (10.0, 0.33), ".jpg": (13.0, 0.71), ".jpeg": (13.0, 0.71), ".wav": (4.0, 0.6), ".flac": (7.0, 0.91),
}  # seconds a megabyte to encode and verify, and the share that is left, of files as README measures  # fmt: skip
OTHERS: Final = 0.5, 0.7
DECODING: Final = 0.45  # of the time to encode and verify


class Sums(NamedTuple):
    """Of files of one kind."""

    before: float  # bytes or pixels
    after: float  # bytes
    seconds: float


class Estimate(NamedTuple):
    """What is to be expected of files."""

    files: int
    before: int  # bytes
    after: float
    seconds: float  # of one process


class Rates:
    """What files took, kept in the user's cache folder."""

    def __init__(self) -> None:
        """Read what is known; nothing if there is none or it cannot be read."""
        self._known: dict[str, Sums] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):  # none, or no such file
            kept = json.loads((cache_folder() / FILE_NAME).read_bytes())
            self._known = {name: Sums(*map(float, sums)) for name, sums in kept.items() if sums[0] > 0}

    def learn(self, command: str, outcome: Outcome) -> None:
        """Take a file into account, if it was worked on now and is not too small to tell."""
        if outcome.code == 0 and outcome.seconds > 0 and outcome.before >= LEAST_BYTES:
            self._add(f"{command} {_suffix(outcome.source)}", Sums(outcome.before, outcome.after, outcome.seconds))

    def _add(self, name: str, new: Sums) -> None:
        old = self._known.get(name, Sums(0, 0, 0))
        weight = 0.5 if old.before > MEMORY_BYTES else 1.0
        self._known[name] = Sums(*(weight * known + more for known, more in zip(old, new, strict=True)))

    def save(self) -> None:
        """Keep what is known, where that is possible."""
        with suppress(OSError):
            folder = cache_folder()
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"{FILE_NAME}.{os.getpid()}"
            temporary.write_text(json.dumps(self._known))
            temporary.replace(folder / FILE_NAME)

    def megapixel(self, command: str) -> float:
        """Return the seconds in which this machine encodes and verifies, or decodes, a megapixel by the model.

        Raises:
            ArdmError: there is no model to measure it with.
        """
        name = f"{command} {PIXELS}"
        if name not in self._known:
            for measured, seconds in _measure().items():
                self._add(f"{measured} {PIXELS}", Sums(MEASURED_SIDE**2, 0, seconds))
            self.save()
        return self._known[name].seconds / self._known[name].before * 1e6

    def estimate(self, command: str, jobs: Iterable[Job]) -> Estimate:
        """Tell what is to be expected of local files."""
        sizes = [(_suffix(job.source), storage.size(job.source) or 0) for job in jobs]
        found = self._estimate(command, sizes, 1.0)
        if found.seconds < WORTH_MEASURING:
            return found
        with suppress(ArdmError):
            return self._estimate(command, sizes, self.megapixel("encode") / USUAL_MEGAPIXEL)
        return found

    def _estimate(self, command: str, sizes: Sequence[tuple[str, int]], slowness: float) -> Estimate:
        """Estimate for suffixes and bytes, on a machine that takes so many times the usual time."""
        before, after, seconds = 0, 0.0, 0.0
        for suffix, size in sizes:
            if known := self._known.get(f"{command} {suffix}"):
                rate, share = known.seconds / known.before, known.after / known.before
            else:
                rate, share = USUAL.get(suffix, OTHERS)
                rate *= slowness / 1e6
                if command != "encode":
                    rate, share = DECODING * rate / share, 1 / share
            before, after, seconds = before + size, after + size * share, seconds + size * rate
        return Estimate(len(sizes), before, after, seconds)


def _suffix(source: str) -> str:
    """Of the file that was or will be compressed."""
    return PurePosixPath(source.removesuffix(SUFFIX)).suffix.lower()


def _measure() -> dict[str, float]:
    """Encode a picture by the model, and decode it; return processor seconds: others at work do not count."""
    import numpy as np

    from ardm_compress.codec.images import decode_samples, encode_samples

    noise = np.random.default_rng(1).normal(128, 9, (MEASURED_SIDE, MEASURED_SIDE, 3))
    picture = np.clip(noise + 40 * np.sin(np.arange(MEASURED_SIDE) / 20)[:, None], 0, 255).astype(np.uint8)
    decode_samples(encode_samples(picture[:8, :8]))  # loads the model, and compiles
    start = time.process_time()
    coded = encode_samples(picture)
    middle = time.process_time()
    decode_samples(coded)
    end = time.process_time()
    return {"encode": end - start, "decode": end - middle}


def cache_folder() -> Path:
    """Return the folder for what can be made again."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "ardm-compress")


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, seconds):.0f} seconds"
