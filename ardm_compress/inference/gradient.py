"""The gradient of the coding cost, in nats, with respect to a picture's latents: by integer products, like coding.

So the encoder's fit costs little more than coding, and hardly depends on the machine. Before each product gradients are
rounded to 8 bits, with a scale for each position; what lies between is IEEE arithmetic in a fixed order, but for the
logistics' exponentials. Imports Numba.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.computing import by_batches, compiled
from ardm_compress.inference import config as grid
from ardm_compress.inference import kernels
from ardm_compress.inference.config import INPUT_STEP, SAMPLE_BITS
from ardm_compress.inference.fused import FusedNetwork, Product
from ardm_compress.inference.instructions import available
from ardm_compress.inference.kernels import LARGEST, STREAM_UNIT, ZERO
from ardm_compress.inference.network import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ardm_compress.inference.features import Features
    from ardm_compress.inference.network import Model, Parameters

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


BATCH: Final = 384  # positions that go to the cost and back together: what is kept for the way back fits a cache


class _Forward(Product):
    """A layer on the way to the cost; it gives rounded outputs."""

    def __call__(self, x: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
        """Args: bytes, as of ``inputs``, of ``count`` positions. Returns: (count, outputs)."""
        outputs = np.empty((count, len(self.layer.bias)), np.float32)
        rescale(self.sums(x), self.layer.multiplier, outputs)
        return outputs


class _Back(Product):
    """The way back through a layer: the gradients of its inputs, of those of its rounded outputs."""

    def __init__(self, network: FusedNetwork, weight: NDArray[np.int8], multiplier: NDArray[np.float32]) -> None:
        """Args: weight (outputs, inputs); multiplier (outputs,)."""
        super().__init__(network.kernel, Layer(np.ascontiguousarray(weight.T), np.zeros(weight.shape[1], np.int32)))
        self._multiplier = multiplier

    def __call__(self, gradient: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Args: gradient (n, outputs). Returns: (n, inputs) or larger, in units of a scale (n,)."""
        x, scale = self.inputs(len(gradient)), np.empty(len(gradient), np.float32)
        quantise(gradient, self._multiplier, x, scale)
        return self.sums(x), scale


class PictureGradient:
    """Gradients with respect to latents."""

    def __init__(self, network: FusedNetwork, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Args: tensors of the model file that the network was made from."""
        self._network, config = network, network.config
        self._input = _Forward(network.kernel, network.input)
        self._expand = [_Forward(network.kernel, expand) for expand, _ in network.blocks]
        self._contract = [_Forward(network.kernel, contract) for _, contract in network.blocks]
        self._inner = [_Forward(network.kernel, inner) for inner, _ in network.heads]
        self._outer = [_Forward(network.kernel, outer) for _, outer in network.heads]
        self._back = [
            (_Back(network, expand.weight, expand.multiplier), _Back(network, contract.weight, contract.multiplier))
            for expand, contract in network.blocks
        ]
        count, units, outputs = config.channels, config.head, 3 * config.mixture + config.channels - 1
        self._outer_weights, self._outer_multipliers = np.zeros((count, outputs, units)), np.zeros((count, outputs))
        self._inner_multipliers, self._pull = np.zeros((count, units)), np.zeros((count, count, units))
        for c, (inner, outer) in enumerate(network.heads):
            own = 3 * config.mixture + c
            self._outer_weights[c, :own], self._outer_multipliers[c, :own] = outer.weight, outer.multiplier
            self._inner_multipliers[c] = inner.multiplier
            for j in range(c):
                self._pull[c, j] = inner.weight[:, config.hidden + 2 * j + 1]
        states = np.concatenate([inner.weight[:, : config.hidden] for inner, _ in network.heads])
        self._heads = _Back(network, states, np.ones(count * units, np.float32))
        latents = tensors["latent"] * network.input.multiplier.astype(np.float64)
        self._latents = np.ascontiguousarray(latents.T)

    def __call__(
        self, features: Features, level: NDArray[np.int64], conditioning: NDArray[np.float32],
        target: NDArray[np.uint8], channels: int,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Gradients (n, latents) of nats of n positions of a picture; files hold latents times INPUT_STEP.

        Args:
            features: of the positions.
            level: theirs, (n,).
            conditioning: what style and latents add to the input sums, (hidden,).
            target: (n, the model's channels).
            channels: that are coded.
        """
        found = by_batches(
            lambda at: self._batch(features.rows(at), level[at], conditioning, target[at], channels), len(target), BATCH
        )
        return np.concatenate(found)

    def _batch(
        self, features: Features, level: NDArray[np.int64], conditioning: NDArray[np.float32],
        target: NDArray[np.uint8], channels: int,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Return the gradients of at most BATCH positions."""
        smooth, count = self._network.config.smooth, len(target)
        streams, outputs = [self._begin(features, level, conditioning)], []
        for expand, contract in zip(self._expand, self._contract, strict=True):
            outputs.append(expand(self._activate(streams[-1]), count))
            bent = contract.inputs(count)
            bend(outputs[-1], smooth, bent)
            stream = streams[-1].copy()
            stream[:count, : self._network.config.hidden] += contract(bent, count).astype(np.int32)
            streams.append(stream)
        gradient = np.zeros((count, self._network.config.hidden), np.float32)
        product = self._heads(self._of_heads(features, streams[-1], target, channels))
        before_activation(*product, streams.pop(), *self._network.norm, gradient)
        for expand_back, contract_back in reversed(self._back):
            behind = np.empty_like(outputs[-1])
            before_bend(*contract_back(gradient), outputs.pop(), smooth, behind)
            before_activation(*expand_back(behind), streams.pop(), *self._network.norm, gradient)
        found = np.empty((count, self._latents.shape[1]))
        project(gradient, self._latents, found)
        return found

    def _begin(
        self, features: Features, level: NDArray[np.int64], conditioning: NDArray[np.float32]
    ) -> NDArray[np.int32]:
        """Compute the residual stream before all blocks, (n, padded hidden) and rows to fill a tile."""
        network, x = self._network, self._input.inputs(len(level))
        kernels.load(features.inputs, x.shape[1], x.reshape(-1))
        stream = self._input.sums(x)
        kernels.begin(
            features.bucket, network.levels_of(level), conditioning[None], network.bucket, network.level,
            network.input.multiplier, stream.shape[1], stream.reshape(-1),
        )  # fmt: skip
        return stream

    def _activate(self, stream: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Activations of a stream, as bytes."""
        state = np.empty(stream.shape, np.uint8)
        kernels.activate(stream.reshape(-1), len(stream), stream.shape[1], *self._network.norm, state.reshape(-1))
        return state

    def _of_heads(
        self, features: Features, stream: NDArray[np.int32], target: NDArray[np.uint8], channels: int
    ) -> NDArray[np.float32]:
        """Gradients (n, heads * head) of the sums of the heads' inner layers."""
        network, config, n = self._network, self._network.config, len(target)
        state = self._activate(stream)[:n, : config.hidden] ^ kernels.ZERO
        coded = network.start(state.view(np.int8), features.scale)
        inner = np.zeros((n, config.channels, config.head), np.float32)
        outer = np.zeros((n, config.channels, 3 * config.mixture + config.channels - 1), np.float32)

        def code(c: int, _: Parameters) -> NDArray[np.uint8]:
            inner[:, c] = self._inner[c](coded.x, n)
            bent = self._outer[c].inputs(n)
            bend(np.ascontiguousarray(inner[:, c]), config.smooth, bent)
            outer[:, c, : 3 * config.mixture + c] = self._outer[c](bent, n)
            return target[:, c]

        coded.code(channels, features.reference_of, code)
        innovations = coded.innovations / (1 << grid.VALUE_BITS)
        gradient, scale = np.empty_like(inner), np.repeat(features.scale, config.channels, 1)
        before_heads(
            outer, inner, innovations, np.ascontiguousarray(features.reference), scale, target.astype(np.float64),
            channels, float(config.top), float(config.innovation_gain), config.smooth, self._outer_weights,
            self._outer_multipliers, self._inner_multipliers, self._pull, gradient,
        )  # fmt: skip
        return gradient.reshape(n, -1)


@cache
def picture_gradient(model: Model) -> PictureGradient:
    """Make the gradients of a model's costs, which are the same whatever instruction computes them."""
    network = model.network
    if not isinstance(network, FusedNetwork):
        network = FusedNetwork(model.config, model.tensors, available()[-1])
    return PictureGradient(network, model.tensors)
