"""What fixed point, digits and ANS cost: the payload against the cross entropy of the network's own mixtures.

    python benchmarks/overhead.py IMAGE [--budget N]

The cross entropy is computed in float64 with the exact logistic function from the same mixture parameters. Nothing is
told of the picture: no style, no latents.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ardm_compress.codec import api
from ardm_compress.codec.array import DEFAULT_BUDGET, encode
from ardm_compress.coding import tile
from ardm_compress.formats.catalogue import read_picture
from ardm_compress.inference import tables as grid
from ardm_compress.inference.fused import FusedChannels
from ardm_compress.inference.mixture import Parameters


def bits(parameters: Parameters, samples: NDArray[np.integer]) -> NDArray[np.float64]:
    """-log2 of the mixtures' probability of 8-bit samples (n,), (n,)."""
    weights = parameters.weights / parameters.weights.sum(1, keepdims=True)
    unit = 2.0 ** (grid.NODE_BITS + grid.STEP_BITS)
    value = samples[:, None] * 2**grid.VALUE_BITS
    half = 2.0 ** (grid.VALUE_BITS - 1)
    inverse = parameters.inverse_scales / unit
    upper = 1 / (1 + np.exp(-np.clip((value + half - parameters.means) * inverse, -500, 500)))
    lower = 1 / (1 + np.exp(-np.clip((value - half - parameters.means) * inverse, -500, 500)))
    upper[samples == 255] = 1
    lower[samples == 0] = 0
    found: NDArray[np.float64] = -np.log2(np.maximum((weights * (upper - lower)).sum(1), 2.0**-24))
    return found


Observe = Callable[[FusedChannels, NDArray[np.integer]], None]


def counted(total: list[float], observe: Observe) -> Observe:
    """``FusedChannels.observe``, adding up the cost of what is observed."""
    last: dict[int, Parameters] = {}
    parameters = FusedChannels.parameters

    def remember(channels: FusedChannels, reference: NDArray[np.float32]) -> Parameters:
        last[id(channels)] = parameters(channels, reference)
        return last[id(channels)]

    def observe_and_count(channels: FusedChannels, samples: NDArray[np.integer]) -> None:
        total[0] += float(bits(last.pop(id(channels)), samples).sum())
        observe(channels, samples)

    FusedChannels.parameters = remember  # type: ignore[method-assign]
    return observe_and_count


@click.command()
@click.argument("image", type=click.Path(path_type=Path, exists=True))
@click.option("--budget", default=DEFAULT_BUDGET, show_default=True, help="Network calls.")
def main(image: Path, budget: int) -> None:
    """Print both sizes and the difference."""
    api.encode(np.zeros((8, 8, 3), np.uint8))  # loads the model, whose self-test must not be counted
    total = [0.0]
    FusedChannels.observe = counted(total, FusedChannels.observe)  # type: ignore[method-assign]
    samples = read_picture(image.read_bytes()).samples
    data = encode(samples, budget=budget, describe=False)  # the encoder's choices cost none of the file
    root = 8 * samples.shape[2]
    ideal = (total[0] + root) / 8
    overhead = 100 * (len(data) / ideal - 1)
    click.echo(f"cross entropy {ideal:.0f} bytes, file {len(data)} bytes, overhead {overhead:.4f} %")
    click.echo(f"calls: at most {budget}; positions interleaved in blocks of {tile.BLOCK}")
    assert np.array_equal(api.decode(data), samples)


if __name__ == "__main__":
    main()
