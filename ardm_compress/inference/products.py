"""One layer's sums by an instruction: what the gradient, tests and benchmarks need by itself. Imports Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ardm_compress.inference import kernels
from ardm_compress.inference.instructions import SHAPES, Kernel
from ardm_compress.inference.layers import Layer, pack
from ardm_compress.inference.tiles import KERNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Product:
    """A layer's sums, (n, outputs) and more, of bytes (n, inputs)."""

    def __init__(self, kernel: Kernel, layer: Layer) -> None:
        self.layer, self._packed = layer, pack(layer, kernel)
        self._run = kernels.product(KERNELS.index(kernel), SHAPES[kernel].vectors)

    def inputs(self, count: int) -> NDArray[np.uint8]:
        """Room for the inputs of ``count`` positions and those that may fill a tile: all of them 0."""
        return np.full((count + kernels.TILE_ROWS, 4 * self._packed.weights.shape[1]), kernels.ZERO, np.uint8)

    def sums(self, x: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the sums, bias included."""
        sums = np.empty((len(x), len(self._packed.start)), np.int32)
        self._run(x, len(x) - kernels.TILE_ROWS, self._packed, sums)
        return sums
