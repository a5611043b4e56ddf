"""What lies between the products of the exact network, compiled: each pass over memory does all it can. Numba, NumPy.

The arithmetic is that of ``network`` and ``mixture``, operation by operation: IEEE single or double precision, never
contracted or reordered (Numba's default), so the integers are the same; tests compare them. Products may come in any
type that holds them: they are integers below 2**24, and so are their sums with biases.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ardm_compress.compiling import compiled
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import CLIP, INPUT_STEP, SAMPLE_BITS, STREAM_BITS
from ardm_compress.inference.mixture import FREQUENCY_BITS, SPARE_BITS

CONSTANTS = 0xCD6EE4C5  # CRC-32 of what compiled code holds: Numba compiles anew where a file itself changes
f32 = np.float32
ONE, KNOWN = 1 << SAMPLE_BITS, INPUT_STEP
LARGEST, KNEE, HALF_KNEE = f32(CLIP), f32(INPUT_STEP), f32(1 / (2 * INPUT_STEP))
STREAM_UNIT = f32(INPUT_STEP / (1 << STREAM_BITS))
MEAN_UNIT = float(1 << SAMPLE_BITS + grid.OFFSET_BITS - grid.VALUE_BITS)
VALUE, CENTRE = float(1 << grid.VALUE_BITS), float(1 << grid.VALUE_BITS - SAMPLE_BITS)
COUPLING_UNIT = float(1 << grid.COUPLING_BITS)
HIGHEST_T, MASK = f32(grid.T_LIMIT), (1 << grid.STEP_BITS) - 1


@compiled
def gathered(
    samples: Any, ranks: Any, at: Any, first: int, offsets: Any, nearness: Any, middle: float, least: float,
    unit: float, gain: float, thresholds: Any, inputs: Any, bucket: Any, reference: Any, scale: Any,
) -> None:  # fmt: skip
    """Features of positions whose neighbours are found among flattened samples, as of ``network.features``.

    Args:
        samples: (positions, channels) integers.
        ranks: (positions,) int32.
        at: (n,) int64, where the positions are.
        first: ranks below are known.
        offsets: (window,) int64, of neighbours.
        nearness: (window,) int64, their weights.
        middle: reference where nothing is known.
        least: scale there.
        unit: of references, as inputs.
        gain: input per local scale of deviation.
        thresholds: float32, of scales, ascending.
        inputs: (n, inputs) int8, written to.
        bucket: (n,) int64, written to.
        reference: (n, channels) float32, written to.
        scale: (n, 1) float32, written to.
    """
    window, channels = len(offsets), samples.shape[1]
    sums = np.empty(channels, np.int64)
    for i in range(len(at)):
        sums[:] = 0
        total = 0
        for j in range(window):
            place = at[i] + offsets[j]
            known = ranks[place] < first
            inputs[i, window * channels + j] = KNOWN if known else 0
            if known:
                total += nearness[j]
                for c in range(channels):
                    sums[c] += nearness[j] * samples[place, c]
        spread = 0.0
        for c in range(channels):
            twice = np.float64(2 * max(total, 1))
            found = math.floor(np.float64(2 * ONE * sums[c] + total) / twice) if total else middle
            reference[i, c] = found
            level = np.rint(f32(found) / f32(unit)) - f32(128)
            inputs[i, window * (channels + 1) + c] = min(max(level, -LARGEST), LARGEST)
        for j in range(window):
            place = at[i] + offsets[j]
            if ranks[place] < first:
                for c in range(channels):
                    spread += nearness[j] * abs(np.float64(samples[place, c]) * ONE - np.float64(reference[i, c]))
        scale[i, 0] = math.floor(spread / np.float64(channels * total)) + ONE if total else least
        factor = f32(gain) / scale[i, 0]
        for j in range(window):
            place = at[i] + offsets[j]
            known = ranks[place] < first
            for c in range(channels):
                deviation = f32(samples[place, c]) * f32(ONE) - reference[i, c]
                rounded = min(max(np.rint(deviation * factor), -LARGEST), LARGEST)
                inputs[i, j * channels + c] = rounded if known else f32(0)
        row = 0
        while row < len(thresholds) and thresholds[row] <= scale[i, 0]:
            row += 1
        bucket[i] = row


@compiled
def begin(sums: Any, bias: Any, multiplier: Any, extra: Any, stream: Any) -> None:
    """The residual stream (n, hidden): the input layer's sums with ``extra``, rescaled."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            stream[i, j] = np.rint((f32(sums[i, j]) + bias[j] + extra[i, j]) * multiplier[j])


@compiled
def advance(sums: Any, bias: Any, multiplier: Any, stream: Any) -> None:
    """Add what a block changes, rescaled, to the stream (n, hidden)."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            stream[i, j] += np.rint((f32(sums[i, j]) + bias[j]) * multiplier[j])


@compiled
def normalised(stream: Any, floor: float, top: float, state: Any) -> None:
    """Activations (n, hidden) of a stream: sqrt(top / (its sum of squares + floor)) times it."""
    for i in range(stream.shape[0]):
        squares = 0
        for j in range(stream.shape[1]):
            value = np.int64(stream[i, j])
            squares += value * value
        factor = f32(math.sqrt(top / (np.float64(squares) + floor)))
        for j in range(stream.shape[1]):
            state[i, j] = min(max(np.rint(stream[i, j] * factor), -LARGEST), LARGEST)


@compiled
def clamped(stream: Any, state: Any) -> None:
    """Activations (n, hidden) of a stream that is not normalised."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            state[i, j] = min(max(np.rint(stream[i, j] * STREAM_UNIT), -LARGEST), LARGEST)


@compiled
def bent(sums: Any, bias: Any, multiplier: Any, out: Any) -> None:
    """Activations (n, outputs) behind the smooth knee of a hidden layer's sums."""
    for i in range(out.shape[0]):
        for j in range(len(bias)):
            x = min(np.rint((f32(sums[i, j]) + bias[j]) * multiplier[j]), LARGEST)
            out[i, j] = np.rint(x * min(max(x + KNEE, f32(0)), 2 * KNEE) * HALF_KNEE)


@compiled
def rectified(sums: Any, bias: Any, multiplier: Any, out: Any) -> None:
    """Activations (n, outputs) behind the rectifier of a hidden layer's sums."""
    for i in range(out.shape[0]):
        for j in range(len(bias)):
            x = np.rint((f32(sums[i, j]) + bias[j]) * multiplier[j])
            out[i, j] = min(max(x, f32(0)), LARGEST)


@compiled
def mixtures(
    sums: Any, bias: Any, multiplier: Any, reference: Any, scale: Any, innovations: Any, tables: Any, weights: Any,
    means: Any, inverse: Any, expected: Any,
) -> None:  # fmt: skip
    """Mixtures (n, components) and their means (n,) of a head's last sums.

    Args:
        sums: (n, 3 * components + channels before) or wider.
        bias: of them.
        multiplier: of them.
        reference: (n,) float32.
        scale: (n,) float32.
        innovations: (n, channels before) float64.
        tables: the model's, of mixture weights and of inverse scales.
        weights: int32, written to.
        means: float32, written to.
        inverse: float32, written to.
        expected: float64, written to.
    """
    n, k = weights.shape
    share, inverses = tables
    out = np.empty(len(bias), np.float32)
    exact = np.empty(k, np.float64)
    for i in range(n):
        for j in range(len(bias)):
            out[j] = np.rint((f32(sums[i, j]) + bias[j]) * multiplier[j])
        centre = np.float64(reference[i]) * CENTRE
        if innovations.shape[1]:
            pull = 0.0
            for j in range(innovations.shape[1]):
                coupling = min(max(out[3 * k + j], f32(-grid.COUPLING_LIMIT)), f32(grid.COUPLING_LIMIT))
                pull += np.float64(coupling) * innovations[i, j]
            centre += math.floor(pull / COUPLING_UNIT + 0.5)
        likeliest = out[0]
        for j in range(1, k):
            likeliest = max(likeliest, out[j])
        total, moment = 0, 0.0
        for j in range(k):
            weights[i, j] = share[int(min(likeliest - out[j], f32(len(share) - 1)))]
            octave = min(max(out[2 * k + j], f32(-grid.OCTAVE_LIMIT)), f32(grid.OCTAVE_LIMIT - 1))
            inverse[i, j] = inverses[int(octave) + grid.OCTAVE_LIMIT] / scale[i]
            offset = min(max(out[k + j], f32(-grid.OFFSET_LIMIT)), f32(grid.OFFSET_LIMIT))
            exact[j] = centre + math.floor(np.float64(offset) * np.float64(scale[i]) / MEAN_UNIT + 0.5)
            total += weights[i, j]
            moment += np.float64(weights[i, j]) * exact[j]
        expected[i] = math.floor(moment / np.float64(total))
        for j in range(k):
            means[i, j] = min(max(exact[j], -float(grid.MEAN_LIMIT)), float(grid.MEAN_LIMIT))


@compiled
def _add(weight: int, mean: float, inverse: float, boundary: Any, nodes: Any, total: Any) -> None:
    """Add the CDF of a component of a mixture at boundaries (m,), times its weight, to ``total`` (m,)."""
    for j in range(len(total)):
        t = np.rint((boundary[j] - mean) * inverse)
        fixed = int(min(max(t, -HIGHEST_T), HIGHEST_T - f32(1))) + grid.T_LIMIT
        node = fixed >> grid.STEP_BITS
        rise = (nodes[node + 1] - nodes[node]) * (fixed & MASK) >> grid.STEP_BITS
        total[j] += (nodes[node] + rise) * weight


@compiled
def cumulated(weights: Any, means: Any, inverse: Any, boundary: Any, nodes: Any, cdf: Any) -> None:
    """CDF (n, m) int32 of mixtures at boundaries (n or 1, m)."""
    total = np.empty(cdf.shape[1], np.int64)
    for i in range(cdf.shape[0]):
        total[:] = 0
        for k in range(weights.shape[1]):
            row = boundary[i if len(boundary) > 1 else 0]
            _add(weights[i, k], means[i, k], inverse[i, k], row, nodes, total)
        for j in range(len(total)):
            cdf[i, j] = total[j] >> SPARE_BITS


@compiled
def shared(
    weights: Any, means: Any, inverse: Any, nodes: Any, first: Any, width: Any, step: int, cells: int, origin: int,
    rows: Any,
) -> None:  # fmt: skip
    """Frequencies (n, children) float32 of mixtures; intervals as of ``mixture.Children``, width (n or 1,)."""
    n, m = rows.shape
    whole = np.float64((1 << FREQUENCY_BITS) - m)
    boundary, total = np.empty(m + 1, np.float32), np.empty(m + 1, np.int64)
    for i in range(n):
        start, wide = first[i if len(first) > 1 else 0], width[i if len(width) > 1 else 0]
        for j in range(m + 1):
            edge = start + j * step
            boundary[j] = ((edge - origin) * wide << grid.VALUE_BITS) - (1 << grid.VALUE_BITS - 1)
            if edge in (0, cells):
                boundary[j] = np.inf if edge else -np.inf
        total[:] = 0
        for k in range(weights.shape[1]):
            _add(weights[i, k], means[i, k], inverse[i, k], boundary, nodes, total)
        least = total[0] >> SPARE_BITS
        mass, left = np.float64((total[m] >> SPARE_BITS) - least), 0.0
        for j in range(1, m + 1):
            above = np.float64((total[j] >> SPARE_BITS) - least) if mass > 0 else np.float64(j)
            reached = math.floor(above * whole / (mass if mass > 0 else np.float64(m)))
            rows[i, j - 1] = f32(reached - left)
            left = reached


@compiled
def observed(
    samples: Any, reference: Any, scale: Any, expected: Any, gain: float, innovation_gain: float, inputs: Any,
    innovation: Any,
) -> None:  # fmt: skip
    """What the samples (n,) of a channel tell the next ones.

    Args:
        samples: int64.
        reference: (n,) float32, times 2**SAMPLE_BITS.
        scale: (n,) float32, the same.
        expected: (n,) float64, times 2**VALUE_BITS.
        gain: input per local scale of deviation from the reference.
        innovation_gain: the same of that from what was expected.
        inputs: (n, 2) float32, written to.
        innovation: (n,) float64, written to: that deviation.
    """
    for i in range(len(samples)):
        sample = f32(samples[i])
        innovation[i] = np.float64(sample) * VALUE - expected[i]
        factors = f32(gain) / scale[i], f32(innovation_gain) / scale[i]
        inputs[i, 0] = min(max(np.rint((sample * f32(ONE) - reference[i]) * factors[0]), -LARGEST), LARGEST)
        inputs[i, 1] = min(max(np.rint(f32(innovation[i]) * factors[1]), -LARGEST), LARGEST)
