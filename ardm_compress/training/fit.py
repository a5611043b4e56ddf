"""A folder of images -> a model to code with: what ``ardm-compress train`` runs. Imports torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from ardm_compress.training.publish import publish
from ardm_compress.training.train import TrainConfig, train


def fit(config: TrainConfig, images: Path, folder: Path, *, name: str, device: str = "auto") -> Path:
    """Train on a folder of images, or continue, and write the model with its manifest.

    Args:
        config: of the run.
        images: folder of 8-bit images; one in 37 is held out, to measure with.
        folder: for the checkpoints, the model and its manifest; name it in ARDM_COMPRESS_MODELS to code with the model.
        name: of the model, as for ``encode --model``.
        device: ``auto`` is a GPU if there is one. Under ``torchrun`` every process has its own.

    Returns:
        The model file.
    """
    file = folder / f"{name}.safetensors"
    with _process_group(_device(device)) as own:
        checkpoint = train(config, images, folder, device=own)
        if not dist.is_initialized() or dist.get_rank() == 0:
            publish(checkpoint, images, name, file)
    return file


def _device(device: str) -> str:
    """Name this process's device."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" else device


@contextmanager
def _process_group(device: str) -> Iterator[str]:
    """Join the group that ``torchrun`` asks for in the environment, if any, while the device is in use."""
    if "RANK" not in os.environ:
        yield device
        return
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()
