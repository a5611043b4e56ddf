"""Training of the OA-ARDM: the paper's objective, Muon and AdamW, averaged weights, checkpoints. Imports torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ardm_compress.files.atomic import write_atomically
from ardm_compress.training.model import GridLinear, mixture_bits
from ardm_compress.training.muon import Muon
from oa.data import Pictures
from oa.network import DIMENSIONS, DimensionNetwork

PICTURES = 128  # of a batch
TARGETS = 16  # dimensions predicted of each
RATES = (0.01, 1.5e-3, 2e-4)  # of hidden matrices, of the rest, of hidden biases
WARM_UP, REPORT = 200, 100  # steps
DECAY = 0.35  # share of the steps over which the rates fall to zero
AVERAGE = 0.999  # decay of the averaged weights
CHECKPOINT_SECONDS = 180.0


class Batch(NamedTuple):
    """Pictures, each with some dimensions known and some of the others to predict."""

    pictures: Tensor  # (b, 32, 32, 3) uint8
    known: Tensor  # the same shape, bool
    dimensions: Tensor  # (b, k) int64
    missing: Tensor  # (b, k) float32: 0 where a picture had fewer than k unknown dimensions


def draw(pictures: NDArray[np.uint8], targets: int, rng: np.random.Generator) -> Batch:
    """Draw a time t, evenly spread over all pictures, and the first t dimensions of a uniformly random order.

    The order is that of uniform keys, of which those below a uniform share are known: every t is equally likely.
    """
    count = len(pictures)
    keys = rng.random((count, DIMENSIONS), np.float32)
    share = (np.arange(count) + rng.random(count)) / count
    known = keys < share[:, None]
    last = np.argpartition(keys, DIMENSIONS - targets, 1)[:, -targets:]
    missing = ~np.take_along_axis(known, last, 1)
    return Batch(
        torch.from_numpy(pictures),
        torch.from_numpy(known.reshape(pictures.shape)),
        torch.from_numpy(last),
        torch.from_numpy(missing).float(),
    )


def objective(network: DimensionNetwork, batch: Batch) -> Tensor:
    """Estimate the bits of a dimension: the mean of each picture's unknown ones, over all pictures.

    Source: Hoogeboom et al. 2022, equation 3, D * E_t[1 / (D - t + 1) * sum over the unknown], divided by D.
    """
    bits = dimension_bits(network, batch.pictures, batch.known, batch.dimensions)
    each = (bits * batch.missing).sum(1) / batch.missing.sum(1).clamp_min(1)
    return each.sum() / (batch.missing.sum(1) > 0).sum()


def dimension_bits(network: DimensionNetwork, pictures: Tensor, known: Tensor, dimensions: Tensor) -> Tensor:
    """Bits (b, k) of dimensions, given what is known."""
    target = pictures.flatten(1).gather(1, dimensions).float()
    mixture = network(pictures, known, dimensions)
    return mixture_bits(mixture, target.flatten(), network.config.top).view_as(target)


class Trainer:
    """One run; ``save`` and ``load`` keep everything its next step depends on."""

    def __init__(self, data: Pictures, folder: Path, steps: int) -> None:
        torch.manual_seed(0)
        self.data, self.folder, self.steps, self.step = data, folder, steps, 0
        self.network = DimensionNetwork()
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        layers = [m for n, m in self.network.named_modules() if isinstance(m, GridLinear) and "outer" not in n]
        hidden = [layer.weight for layer in layers], [layer.bias for layer in layers]
        chosen = {id(p) for part in hidden for p in part}
        rest = [p for p in self.network.parameters() if id(p) not in chosen]
        groups = [{"params": rest}, {"params": hidden[1]}]
        self.optimisers = [Muon(hidden[0], lr=RATES[0]), torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)]

    def train_step(self) -> float:
        """One step on a fresh batch; its loss in bits per dimension."""
        factor = min(1.0, (self.step + 1) / WARM_UP, (self.steps - self.step) / (DECAY * self.steps))
        groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
        for group, rate in zip(groups, RATES, strict=True):
            group["lr"] = rate * factor
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        rng = np.random.default_rng((1, self.step))
        loss = objective(self.network, draw(self.data.draw(PICTURES, rng), TARGETS, rng))
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - min(AVERAGE, (self.step + 1) / (self.step + 10)))
        self.step += 1
        return float(loss.detach())

    def save(self, file: Path) -> None:
        """Write a checkpoint atomically."""
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for number, optimiser in enumerate(self.optimisers):
            for index, values in optimiser.state_dict()["state"].items():
                state |= {f"optimiser{number}.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        contiguous = {k: v.contiguous() for k, v in state.items()}
        write_atomically(file, save(contiguous, {"step": str(self.step)}), force=True)

    def load(self, file: Path) -> None:
        """Continue exactly where ``save`` left off."""
        tensors = load_file(file)
        self.network.load_state_dict(_part(tensors, "network"))
        self.average = _part(tensors, "average")
        for number, optimiser in enumerate(self.optimisers):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _part(tensors, f"optimiser{number}").items():
                index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        with safe_open(file, "pt") as opened:
            self.step = int(opened.metadata()["step"])

    def run(self) -> None:
        """Train to the end from the last checkpoint, with lines of progress."""
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint = self.folder / "checkpoint.safetensors"
        if checkpoint.exists():
            self.load(checkpoint)
        saved = since = time.monotonic()
        total = 0.0
        while self.step < self.steps:
            total += self.train_step()
            if self.step % REPORT == 0:
                now = time.monotonic()
                print(f"step {self.step}/{self.steps}  {total / REPORT:.4f} bits  {now - since:.0f} s", flush=True)
                total, since = 0.0, now
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save(checkpoint)
                saved = time.monotonic()
        self.save(checkpoint)


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Pick a checkpoint's tensors called ``name.*``, without that prefix."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def write_weights(checkpoint: Path, file: Path) -> None:
    """Write the averaged weights in half precision, which is what is measured."""
    tensors = {k: v.half().contiguous() for k, v in _part(load_file(checkpoint), "average").items()}
    with safe_open(checkpoint, "pt") as opened:
        step = opened.metadata()["step"]
    write_atomically(file, save(tensors, {"steps": step, "positions": str(int(step) * PICTURES * TARGETS)}), force=True)


def read_weights(file: Path) -> DimensionNetwork:
    """Read the network of a weights file."""
    network = DimensionNetwork()
    network.load_state_dict({k: v.float() for k, v in load_file(file).items()})
    return network.eval().requires_grad_(False)
