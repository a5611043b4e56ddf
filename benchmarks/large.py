"""What a large image takes: time, and memory of all processes together, to encode and decode it, and a region of it.

``python benchmarks/large.py FOLDER`` makes a drawing of 100 megapixels in FOLDER. Linux only: memory is what
/proc/*/smaps_rollup says is each process's own, and its share of what they share, read ten times a second.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

STEP = 0.1  # seconds


def drawing(side: int) -> np.ndarray:
    """Ramps with an edge here and there, (side, side, 3)."""
    rows, columns = np.arange(side, dtype=np.int32)[:, None], np.arange(side, dtype=np.int32)[None]
    image = np.empty((side, side, 3), np.uint8)
    for channel in range(3):
        image[..., channel] = columns * (channel + 1) // 40 + rows // 30
        image[..., channel] ^= (((columns // 500 + rows // 700) % 3 == channel) * 64).astype(np.uint8)
    return image


def children(process: int) -> list[int]:
    """A process and all that it has started."""
    found = [process]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def memory(process: int) -> int:
    """KiB that a process and all it has started have in memory."""
    total = 0
    for each in children(process):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def run(*arguments: str | Path) -> float:
    """Run a command of the program; print what it took, and return the seconds."""
    start, most = time.perf_counter(), 0
    process = subprocess.Popen([sys.executable, "-m", "ardm_compress", *map(str, arguments)], stderr=subprocess.PIPE)
    while process.poll() is None:
        with contextlib.suppress(OSError):  # it has just ended
            most = max(most, memory(process.pid))
        time.sleep(STEP)
    seconds = time.perf_counter() - start
    assert process.stderr is not None
    note = process.stderr.read().decode().strip()
    click.echo(f"{arguments[0]}: exit {process.returncode}, {seconds:.1f} s, {most / 1024:.0f} MiB. {note}")
    return seconds


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--side", default=10000, show_default=True, help="Pixels of both sides.")
@click.option("--jobs", default=1, show_default=True, help="Processes.")
def main(folder: Path, side: int, jobs: int) -> None:
    """Encode (with verification), decode, and decode a region of 256 x 256 pixels."""
    image, coded, back = folder / "large.png", folder / "large.png.ardm", folder / "back.png"
    Image.fromarray(drawing(side)).save(image, compress_level=1)
    run("encode", image, "-f", "-j", str(jobs))
    whole = run("decode", coded, "-o", back, "-f", "-j", str(jobs))
    middle = side // 2
    part = run("decode", coded, "-o", folder / "part.png", "-f", "--region", f"{middle},{middle},256,256")
    click.echo(f"the region took {100 * part / whole:.1f} % of the whole")
    Image.MAX_IMAGE_PIXELS = None
    assert np.array_equal(np.asarray(Image.open(image)), np.asarray(Image.open(back)))


if __name__ == "__main__":
    main()
