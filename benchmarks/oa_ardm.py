"""A faithful small OA-ARDM of 32x32 pictures (Hoogeboom et al. 2022), and its files beside PNG, WebP and JPEG XL.

    python benchmarks/oa_ardm.py train PHOTOS RUN [--steps 14000]
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from oa.data import Pictures
from oa.training import Trainer

from ardm_compress.network.data import held_out

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group()
def main() -> None:
    """A small OA-ARDM of 32x32 pictures."""
    torch.set_num_threads(1)


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--steps", default=14000, show_default=True, help="Of training, 2048 dimensions each.")
def train(photos: Path, run: Path, steps: int) -> None:
    """Train on a folder of photographs, or continue from the checkpoint in RUN."""
    files, _ = held_out(photos)
    Trainer(Pictures(files), run, steps).run()


if __name__ == "__main__":
    main()
