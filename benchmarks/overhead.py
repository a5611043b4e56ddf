"""What fixed point, digits and ANS cost: the payload against the cross entropy of the network's own mixtures.

    python benchmarks/overhead.py IMAGE [--budget N]

The cross entropy is computed in float64 with the exact logistic function from the same mixture parameters. Nothing is
told of the picture: no style, no latents.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ardm_compress.ardm.schedule import planned_runs, tile_steps
from ardm_compress.ardm.tiles import PLAIN
from ardm_compress.codec import images
from ardm_compress.coding.image import ImageTiles
from ardm_compress.coding.loop import BLOCK_POSITIONS, Cells, Collected
from ardm_compress.coding.models import model_of
from ardm_compress.container.image import read_file
from ardm_compress.formats.catalogue import read_picture
from ardm_compress.inference import config as grid
from ardm_compress.inference import model_of_file
from ardm_compress.inference.network import ExactNetwork, Parameters
from ardm_compress.methods.model import DEFAULT_BUDGET


def bits(parameters: Parameters, samples: NDArray[np.integer]) -> NDArray[np.float64]:
    """-log2 of the mixtures' probability of 8-bit samples (n,), (n,)."""
    weights = parameters.weights / parameters.weights.sum(1, keepdims=True)
    unit = 2.0 ** (grid.NODE_BITS + grid.STEP_BITS)
    value = samples[:, None].astype(np.float64) * 2**grid.VALUE_BITS
    half = 2.0 ** (grid.VALUE_BITS - 1)
    inverse = parameters.inverse_scales / unit
    upper = 1 / (1 + np.exp(-np.clip((value + half - parameters.means) * inverse, -500, 500)))
    lower = 1 / (1 + np.exp(-np.clip((value - half - parameters.means) * inverse, -500, 500)))
    upper[samples == 255] = 1
    lower[samples == 0] = 0
    found: NDArray[np.float64] = -np.log2(np.maximum((weights * (upper - lower)).sum(1), 2.0**-24))
    return found


class Counted(Collected):
    """Known symbols; adds up the cost of the values that they stand for."""

    total = 0.0  # bits

    def cells(
        self, network: ExactNetwork, mixtures: Parameters, cells: Cells, known: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """See ``Symbols``."""
        self.total += float(bits(mixtures, known).sum())
        return super().cells(network, mixtures, cells, known)


@click.command()
@click.argument("image", type=click.Path(path_type=Path, exists=True))
@click.option("--budget", default=DEFAULT_BUDGET, show_default=True, help="Network calls.")
def main(image: Path, budget: int) -> None:
    """Print both sizes and the difference."""
    samples = read_picture(image.read_bytes()).samples
    data = images.encode_samples(samples, budget=budget, conditioning=False)
    header, _ = read_file(data)
    model = model_of(model_of_file(header.model_id), 2)
    runs, symbols = planned_runs(header.runs, model.order, model.costs, header.tile), Counted()
    for index in range(prod(header.grid)):
        tile = samples[header.tile_box(index)]
        tiles = ImageTiles(model, tile[None], [PLAIN])
        for step in tile_steps(runs, model.order, header.tile, tile.shape[:2]):
            for block in tiles.blocks(*step):
                tiles.code(block, symbols)
    ideal = (symbols.total + 8 * samples.shape[2] * prod(header.grid)) / 8  # with the roots
    overhead = 100 * (len(data) / ideal - 1)
    click.echo(f"cross entropy {ideal:.0f} bytes, file {len(data)} bytes, overhead {overhead:.4f} %")
    click.echo(f"calls: at most {budget}; positions interleaved in blocks of {BLOCK_POSITIONS}")


if __name__ == "__main__":
    main()
