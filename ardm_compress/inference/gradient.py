"""How the nats of positions change with their picture's latents, by integer products, as the positions are coded.

So the encoder's fit costs little more than coding, and hardly depends on the machine. Imports Numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ardm_compress.inference import backward
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import CLIP, INPUT_STEP, NORM_FLOOR
from ardm_compress.inference.products import IntegerLinear, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ardm_compress.inference.features import Features
    from ardm_compress.inference.fused import FusedNetwork
    from ardm_compress.inference.mixture import Parameters


SMALLEST = np.float32(1e-30)  # gradient that is told from 0


class _Back:
    """The way back through a layer: the gradients of its inputs, of those of its rounded outputs."""

    def __init__(self, weight: NDArray[np.int8], multiplier: NDArray[np.float32], path: Path) -> None:
        """Args: weight (outputs, inputs) int8; multiplier (outputs,)."""
        inputs = weight.shape[1]
        self._product = IntegerLinear(np.ascontiguousarray(weight.T), np.zeros(inputs, np.int32), path)
        self._multiplier = multiplier

    def __call__(self, gradient: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Args: gradient (n, outputs). Returns: (n, inputs) or larger, in units of a scale (n,)."""
        x, scaled = self._product.inputs(len(gradient)), gradient * self._multiplier
        largest = np.abs(scaled).max(1).clip(SMALLEST)
        backward.quantised(scaled, CLIP / largest, x)
        return self._product.sums(x), largest / CLIP


class PictureGradient:
    """Gradients with respect to latents."""

    def __init__(self, network: FusedNetwork, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Args: tensors of the model file that the network was made from."""
        self._network, config, path = network, network.config, network.path

        def weight(name: str) -> NDArray[np.int8]:
            found: NDArray[np.int8] = tensors[f"{name}.weight"]
            return found

        self._blocks = [
            (_Back(weight(f"blocks.{i}.expand"), expand.multiplier, path),
             _Back(weight(f"blocks.{i}.contract"), contract.multiplier, path))
            for i, (expand, contract) in enumerate(network.pairs)
        ]  # fmt: skip
        count, units, outputs = config.channels, config.head, 3 * config.mixture + config.channels - 1
        self._outer, self._outer_multipliers = np.zeros((count, outputs, units)), np.zeros((count, outputs))
        self._inner_multipliers, self._pull = np.zeros((count, units)), np.zeros((count, count, units))
        for c, (inner, outer) in enumerate(network.head_layers):
            own = 3 * config.mixture + c
            self._outer[c, :own], self._outer_multipliers[c, :own] = weight(f"heads.{c}.outer"), outer.multiplier
            self._inner_multipliers[c] = inner.multiplier
            for j in range(c):
                self._pull[c, j] = weight(f"heads.{c}.inner")[:, config.hidden + 2 * j + 1]
        states = np.concatenate([weight(f"heads.{c}.inner")[:, : config.hidden] for c in range(count)])
        self._heads = _Back(states, np.ones(count * units, np.float32), path)
        self._latents = np.ascontiguousarray((tensors["latent"] * network.first.multiplier.astype(np.float64)).T)

    def __call__(
        self, features: Features, level: NDArray[np.int64], conditioning: NDArray[np.float32],
        target: NDArray[np.uint8], channels: int,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Gradients (n, latents), float64, of nats of n positions of a picture; files hold latents times INPUT_STEP.

        Args:
            features: of the positions.
            level: theirs, (n,).
            conditioning: what style and latents add to the input sums, (hidden,).
            target: (n, the model's channels).
            channels: that are coded.
        """
        network, config = self._network, self._network.config
        streams, outputs = [network.begin(features, level, conditioning)], []
        for expand, contract in network.pairs:
            sums = network.inner_sums(expand, streams[-1])
            outputs.append(np.empty((len(target), len(expand.bias)), np.float32))
            backward.rescaled(sums, expand.bias, expand.multiplier, outputs[-1])
            streams.append(streams[-1].copy())
            network.advance(expand, contract, sums, streams[-1])
        product = self._heads(self._of_heads(features, streams[-1], target, channels))
        gradient = np.zeros_like(streams[-1])
        self._unstate(product, streams.pop(), gradient)
        for expand_back, contract_back in reversed(self._blocks):
            behind = np.empty_like(outputs[-1])
            backward.unbent(*contract_back(gradient), outputs.pop(), config.smooth, behind)
            self._unstate(expand_back(behind), streams.pop(), gradient)
        found = np.empty((len(target), self._latents.shape[1]))
        backward.project(gradient, self._latents, found)
        return found

    def _unstate(
        self, product: tuple[NDArray[Any], NDArray[np.float32]], stream: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        width, normalise = stream.shape[1], self._network.config.normalise
        backward.unstated(
            *product, stream, float(width * NORM_FLOOR), float(width * INPUT_STEP**2) if normalise else 0.0, out
        )

    def _of_heads(
        self, features: Features, stream: NDArray[np.float32], target: NDArray[np.uint8], channels: int
    ) -> NDArray[np.float32]:
        """Gradients (n, heads * head) of the sums of the heads' inner layers."""
        network, config, n = self._network, self._network.config, len(target)
        state = np.empty(stream.shape, np.int8)
        network.activate(stream, state)
        coded = network.start(state, features.scale)
        inner = np.zeros((n, config.channels, config.head), np.float32)
        outer = np.zeros((n, config.channels, 3 * config.mixture + config.channels - 1), np.float32)

        def code(c: int, _: Parameters) -> NDArray[np.uint8]:
            inside, outside = network.head_layers[c]
            inside_sums, outside_sums = (np.concatenate(parts) for parts in zip(*coded.sums, strict=True))
            backward.rescaled(inside_sums, inside.bias, inside.multiplier, inner[:, c])
            backward.rescaled(outside_sums, outside.bias, outside.multiplier, outer[:, c, : len(outside.bias)])
            return target[:, c]

        coded.code(channels, features.reference_of, code)
        innovations = coded.innovations / (1 << grid.VALUE_BITS)
        gradient, scale = np.empty_like(inner), np.repeat(features.scale, config.channels, 1)
        backward.through_heads(
            outer, inner, innovations, np.ascontiguousarray(features.reference), scale,
            target.astype(np.float64), channels, float(config.top), float(config.innovation_gain),
            config.smooth, self._outer, self._outer_multipliers, self._inner_multipliers, self._pull, gradient,
        )  # fmt: skip
        return gradient.reshape(n, -1)
