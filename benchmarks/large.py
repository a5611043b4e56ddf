"""What a large image takes: time, and memory of all processes together, to encode and decode it, and a region of it.

``python benchmarks/large.py FOLDER`` makes a drawing of 100 megapixels in FOLDER. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
from memory import peak
from PIL import Image


def drawing(side: int) -> np.ndarray:
    """Ramps with an edge here and there, (side, side, 3)."""
    rows, columns = np.arange(side, dtype=np.int32)[:, None], np.arange(side, dtype=np.int32)[None]
    image = np.empty((side, side, 3), np.uint8)
    for channel in range(3):
        image[..., channel] = columns * (channel + 1) // 40 + rows // 30
        image[..., channel] ^= (((columns // 500 + rows // 700) % 3 == channel) * 64).astype(np.uint8)
    return image


def run(*arguments: str | Path) -> float:
    """Run a command of the program; print what it took, and return the seconds."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "ardm_compress", *map(str, arguments)], stderr=subprocess.PIPE)
    most = peak(process)
    seconds = time.perf_counter() - start
    assert process.stderr is not None
    note = process.stderr.read().decode().strip()
    click.echo(f"{arguments[0]}: exit {process.returncode}, {seconds:.1f} s, {most:.0f} MiB. {note}")
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
