"""Image files built byte by byte, for several test modules."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ardm_compress.formats.catalogue import read_media
from ardm_compress.formats.contents import Picture
from ardm_compress.formats.pixels import write_pixels
from ardm_compress.formats.png import SIGNATURE

Samples: TypeAlias = NDArray[np.uint8]  # (rows, columns, channels)
PHOTO = Path(__file__).parents[1] / "examples" / "photo.png"


def read_image(path: Path | str) -> Samples:
    """The samples of an image file, or the pixels of one of which they are packed."""
    media = read_media(Path(path).read_bytes(), force_pixels=True)
    assert isinstance(media, Picture)
    return media.samples


def write_image(path: Path | str, samples: Samples) -> None:
    """An image file, of the kind of its suffix, of gray or colour samples."""
    Path(path).write_bytes(write_pixels(samples, Path(path).suffix))


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Of a PNG file."""
    return struct.pack(">I", len(body)) + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def png_file(samples: NDArray[np.generic], depth: int, colour: int, *before: bytes, after: bytes = b"") -> bytes:
    """A PNG file without filters, of samples (rows, columns, channels)."""
    rows, columns = samples.shape[:2]
    bits = np.unpackbits(samples.astype(">u2").view(np.uint8).reshape(rows, -1, 2), axis=2)[..., 16 - depth :]
    lines = np.pad(np.packbits(bits.reshape(rows, -1), axis=1), ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(lines.tobytes()))
    return SIGNATURE + png_chunk(b"IHDR", header) + b"".join(before) + pixels + after + png_chunk(b"IEND", b"")


def bmp_file(samples: NDArray[np.uint8]) -> bytes:
    """A BMP file of red, green and blue (rows, columns, 3)."""
    rows, columns = samples.shape[:2]
    lines = np.pad(samples[::-1, :, ::-1].reshape(rows, -1), ((0, 0), (0, -columns * 3 % 4)))
    head = struct.pack("<2sIIIIiiHHIIIIII", b"BM", 54 + lines.size, 0, 54, 40, columns, rows, 1, 24, 0, lines.size,
                       2835, 2835, 0, 0)  # fmt: skip
    return head + lines.tobytes()


TEXT = png_chunk(b"tEXt", b"Title\0kept")


def noise(rows: int, columns: int, channels: int, depth: int, seed: int = 0) -> NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << depth, (rows, columns, channels)).astype(np.uint16 if depth == 16 else np.uint8)


PALETTE = png_chunk(b"PLTE", bytes(range(48)))


def saved(samples: NDArray[np.uint16], kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(out, kind, **options)
    return out.getvalue()


def tiff_file(samples: NDArray[np.uint8], strips: list[bytes], packing: int, strip_rows: int) -> bytes:
    """A TIFF file of red, green and blue (rows, columns, 3), which are in strips of so many rows."""
    rows, columns = samples.shape[:2]
    lengths, behind = list(map(len, strips)), 8 + sum(map(len, strips))
    places = np.cumsum([8, *lengths[:-1]]).tolist()
    arrays = struct.pack(f"<3H{2 * len(strips)}I", 8, 8, 8, *places, *lengths)
    where = (behind + 6, behind + 6 + 4 * len(strips)) if len(strips) > 1 else (places[0], lengths[0])
    tags = [(256, 4, 1, columns), (257, 4, 1, rows), (258, 3, 3, behind), (259, 3, 1, packing), (262, 3, 1, 2),
            (273, 4, len(strips), where[0]), (277, 3, 1, 3), (278, 4, 1, strip_rows), (279, 4, len(strips), where[1]),
            ]  # fmt: skip
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    head = struct.pack("<2sHI", b"II", 42, behind + len(arrays))
    return head + b"".join(strips) + arrays + directory
