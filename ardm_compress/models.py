"""Which models there are: the manifest beside the weights. Standard library only; no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ardm_compress.container import MODEL_ID_BYTES
from ardm_compress.errors import ModelError, UnsupportedError

_PACKAGE = Path(__file__).parent
FOLDERS = (_PACKAGE / "weights", _PACKAGE.parent / "models")  # in an installed wheel, in a checkout


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


@cache
def manifest() -> tuple[ModelFile, ...]:
    """All models, those that superseded others last."""
    for folder in FOLDERS:
        if (folder / "manifest.json").is_file():
            entries = json.loads((folder / "manifest.json").read_text("utf-8"))
            return tuple(ModelFile(**{**e, "file": folder / e["file"]}) for e in entries)
    raise ModelError(f"no model manifest was found in {' or '.join(map(str, FOLDERS))}; reinstall ardm-compress")


def find_model(name: str) -> ModelFile:
    """The newest model of that name.

    Raises:
        UnsupportedError: there is none; names those there are.
    """
    for model in reversed(manifest()):
        if model.name == name:
            return model
    names = ", ".join(sorted({model.name for model in manifest()}))
    raise UnsupportedError(f"there is no model {name!r}; choose from: {names}")


def model_of_file(model_id: bytes) -> ModelFile:
    """The model that a compressed file was made with.

    Raises:
        UnsupportedError: this version does not have it.
    """
    for model in manifest():
        if model.model_id == model_id:
            return model
    folder = manifest()[0].file.parent
    raise UnsupportedError(
        f"the file needs model {model_id.hex()}, which is not in {folder}; a newer version of ardm-compress may have it"
    )
