"""Sound files built byte by byte, for several test modules."""

from __future__ import annotations

import struct

import numpy as np


def riff_chunk(name: bytes, body: bytes, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(body)) + body + b"\0" * (len(body) % 2)


def wave(body: bytes, *, width: int = 2, channels: int = 1, rate: int = 16000, bits: int = 0, before: bytes = b"",
         after: bytes = b"", tag: int = 1, order: str = "<") -> bytes:  # fmt: skip
    block = width * channels
    form = struct.pack(f"{order}HHIIHH", tag, channels, rate, rate * block, block, bits or 8 * width)
    chunks = riff_chunk(b"fmt ", form, order) + before + riff_chunk(b"data", body, order) + after
    magic = b"RIFX" if order == ">" else b"RIFF"
    return magic + struct.pack(f"{order}I", len(chunks) + 4) + b"WAVE" + chunks


INFO = b"INFOINAM\5\0\0\0name\0"  # of odd length
LIST = riff_chunk(b"LIST", INFO)


def noisy(frames: int, channels: int = 1, most: int = 300, seed: int = 0) -> bytes:
    """Samples of 16 bits without repetitions, so that the model makes them smaller than storing does."""
    return np.random.default_rng(seed).integers(-most, most + 1, (frames, channels)).astype("<i2").tobytes()
