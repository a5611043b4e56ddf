"""This package as one of the coders: in this process, the model loaded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ardm_compress.bench.base import Measured
from ardm_compress.bench.inputs import JPEG, Input
from ardm_compress.bench.machine import version_of
from ardm_compress.container import Kind, parse
from ardm_compress.errors import ChecksumError
from ardm_compress.formats import IMAGE, SOUND
from ardm_compress.formats.catalogue import same_image
from ardm_compress.inference import find_model

OURS: Final = "ardm-compress"
ALL: Final = 1 << 20  # network calls, more than any schedule has
MODELS: Final = {IMAGE: "photo", SOUND: "sound", JPEG: "jpeg"}
PEAK: Final = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # of Linux


@dataclass(frozen=True)
class Ours:
    """A budget of network calls."""

    kind: str
    budget: int  # of JPEG files, ALL
    jobs: int  # processors, for the tiles of large images

    @property
    def name(self) -> str:
        """See ``Coder.name``."""
        return f"{OURS}, {'all' if self.budget == ALL else self.budget} calls"

    @property
    def version(self) -> str:
        """See ``Coder.version``; with the model, whose files are others."""
        return f"{OURS} {version_of(OURS)} {find_model(MODELS[self.kind]).file.stem}"

    def missing(self) -> str:
        """See ``Coder.missing``."""
        return ""

    def measure(self, source: Input) -> Measured:
        """See ``Coder.measure``."""
        from ardm_compress.coding.models import loaded

        loaded(find_model(MODELS[self.kind]))
        data = source.path.read_bytes()
        known = _forget_peak()
        start = time.perf_counter()
        coded = self._encoded(data)
        middle = time.perf_counter()
        same, end = self._decoded(coded, data)
        if not same:
            raise ChecksumError("what came back is not what went in")
        calls, peak = parse(coded).facts.get("calls"), _peak() if known else None
        return Measured(len(coded), middle - start, end - middle, peak, calls if isinstance(calls, int) else None)

    def _encoded(self, data: bytes) -> bytes:
        from ardm_compress.codec import images, sounds

        if self.kind != SOUND:
            return images.encode_image(data, budget=self.budget, jobs=self.jobs)
        return sounds.encode_sound(data, budget=self.budget)

    def _decoded(self, coded: bytes, data: bytes) -> tuple[bool, float]:
        """Whether it is the same, and when it was decoded."""
        from ardm_compress.codec import images, sounds
        from ardm_compress.codec.jpegs import decode_jpeg

        parsed = parse(coded)
        if parsed.kind is Kind.JPEG:
            return decode_jpeg(parsed) == data, time.perf_counter()
        if parsed.kind in (Kind.SOUND, Kind.STORED):
            same = b"".join(sounds.decoded_sound(coded)) == data
            return same, time.perf_counter()
        picture = images.decode_image(coded, jobs=self.jobs)
        end = time.perf_counter()
        return same_image(picture, data, strip=False, force_pixels=False), end


def _forget_peak() -> bool:
    """Whether the system lets a process start to measure its peak of memory anew."""
    try:
        PEAK[0].write_text("5", "ascii")
    except OSError:
        return False
    return True


def _peak() -> float:
    """MiB of this process, with Python and the model."""
    lines = PEAK[1].read_text("ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
