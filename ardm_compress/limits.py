"""What is accepted before memory and time are spent on it. Standard library and errors only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ardm_compress.errors import LimitError

MIB: Final = 1 << 20
MAX_SIDE: Final = 1 << 20  # pixels of an image's height and width, for which the format has room
CODING: Final = 420 * MIB  # of a process that codes a tile: Python, PyTorch, the model and its work
TILE_PIXELS: Final = 1 << 14
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
