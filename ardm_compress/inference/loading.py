"""Loaded models, each once for a process."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from ardm_compress.errors import UnsupportedError
from ardm_compress.inference.model import Model, load_model
from ardm_compress.inference.registry import DEVICE, DEVICES

if TYPE_CHECKING:
    from ardm_compress.inference.registry import ModelFile


@cache
def loaded(entry: ModelFile) -> Model:
    """Load the model of a line of the manifest.

    Raises:
        UnsupportedError: the environment asks for a GPU; ModelError: the model is missing, damaged, or not exact here.
    """
    device = os.environ.get(DEVICE) or "cpu"
    if device not in DEVICES:
        raise UnsupportedError(f"{DEVICE} is {device!r}; choose {', '.join(DEVICES)}")
    if device == "cuda":
        raise UnsupportedError(
            f"this version codes on CPUs, not on CUDA devices: leave out --device cuda ({DEVICE}=cuda)"
        )
    return load_model(entry)


def model_of(entry: ModelFile, axes: int) -> Model:
    """Load a model that must be of images (2 axes) or of sound (1).

    Raises:
        UnsupportedError: it is of the other kind; ModelError: it is missing or damaged.
    """
    model = loaded(entry)
    if model.config.axes != axes:
        raise UnsupportedError(f"{entry.name} is not a model of {'sound' if axes == 1 else 'images'}")
    return model
