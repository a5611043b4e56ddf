"""Small networks for tests, features for them, and the inverse of ``export``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from intervals import digits_of
from numpy.typing import NDArray
from torch import Tensor

from ardm_compress.ardm import Upscaling
from ardm_compress.coding.sound.features import SUMMARY_INPUTS
from ardm_compress.inference.config import CLIP, INPUT_STEP, NetworkConfig
from ardm_compress.inference.features import FeatureMaker, Features
from ardm_compress.inference.instructions import Kernel, available
from ardm_compress.inference.network import Children, ExactNetwork
from ardm_compress.training.export import STREAM, head_steps
from ardm_compress.training.model import Network

BRANCHING = 16
every_kernel = pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(
            each,
            id=each.value,
            marks=pytest.mark.skipif(each not in available(), reason=f"there is no {each.value} here"),
        )
        for each in Kernel
    ],
)
LATENTS = (127, -64, 0, 31, -7)

# Widths that are no multiples of what any product pads to.
IMAGE = NetworkConfig(
    axes=2,
    channels=3,
    bit_depth=8,
    radius_sq=8,
    hidden=40,
    expand=56,
    blocks=2,
    head=24,
    levels=3,
    period=4,
    normalise=True,
    smooth=True,
    styles=3,
    latents=5,
)
AUDIO = NetworkConfig(
    axes=1, channels=2, bit_depth=16, radius_sq=100, hidden=21, expand=37, blocks=1, head=11, mixture=2, levels=2
)
SOUND = replace(AUDIO, bit_depth=24, summary=SUMMARY_INPUTS, styles=2, order="causal")


def random_windows(config: NetworkConfig, n: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Samples (n, 1 + window, channels), the target first, from silent to wild; masks (n, window), none to all."""
    noise, top = np.random.default_rng(seed), 1 << config.bit_depth
    spread = 2 ** (noise.random((n, 1, 1)) * (config.bit_depth + 1)) - 1
    samples = noise.integers(0, top, (n, 1, 1)) + spread * noise.standard_normal((n, 1 + len(config.offsets), 1))
    samples = samples + 0.3 * spread * noise.standard_normal((n, 1, config.channels))
    known = noise.random((n, len(config.offsets))) < np.linspace(0, 1, n)[:, None]
    return np.clip(np.rint(samples), 0, top - 1).astype(np.int64), known


def random_features(config: NetworkConfig, n: int, seed: int = 0) -> tuple[Features, NDArray[np.int64]]:
    """Features of random windows and the targets (n, channels); of sound, of nothing in particular."""
    if config.summary > 1:
        noise = np.random.default_rng(seed)
        inputs = noise.integers(-CLIP, CLIP + 1, (n, config.inputs)).astype(np.int8)
        scale = noise.integers(16, 1 << 20, (n, config.channels)).astype(np.float32)
        bucket = noise.integers(0, len(config.scale_thresholds) + 1, n)
        target = noise.integers(0, 1 << 16, (n, config.channels))
        return Features(inputs, bucket, np.full_like(scale, 1 << 20), scale), target
    samples, known = random_windows(config, n, seed)
    return FeatureMaker(config)(samples[:, 1:], known), samples[:, 0]


def rows_of(
    network: ExactNetwork,
    features: Features,
    level: int,
    target: NDArray[np.int64],
    latents: tuple[int, ...] = (),
) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Frequencies and digit of every channel and stage, as the codec asks for them."""
    conditioning = network.conditioning(level % network.config.styles, latents)
    channels = network.start(network.hidden(features, level, conditioning), features.scale)
    bit_depth = network.config.bit_depth
    upscaling, rows = Upscaling(1 << bit_depth, BRANCHING), []
    for channel, value in enumerate(target.T):
        parameters = channels.parameters(features.reference[:, channel])
        for stage, digits in enumerate(digits_of(upscaling, value), 1):
            first = value // upscaling.width(stage - 1) * upscaling.width(stage - 1)
            children = Children(first, upscaling.width(stage), upscaling.children(stage), upscaling.values)
            rows.append((network.frequencies(parameters, children), digits))
        channels.observe(value)
    return rows


def bits_of(rows: list[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> NDArray[np.float64]:
    """Bits (digits, n) that the coder spends."""
    return np.stack([24 - np.log2(f[np.arange(len(d)), d].astype(np.float64) + 1) for f, d in rows])


def random_network(config: NetworkConfig, seed: int = 0) -> Network:
    """A freshly initialised network, its last layers turned up so that they say something."""
    torch.manual_seed(seed)
    network = Network(config)
    with torch.no_grad():
        for head in network.heads:
            head.outer.weight.mul_(3)
        network.style.weight.normal_(std=0.2)  # zero before training
    return network


def restore(config: NetworkConfig, arrays: Mapping[str, NDArray[Any]]) -> Network:
    """The float network whose export the tensors are; it rounds nothing."""
    network, tensors = Network(config), {name: torch.from_numpy(array) for name, array in arrays.items()}
    state = {k: torch.ones_like(v) if k.endswith("gains") else v for k, v in network.state_dict().items()}

    def layer(name: str, output_step: Tensor | float) -> Tensor:
        unit = tensors[f"{name}.multiplier"] / output_step
        state[f"{name}.weight"] = tensors[f"{name}.weight"] * (unit * INPUT_STEP).unsqueeze(1)
        state[f"{name}.bias"] = tensors[f"{name}.bias"] * unit
        return unit

    unit = layer("input", STREAM)
    state |= {f"{name}.weight": tensors[name] * unit for name in ("level", "bucket", "style")}
    state["latent"] = tensors["latent"] * unit
    for i in range(config.blocks):
        layer(f"blocks.{i}.expand", INPUT_STEP)
        layer(f"blocks.{i}.contract", STREAM)
    for channel in range(config.channels):
        layer(f"heads.{channel}.inner", INPUT_STEP)
        layer(f"heads.{channel}.outer", head_steps(config.mixture, channel))
    network.load_state_dict(state)
    return network
