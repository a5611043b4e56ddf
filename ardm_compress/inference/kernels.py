"""The exact network, compiled: a batch goes through all layers while it is in the caches. Numba, NumPy.

The arithmetic is that of ``network``, operation by operation: IEEE single or double precision, never
contracted or reordered (Numba's default), so the integers are the same; tests compare them. Sums of layers and the
residual stream are kept as 32-bit integers, of which float32 holds all.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ardm_compress.computing import compiled, inlined
from ardm_compress.inference import config as grid
from ardm_compress.inference.config import CLIP, FREQUENCY_BITS, INPUT_STEP, SAMPLE_BITS, SPARE_BITS, STREAM_BITS
from ardm_compress.inference.instructions import ADDED, SUMS, multiply

f32 = np.float32
ONE, KNOWN = 1 << SAMPLE_BITS, INPUT_STEP
LARGEST = f32(CLIP)
ZERO = CLIP + 1  # the byte of 0
STREAM_UNIT = f32(INPUT_STEP / (1 << STREAM_BITS))
MEAN_UNIT = float(1 << SAMPLE_BITS + grid.OFFSET_BITS - grid.VALUE_BITS)
VALUE, CENTRE = float(1 << grid.VALUE_BITS), float(1 << grid.VALUE_BITS - SAMPLE_BITS)
COUPLING_UNIT = float(1 << grid.COUPLING_BITS)
HIGHEST_T, MASK = f32(grid.T_LIMIT), (1 << grid.STEP_BITS) - 1
STEP_BITS, FRACTION, SPARE = np.uint32(grid.STEP_BITS), np.uint32(MASK), np.uint32(SPARE_BITS)
GROUP = 64  # positions whose frequencies are computed together
ROWS = 48  # positions that go through the layers together: a multiple of the rows of every tile
TILE_ROWS = 8  # more than any tile's: rows behind the last one, which tiles may compute


@compiled
def gather(
    samples: Any, ranks: Any, at: Any, first: int, offsets: Any, nearness: Any, middle: float, least: float,
    unit: float, gain: float, thresholds: Any, inputs: Any, bucket: Any, reference: Any, scale: Any,
) -> None:  # fmt: skip
    """Compute features of positions whose neighbours are among flattened samples, as ``features`` does.

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
    many = window * channels
    flat, weights = samples.reshape(-1), nearness.astype(np.int32)
    place, near = np.empty(window, np.uint64), np.empty(window, np.int32)
    value, weight, centre = np.empty(many, np.int32), np.empty(many, np.int32), np.empty(many, np.int32)
    sums = np.empty(channels, np.int64)
    for i in range(len(at)):
        own, base, total = inputs[i], at[i], 0
        for j in range(window):
            place[j] = np.uint64(base + offsets[j])
        for j in range(window):
            near[j] = np.int32(weights[j] * np.int32(ranks[place[j]] < first))
            own[np.uint64(many + j)] = np.int8(np.int32(KNOWN) * np.int32(near[j] > np.int32(0)))
            total += near[j]
        for c in range(channels):
            summed, to = 0, np.uint64(c)
            for j in range(window):
                sample = np.int32(flat[place[j] * np.uint64(channels) + np.uint64(c)])
                summed += np.int32(near[j] * sample)
                value[to] = sample
                weight[to] = near[j]
                to += np.uint64(channels)
            sums[c] = summed
        for c in range(channels):
            twice = np.float64(2 * max(total, 1))
            found = math.floor(np.float64(2 * ONE * sums[c] + total) / twice) if total else middle
            reference[i, c] = found
            level = np.rint(f32(found) / f32(unit)) - f32(128)
            own[many + window + c] = min(max(level, -LARGEST), LARGEST)
            for j in range(c, many, channels):
                centre[j] = np.int32(found)
        spread = 0
        for j in range(many):
            value[j] = np.int32(np.int32(value[j] * np.int32(ONE)) - centre[j])
            spread += np.int32(weight[j] * np.int32(abs(value[j])))
        scale[i, 0] = math.floor(np.float64(spread) / np.float64(channels * total)) + ONE if total else least
        factor = f32(gain) / scale[i, 0]
        for j in range(many):
            rounded = min(max(np.rint(f32(value[j]) * factor), -LARGEST), LARGEST)
            own[j] = np.int8(np.int32(rounded)) if weight[j] else np.int8(0)
        row = 0
        while row < len(thresholds) and thresholds[row] <= scale[i, 0]:
            row += 1
        bucket[i] = row


@compiled
def load(inputs: Any, stride: int, x: Any) -> None:
    """Write integers (n, inputs) as bytes into the rows of ``x``, flat."""
    for i in range(inputs.shape[0]):
        row, own = inputs[i], x[i * stride : (i + 1) * stride]
        for j in range(len(row)):
            own[j] = np.uint8(np.uint8(row[j]) ^ np.uint8(ZERO))


@compiled
def begin(
    bucket: Any, level: Any, conditioning: Any, buckets: Any, levels: Any, multiplier: Any, wide: int, stream: Any
) -> None:
    """Rescale the input layer's sums with the embeddings of n positions, in place.

    Args:
        bucket: (n,) int64, rows of ``buckets``.
        level: (n or 1,) int64, rows of ``levels``.
        conditioning: (n or 1, hidden) float32.
        buckets: (buckets, hidden) float32.
        levels: (levels, hidden) float32.
        multiplier: (hidden,) float32 or more.
        wide: from one row of the stream to the next.
        stream: int32, flat.
    """
    for i in range(len(bucket)):
        by_bucket, by_level = buckets[bucket[i]], levels[level[i if len(level) > 1 else 0]]
        told, row = conditioning[i if len(conditioning) > 1 else 0], stream[i * wide :]
        for j in range(len(told)):
            row[j] = np.rint((f32(row[j]) + (by_bucket[j] + (by_level[j] + told[j]))) * multiplier[j])


@compiled
def activate(stream: Any, rows: int, wide: int, floor: float, top: float, state: Any) -> None:
    """Write the activations of rows of the residual stream, as bytes.

    Args:
        stream: int32, flat.
        rows: to compute.
        wide: from one row to the next.
        floor: added to the sum of squares.
        top: a row is multiplied by sqrt(top / (its sum of squares + floor)); 0 if the network does not normalise.
        state: uint8, flat, written to.
    """
    for r in range(rows):
        row, own = stream[r * wide : (r + 1) * wide], state[r * wide : (r + 1) * wide]
        factor = STREAM_UNIT
        if top:
            squares = 0
            for j in range(wide):
                squares += np.int64(row[j]) * np.int64(row[j])
            factor = f32(math.sqrt(top / (np.float64(squares) + floor)))
        for j in range(wide):
            own[j] = np.int32(min(max(np.rint(f32(row[j]) * factor), -LARGEST), LARGEST)) + ZERO


@cache
def hidden(kernel: int, activation: int, vectors: int) -> Any:
    """Make the function from features to hidden states for an instruction and a nonlinearity (see ``instructions``)."""

    @compiled
    def run(
        inputs: Any, bucket: Any, level: Any, conditioning: Any, buckets: Any, levels: Any, first: Any, expand: Any,
        contract: Any, floor: float, top: float, out: Any,
    ) -> None:  # fmt: skip
        wide, inner, stride = len(first.start), expand.start.shape[1], 4 * first.weights.shape[1]
        x, state = np.empty(ROWS * stride, np.uint8), np.empty(ROWS * wide, np.uint8)
        stream, bent = np.empty(ROWS * wide, np.int32), np.empty(ROWS * inner, np.uint8)
        for start in range(0, len(inputs), ROWS):
            own = slice(start, min(start + ROWS, len(inputs)))
            rows = own.stop - start
            load(inputs[own], stride, x)
            multiply(kernel, SUMS, vectors, x, stride, rows, first.weights, first.start, first.multiplier, stream, wide)
            begin(
                bucket[own], level[own] if len(level) > 1 else level,
                conditioning[own] if len(conditioning) > 1 else conditioning, buckets, levels, first.multiplier, wide,
                stream,
            )  # fmt: skip
            for b in range(len(expand.start)):
                activate(stream, rows, wide, floor, top, state)
                multiply(
                    kernel, activation, vectors, state, wide, rows, expand.weights[b], expand.start[b],
                    expand.multiplier[b], bent, inner,
                )  # fmt: skip
                multiply(
                    kernel, ADDED, vectors, bent, inner, rows, contract.weights[b], contract.start[b],
                    contract.multiplier[b], stream, wide,
                )  # fmt: skip
            activate(stream, rows, wide, floor, top, state)
            for i in range(rows):
                for j in range(out.shape[1]):
                    out[start + i, j] = np.int16(state[i * wide + j]) - ZERO

    return run


@cache
def head(kernel: int, activation: int, vectors: int) -> Any:
    """Make the function from states to mixtures of a channel, for an instruction and a nonlinearity."""

    @compiled
    def run(
        x: Any, first: int, stop: int, inner: Any, outer: Any, outputs: int, reference: Any, scale: Any,
        innovations: Any, channel: int, tables: Any, weights: Any, means: Any, inverse: Any, expected: Any,
    ) -> None:  # fmt: skip
        stride, wide, most = x.shape[1], len(inner.start), len(outer.start)
        bent, sums = np.empty(ROWS * wide, np.uint8), np.empty((ROWS, most), np.int32)
        flat = x.reshape(-1)
        for start in range(first, stop, ROWS):
            own = slice(start, min(start + ROWS, stop))
            rows = own.stop - start
            multiply(
                kernel, activation, vectors, flat[start * stride :], stride, rows, inner.weights, inner.start,
                inner.multiplier, bent, wide,
            )  # fmt: skip
            multiply(
                kernel, SUMS, 1, bent, wide, rows, outer.weights, outer.start, outer.multiplier, sums.reshape(-1), most
            )
            mixtures(
                sums, outer.multiplier[:outputs], reference[own], scale[own], innovations[own], channel, tables,
                weights[own], means[own], inverse[own], expected[own],
            )  # fmt: skip

    return run


@cache
def product(kernel: int, vectors: int) -> Any:
    """Make the function from rows of bytes (n, inputs) to a layer's sums (n, outputs) for an instruction."""

    @compiled
    def run(x: Any, rows: int, layer: Any, sums: Any) -> None:
        multiply(
            kernel, SUMS, vectors, x.reshape(-1), x.shape[1], rows, layer.weights, layer.start, layer.multiplier,
            sums.reshape(-1), sums.shape[1],
        )  # fmt: skip

    return run


@compiled
def mixtures(
    sums: Any, multiplier: Any, reference: Any, scale: Any, innovations: Any, channel: int, tables: Any, weights: Any,
    means: Any, inverse: Any, expected: Any,
) -> None:  # fmt: skip
    """Compute mixtures (n, components) and their means (n,) of a head's last sums.

    Args:
        sums: (n, 3 * components + channel) int32 or wider.
        multiplier: (3 * components + channel,) of them.
        reference: (n,) float32.
        scale: (n,) float32.
        innovations: (n, channels) float64, of which those before this channel count.
        channel: number of this one.
        tables: the model's, of mixture weights and of inverse scales.
        weights: int32, written to.
        means: float32, written to.
        inverse: float32, written to.
        expected: float64, written to.
    """
    n, k = weights.shape
    share, inverses = tables
    out = np.empty(len(multiplier), np.float32)
    exact = np.empty(k, np.float64)
    for i in range(n):
        for j in range(len(multiplier)):
            out[j] = np.rint(f32(sums[i, j]) * multiplier[j])
        centre = np.float64(reference[i]) * CENTRE
        if channel:
            pull = 0.0
            for j in range(channel):
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
def cumulate(weights: Any, means: Any, inverse: Any, boundary: Any, nodes: Any, cdf: Any) -> None:
    """Compute the CDF (n, m) int32 of mixtures at boundaries (n or 1, m)."""
    total = np.empty(cdf.shape[1], np.int64)
    for i in range(cdf.shape[0]):
        total[:] = 0
        for k in range(weights.shape[1]):
            row = boundary[i if len(boundary) > 1 else 0]
            _add(weights[i, k], means[i, k], inverse[i, k], row, nodes, total)
        for j in range(len(total)):
            cdf[i, j] = total[j] >> SPARE_BITS


# Frequencies of GROUP positions at once: loops over them are short and simple, so that they become vectors.


@compiled
def _boundaries(edge: Any, width: Any, origin: float, cells: float, boundary: Any) -> None:
    """Write where intervals begin, as ``network.boundaries``, by edges and widths that are integers in float64."""
    for i in range(len(boundary)):
        below = (edge[i] - origin) * width[i] * VALUE - VALUE / 2
        below = -np.inf if edge[i] == 0 else below
        boundary[i] = np.inf if edge[i] == cells else below


@compiled
def _places(boundary: Any, mean: Any, inverse: Any, place: Any) -> None:
    """Write where boundaries are in the table of the CDF, in its fixed point, from its beginning."""
    for i in range(len(place)):
        t = np.rint((boundary[i] - mean[i]) * inverse[i])
        place[i] = min(max(t, -HIGHEST_T), HIGHEST_T - f32(1)) + HIGHEST_T


@compiled
def _weigh(place: Any, weight: Any, nodes: Any, rises: Any, total: Any) -> None:
    """Add the CDF at places, times weights."""
    for i in range(len(total)):
        fixed = np.uint32(np.int32(place[i]))
        node = fixed >> STEP_BITS
        rise = np.uint32(np.uint32(rises[node] * np.uint32(fixed & FRACTION)) >> STEP_BITS)
        total[i] += np.uint32(np.uint32(nodes[node] + rise) * weight[i])


@compiled
def _drop(total: Any, cdf: Any) -> None:
    """Write totals without their spare bits as float64."""
    for i in range(len(cdf)):
        cdf[i] = np.float64(np.int32(total[i] >> SPARE))


@compiled
def _reach(cdf: Any, low: Any, mass: Any, number: float, children: float, reached: Any) -> None:
    """Write the sums of the frequencies of the first ``number`` children."""
    whole = np.float64(1 << FREQUENCY_BITS) - children
    for i in range(len(reached)):
        above = cdf[i] - low[i] if mass[i] > 0 else number
        reached[i] = np.floor(above * whole / (mass[i] if mass[i] > 0 else children))


@compiled
def frequencies(
    weights: Any, means: Any, inverse: Any, nodes: Any, rises: Any, first: Any, width: Any, step: int, cells: int,
    origin: int, rows: Any,
) -> None:  # fmt: skip
    """Compute frequencies of mixtures; intervals as of ``network.Children``.

    Args:
        weights: (n, components) int32.
        means: the same, float32.
        inverse: the same, float32.
        nodes: uint32, table of the CDF.
        rises: uint32, from each node to the next.
        first: (n or 1,) int64.
        width: (n or 1,) int64.
        step: of the intervals.
        cells: of the intervals.
        origin: of the intervals.
        rows: (n, children) float32, written to.
    """
    n, m = rows.shape
    k = weights.shape[1]
    mean, weight = np.zeros((k, GROUP), f32), np.zeros((k, GROUP), np.uint32)
    inverses = np.ones((k, GROUP), f32)  # not 0, which times infinity is no number, and no place in the table
    edge, wide, boundary, place = np.zeros(GROUP), np.zeros(GROUP), np.empty(GROUP, f32), np.empty(GROUP, f32)
    total, mass = np.empty(GROUP, np.uint32), np.empty(GROUP)
    cdf, reached = np.empty((m + 1, GROUP)), np.zeros((m + 1, GROUP))
    for start in range(0, n, GROUP):
        count = min(GROUP, n - start)
        for i in range(count):
            edge[i] = first[start + i if len(first) > 1 else 0]
            wide[i] = width[start + i if len(width) > 1 else 0]
            for c in range(k):
                mean[c, i], inverses[c, i] = means[start + i, c], inverse[start + i, c]
                weight[c, i] = weights[start + i, c]
        for j in range(m + 1):
            _boundaries(edge, wide, np.float64(origin), np.float64(cells), boundary)
            total[:] = 0
            for c in range(k):
                _places(boundary, mean[c], inverses[c], place)
                _weigh(place, weight[c], nodes, rises, total)
            _drop(total, cdf[j])
            for i in range(GROUP):
                edge[i] += step
        for i in range(GROUP):
            mass[i] = cdf[m, i] - cdf[0, i]
        for j in range(1, m + 1):
            _reach(cdf[j], cdf[0], mass, np.float64(j), np.float64(m), reached[j])
            for i in range(count):
                rows[start + i, j - 1] = reached[j, i] - reached[j - 1, i]


@inlined
def cdf_at(
    weights: Any, means: Any, inverse: Any, i: int, nodes: Any, edge: int, cells: int, origin: int, width: int
) -> int:  # fmt: skip
    """Compute the CDF of the ``i``-th of mixtures where a cell begins or the last one ends: ``network.Children``."""
    boundary = f32(((edge - origin) * width << grid.VALUE_BITS) - (1 << grid.VALUE_BITS - 1))
    if edge == 0:
        boundary = f32(-np.inf)
    elif edge == cells:
        boundary = f32(np.inf)
    total = 0
    for k in range(weights.shape[1]):
        t = np.rint((boundary - means[i, k]) * inverse[i, k])
        fixed = int(min(max(t, -HIGHEST_T), HIGHEST_T - f32(1))) + grid.T_LIMIT
        node = fixed >> grid.STEP_BITS
        rise = (nodes[node + 1] - nodes[node]) * (fixed & MASK) >> grid.STEP_BITS
        total += (nodes[node] + rise) * weights[i, k]
    return total >> SPARE_BITS


@inlined
def share_left(low: int, there: int, high: int, child: int, children: int) -> int:
    """Return where the interval of a child begins, given the CDF at the first, at this child and behind the last.

    Children share 2**24 numbers as their masses, evenly if there is no mass, and each has one more.
    """
    whole = np.float64((1 << FREQUENCY_BITS) - children)
    share, all_shares = np.float64(child), np.float64(children)
    if high > low:
        share, all_shares = np.float64(there - low), np.float64(high - low)
    left: int = math.floor(share * whole / all_shares) + child
    return left


@compiled
def observe(
    samples: Any, reference: Any, scale: Any, expected: Any, gain: float, innovation_gain: float, inputs: Any,
    innovation: Any,
) -> None:  # fmt: skip
    """Compute what the samples (n,) of a channel tell the next ones.

    Args:
        samples: int64.
        reference: (n,) float32, times 2**SAMPLE_BITS.
        scale: (n,) float32, the same.
        expected: (n,) float64, times 2**VALUE_BITS.
        gain: input per local scale of deviation from the reference.
        innovation_gain: the same of that from what was expected.
        inputs: (n, 2) uint8, written to.
        innovation: (n,) float64, written to: that deviation.
    """
    for i in range(len(samples)):
        sample = f32(samples[i])
        innovation[i] = np.float64(sample) * VALUE - expected[i]
        factors = f32(gain) / scale[i], f32(innovation_gain) / scale[i]
        deviation = (sample * f32(ONE) - reference[i]) * factors[0]
        inputs[i, 0] = np.int32(min(max(np.rint(deviation), -LARGEST), LARGEST)) + ZERO
        innovated = f32(innovation[i]) * factors[1]
        inputs[i, 1] = np.int32(min(max(np.rint(innovated), -LARGEST), LARGEST)) + ZERO
