"""The inverse of ``export``."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ardm_compress.inference.config import INPUT_STEP, NetworkConfig
from ardm_compress.inference.export import STREAM, head_steps
from ardm_compress.training.model import Network


def restore(config: NetworkConfig, tensors: Mapping[str, Tensor]) -> Network:
    """The float network whose export the tensors are; it rounds nothing."""
    network = Network(config)
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
