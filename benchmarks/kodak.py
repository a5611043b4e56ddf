"""Sizes and speeds on a folder of photographs, side by side with PNG, WebP and JPEG XL, as a Markdown table.

    python benchmarks/kodak.py FOLDER [--budgets 16,192,1000] [--images N]

Every coder reads the same PNG file from disk. Ours is measured in this process, model loaded, without verify; every
file is decoded and compared. cwebp and cjxl are run if they are on PATH, and named on stderr if they are not. The last
column is the size that the model's cost table lets expect, from that at the largest budget.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from ardm_compress import api
from ardm_compress.media import read_image

COMMANDS = {
    "WebP lossless -z 9": ["cwebp", "-quiet", "-lossless", "-exact", "-z", "9", "{source}", "-o", "{target}"],
    "JPEG XL -e 7": ["cjxl", "--quiet", "-d", "0", "-e", "7", "{source}", "{target}"],
    "JPEG XL -e 9": ["cjxl", "--quiet", "-d", "0", "-e", "9", "{source}", "{target}"],
}
SUFFIXES = {"cwebp": ".webp", "cjxl": ".jxl"}


@dataclass
class Total:
    """What a coder needed for all images."""

    bits_per_sample: list[float] = field(default_factory=list)  # of every image
    planned: list[float] = field(default_factory=list)  # the same as the plan has it, up to a factor of the image
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def measure_ours(image: Path, budget: int, total: Total) -> None:
    samples = read_image(image)
    seconds, data = timed(lambda: api.encode(samples, budget=budget))
    assert isinstance(data, bytes)
    total.encode_seconds += seconds
    seconds, decoded = timed(lambda: api.decode(data))
    total.decode_seconds += seconds
    if not np.array_equal(np.asarray(decoded), samples):
        raise SystemExit(f"{image.name} did not come back exactly at budget {budget}")
    total.bits_per_sample.append(8 * len(data) / samples.size)
    plan = api.plan("photo", (samples.shape[0], samples.shape[1]))
    total.planned.append(plan[min(budget, len(plan)) - 1].bits_per_sample)


def expected(total: Total, largest: Total) -> float:
    """Bits per sample from those at the largest budget and the plans' ratios."""
    sizes, plans, here = (np.array(part) for part in (largest.bits_per_sample, largest.planned, total.planned))
    return float((sizes * here / plans).mean())


def measure_command(image: Path, command: list[str], total: Total) -> None:
    samples = read_image(image).size
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"out{SUFFIXES[command[0]]}"
        line = [part.format(source=image, target=target) for part in command]
        seconds, _ = timed(lambda: subprocess.run(line, check=True, capture_output=True))
        total.encode_seconds += seconds
        total.bits_per_sample.append(8 * target.stat().st_size / samples)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--budgets", default="16,192,100000", show_default=True, help="Network calls, comma-separated.")
@click.option("--images", type=int, help="Only the first N images.")
def main(folder: Path, budgets: str, images: int | None) -> None:
    """Print the table."""
    files = sorted(folder.glob("*.png"))[:images]
    totals: dict[str, Total] = {"PNG as found": Total()}
    commands = {name: line for name, line in COMMANDS.items() if shutil.which(line[0])}
    for name in COMMANDS.keys() - commands.keys():
        click.echo(f"not installed: {name}", err=True)
    api.encode(np.zeros((8, 8, 3), np.uint8))  # loads the model
    for file in files:
        totals["PNG as found"].bits_per_sample.append(8 * file.stat().st_size / read_image(file).size)
        for name, line in commands.items():
            measure_command(file, line, totals.setdefault(name, Total()))
        for budget in map(int, budgets.split(",")):
            measure_ours(file, budget, totals.setdefault(f"ardm-compress, at most {budget} calls", Total()))
        click.echo(f"{file.name}: " + ", ".join(f"{t.bits_per_sample[-1]:.3f}" for t in totals.values()), err=True)
    largest = min((total for total in totals.values() if total.planned), key=lambda total: sum(total.planned))
    click.echo(
        "| coder | bits per subpixel | encode s per image | decode s per image | expected |\n|---|---|---|---|---|"
    )
    for name, total in totals.items():
        n = len(files)
        click.echo(
            f"| {name} | {np.mean(total.bits_per_sample):.4f} | {total.encode_seconds / n:.2f} "
            f"| {total.decode_seconds / n:.2f} | {f'{expected(total, largest):.4f}' if total.planned else ''} |"
        )


if __name__ == "__main__":
    main()
