"""A folder of images by one process, by two, and by a Dask cluster of two workers on this machine.

    python benchmarks/scale.py [--images 200] [--photos FOLDER]

Small images are parts of the photographs in FOLDER (examples/ by default), 64 to 128 pixels a side, at places and of
sizes that a fixed seed chooses; the photographs themselves, as they are, are measured with one process only. Every row
is a whole command, ``encode`` with verification and then ``decode``, which starts Python and loads the model; the
workers are started before, but load theirs within the command. What is decoded is compared. Prints Markdown: seconds,
which mean something on an idle machine only, and seconds of a core, which depend less on what else runs; megabytes
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
from typing import NamedTuple

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
    """Start a cluster, and yield the address of its scheduler."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as started:
        yield started.scheduler_address


class Taken(NamedTuple):
    """By a command."""

    seconds: float
    core: float  # seconds of processors, of the command's own processes


def taken(*arguments: str | Path) -> Taken:
    """Run a command."""
    start, before = time.perf_counter(), os.times()
    line = [sys.executable, "-m", "ardm_compress", *map(str, arguments), "--quiet"]
    subprocess.run(line, check=True, env=ENVIRONMENT)
    after = os.times()
    core = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(time.perf_counter() - start, core)


def coded(images: list[np.ndarray], *how: str) -> tuple[Taken, Taken]:
    """To encode and to decode."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "in").mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(top / "in" / f"{number:04}.png")
        encoding = taken("encode", "-r", top / "in", "--output-dir", top / "packed", *how)
        decoding = taken("decode", "-r", top / "packed", "--output-dir", top / "out", *how)
        for number, image in enumerate(images):
            if not np.array_equal(np.asarray(Image.open(top / "out" / f"{number:04}.png")), image):
                raise SystemExit(f"image {number} did not come back")
    return encoding, decoding


def tell(name: str, images: list[np.ndarray], spent: tuple[Taken, Taken], base: tuple[Taken, Taken]) -> None:
    """Print a row."""
    rates = [f"{now.seconds:.1f} | {one.seconds / now.seconds:.2f}" for now, one in zip(spent, base, strict=True)]
    click.echo(f"| {name} | {len(images)} | {' | '.join(rates)} | {os.getloadavg()[0]:.1f} |")


def tell_cores(name: str, images: list[np.ndarray], spent: tuple[Taken, Taken]) -> None:
    """Print what a core does in a second, whatever else runs."""
    megabytes = sum(image.size for image in images) / 1e6
    rates = [f"{now.core / len(images):.2f} | {megabytes / now.core:.4f}" for now in spent]
    click.echo(f"| {name} | {len(images)} | {megabytes:.2f} | {' | '.join(rates)} |")


@click.command()
@click.option("--images", "count", default=200, show_default=True, help="Small images.")
@click.option("--photos", default=EXAMPLES, show_default=True, type=click.Path(exists=True, path_type=Path))
@click.option("--large", default=4, show_default=True, help="Photographs as they are; there may be fewer.")
def main(count: int, photos: Path, large: int) -> None:
    """Measure encode and decode."""
    found = photographs(photos)
    images = small(found, count)
    sides = " ".join(sorted({f"{image.shape[1]}x{image.shape[0]}" for image in found[:large]}))
    click.echo("| | images | encode, s | times -j 1 | decode, s | times -j 1 | load |\n|---|---|---|---|---|---|---|")
    one = coded(images, "-j", "1")
    tell("`-j 1`", images, one, one)
    tell("`-j 2`", images, coded(images, "-j", "2"), one)
    with cluster() as address:
        tell("Dask, 2 workers", images, coded(images, "--scheduler", address), one)
    click.echo("\n| | images | MB | encode, core s an image | MB a core s | decode, core s an image | MB a core s |")
    click.echo("|---|---|---|---|---|---|---|")
    tell_cores(f"{SIDES[0]} to {SIDES[1]} pixels a side", images, one)
    if large:
        tell_cores(sides, found[:large], coded(found[:large], "-j", "1"))


if __name__ == "__main__":
    main()
