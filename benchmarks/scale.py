"""A folder of images by one process, by two, and by a Dask cluster of two workers on this machine.

    python benchmarks/scale.py [--images 200] [--photos FOLDER]

Small images are parts of the photographs in FOLDER (examples/ by default), 64 to 128 pixels a side, at places and of
sizes that a fixed seed chooses; the photographs themselves, as they are, are measured with one process only. Every row
is a whole command, ``encode`` with verification and then ``decode``, which starts Python and loads the model; the
workers are started before, but load theirs within the command. What is decoded is compared. Prints Markdown; megabytes
are 10^6 bytes of samples.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from distributed import LocalCluster
from PIL import Image

SIDES = 64, 128
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
EXAMPLES = Path(__file__).parents[1] / "examples"


def photographs(folder: Path) -> list[np.ndarray]:
    """Of RGB, in order of their names."""
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]


def small(photos: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Parts of them."""
    noise, parts = np.random.default_rng(7), []
    for number in range(count):
        photo = photos[number % len(photos)]
        rows, columns = noise.integers(SIDES[0], SIDES[1] + 1, 2)
        top, left = noise.integers(photo.shape[0] - rows + 1), noise.integers(photo.shape[1] - columns + 1)
        parts.append(photo[top : top + rows, left : left + columns])
    return parts


@contextmanager
def cluster() -> Iterator[str]:
    """The address of its scheduler."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as started:
        yield started.scheduler_address


def seconds(*arguments: str | Path) -> float:
    """Of a command."""
    start = time.perf_counter()
    line = [sys.executable, "-m", "ardm_compress", *map(str, arguments), "--quiet"]
    subprocess.run(line, check=True, env=ENVIRONMENT)
    return time.perf_counter() - start


def coded(images: list[np.ndarray], *how: str) -> tuple[float, float]:
    """Seconds to encode and to decode."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "in").mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(top / "in" / f"{number:04}.png")
        encoding = seconds("encode", "-r", top / "in", "--output-dir", top / "packed", *how)
        decoding = seconds("decode", "-r", top / "packed", "--output-dir", top / "out", *how)
        for number, image in enumerate(images):
            if not np.array_equal(np.asarray(Image.open(top / "out" / f"{number:04}.png")), image):
                raise SystemExit(f"image {number} did not come back")
    return encoding, decoding


def tell(name: str, images: list[np.ndarray], spent: tuple[float, float], base: tuple[float, float]) -> None:
    """Print a row."""
    megabytes = sum(image.size for image in images) / 1e6
    rates = [
        f"{taken:.1f} | {len(images) / taken:.2f} | {megabytes / taken:.3f} | {one / taken:.2f}"
        for taken, one in zip(spent, base, strict=True)
    ]
    click.echo(f"| {name} | {' | '.join(rates)} | {os.getloadavg()[0]:.1f} |")


@click.command()
@click.option("--images", "count", default=200, show_default=True, help="Small images.")
@click.option("--photos", default=EXAMPLES, show_default=True, type=click.Path(exists=True, path_type=Path))
@click.option("--large", default=4, show_default=True, help="Photographs as they are; there may be fewer.")
def main(count: int, photos: Path, large: int) -> None:
    """Measure encode and decode."""
    found = photographs(photos)
    images = small(found, count)
    sides = " ".join(sorted({f"{image.shape[1]}x{image.shape[0]}" for image in found[:large]}))
    click.echo("| | encode, s | images/s | MB/s | times -j 1 | decode, s | images/s | MB/s | times -j 1 | load |")
    click.echo("|---|---|---|---|---|---|---|---|---|---|")
    one = coded(images, "-j", "1")
    tell(f"{count} small images, `-j 1`", images, one, one)
    two = coded(images, "-j", "2")
    tell("`-j 2`", images, two, one)
    with cluster() as address:
        dask = coded(images, "--scheduler", address)
    tell("Dask, 2 workers", images, dask, one)
    alone = coded(found[:large], "-j", "1")
    tell(f"{len(found[:large])} photographs, {sides}, `-j 1`", found[:large], alone, alone)


if __name__ == "__main__":
    main()
