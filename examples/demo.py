"""Compress, restore and compare the photograph beside this file, and show it next to PNG and WebP.

Run ``make demo``, or ``python examples/demo.py [IMAGE]`` for an image of yours.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from ardm_compress.codec import images
from ardm_compress.formats.catalogue import read_picture

PHOTO = Path(__file__).with_name("photo.png")

Samples = NDArray[np.uint8]


@dataclass(frozen=True)
class Coder:
    """A way to store pixels, and to have them back."""

    name: str
    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes], Samples]


def pillow_coder(name: str, kind: str, **options: object) -> Coder:
    """Make a coder of one that Pillow brings along."""

    def encode(samples: Samples) -> bytes:
        out = io.BytesIO()
        Image.fromarray(samples.squeeze(axis=2) if samples.shape[2] == 1 else samples).save(out, kind, **options)
        return out.getvalue()

    def decode(data: bytes) -> Samples:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image).reshape(image.height, image.width, -1)

    return Coder(name, encode, decode)


CODERS = (
    pillow_coder("PNG", "PNG", optimize=True),
    pillow_coder("WebP", "WEBP", lossless=True, method=6, quality=100, exact=True),
    Coder("ardm-compress", images.encode_samples, images.decode_samples),
)


def timed_row(coder: Coder, samples: Samples) -> tuple[str, ...]:
    """Encode, decode and verify; return the cells of the table."""
    start = time.perf_counter()
    data = coder.encode(samples)
    middle = time.perf_counter()
    restored = coder.decode(data)
    end = time.perf_counter()
    # WebP has no gray: there a gray image comes back as three equal channels
    if not np.array_equal(restored, np.broadcast_to(samples, restored.shape)):
        raise SystemExit(f"{coder.name}: the restored pixels differ")
    bits = 8 * len(data) / samples.size
    return coder.name, f"{len(data):,}", f"{bits:.3f}", f"{middle - start:.2f}", f"{end - middle:.2f}"


def main() -> None:
    """Print the table; it appears only if every coder gave the same pixels back."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PHOTO
    samples = read_picture(path.read_bytes()).samples
    height, width, channels = samples.shape
    stored = path.stat().st_size  # a PNG made with more care than Pillow takes can be smaller than the PNG row
    table = Table(title=f"{path.name} ({stored:,} bytes): {width} x {height}, {channels} x 8 bits")
    for heading in ("", "bytes", "bits per subpixel", "encode (s)", "decode (s)"):
        table.add_column(heading, justify="right" if heading else "left")
    console = Console()
    with console.status("encoding and decoding"):
        for coder in CODERS:
            table.add_row(*timed_row(coder, samples))
    console.print(table, "Each of them gave the same pixels back.")


if __name__ == "__main__":
    main()
