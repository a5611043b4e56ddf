"""Time and memory against pixels, calls and processors.

    python benchmarks/scaling.py [--most 4]

Images are parts of examples/photo.png, mirrored and repeated to the size that is wanted (its 0.4 megapixels hold no
more), without metadata, so that the model codes all of it. Every run is a process of its own: encode without
verification, then decode, model loaded. Times are the best of three runs, of one for images above a megapixel; memory
is the peak of the process and of those it starts for tiles, in the first run. Prints Markdown. Linux only.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import click
import numpy as np
from memory import peak
from PIL import Image

from ardm_compress.bench.machine import machine

PHOTO = Path(__file__).parents[1] / "examples" / "photo.png"
CHILD = "import sys; sys.path.insert(0, sys.argv[1]); import scaling; scaling.child(*map(int, sys.argv[2:]))"
RUNS = 3  # of images of a megapixel and less


def picture(megapixels: float) -> np.ndarray:
    """About so many megapixels, 3 by 2."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB"))
    rows = round((megapixels * 1e6 / 1.5) ** 0.5)
    columns = round(1.5 * rows)
    tiled = np.concatenate([photo, photo[:, ::-1]], 1)
    tiled = np.concatenate([tiled, tiled[::-1]], 0)
    repeats = -(-rows // tiled.shape[0]), -(-columns // tiled.shape[1])
    return np.ascontiguousarray(np.tile(tiled, (*repeats, 1))[:rows, :columns])


def child(pixels: int, budget: int, jobs: int) -> None:
    """Code an image and print what it took, as JSON."""
    from ardm_compress.codec import images

    image = picture(pixels / 1e6)
    images.encode_samples(image[:64, :64], budget=4)  # loads the model
    start = time.perf_counter()
    data = images.encode_samples(image, budget=budget, jobs=jobs)
    middle = time.perf_counter()
    same = bool((images.decode_samples(data, jobs=jobs) == image).all())
    times = {"encode": middle - start, "decode": time.perf_counter() - middle}
    size = {"bytes": len(data), "pixels": image.shape[0] * image.shape[1]}
    print(json.dumps({"same": same} | times | size))


@cache
def row(megapixels: float, budget: int, jobs: int) -> dict[str, float]:
    """Measure what an image takes: the shortest times of some runs, and the memory of the first."""
    first = run(megapixels, budget, jobs, watched=True)
    others = [run(megapixels, budget, jobs) for _ in range(RUNS - 1)] if megapixels <= 1 else []
    best = min([first, *others], key=lambda told: told["encode"])
    return best | {"memory": first["memory"], "decode": min(told["decode"] for told in [first, *others])}


def run(megapixels: float, budget: int, jobs: int, *, watched: bool = False) -> dict[str, float]:
    """Measure an image in a process of its own; watching its memory costs some time."""
    line = [sys.executable, "-c", CHILD, str(Path(__file__).parent), *map(str, (int(megapixels * 1e6), budget, jobs))]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(line, stdout=out, env=os.environ | {"OMP_NUM_THREADS": str(jobs)})
        memory = peak(process) if watched else 0
        if process.wait():
            raise SystemExit("a run failed")
        out.seek(0)
        told: dict[str, float] = json.load(out)
    if not told["same"]:
        raise SystemExit("an image did not come back")
    return told | {"memory": memory}


def lines(title: str, *heads: str) -> None:
    """Print the head of a table."""
    click.echo(f"\n{title}\n\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")


def table(title: str, head: str, rows: list[tuple[str, dict[str, float]]]) -> None:
    """Print rows, named by what changes."""
    lines(title, head, "encode s", "decode s", "megapixels/s", "MiB", "bits per subpixel")
    for name, told in rows:
        speed = f"{told['pixels'] / told['encode'] / 1e6:.4f} / {told['pixels'] / told['decode'] / 1e6:.4f}"
        cells = f"{told['encode']:.1f} | {told['decode']:.1f} | {speed} | {told['memory']:.0f}"
        click.echo(f"| {name} | {cells} | {8 * told['bytes'] / told['pixels'] / 3:.3f} |")


@click.command()
@click.option("--most", default=4.0, show_default=True, help="Megapixels of the largest image.")
@click.option("--jobs", default=2, show_default=True, help="Processors of all but the last table.")
def main(most: float, jobs: int) -> None:
    """Print the tables."""
    sizes = [size for size in (0.1, 0.4, 1, 4, 10, 25, 50) if size <= most]
    table("Pixels, at 96 calls", "megapixels", [(f"{size:g}", row(size, 96, jobs)) for size in sizes])
    calls = [(str(budget), row(0.4, budget, jobs)) for budget in (8, 32, 96, 400)]
    table("Calls, 0.4 megapixels", "calls at most", calls)
    threads = [(str(count), row(0.4, 96, count)) for count in sorted({1, jobs})]
    table("Threads, 0.4 megapixels, 96 calls", "threads", threads)
    facts = {"date": str(datetime.date.today()), **machine()}
    click.echo("\n" + "; ".join(f"{name} {value}" for name, value in facts.items()))


if __name__ == "__main__":
    main()
