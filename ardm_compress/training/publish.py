"""Training checkpoint -> model file and manifest entry. Imports torch.

    python -m ardm_compress.training.publish CHECKPOINT IMAGES NAME FILE

does for a model that ships what ``ardm-compress train`` does at its end: exports the averaged weights of CHECKPOINT,
measures the cost table on the held-out images of the folder IMAGES, and writes models/FILE and its line in
models/manifest.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file

from ardm_compress.ardm import make_order
from ardm_compress.files.atomic import write_atomically
from ardm_compress.inference import MANIFEST
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.training.data import ImageFolder, Sampler, held_out
from ardm_compress.training.export import export, save_model
from ardm_compress.training.measure import measure_costs
from ardm_compress.training.model import Network
from ardm_compress.training.train import MEASURED, checkpoint_metadata, part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POSITIONS = 96  # measured per level and rank


def load_average(checkpoint: Path) -> tuple[Network, str]:
    """Load the network of a checkpoint with averaged weights, and its training configuration as JSON."""
    training = checkpoint_metadata(checkpoint)["config"]
    network = Network(NetworkConfig(**json.loads(training)["network"]))
    network.load_state_dict(part(load_file(checkpoint), "average"))
    return network, training


def _costs(network: Network, images: Path) -> dict[str, NDArray[np.float32]]:
    """Measure the cost table for planning on held-out images; sound needs none."""
    config = network.config
    order = make_order(config.order, axes=config.axes, period=config.period)
    sampler = Sampler(ImageFolder(held_out(images)[1]), config, order, MEASURED)
    return {f"costs.{k}": v for k, v in measure_costs(network, sampler, POSITIONS).items()}


def publish(checkpoint: Path, images: Path, name: str, file: Path) -> None:
    """Write the model file and put it in the manifest of its folder, after older models of the same name."""
    network, training = load_average(checkpoint)
    network.set_rounding(True)
    config = network.config
    costs = _costs(network, images) if config.axes == 2 else {}
    digest = save_model(file, config, export(network) | costs, training)
    manifest = file.parent / MANIFEST
    entries: list[dict[str, Any]] = json.loads(manifest.read_text("utf-8")) if manifest.exists() else []
    entries = [entry for entry in entries if entry["file"] != file.name]
    entry = {"name": name, "file": file.name, "sha256": digest, "order": config.order, "period": config.period}
    write_atomically(manifest, (json.dumps([*entries, entry], indent=2) + "\n").encode(), force=True)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(__file__).parents[2] / "models" / sys.argv[4])
