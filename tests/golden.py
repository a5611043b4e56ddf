"""The golden files: what every later version must decode. ``python tests/golden.py NAME`` writes one, once.

A golden file is never written again: a new model or format version adds files and leaves the old ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sounds import LIST, wave

from ardm_compress.media import read_image

FOLDER = Path(__file__).with_name("golden")
PHOTO = Path(__file__).parents[1] / "examples" / "photo.png"


def photo(rows: int, columns: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(read_image(PHOTO)[200 : 200 + rows, 300 : 300 + columns])


def noise() -> NDArray[np.uint8]:
    """Worst case: values that no model expects, from integer arithmetic that never changes."""
    index = np.arange(24 * 20 * 3, dtype=np.uint64)
    mixed = (index * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)) >> np.uint64(33)
    return (mixed & np.uint64(255)).astype(np.uint8).reshape(24, 20, 3)


# samples and budget
SOURCES: dict[str, tuple[NDArray[np.uint8], int]] = {
    "rgb-all-calls": (photo(40, 56), 10**6),
    "rgb-8-calls": (photo(33, 47), 8),
    "rgb-1-call": (photo(16, 16), 1),
    "rgb-sections": (photo(128, 136), 24),
    "gray": (photo(31, 25)[..., 1:2], 40),
    "noise": (noise(), 12),
    "one-pixel": (photo(1, 1), 1),
    "one-row": (photo(1, 100), 20),
    "black": (np.zeros((20, 30, 3), np.uint8), 10**6),
}


def integers(count: int) -> NDArray[np.int64]:
    """Numbers without a pattern, from integer arithmetic that never changes."""
    index = np.arange(count, dtype=np.uint64)
    return ((index * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)) >> np.uint64(40)).astype(np.int64)


def walk(frames: int, channels: int, step: int) -> NDArray[np.int64]:
    """Sums of small numbers: low frequencies, and channels that have something in common."""
    return np.cumsum(integers(frames * channels).reshape(frames, channels) % (2 * step + 1) - step, 0).cumsum(1)


def three_bytes(samples: NDArray[np.int64]) -> bytes:
    return samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


# sound files and budgets
SOUNDS: dict[str, tuple[bytes, int]] = {
    "mono": (wave(walk(1500, 1, 40).astype("<i2").tobytes(), rate=8000), 64),
    "stereo-chunks": (wave(walk(900, 2, 30).astype("<i2").tobytes(), channels=2, before=LIST) + b"end", 16),
    "24-bits": (
        wave(three_bytes(walk(500, 2, 9000)), channels=2, width=3),
        32,
    ),
    "three-channels": (wave(walk(300, 3, 9).astype("<i2").tobytes(), channels=3), 2),
    "spread": (wave(walk(1000, 1, 40).astype("<i2").tobytes(), rate=8000), 60),
    "noise": (wave((integers(600) % 65536 - 32768).astype("<i2").tobytes()), 8),
    "silence": (wave(bytes(3000)), 100),
    "empty": (wave(b""), 100),
    "stretches": (
        wave(
            np.concatenate([walk(200, 2, 9), np.full((1500, 2), 7), walk(90, 2, 9), np.zeros((1200, 2))])
            .astype("<i2")
            .tobytes(),
            channels=2,
        ),
        30,
    ),
    "stored": (wave(walk(99, 1, 40).astype("<f4").tobytes(), width=4, tag=3), 100),
}
SOUND = "sound-1"

NEWEST = "photo-3"  # the model that files are made with
GOLDEN = {f"{model}-{name}": source for model in ("photo-1", "photo-2", NEWEST) for name, source in SOURCES.items()}
GOLDEN_SOUND = {f"{SOUND}-{name}": source for name, source in SOUNDS.items()}


if __name__ == "__main__":
    from ardm_compress import api
    from ardm_compress.audio import files

    for name in sys.argv[1:]:
        target = FOLDER / f"{name}.ardm"
        if target.exists():
            raise SystemExit(f"{target} exists and must stay as it is")
        if name in GOLDEN_SOUND:
            data, budget = GOLDEN_SOUND[name]
            if name.endswith("spread"):
                files.plan_period = lambda *_: 0  # the program itself never chooses it
            target.write_bytes(api.encode_sound(data, budget=budget))
        else:
            target.write_bytes(api.encode(GOLDEN[name][0], budget=GOLDEN[name][1]))
