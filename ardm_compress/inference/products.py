"""Matrix products of small integers, exact on every machine: three paths, one result. Imports torch.

Inputs lie within +-127 and weights within +-63, so pair sums of int8 products cannot saturate 16 bits on CPUs without
VNNI, and with the bound checked here every partial sum is an integer below 2**24, which float32 holds exactly in
whatever order it is summed.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ardm_compress.errors import ModelError
from ardm_compress.inference.config import CLIP, WEIGHT_CLIP

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53
ALIGNMENT = 16  # of both matrix sides, for torch._int_mm on CUDA
LEAST = 32  # rows that it wants


class Path(str, Enum):
    """How products are computed; never what they are."""

    INT8 = "int8"  # torch._int_mm, several times faster where the processor has 8-bit products
    FLOAT32 = "float32"  # the same integers in float32, the fastest elsewhere
    FLOAT64 = "float64"  # the reference


TYPES = {Path.INT8: np.int8, Path.FLOAT32: np.float32, Path.FLOAT64: np.float64}


def largest_sums(weight: NDArray[np.int8], bias: NDArray[np.int32]) -> NDArray[np.int64]:
    """Bound (outputs,) on the magnitude of a layer's sums."""
    found: NDArray[np.int64] = CLIP * np.abs(weight.astype(np.int64)).sum(1) + np.abs(bias.astype(np.int64))
    return found


class IntegerLinear:
    """x -> x @ weight.T + bias for integers."""

    def __init__(self, weight: NDArray[np.int8], bias: NDArray[np.int32], path: Path) -> None:
        """Args: weight (outputs, inputs); bias (outputs,)."""
        if int(np.abs(weight.astype(np.int64)).max()) > WEIGHT_CLIP:
            raise ModelError("the model's weights are too large for exact products")
        if int(largest_sums(weight, bias).max()) >= EXACT_FLOAT32:
            raise ModelError("the model's weights are too large for exact sums")
        self.path, self.outputs = path, len(weight)
        rows, columns = (-(-n // ALIGNMENT) * ALIGNMENT for n in weight.shape) if path is Path.INT8 else weight.shape
        padded = np.zeros((rows, columns), TYPES[path])
        padded[: weight.shape[0], : weight.shape[1]] = weight
        self._weight, self._columns = torch.from_numpy(padded), columns
        self.bias = bias.astype(np.float32)

    def inputs(self, count: int) -> NDArray[Any]:
        """Zeros, of the type and shape that ``sums`` takes, for ``count`` positions."""
        return np.zeros((max(count, LEAST) if self.path is Path.INT8 else count, self._columns), TYPES[self.path])

    def sums(self, x: NDArray[Any]) -> NDArray[Any]:
        """Without the bias: x @ weight.T, (n, outputs) or larger."""
        tensor = torch.from_numpy(x)
        found: NDArray[Any] = (
            torch._int_mm(tensor, self._weight.t()) if self.path is Path.INT8 else tensor @ self._weight.t()
        ).numpy()
        return found

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Args: x (n, inputs), integers within +-CLIP. Returns: (n, outputs), integers."""
        padded = self.inputs(len(x))
        padded[: len(x), : x.shape[1]] = x
        return self.sums(padded)[: len(x), : self.outputs].astype(np.float32) + self.bias


def fastest_path() -> Path:
    """The faster of INT8 and FLOAT32 on this machine, by a millisecond's trial; both give the same integers."""
    weight = np.ones((192, 384), np.int8)
    x = np.ones((512, 384), np.float32)
    seconds = {}
    for path in (Path.FLOAT32, Path.INT8):
        layer = IntegerLinear(weight, np.zeros(192, np.int32), path)
        layer(x[:64])
        start = time.perf_counter()
        layer(x)
        seconds[path] = time.perf_counter() - start
    return min(seconds, key=lambda path: seconds[path])
