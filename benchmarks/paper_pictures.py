"""Pictures that the shipped model draws and repairs, for docs/paper.md.

    python benchmarks/paper_pictures.py IMAGE FOLDER

Writes samples.png, four images drawn from the model, and inpainting.png: of a part of IMAGE, row by row what is known,
what the model makes of it, and what was there. Any subset of the pixels may be known, with one set of weights.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from ardm_compress.codec import drawing
from ardm_compress.formats.catalogue import read_picture
from ardm_compress.formats.pixels import write_pixels

SIDE = 144
LEFT, TOP = 250, 150  # of the part of IMAGE
SEEDS = (1, 2, 3, 4)
KEPT = 0.08  # of scattered pixels
SCRATCH = 5  # thickness in pixels


def holes() -> dict[str, NDArray[np.bool_]]:
    """Mark what is missing, (SIDE, SIDE)."""
    rows, columns = np.indices((SIDE, SIDE))
    scattered = np.random.default_rng(0).random((SIDE, SIDE)) >= KEPT
    scratches = ((rows + 2 * columns) % 60 < SCRATCH) | ((3 * rows - columns) % 90 < SCRATCH)
    block = (np.abs(rows - SIDE // 2) < SIDE // 6) & (np.abs(columns - SIDE // 2) < SIDE // 6)
    return {"scattered": scattered, "scratches": scratches, "block": block}


@click.command()
@click.argument("image", type=click.Path(path_type=Path, exists=True))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(image: Path, folder: Path) -> None:
    """Write both sheets."""
    torch.set_num_threads(1)
    drawn = [drawing.sample((SIDE, SIDE), seed=seed) for seed in SEEDS]
    (folder / "samples.png").write_bytes(write_pixels(np.concatenate(drawn, 1), ".png"))
    whole = np.ascontiguousarray(read_picture(image.read_bytes()).samples[TOP : TOP + SIDE, LEFT : LEFT + SIDE])
    rows = []
    for missing in holes().values():
        seen = np.where(missing[..., None], np.uint8(128), whole)
        rows.append(np.concatenate([seen, drawing.inpaint(whole, missing, seed=1), whole], 1))
    (folder / "inpainting.png").write_bytes(write_pixels(np.concatenate(rows), ".png"))


if __name__ == "__main__":
    main()
