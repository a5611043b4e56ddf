"""The gradient of the coding cost, in nats, with respect to a picture's latents: by integer products, like coding.

So the encoder's fit costs little more than coding, and hardly depends on the machine. Imports Numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.inference import backward, kernels
from ardm_compress.inference import tables as grid
from ardm_compress.inference.layers import Layer
from ardm_compress.inference.products import Product

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ardm_compress.inference.features import Features
    from ardm_compress.inference.fused import FusedNetwork
    from ardm_compress.inference.mixture import Parameters

BATCH: Final = 384  # positions that go to the cost and back together: what is kept for the way back fits a cache


class _Forward(Product):
    """A layer on the way to the cost; it gives rounded outputs."""

    def __call__(self, x: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
        """Args: bytes, as of ``inputs``, of ``count`` positions. Returns: (count, outputs)."""
        outputs = np.empty((count, len(self.layer.bias)), np.float32)
        backward.rescale(self.sums(x), self.layer.multiplier, outputs)
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
        backward.quantise(gradient, self._multiplier, x, scale)
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
        found = [
            self._batch(features.rows(at), level[at], conditioning, target[at], channels)
            for at in (slice(start, start + BATCH) for start in range(0, len(target), BATCH))
        ]
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
            backward.bend(outputs[-1], smooth, bent)
            stream = streams[-1].copy()
            stream[:count, : self._network.config.hidden] += contract(bent, count).astype(np.int32)
            streams.append(stream)
        gradient = np.zeros((count, self._network.config.hidden), np.float32)
        product = self._heads(self._of_heads(features, streams[-1], target, channels))
        backward.before_activation(*product, streams.pop(), *self._network.norm, gradient)
        for expand_back, contract_back in reversed(self._back):
            behind = np.empty_like(outputs[-1])
            backward.before_bend(*contract_back(gradient), outputs.pop(), smooth, behind)
            backward.before_activation(*expand_back(behind), streams.pop(), *self._network.norm, gradient)
        found = np.empty((count, self._latents.shape[1]))
        backward.project(gradient, self._latents, found)
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
            backward.bend(np.ascontiguousarray(inner[:, c]), config.smooth, bent)
            outer[:, c, : 3 * config.mixture + c] = self._outer[c](bent, n)
            return target[:, c]

        coded.code(channels, features.reference_of, code)
        innovations = coded.innovations / (1 << grid.VALUE_BITS)
        gradient, scale = np.empty_like(inner), np.repeat(features.scale, config.channels, 1)
        backward.before_heads(
            outer, inner, innovations, np.ascontiguousarray(features.reference), scale, target.astype(np.float64),
            channels, float(config.top), float(config.innovation_gain), config.smooth, self._outer_weights,
            self._outer_multipliers, self._inner_multipliers, self._pull, gradient,
        )  # fmt: skip
        return gradient.reshape(n, -1)
