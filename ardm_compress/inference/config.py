"""The configuration of a network, stored in its model file, and the fixed-point grids of all. NumPy only.

docs/format.md section 7 is normative; the tables are made once, at export, and never recomputed by a decoder.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT_STEP = 32  # integer inputs and activations are real values times this
CLIP = 127  # largest magnitude of an integer input or activation
WEIGHT_CLIP = 63  # |w| above this would saturate in 16-bit pair sums on CPUs without VNNI
SAMPLE_BITS = 4  # fraction bits of references and scales
STREAM_BITS = 8  # fraction bits of the residual stream
NORM_FLOOR = 8  # added to the mean square of the residual stream, in its integer units


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Shape and input grid of a network; one axis is audio, two are images, none coefficients of JPEG files."""

    axes: int  # 1 or 2; 0 for quantised coefficients, which have no window
    channels: int  # samples per position, coded in turn
    bit_depth: int  # bits per sample, 3..24
    radius_sq: int = 18  # window: offsets whose squared distance is at most this
    hidden: int = 192  # width of the residual stream
    expand: int = 384  # inner width of a block
    blocks: int = 3  # residual blocks
    head: int = 64  # inner width of a channel's head
    mixture: int = 3  # logistics per channel
    levels: int = 8  # rows of the level embedding; coarser levels share the last
    styles: int = 1  # rows of the style embedding: kinds of picture that the encoder tells apart
    latents: int = 0  # numbers that describe a picture to the network; the encoder fits them, the file gives them
    order: str = "spread"  # generation order the model was trained for
    period: int = 8  # of that order
    gain: int = 20  # integer input per local scale of deviation
    innovation_gain: int = 40  # the same for what a coded channel deviated from its own prediction
    normalise: bool = False  # divide the residual stream by its root mean square before each block and the heads
    smooth: bool = False  # a smooth knee instead of a rectifier in hidden layers
    summary: int = 1  # inputs of a channel beside its window: an image's local reference, or a spectrum and levels

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Window offsets without the centre, in raster order, shape (window, axes)."""
        radius = self.radius
        grid = itertools.product(range(-radius, radius + 1), repeat=self.axes)
        inside = [o for o in grid if 0 < sum(x * x for x in o) <= self.radius_sq]
        return np.array(inside, np.int64).reshape(len(inside), self.axes)

    @property
    def radius(self) -> int:
        """Largest reach of the window along an axis."""
        return math.isqrt(self.radius_sq)

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """Weight of each offset in the local reference and scale: 64 / d**4, at least 1, shape (window,)."""
        distance_sq = (self.offsets**2).sum(1)
        weights: NDArray[np.int64] = np.maximum(1, (64 + distance_sq**2 // 2) // distance_sq**2)
        return weights

    @property
    def inputs(self) -> int:
        """Number of integer inputs: the window's samples, its mask, and what sums up each channel."""
        return len(self.offsets) * (self.channels + 1) + self.channels * self.summary

    @property
    def top(self) -> int:
        """Largest sample."""
        return (1 << self.bit_depth) - 1

    @property
    def products(self) -> int:
        """Multiply-accumulate operations per position."""
        blocks = 2 * self.hidden * self.expand * self.blocks
        heads = sum(
            (self.hidden + 2 * c) * self.head + self.head * (3 * self.mixture + c) for c in range(self.channels)
        )
        return self.inputs * self.hidden + blocks + heads

    @cached_property
    def scale_thresholds(self) -> NDArray[np.int64]:
        """Local scales at which the scale embedding changes row: a third of an octave apart, in exact integers."""
        return np.array([_ceil_cube_root(1 << 3 * SAMPLE_BITS + i) for i in range(1, 3 * self.bit_depth)], np.int64)

    def __post_init__(self) -> None:
        largest = (1 << self.bit_depth + SAMPLE_BITS) * self.channels * int(self.weights.sum())
        if self.axes not in (0, 1, 2) or not 3 <= self.bit_depth <= (24 if self.axes == 1 else 16):
            raise ValueError("a network has 0 to 2 axes and samples of 3 to 16 bits, of sound 24")
        if not 0 <= self.latents <= 255:
            raise ValueError("a network has 0 to 255 latents, which is what a file can give")
        if not 1 <= self.mixture <= 3:
            raise ValueError("a mixture has 1 to 3 components, so that its CDF fits 32 bits")
        if self.axes == 2 and self.bit_depth <= 8 and largest >= 1 << 24:
            raise ValueError("window and bit depth too large for exact sums")


def _ceil_cube_root(n: int) -> int:
    root = round(n ** (1 / 3))
    return next(r for r in range(max(0, root - 1), root + 3) if r**3 >= n)


LOGIT_BITS = 4  # of mixture logits, nats
OFFSET_BITS = 8  # of mean offsets, local scales
OCTAVE_BITS = 4  # of log2 scales, octaves
COUPLING_BITS = 8  # of couplings between channels
VALUE_BITS = 6  # of means and interval boundaries, sample units

MEAN_LIMIT = 1 << 23  # so that every difference from an interval boundary is exact in float32
OFFSET_LIMIT = (1 << 15) - 1
COUPLING_LIMIT = (1 << 11) - 1
OCTAVE_LIMIT = 1 << 7  # log2 scales are OCTAVE_LIMIT // 2**OCTAVE_BITS = 8 octaves around the local scale

WEIGHT_TOP = 512  # integer weight of the likeliest component
CDF_BITS = 20  # of a single logistic's CDF
NODE_BITS = 4  # CDF nodes per unit of t, log2
NODE_RANGE = 16  # the CDF is tabulated on t in +-NODE_RANGE
STEP_BITS = 14  # fraction bits of t between two nodes
T_LIMIT = NODE_RANGE << NODE_BITS + STEP_BITS  # |t| in fixed point

FREQUENCY_BITS = 24  # the coder's; every frequency is at least 1 of 2**24
SPARE_BITS = 3  # dropped from the CDF so that its product with 2**24 is exact in float64


def logistic_nodes() -> NDArray[np.int32]:
    """CDF of the logistic at -16, -16 + 1/16, ..., 16, times 2**CDF_BITS, shape (513,)."""
    t = np.arange(-NODE_RANGE << NODE_BITS, (NODE_RANGE << NODE_BITS) + 1) / (1 << NODE_BITS)
    return np.rint((1 << CDF_BITS) / (1 + np.exp(-t))).astype(np.int32)


def mixture_weights() -> NDArray[np.int32]:
    """WEIGHT_TOP * exp(-d / 2**LOGIT_BITS) for d = 0..255, shape (256,)."""
    weights: NDArray[np.int32] = np.rint(WEIGHT_TOP * np.exp(-np.arange(256) / (1 << LOGIT_BITS))).astype(np.int32)
    return weights


def inverse_scales() -> NDArray[np.float32]:
    """Factor from (value - mean) / (local scale) to t, for log2 scales of -8 to just below 8 octaves, shape (256,)."""
    octaves = np.arange(-OCTAVE_LIMIT, OCTAVE_LIMIT) / (1 << OCTAVE_BITS)
    fixed = NODE_BITS + STEP_BITS - VALUE_BITS + 4  # 4: fraction bits of the local scale
    return (2.0 ** (fixed - octaves)).astype(np.float32)
