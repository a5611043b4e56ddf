"""Many small images in one process: one at a time, and together.

    python benchmarks/small.py FOLDER [--count N] [--side N] [--no-conditioning]

PNG files of random crops of the folder's images. The files must be the same both ways, and the pictures come back.
Of those one at a time, only some are measured.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
from PIL import Image

from ardm_compress.codec import images
from ardm_compress.computing import threads
from ardm_compress.formats.catalogue import same_image

ALONE = 10  # files measured one at a time

Result = TypeVar("Result")


def crops(folder: Path, count: int, side: int) -> list[bytes]:
    """PNG files."""
    random, files = np.random.default_rng(0), []
    images = [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]
    for number in range(count):
        image = images[number % len(images)]
        left, top = random.integers(0, image.width - side), random.integers(0, image.height - side)
        out = io.BytesIO()
        image.crop((left, top, left + side, top + side)).save(out, "PNG")
        files.append(out.getvalue())
    return files


def timed(work: Callable[[], list[Result]]) -> tuple[list[Result], float]:
    """Do the work; return what it makes, and files per second."""
    start = time.perf_counter()
    made = work()
    return made, len(made) / (time.perf_counter() - start)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", default=200, show_default=True, help="Files.")
@click.option("--side", default=32, show_default=True, help="Of the crops, pixels.")
@click.option("--conditioning/--no-conditioning", default=True, show_default=True, help="As for encode_image.")
def main(folder: Path, count: int, side: int, conditioning: bool) -> None:
    """Print the throughput."""
    files = crops(folder, count, side)
    images.encode_image(files[0], conditioning=conditioning)  # loads the model
    alone, slow = timed(lambda: [images.encode_image(data, conditioning=conditioning) for data in files[:ALONE]])
    together, fast = timed(lambda: list(images.encode_images(files, conditioning=conditioning)))
    coded = [data for data in together if isinstance(data, bytes)]
    assert coded[:ALONE] == alone
    assert len(coded) == count
    click.echo(f"{count} files of {side} x {side}, {threads()} threads, {sum(map(len, coded))} bytes")
    click.echo(f"encode: {slow:.2f} files/s one at a time, {fast:.2f} together, {fast / slow:.1f} times")
    _, slow = timed(lambda: [images.decode_image(data) for data in coded[:ALONE]])
    pictures, fast = timed(lambda: list(images.decode_images(coded)))
    for picture, data in zip(pictures, files, strict=True):
        assert not isinstance(picture, Exception)
        assert same_image(picture, data, strip=False, force_pixels=False)
    click.echo(f"decode: {slow:.2f} files/s one at a time, {fast:.2f} together, {fast / slow:.1f} times")


if __name__ == "__main__":
    main()
