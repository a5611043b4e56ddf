"""Float network -> the integers of a model file. Imports torch.

Each output's weights share one float32 step; biases and embeddings are in units of the integer sums.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from safetensors.numpy import save
from torch import Tensor, nn

from ardm_compress.coding.models import self_test
from ardm_compress.files.atomic import write_atomically
from ardm_compress.inference import config as grid
from ardm_compress.inference.config import INPUT_STEP, STREAM_BITS
from ardm_compress.inference.features import FeatureMaker
from ardm_compress.inference.fused import exact_network
from ardm_compress.inference.instructions import Kernel
from ardm_compress.training.model import Block, GridLinear, Head, Network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ardm_compress.inference.config import NetworkConfig

STREAM = float(1 << STREAM_BITS)


def _layer(name: str, layer: nn.Module, output_step: Tensor | float) -> dict[str, Tensor]:
    """Integers of one layer whose outputs are multiplied by ``output_step`` before rounding."""
    assert isinstance(layer, GridLinear)
    step = layer.weight_step()
    unit = step.squeeze(1) / INPUT_STEP  # real value of 1 in the integer sum
    return {
        f"{name}.weight": torch.round(layer.effective().detach() / step).to(torch.int8),
        f"{name}.bias": torch.round(layer.bias.detach() / unit).to(torch.int32),
        f"{name}.multiplier": (unit * output_step).to(torch.float32),
    }


def head_steps(mixture: int, channel: int) -> Tensor:
    """Integers per unit of each of a head's outputs."""
    bits = [grid.LOGIT_BITS] * mixture + [grid.OFFSET_BITS] * mixture + [grid.OCTAVE_BITS] * mixture
    return torch.tensor([float(1 << b) for b in bits + [grid.COUPLING_BITS] * channel])


def export(network: Network) -> dict[str, NDArray[Any]]:
    """Arrays of the exact network: int8 weights, int32 biases, float32 multipliers and the fixed-point tables."""
    config = network.config
    tensors = _layer("input", network.input, STREAM)
    unit = network.input.weight_step().squeeze(1) / INPUT_STEP
    tensors["level"] = torch.round(network.level.weight.detach() / unit).to(torch.int32)
    tensors["bucket"] = torch.round(network.bucket.weight.detach() / unit).to(torch.int32)
    tensors["style"] = torch.round(network.style.weight.detach() / unit).to(torch.int32)
    tensors["latent"] = torch.round(network.latent.detach() / unit).to(torch.int32)
    for i, block in enumerate(network.blocks):
        assert isinstance(block, Block)
        tensors |= _layer(f"blocks.{i}.expand", block.expand, INPUT_STEP)
        tensors |= _layer(f"blocks.{i}.contract", block.contract, STREAM)
    for channel, head in enumerate(network.heads):
        assert isinstance(head, Head)
        tensors |= _layer(f"heads.{channel}.inner", head.inner, INPUT_STEP)
        tensors |= _layer(f"heads.{channel}.outer", head.outer, head_steps(config.mixture, channel))
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    arrays["tables.logistic_nodes"] = grid.logistic_nodes()
    arrays["tables.mixture_weights"] = grid.mixture_weights()
    arrays["tables.inverse_scales"] = grid.inverse_scales()
    return arrays


def save_model(file: Path, config: NetworkConfig, tensors: dict[str, NDArray[Any]], training: str = "") -> str:
    """Write a model file with its known answer.

    Args:
        file: to write.
        config: of the network.
        tensors: from ``export`` and, named ``costs.*``, the cost table.
        training: how the network was trained, JSON; kept for the reader.

    Returns:
        The file's SHA-256.
    """
    network = exact_network(config, tensors, Kernel.REFERENCE)
    answer = self_test(network, FeatureMaker(config), tensors)
    meta = {"config": json.dumps(asdict(config)), "known_answer": str(answer), "training": training}
    data = save(tensors, meta)
    write_atomically(file, data, force=True)
    return hashlib.sha256(data).hexdigest()
