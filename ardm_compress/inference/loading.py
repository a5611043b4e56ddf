"""Loaded models, each once for a process. Imports torch."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import torch

from ardm_compress.errors import ModelError, UnsupportedError
from ardm_compress.inference.model import Model, load_model
from ardm_compress.inference.registry import DEVICE, DEVICES

if TYPE_CHECKING:
    from ardm_compress.inference.registry import ModelFile


@cache
def loaded(entry: ModelFile) -> Model:
    """The model of a line of the manifest, on the device that the environment names: the same integers on each.

    Raises:
        UnsupportedError: there is no such device; ModelError: the model is missing, damaged, or not exact on it.
    """
    device = os.environ.get(DEVICE) or "cpu"
    if device not in DEVICES:
        raise UnsupportedError(f"{DEVICE} is {device!r}; choose {', '.join(DEVICES)}")
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return load_model(entry)
    if not torch.cuda.is_available():
        raise UnsupportedError(f"PyTorch finds no CUDA device; --device cpu ({DEVICE}=cpu) needs none")
    try:
        return load_model(entry, device="cuda")
    except ModelError:
        if device == "cuda":
            raise
        return load_model(entry)


def model_of(entry: ModelFile, axes: int) -> Model:
    """A model that must be of images (2 axes) or of sound (1).

    Raises:
        UnsupportedError: it is of the other kind; ModelError: it is missing or damaged.
    """
    model = loaded(entry)
    if model.config.axes != axes:
        raise UnsupportedError(f"{entry.name} is not a model of {'sound' if axes == 1 else 'images'}")
    return model
