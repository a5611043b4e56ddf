"""A small corpus that any checkout can make: parts of the photograph in examples/, drawings, sound from integers."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
from PIL import Image

PHOTO = Path(__file__).parents[1] / "examples" / "photo.png"


def png(samples: np.ndarray, mode: str | None = None) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    (image.convert(mode) if mode else image).save(out, "PNG")
    return out.getvalue()


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Of 16-bit samples (frames, channels)."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def integers(count: int) -> np.ndarray:
    """Numbers without a pattern, -64 to 64 and the middle likelier, from arithmetic that never changes."""
    index = np.arange(4 * count, dtype=np.uint64)
    mixed = (index * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)) >> np.uint64(40)
    return (mixed % np.uint64(33)).astype(np.int64).reshape(4, count).sum(0) - 64


def voice(frames: int) -> np.ndarray:
    """Two resonances driven by noise and pulses, in integers: (frames,)."""
    drive, sound = 30 * integers(frames), np.zeros(frames, np.int64)
    drive[::140] += 20000
    a = b = c = d = 0
    for at in range(frames):
        a, b = int(drive[at]) + (1900 * a - 992 * b) // 1024, a
        c, d = a // 4 + (1200 * c - 980 * d) // 1024, c
        sound[at] = c // 4
    return sound.clip(-32768, 32767)


def drawing() -> np.ndarray:
    """Flat shapes with edges, (96, 128, 3)."""
    rows, columns = np.mgrid[:96, :128]
    image = np.full((96, 128, 3), 250, np.uint8)
    image[(rows - 40) ** 2 + (columns - 50) ** 2 < 900] = (200, 30, 40)
    image[(rows // 8 + columns // 8) % 5 == 0] = (20, 90, 160)
    image[abs(rows - columns // 2) < 3] = 0
    return image


def corpus() -> dict[str, bytes]:
    """Names and whole files; every method of coding wins somewhere."""
    photo = np.asarray(Image.open(PHOTO))[180:340, 300:460]
    alpha = np.full((*photo.shape[:2], 1), 255, np.uint8)
    alpha[:40] = 0
    speech = voice(6000)
    stereo = np.stack([speech, np.roll(speech, 3) * 3 // 4 + integers(6000) // 8], 1)
    deep = (photo[:48, :48, :1].astype(np.uint16) << 8) + np.arange(48, dtype=np.uint16)[:, None, None]
    return {
        "photo-160": png(photo),
        "photo-32": png(photo[64:96, 64:96]),
        "gray-96": png(photo[:96, :96, 1:2]),
        "alpha-80": png(np.concatenate([photo, alpha], 2)[:80, :80]),
        "palette": png(drawing(), "P"),
        "drawing": png(drawing()),
        "deep-48": png(deep),
        "voice": wav(speech[:, None], 16000),
        "stereo": wav(stereo, 44100),
        "silence": wav(np.zeros((5000, 1), np.int64), 8000),
        "floats": struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 436, b"WAVE", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32,
                              b"data", 400) + np.linspace(-1, 1, 100).astype("<f4").tobytes(),
    }  # fmt: skip
