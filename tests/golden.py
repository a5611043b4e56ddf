"""The golden files: what every later version must decode. ``python tests/golden.py NAME`` writes one, once.

A golden file is never written again: a new model or format version adds files and leaves the old ones.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pictures import PHOTO, TEXT, bmp_file, png_chunk, png_file, read_image, tiff_file
from sounds import LIST, wave

from ardm_compress.formats.lzw import pack_lzw

FOLDER = Path(__file__).with_name("golden")


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


PROGRESSIVE = "rgb-progressive"

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
SOUND, LEARNING, WIDE = "sound-1", "sound-2", "sound-3"  # with a model, and by filters that learn
# those that filters which learn make otherwise
LEARNT = ("mono", "stereo-chunks", "24-bits", "three-channels", "noise", "silence", "empty", "stretches")


def drawing(channels: int, depth: int) -> NDArray[np.int64]:
    """Discs of a few values."""
    rows, columns = np.mgrid[:30, :44]
    discs = ((rows - 15) ** 2 + (columns - 20) ** 2) // 90 + columns // 30
    return (discs[..., None] * np.arange(1, channels + 1) * (3 if depth > 4 else 1)) % (1 << depth)


def transparent(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The right half is not seen."""
    seen = np.where(np.arange(samples.shape[1]) < samples.shape[1] // 2, 255, 0).astype(np.uint8)
    return np.concatenate([samples, np.broadcast_to(seen[None, :, None], (*samples.shape[:2], 1))], 2)


def packed_tiff(samples: NDArray[np.uint8]) -> bytes:
    """A TIFF file whose strips of 16 rows are packed by LZW, as libtiff does it."""
    strips = [pack_lzw(samples[row : row + 16].tobytes(), 0) for row in range(0, len(samples), 16)]
    return tiff_file(samples, strips, 5, 16)


DEEP = (photo(40, 50).astype(np.int64) * 257 + np.arange(50)[:, None]) % 65536

# image files
PICTURES: dict[str, bytes] = {
    "palette": png_file(drawing(1, 4), 4, 3, TEXT, png_chunk(b"PLTE", bytes(range(48))), png_chunk(b"tRNS", b"\0\x80")),
    "one-bit": png_file(drawing(1, 1), 1, 0),
    "rgb-16": png_file(DEEP, 16, 2),
    "rgba-drawing": png_file(drawing(4, 8), 8, 6, TEXT),
    "rgba-photo": png_file(transparent(photo(48, 64)), 8, 6),
    "gray-alpha": png_file(transparent(photo(48, 64)[..., :1]), 8, 4),
    "photo-text": png_file(photo(48, 64), 8, 2, TEXT),
    "flat": png_file(np.full((300, 500, 3), 77), 8, 2, TEXT),
    "progressive": png_file(photo(128, 136), 8, 2, TEXT),
    "noise": png_file(np.frombuffer(hashlib.shake_256(b"noise").digest(480), np.uint8).reshape(24, 20, 1), 8, 0),
    "bmp": bmp_file(photo(31, 33)),
    "pgm": b"P5\n# of 16 bits\n50 40 65535\n" + DEEP[..., 0].astype(">u2").tobytes() + b"end",
}
# JPEG files; a library that writes them changes, so that they are kept beside the golden files
JPEGS = ("gray", "colour-thumbnail", "progressive-restarts", "four-components", "padding-and-tail")
JPEG = "jpeg-1"
TEXTS: dict[str, bytes] = {
    "letter": (
        b"Dear Grandma,\n\nthank you for the book about the lighthouse. I read it twice, and then I read it to the "
        b"cat, who did not care for the lighthouse but liked the part with the fish. We shall come on Sunday; the "
        b"train is at nine. Mother says that we must not bring the cat.\n\nWith love from all of us, and from the cat\n"
    ),
    "table": b"time,place,degrees\n"
    + b"".join(b"%02d:%02d,harbour,%d.5\n" % (i, 7 * i % 60, 11 + i % 5) for i in range(24)),
    "other-letters": "Ærøskøbing, Łódź, Αθήνα, Владивосток, 東京 und Köln: «ça va?»; ¡sí!\r\n".encode() * 2,
    "one-byte": b"\n",
    "repeated": b'{"name": "lighthouse", "height_m": 31, "light": "Fl(2) 15s"}\n' * 20,
}
TEXT_MODEL = "text-1"
NEWEST, PICTURE = "photo-4", "picture-2"  # the model that files are made with, and the pictures that are made with it
QUICK = "photo-fast-1"  # the model of the presets from -1 on
OLDER, OLDER_PICTURE = "photo-3", "picture-1"
GOLDEN = {
    f"{model}-{name}": source for model in ("photo-1", "photo-2", OLDER, NEWEST) for name, source in SOURCES.items()
}
GOLDEN |= {f"{QUICK}-{name}": SOURCES[name] for name in ("rgb-8-calls", "rgb-sections", "gray", "noise")}
NEW_PICTURES = {"tiff-lzw": packed_tiff(photo(40, 50))}  # of kinds that the older ones had not
GOLDEN_PICTURES = {f"{kind}-{name}": source for kind in (OLDER_PICTURE, PICTURE) for name, source in PICTURES.items()}
GOLDEN_PICTURES |= {f"{PICTURE}-{name}": source for name, source in NEW_PICTURES.items()}
GOLDEN_SOUND = {f"{SOUND}-{name}": source for name, source in SOUNDS.items()} | {
    f"{LEARNING}-{name}": SOUNDS[name] for name in LEARNT
}
ZEROS = (walk(400, 2, 30) << np.array([1, 3])).astype("<i2")  # low bits
GOLDEN_SOUND[f"{WIDE}-low-zeros"] = wave(ZEROS.tobytes(), channels=2), 16
GOLDEN_TEXTS = {f"{TEXT_MODEL}-{name}": source for name, source in TEXTS.items()}
GOLDEN_JPEGS = {f"{JPEG}-{name}": (FOLDER / f"{name}.jpg").read_bytes() for name in JPEGS}

NAMED = f"{PICTURE}-progressive-named"  # has size and SHA-256 of its original, which files from 8 KiB on have
# files that the encoder, with the same model, made otherwise later, having learnt to make them shorter or sooner: which
LATER = {
    f"{OLDER}-rgb-sections": f"{OLDER}-{PROGRESSIVE}",
    f"{OLDER}-rgb-1-call": f"{OLDER}-rgb-1-call-exact",  # styles and latents are compared in exact integers
    f"{OLDER_PICTURE}-gray-alpha": f"{OLDER_PICTURE}-gray-alpha-exact",  # the same
    f"{OLDER_PICTURE}-palette": f"{OLDER_PICTURE}-palette-short-wrapper",
    f"{OLDER_PICTURE}-photo-text": f"{OLDER_PICTURE}-photo-text-wrapped",
    f"{OLDER_PICTURE}-bmp": f"{OLDER_PICTURE}-bmp-wrapped",
    f"{SOUND}-silence": f"{SOUND}-silence-short",
    **{f"{LEARNING}-{name}": f"{WIDE}-{name}" for name in LEARNT},
    # schedules are planned by the decoder, and latents fitted and styles compared by integer products
    **{
        f"{NEWEST}-{name}": f"{NEWEST}-{name}-planned"
        for name in ("rgb-sections", "rgb-all-calls", "gray", "noise", "rgb-8-calls", "one-row", "rgb-1-call")
    },
    **{
        f"{PICTURE}-{name}": f"{PICTURE}-{name}-planned"
        for name in ("rgba-photo", "gray-alpha", "progressive", "photo-text", "bmp")
    },
    f"{PICTURE}-progressive-planned": NAMED,
}
for golden in (GOLDEN, GOLDEN_PICTURES, GOLDEN_SOUND):
    for name, later in LATER.items():  # some of which come later still
        if name in golden:
            golden[later] = golden[name]


def encoded(name: str) -> bytes:
    """What the encoder makes today of a golden file's source."""
    from ardm_compress.codec import images, sounds, texts

    if name in GOLDEN_PICTURES:
        return images.encode_image(GOLDEN_PICTURES[name])
    if name in GOLDEN_TEXTS:
        return texts.encode_text(GOLDEN_TEXTS[name])
    if name in GOLDEN_JPEGS:
        return images.encode_image(GOLDEN_JPEGS[name])
    if name in GOLDEN:
        model = QUICK[:-2] if name.startswith(QUICK) else None
        return images.encode_samples(GOLDEN[name][0], budget=GOLDEN[name][1], model=model)
    period_bits = 0 if name.endswith("spread") else None  # the program itself never chooses that order
    model = SOUND[:-2] if name.startswith(SOUND) else None
    budget = GOLDEN_SOUND[name][1] if model else None  # small ones choose no profile
    return sounds.encode_sound(GOLDEN_SOUND[name][0], budget=budget, model=model, period_bits=period_bits)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        target = FOLDER / f"{name}.ardm"
        if target.exists():
            raise SystemExit(f"{target} exists and must stay as it is")
        target.write_bytes(encoded(name))
