"""The fixed-point grids of exact inference and the tables that ship in a model file. Imports NumPy only.

docs/format.md section 7 is normative; the tables are made once, at export, and never recomputed by a decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
