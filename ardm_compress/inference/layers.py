"""Linear layers of integers: bounds that keep them exact, the reference, and weights packed for tiles. NumPy only.

Inputs lie within +-127 and weights within +-63, so pairs of products fit 16 bits even where the inputs are bytes (see
``tiles``). With the bound checked here every partial sum is an integer below 2**24, which float32 holds exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.errors import ModelError
from ardm_compress.inference.config import CLIP, WEIGHT_CLIP
from ardm_compress.inference.instructions import SHAPES, Kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

EXACT_FLOAT32: Final = 1 << 24
EXACT_FLOAT64: Final = 1 << 53
LARGEST_OUTPUT: Final = 1 << 30  # of a rescaled sum, so that it can be rounded to 32 bits
WIDTH: Final = 64  # outputs are padded to a multiple of it, which the tiles of every instruction divide
QUAD: Final = 4  # inputs whose weights lie together
LINE: Final = 64  # bytes


def largest_sums(weight: NDArray[np.int8], bias: NDArray[np.int32]) -> NDArray[np.int64]:
    """Bound (outputs,) on the magnitude of a layer's sums."""
    found: NDArray[np.int64] = CLIP * np.abs(weight.astype(np.int64)).sum(1) + np.abs(bias.astype(np.int64))
    return found


class Layer:
    """x -> round((x @ weight.T + bias) * multiplier), for integers; the reference."""

    def __init__(
        self, weight: NDArray[np.int8], bias: NDArray[np.int32], multiplier: NDArray[np.float32] | None = None
    ) -> None:
        """Args: weight (outputs, inputs); bias (outputs,); multiplier (outputs,), all 1 by default.

        Raises:
            ModelError: sums might not be exact.
        """
        self.weight, self.bias = weight, bias
        self.multiplier = np.ones(len(bias), np.float32) if multiplier is None else multiplier
        if int(np.abs(weight.astype(np.int64)).max()) > WEIGHT_CLIP:
            raise ModelError("the model's weights are too large for exact products")
        largest = largest_sums(weight, bias)
        if int(largest.max()) >= EXACT_FLOAT32 or float((largest * np.abs(self.multiplier)).max()) >= LARGEST_OUTPUT:
            raise ModelError("the model's weights are too large for exact sums")

    def sums(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """X (n, inputs) within +-CLIP -> x @ weight.T + bias (n, outputs)."""
        total: NDArray[np.float64] = x.astype(np.float64) @ self.weight.T.astype(np.float64)
        return total.astype(np.float32) + self.bias.astype(np.float32)

    def __call__(self, x: NDArray[Any], extra: NDArray[np.float32] | float = 0) -> NDArray[np.float32]:
        """Return round((sums(x) + extra) * multiplier)."""
        found: NDArray[np.float32] = np.rint((self.sums(x) + np.float32(extra)) * self.multiplier)
        return found


def layer_of(tensors: Mapping[str, NDArray[Any]], name: str) -> Layer:
    """Make the layer of a model file that has a name."""
    return Layer(*(tensors[f"{name}.{part}"] for part in ("weight", "bias", "multiplier")))


class Packed(NamedTuple):
    """A layer as ``tiles.multiply`` takes it; of inputs and outputs that pad it, all is 0."""

    weights: NDArray[np.int8]  # (panels, quads, outputs of a panel * QUAD)
    start: NDArray[np.int32]  # (outputs,)
    multiplier: NDArray[np.float32]  # (outputs,)


def padded(width: int) -> int:
    """Round up to a multiple of WIDTH."""
    return -(-width // WIDTH) * WIDTH


def pack(layer: Layer, kernel: Kernel, *, vectors: int | None = None) -> Packed:
    """Arrange a layer for an instruction; ``vectors`` of outputs are a panel, by default as many as fit registers."""
    shape = SHAPES[kernel]
    panel = shape.lanes * (vectors or shape.vectors)
    outputs, inputs = layer.weight.shape
    rows, columns = -(-outputs // panel) * panel if vectors else padded(outputs), -(-inputs // QUAD) * QUAD
    weight = np.zeros((rows, columns), np.int8)
    weight[:outputs, :inputs] = layer.weight
    start, multiplier = np.zeros(rows, np.int32), np.zeros(rows, np.float32)
    start[:outputs] = layer.bias - (CLIP + 1) * layer.weight.sum(1, dtype=np.int32)
    multiplier[:outputs] = layer.multiplier
    panels = weight.reshape(rows // panel, panel, columns // QUAD, QUAD).swapaxes(1, 2)
    return Packed(aligned(panels.reshape(*panels.shape[:2], -1)), start, multiplier)


def stacked(layers: list[Packed]) -> Packed:
    """Layers of one shape, one after another along a new first axis."""
    weights, start, multiplier = (np.stack(parts) for parts in zip(*layers, strict=True))
    return Packed(aligned(weights), start, multiplier)


def aligned(array: NDArray[np.int8]) -> NDArray[np.int8]:
    """Copy an array to where a cache line starts."""
    room = np.empty(array.size + LINE, np.int8)
    found = room[-room.ctypes.data % LINE :][: array.size].reshape(array.shape)
    found[:] = array
    return found
