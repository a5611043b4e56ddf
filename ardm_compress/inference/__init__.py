"""The network in exact integers, the same on every machine; here, which models there are: the manifest beside them.

This page is standard library only; the others need NumPy, and Numba where they say so.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ardm_compress.errors import ModelError, UnsupportedError

_PACKAGE = Path(__file__).parents[1]
SHIPPED = (_PACKAGE / "weights", _PACKAGE.parent / "models")  # in an installed wheel, in a checkout

MANIFEST = "manifest.json"
MODEL_ID_BYTES = 4  # of the SHA-256 of a model's file, by which compressed files name it
VARIABLE = "ARDM_COMPRESS_MODELS"  # environment variable: folders of the user's own models
DEVICES = ("auto", "cpu", "cuda")
DEVICE = "ARDM_COMPRESS_DEVICE"  # environment variable: cpu, cuda, or auto for a GPU if there is one that is exact


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One line of the manifest."""

    name: str  # as on the command line
    file: Path
    sha256: str  # of the whole file
    order: str  # generation order
    period: int  # of the order's cell

    @property
    def model_id(self) -> bytes:
        """What a compressed file calls the model."""
        return bytes.fromhex(self.sha256)[:MODEL_ID_BYTES]

    def read(self) -> bytes:
        """Read the model's file.

        Raises:
            ModelError: it is missing, or not the one that the manifest names.
        """
        try:
            data = self.file.read_bytes()
        except OSError as error:
            raise ModelError(f"model {self.name} cannot be read: {error}") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(f"{self.file} is not the model that the manifest names; reinstall ardm-compress")
        return data


def folders() -> list[Path]:
    """Where models are looked for: those that ship, then those of the user.

    Raises:
        ModelError: one has no manifest.
    """
    shipped = next((folder for folder in SHIPPED if (folder / MANIFEST).is_file()), None)
    if shipped is None:
        raise ModelError(f"no model manifest was found in {' or '.join(map(str, SHIPPED))}; reinstall ardm-compress")
    own = [Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    for folder in own:
        if not (folder / MANIFEST).is_file():
            raise ModelError(f"{folder}, named by {VARIABLE}, has no {MANIFEST}")
    return [shipped, *own]


def manifest() -> tuple[ModelFile, ...]:
    """List all models, those that superseded others last."""
    return tuple(model for folder in folders() for model in _listed(folder))


@cache
def _listed(folder: Path) -> list[ModelFile]:
    """List the models of a folder's manifest; raise ModelError if that is damaged."""
    try:
        entries = json.loads((folder / MANIFEST).read_text("utf-8"))
        return [ModelFile(**{**entry, "file": folder / entry["file"]}) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder / MANIFEST} is damaged: {error}") from error


def metadata(data: bytes) -> dict[str, str]:
    """Read the strings in the header of a model file (docs/format.md section 10)."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    strings: dict[str, str] = header["__metadata__"]
    return strings


class ModelFacts(NamedTuple):
    """What ``models`` shows of one."""

    name: str
    model_id: str
    network: str
    products: str  # multiply-accumulate operations per position of a whole file, millions
    size: int
    state: str
    file: Path


def facts() -> list[ModelFacts]:
    """All models, their files read and compared with the manifest."""
    return [_facts(model) for model in manifest()]


def _facts(model: ModelFile) -> ModelFacts:
    from ardm_compress.inference.config import NetworkConfig  # here, because it takes NumPy

    try:
        data = model.file.read_bytes()
    except OSError as error:
        return ModelFacts(model.name, model.model_id.hex(), "", "", 0, error.strerror or str(error), model.file)
    if hashlib.sha256(data).hexdigest() != model.sha256:
        return ModelFacts(model.name, model.model_id.hex(), "", "", len(data), "damaged", model.file)
    described = json.loads(metadata(data)["config"])
    if "contexts" in described:
        network = f"bytes, {described['contexts']} contexts, a table of {described['table']}"
        return ModelFacts(model.name, model.model_id.hex(), network, "0.00", len(data), "ok", model.file)
    config = NetworkConfig(**described)
    network = f"{config.channels} x {config.bit_depth} bits, width {config.hidden}, {config.blocks} blocks"
    products = f"{config.products / 1e6:.2f}"
    return ModelFacts(model.name, model.model_id.hex(), network, products, len(data), "ok", model.file)


def find_model(name: str) -> ModelFile:
    """Find the newest model of that name.

    Raises:
        UnsupportedError: there is none; names those there are.
    """
    for model in reversed(manifest()):
        if model.name == name:
            return model
    names = ", ".join(sorted({model.name for model in manifest()}))
    raise UnsupportedError(f"there is no model {name!r}; choose from: {names}")


def candidates(axes: int, channels: int) -> list[str]:
    """Names of the models of images (2 axes) or of sound (1) that have at least so many channels."""
    found: dict[str, bool] = {}
    for model in manifest():
        config = json.loads(metadata(model.file.read_bytes())["config"])
        found[model.name] = config["axes"] == axes and config["channels"] >= channels
    return [name for name, fits in found.items() if fits]


def model_of_file(model_id: bytes) -> ModelFile:
    """Find the model that a compressed file was made with.

    Raises:
        UnsupportedError: this version does not have it.
    """
    for model in manifest():
        if model.model_id == model_id:
            return model
    raise UnsupportedError(
        f"the file needs model {model_id.hex()}, which is not in {', '.join(map(str, folders()))}; a newer version of "
        f"ardm-compress may have it, or a folder that {VARIABLE} should name"
    )
