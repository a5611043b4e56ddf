"""Upscaling against the direct mixture on pictures (Hoogeboom et al. 2022, section 4), at equal training.

    python benchmarks/upscaling_images.py TRAIN TEST [--branching 256,16,4,2] [--steps 3000]

TRAIN and TEST are folders of photographs; every 37th file of TRAIN is left out. As ``upscaling.py`` does for sound: a
branching of 256 is the direct mixture over 8-bit samples, 2 codes bit by bit in 8 stages. The dimensions of a stage,
the three channels of all positions, are coded in one random order, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from photographs import images, middles
from upscaling import HEADINGS, Batch, Net, batch_of, measure, randomly_done, row, train

from ardm_compress.ardm import Upscaling
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.training.data import held_out

VALUES = 1 << 8
SIDE = 256  # of the middle of a file, which is used
CHANNELS = 3
OTHER = 0.4  # how much another channel matters beside the dimension's own


@dataclass
class Middles:
    """Equally large pictures (pictures, SIDE, SIDE, CHANNELS), values from 0 to VALUES - 1."""

    samples: np.ndarray
    upscaling: Upscaling

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """See ``upscaling.Data``."""
        picture = rng.integers(len(self.samples), size=count)
        position = rng.integers(SIDE, size=(count, 2))
        channel = rng.integers(CHANNELS, size=count)
        stage = rng.integers(self.upscaling.stages(), size=count)
        around = position[:, None] + OFFSETS[:, :2]
        inside = ((around >= 0) & (around < SIDE)).all(2)
        rows, columns = np.moveaxis(around.clip(0, SIDE - 1), 2, 0)
        turned = (channel[:, None] + OFFSETS[:, 2]) % CHANNELS
        value = self.samples[picture[:, None], rows, columns, turned].astype(np.int64)
        own = self.samples[picture, position[:, 0], position[:, 1], channel].astype(np.int64)
        return batch_of(self.upscaling, stage, value, randomly_done(value.shape, rng), inside, own)


def _window() -> np.ndarray:
    """Offsets (window, 3) of rows, columns and, cyclically, channels."""
    places = NetworkConfig(axes=2, channels=CHANNELS, bit_depth=8).offsets
    neighbours = [np.insert(places, 2, c, axis=1) for c in range(CHANNELS)]
    return np.concatenate([*neighbours, [[0, 0, c] for c in range(1, CHANNELS)]])


OFFSETS = _window()


def nearness() -> torch.Tensor:
    """How much each neighbour matters, (window,)."""
    distance_sq = (OFFSETS[:, :2] ** 2).sum(1).clip(1)
    return torch.from_numpy(np.where(OFFSETS[:, 2] == 0, 1, OTHER) / distance_sq).float()


@click.command()
@click.argument("train_folder", type=click.Path(path_type=Path, exists=True))
@click.argument("test_folder", type=click.Path(path_type=Path, exists=True))
@click.option("--branching", default="256,16,4,2", show_default=True, help="Children of an interval.")
@click.option("--steps", default=3000, show_default=True, help="Of training.")
@click.option("--batch", default=1024, show_default=True, help="Dimensions of a step.")
@click.option("--hidden", default=192, show_default=True, help="Width of the network.")
def main(train_folder: Path, test_folder: Path, branching: str, steps: int, batch: int, hidden: int) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    data = np.stack(middles(held_out(train_folder)[0], SIDE))
    test = np.stack(middles(images(test_folder), SIDE))
    click.echo(f"{len(data)} pictures to train on, {len(test)} to measure on\n")
    click.echo(f"| {HEADINGS}\n|---|---|---|---|")
    for children in map(int, branching.split(",")):
        upscaling = Upscaling(VALUES, children)
        torch.manual_seed(0)
        net = Net(upscaling, nearness(), hidden, 2)
        train(net, Middles(data, upscaling), steps, batch)
        click.echo(f"| {row(children, measure(net, Middles(test, upscaling)))}")


if __name__ == "__main__":
    main()
