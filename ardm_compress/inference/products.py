"""Matrix products of small integers, exact on every machine: three paths, one result. Imports torch.

Inputs lie within +-127 and weights within +-63, so pair sums of int8 products cannot saturate 16 bits on CPUs without
VNNI, and with the bound checked here every partial sum is an integer below 2**24, which float32 holds exactly in
whatever order it is summed.
"""

from __future__ import annotations

import time
from enum import Enum

import torch
from torch import Tensor
from torch.nn import functional as F

from ardm_compress.errors import ModelError
from ardm_compress.inference.config import CLIP, WEIGHT_CLIP

EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53
ALIGNMENT = 16  # of both matrix sides, for torch._int_mm on CUDA
LEAST = 32  # rows that it wants


class Path(str, Enum):
    """How products are computed; never what they are."""

    INT8 = "int8"  # torch._int_mm, several times faster where the processor has 8-bit products
    FLOAT32 = "float32"  # the same integers in float32, the fastest elsewhere
    FLOAT64 = "float64"  # the reference


TYPES = {Path.INT8: torch.int8, Path.FLOAT32: torch.float32, Path.FLOAT64: torch.float64}


def largest_sums(weight: Tensor, bias: Tensor) -> Tensor:
    """Bound (outputs,) on the magnitude of a layer's sums, int64."""
    return CLIP * weight.to(torch.int64).abs().sum(1) + bias.to(torch.int64).abs()


class IntegerLinear:
    """x -> x @ weight.T + bias for integers, as float32 tensors."""

    def __init__(self, weight: Tensor, bias: Tensor, path: Path, device: torch.device | str) -> None:
        """Args: weight (outputs, inputs) int8; bias (outputs,) int32."""
        if int(weight.to(torch.int64).abs().max()) > WEIGHT_CLIP:
            raise ModelError("the model's weights are too large for exact products")
        if int(largest_sums(weight, bias).max()) >= EXACT_FLOAT32:
            raise ModelError("the model's weights are too large for exact sums")
        self.path, self.outputs = path, len(weight)
        rows, columns = (-(-n // ALIGNMENT) * ALIGNMENT for n in weight.shape) if path is Path.INT8 else weight.shape
        padded = torch.zeros(rows, columns, dtype=TYPES[path])
        padded[: weight.shape[0], : weight.shape[1]] = weight
        self._weight = padded.to(device)
        self.bias = bias.to(device, torch.int32 if path is Path.INT8 else TYPES[path])

    def inputs(self, count: int) -> Tensor:
        """Zeros, of the type and shape that ``sums`` takes, for ``count`` positions."""
        rows = max(count, LEAST) if self.path is Path.INT8 else count
        return torch.zeros(rows, self._weight.shape[1], dtype=self._weight.dtype, device=self._weight.device)

    def sums(self, x: Tensor) -> Tensor:
        """Without the bias: x @ weight.T, (n, outputs) or larger."""
        return torch._int_mm(x, self._weight.t()) if self.path is Path.INT8 else x @ self._weight.t()

    def __call__(self, x: Tensor) -> Tensor:
        """Args: x (n, inputs) float32, integers within +-CLIP. Returns: (n, outputs) float32, integers."""
        small = x.to(self._weight.dtype)
        if self.path is Path.INT8:
            padding = 0, self._weight.shape[1] - x.shape[1], 0, max(0, LEAST - len(x))
            small = F.pad(small, padding) if any(padding) else small
        return (self.sums(small)[: len(x), : self.outputs] + self.bias).to(torch.float32)


def fastest_path(device: torch.device | str) -> Path:
    """The faster of INT8 and FLOAT32 on this machine, by a millisecond's trial; both give the same integers."""
    weight = torch.ones(192, 384, dtype=torch.int8)
    x = torch.ones(512, 384, device=device)
    seconds = {}
    for path in (Path.FLOAT32, Path.INT8):
        layer = IntegerLinear(weight, torch.zeros(192, dtype=torch.int32), path, device)
        layer(x[:64])
        start = time.perf_counter()
        layer(x).sum().item()
        seconds[path] = time.perf_counter() - start
    return min(seconds, key=lambda path: seconds[path])
