"""How the nats of positions change with their picture's latents, by integer products, as the positions are coded.

So the encoder's fit costs little more than coding, and hardly depends on the machine. Imports torch and Numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ardm_compress.inference import backward
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import CLIP, INPUT_STEP, NORM_FLOOR
from ardm_compress.inference.products import IntegerLinear, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from ardm_compress.inference.features import Features
    from ardm_compress.inference.fused import FusedNetwork


SMALLEST = np.float32(1e-30)  # gradient that is told from 0


class _Back:
    """The way back through a layer: the gradients of its inputs, of those of its rounded outputs."""

    def __init__(self, weight: Tensor, multiplier: NDArray[np.float32], path: Path) -> None:
        """Args: weight (outputs, inputs) int8; multiplier (outputs,)."""
        inputs = weight.shape[1]
        self._product = IntegerLinear(weight.t().contiguous(), torch.zeros(inputs, dtype=torch.int32), path, "cpu")
        self._multiplier = multiplier

    def __call__(self, gradient: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Args: gradient (n, outputs). Returns: (n, inputs) or larger, in units of a scale (n,)."""
        x, scaled = self._product.inputs(len(gradient)), gradient * self._multiplier
        largest = np.abs(scaled).max(1).clip(SMALLEST)
        backward.quantised(scaled, CLIP / largest, x.numpy())
        return self._product.sums(x).numpy(), largest / CLIP


class PictureGradient:
    """Gradients with respect to latents."""

    def __init__(self, network: FusedNetwork, tensors: Mapping[str, Tensor]) -> None:
        """Args: tensors of the model file that the network was made from."""
        self._network, config, path = network, network.config, network.path

        def weight(name: str) -> Tensor:
            return tensors[f"{name}.weight"]

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
        states = torch.cat([weight(f"heads.{c}.inner")[:, : config.hidden] for c in range(count)])
        self._heads = _Back(states, np.ones(count * units, np.float32), path)
        self._latents = tensors["latent"].to(torch.float64) * torch.from_numpy(network.first.multiplier)

    def __call__(self, features: Features, level: Tensor, picture: Tensor, target: Tensor, channels: int) -> Tensor:
        """Gradients (n, latents), float64, of nats of n positions of a picture; files hold latents times INPUT_STEP.

        Args:
            features: of the positions.
            level: theirs, (n,).
            picture: what the network is told of the picture, (hidden,).
            target: (n, the model's channels) uint8.
            channels: that are coded.
        """
        network, config = self._network, self._network.config
        streams, outputs = [network.begin(features, level, picture)], []
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
        return torch.from_numpy(gradient).to(torch.float64) @ self._latents.T

    def _unstate(
        self, product: tuple[NDArray[Any], NDArray[np.float32]], stream: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        width, normalise = stream.shape[1], self._network.config.normalise
        backward.unstated(
            *product, stream, float(width * NORM_FLOOR), float(width * INPUT_STEP**2) if normalise else 0.0, out
        )

    def _of_heads(
        self, features: Features, stream: NDArray[np.float32], target: Tensor, channels: int
    ) -> NDArray[np.float32]:
        """Gradients (n, heads * head) of the sums of the heads' inner layers."""
        network, config, n = self._network, self._network.config, len(target)
        state = np.empty_like(stream)
        network.activate(stream, state)
        coded = network.start(torch.from_numpy(state), features.scale)
        inner = np.zeros((n, config.channels, config.head), np.float32)
        outer = np.zeros((n, config.channels, 3 * config.mixture + config.channels - 1), np.float32)
        for c, (inside, outside) in enumerate(network.head_layers[:channels]):
            coded.parameters(features.reference[:, c])
            inside_sums, outside_sums = (np.concatenate(parts) for parts in zip(*coded.sums, strict=True))
            backward.rescaled(inside_sums, inside.bias, inside.multiplier, inner[:, c])
            backward.rescaled(outside_sums, outside.bias, outside.multiplier, outer[:, c, : len(outside.bias)])
            coded.observe(target[:, c].to(torch.int64))
        innovations = coded.innovations / (1 << grid.VALUE_BITS)
        gradient, scale = np.empty_like(inner), features.scale.expand(-1, config.channels).contiguous()
        backward.through_heads(
            outer, inner, innovations, features.reference.contiguous().numpy(), scale.numpy(),
            target.to(torch.float64).contiguous().numpy(), channels, float(config.top), float(config.innovation_gain),
            config.smooth, self._outer, self._outer_multipliers, self._inner_multipliers, self._pull, gradient,
        )  # fmt: skip
        return gradient.reshape(n, -1)
