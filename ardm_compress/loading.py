"""Loaded models, each once for a process. Imports torch."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ardm_compress.errors import UnsupportedError
from ardm_compress.exact.model import Model, load_model

if TYPE_CHECKING:
    from ardm_compress.models import ModelFile


@cache
def loaded(entry: ModelFile) -> Model:
    """The model of a line of the manifest."""
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
