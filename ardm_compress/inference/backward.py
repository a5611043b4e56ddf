"""The way back through the exact network, compiled: gradients of what each position takes. Numba, NumPy.

Before each product gradients are rounded to 8 bits, with a scale for each position; what lies between is IEEE
arithmetic in a fixed order, but for the logistics' exponentials.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ardm_compress.compiling import compiled
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import INPUT_STEP, SAMPLE_BITS
from ardm_compress.inference.kernels import LARGEST, STREAM_UNIT, ZERO

LOGIT, OFFSET, OCTAVE, COUPLING, SAMPLE = (
    1.0 / (1 << bits) for bits in (grid.LOGIT_BITS, grid.OFFSET_BITS, grid.OCTAVE_BITS, grid.COUPLING_BITS, SAMPLE_BITS)
)
LN2 = math.log(2)
LOG_FLOOR = -24 * LN2  # the coder gives every symbol at least 2**-24
f32 = np.float32
KNEE, HALF_KNEE = f32(INPUT_STEP), f32(1 / (2 * INPUT_STEP))
LANES = 16  # of a vector of float32, at most
SMALLEST = f32(1e-30)  # gradient that is told from 0


@compiled
def rescale(sums: Any, multiplier: Any, out: Any) -> None:
    """Write rounded outputs (n, outputs) float32 of a layer's sums."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.rint(f32(sums[i, j]) * multiplier[j])


@compiled
def bend(outputs: Any, smooth: bool, state: Any) -> None:
    """Write activations, as bytes, behind the nonlinearity of a hidden layer's rounded outputs (n, outputs)."""
    for i in range(outputs.shape[0]):
        for j in range(outputs.shape[1]):
            x = min(outputs[i, j], LARGEST)
            value = np.rint(x * min(max(x + KNEE, f32(0)), 2 * KNEE) * HALF_KNEE) if smooth else max(x, f32(0))
            state[i, j] = np.int32(value) + ZERO


@compiled
def quantise(gradient: Any, multiplier: Any, x: Any, scale: Any) -> None:
    """Round gradients (n, m) of a layer's rounded outputs to 8 bits.

    Args:
        gradient: (n, m) float32.
        multiplier: (m,), of the layer.
        x: (n, m or more) uint8, bytes, written to.
        scale: (n,) float32, written to: what an integer of each position stands for.
    """
    size, highest = gradient.shape[1], np.empty(LANES, f32)
    for i in range(gradient.shape[0]):
        highest[:] = SMALLEST
        for start in range(0, size - LANES + 1, LANES):
            for j in range(LANES):
                highest[j] = max(highest[j], abs(gradient[i, start + j] * multiplier[start + j]))
        largest = highest.max()
        for j in range(size - size % LANES, size):
            largest = max(largest, abs(gradient[i, j] * multiplier[j]))
        factor = LARGEST / largest
        for j in range(gradient.shape[1]):
            x[i, j] = np.int32(np.rint(gradient[i, j] * multiplier[j] * factor)) + ZERO
        scale[i] = largest / LARGEST


@compiled
def _slope(x: Any, smooth: bool) -> Any:
    """Slope of the nonlinearity."""
    return (x + x + KNEE) * HALF_KNEE if smooth and abs(x) < KNEE else f32(0 < x < LARGEST)


@compiled
def before_bend(product: Any, scale: Any, outputs: Any, smooth: bool, gradient: Any) -> None:
    """Write gradients (n, m) before the nonlinearity, whose inputs were ``outputs``, given those behind it."""
    for i in range(outputs.shape[0]):
        for j in range(outputs.shape[1]):
            gradient[i, j] = f32(product[i, j]) * scale[i] * _slope(outputs[i, j], smooth)


@compiled
def before_activation(product: Any, scale: Any, stream: Any, floor: float, top: float, gradient: Any) -> None:
    """Add to gradients (n, hidden) of the stream those of the activations that it gives; arguments as ``activate``."""
    width = gradient.shape[1]
    for i in range(gradient.shape[0]):
        squares = np.float64(0)
        for j in range(width):
            squares += np.float64(stream[i, j]) * np.float64(stream[i, j])
        factor = f32(math.sqrt(top / (squares + floor))) if top else STREAM_UNIT
        dot = f32(0)
        for j in range(width):
            x = f32(stream[i, j])
            if abs(x * factor) < LARGEST:
                dot += x * (f32(product[i, j]) * scale[i])
        share = dot / f32(squares + floor) if top else f32(0)
        for j in range(width):
            x = f32(stream[i, j])
            own = f32(product[i, j]) * scale[i] if abs(x * factor) < LARGEST else f32(0)
            gradient[i, j] += factor * (own - x * share)


@compiled
def project(gradient: Any, directions: Any, out: Any) -> None:
    """Gradient (n, m) float32 @ directions (m, k) float64, summed in order; out (n, k)."""
    for i in range(gradient.shape[0]):
        for j in range(directions.shape[1]):
            out[i, j] = 0.0
        for m in range(directions.shape[0]):
            for j in range(directions.shape[1]):
                out[i, j] += np.float64(gradient[i, m]) * directions[m, j]


@compiled
def _within(x: Any, limit: int) -> Any:
    return min(max(np.float64(x), -float(limit)), float(limit))


@compiled
def _is_within(x: Any, limit: int) -> float:
    return 1.0 if abs(x) < limit else 0.0


@compiled
def before_heads(
    outer: Any, inner: Any, innovations: Any, reference: Any, scale: Any, target: Any, channels: int, top: float,
    gain: float, smooth: bool, outer_weights: Any, outer_multipliers: Any, inner_multipliers: Any, pull: Any,
    gradient: Any,
) -> None:  # fmt: skip
    """Write gradients of the nats of discretised logistic mixtures, before the heads' inner layers are multiplied.

    Args:
        outer: (n, heads, outputs) float32, what the heads give.
        inner: (n, heads, head) float32, what their inner layers give, before the nonlinearity.
        innovations: (n, heads) float64, sample units.
        reference: (n, heads) float32, times 2**SAMPLE_BITS.
        scale: the same.
        target: (n, heads) float64.
        channels: that are coded.
        top: the largest sample.
        gain: of an innovation, as input.
        smooth: whether the nonlinearity is.
        outer_weights: (heads, outputs, head) float64, zeros where a head has fewer.
        outer_multipliers: (heads, outputs) float64.
        inner_multipliers: (heads, head) float64.
        pull: (heads, heads, head) float64, weights of the inputs that are innovations, by channel.
        gradient: (n, heads, head) float32, written to.
    """
    n, count, units = inner.shape
    k = (outer.shape[2] - count + 1) // 3
    mean, wide, share, found = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    out, back, by_innovation = np.empty(outer.shape[2]), np.empty(units), np.empty(count)
    for i in range(n):
        by_innovation[:] = 0
        for c in range(count - 1, -1, -1):
            if c >= channels:
                gradient[i, c] = 0
                continue
            local = scale[i, c] * SAMPLE
            centre = reference[i, c] * SAMPLE
            for j in range(c):
                centre += _within(outer[i, c, 3 * k + j], grid.COUPLING_LIMIT) * COUPLING * innovations[i, j]
            likeliest = np.float64(outer[i, c, 0])
            for j in range(1, k):
                likeliest = max(likeliest, np.float64(outer[i, c, j]))
            total = 0.0
            for j in range(k):
                share[j] = math.exp((outer[i, c, j] - likeliest) * LOGIT)
                total += share[j]
                mean[j] = centre + _within(outer[i, c, k + j], grid.OFFSET_LIMIT) * OFFSET * local
                wide[j] = 2.0 ** -(_within(outer[i, c, 2 * k + j], grid.OCTAVE_LIMIT) * OCTAVE) / local
            value = target[i, c]
            expected, mass = 0.0, math.exp(LOG_FLOOR)
            for j in range(k):
                share[j] /= total
                expected += share[j] * mean[j]
                low, high, whole = 1.0, 1.0, 1.0
                if value < top:
                    high = 1 / (1 + math.exp(min(500.0, -(value + 0.5 - mean[j]) * wide[j])))
                if value > 0:
                    low = 1 / (1 + math.exp(min(500.0, (value - 0.5 - mean[j]) * wide[j])))
                if 0 < value < top:
                    whole = -math.expm1(-wide[j])
                found[j] = share[j] * high * low * whole
                mass += found[j]
                # of the logarithm of a component's mass, by its mean and its inverse scale
                out[k + j] = wide[j] * ((1 - low) - (1 - high))
                slope = (1 - high) * (value + 0.5 - mean[j]) - (1 - low) * (value - 0.5 - mean[j])
                out[2 * k + j] = slope + (math.exp(-wide[j]) / whole if 0 < value < top else 0.0)
            certain = 0.0
            for j in range(k):
                found[j] /= mass
                certain += found[j]
            moved = 0.0
            for j in range(k):
                by_mean = -found[j] * out[k + j] - share[j] * by_innovation[c]
                by_logit = share[j] * certain - found[j] - share[j] * (mean[j] - expected) * by_innovation[c]
                moved += by_mean
                out[j] = by_logit * LOGIT
                out[2 * k + j] *= (
                    found[j] * wide[j] * LN2 * OCTAVE * _is_within(outer[i, c, 2 * k + j], grid.OCTAVE_LIMIT)
                )
                out[k + j] = by_mean * local * OFFSET * _is_within(outer[i, c, k + j], grid.OFFSET_LIMIT)
            for j in range(c):
                coupling = outer[i, c, 3 * k + j]
                out[3 * k + j] = moved * innovations[i, j] * COUPLING * _is_within(coupling, grid.COUPLING_LIMIT)
                by_innovation[j] += moved * _within(coupling, grid.COUPLING_LIMIT) * COUPLING
            for u in range(units):
                back[u] = 0
            for o in range(3 * k + c):
                step = out[o] * outer_multipliers[c, o]
                for u in range(units):
                    back[u] += step * outer_weights[c, o, u]
            for u in range(units):
                back[u] *= np.float64(_slope(inner[i, c, u], smooth)) * inner_multipliers[c, u]
                gradient[i, c, u] = back[u]
            for j in range(c):
                column = 0.0
                for u in range(units):
                    column += back[u] * pull[c, j, u]
                by_innovation[j] += column * gain / (scale[i, j] * SAMPLE)
