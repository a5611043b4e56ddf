"""Training: Muon and AdamW, warm-up, constant rate and decay, EMA, rounding in the loop, resumable. Imports torch.

    python -m ardm_compress.network.train IMAGES RUN STEPS

trains the default photo network on the folder IMAGES (all but the held-out files) and keeps its checkpoint in the
folder RUN, from which the same command continues. Publish the result with ``ardm_compress.network.publish``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ardm_compress.ardm.order import make_order
from ardm_compress.network.config import NetworkConfig
from ardm_compress.network.data import ImageFolder, Sampler, Sampling, held_out
from ardm_compress.network.features import FeatureMaker
from ardm_compress.network.model import GridLinear, Network, mixture_bits
from ardm_compress.network.muon import Muon

CHECKPOINT = "checkpoint.safetensors"
STABLE = "stable.safetensors"  # the checkpoint before the learning rate decayed: longer runs continue from it


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything a run depends on, besides the data."""

    network: NetworkConfig
    sampling: Sampling = field(default_factory=Sampling)
    steps: int
    decay: int  # last steps, over which the learning rate falls to zero and weights and activations are rounded
    batch: int = 4096  # positions per step
    muon_lr: float = 0.01  # of weight matrices of hidden layers
    adam_lr: float = 1.5e-3  # of everything else
    bias_lr: float = 2e-4  # of hidden layers' biases; ten times more pushes units below zero for good
    leak: float = 0.05  # share of the gradient outside the activations' range; falls with the learning rate
    warmup: int = 200  # steps
    ema: float = 0.9995  # decay of the averaged weights
    seed: int = 0
    checkpoint_seconds: float = 240.0


def optimisers(network: Network, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the weight matrices of hidden layers, AdamW for everything else."""
    layers = [m for name, m in network.named_modules() if isinstance(m, GridLinear) and "outer" not in name]
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
    chosen = {id(p) for p in (*weights, *biases)}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    groups = [{"params": rest, "lr": config.adam_lr}, {"params": biases, "lr": config.bias_lr}]
    return [Muon(weights, lr=config.muon_lr), torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)]


def schedule(step: int, config: TrainConfig) -> float:
    """Learning rate factor: linear warm-up, constant, linear decay to zero (Hägele et al. 2024)."""
    return min(1.0, (step + 1) / config.warmup, (config.steps - step) / config.decay)


class Trainer:
    """One training run; ``save`` and ``load`` keep everything its next step depends on."""

    def __init__(self, config: TrainConfig, files: list[Path], folder: Path) -> None:
        self.config, self.folder = config, folder
        torch.manual_seed(config.seed)
        self.network = Network(config.network)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimisers = optimisers(self.network, config)
        self.rates = [[group["lr"] for group in optimiser.param_groups] for optimiser in self.optimisers]
        self.features = FeatureMaker(config.network)
        order = make_order(config.network.order, axes=config.network.axes, period=config.network.period)
        self.sampler = Sampler(ImageFolder(files), config.network, order, config.sampling, config.seed)
        self.step = 0

    def loss(self, n: int) -> Tensor:
        """Mean bits per sample of a fresh batch of n positions."""
        batch = self.sampler.draw(n)
        features = self.features(batch.values, batch.known)
        mixtures = self.network(features, batch.level, batch.target)
        bits = [mixture_bits(m, batch.target[:, c], self.config.network.bit_depth) for c, m in enumerate(mixtures)]
        return torch.stack(bits).mean()

    def train_step(self) -> float:
        """One step on a fresh batch; returns its loss in bits per sample."""
        config = self.config
        self.network.set_rounding(self.step >= config.steps - config.decay)
        factor = schedule(self.step, config)
        self.network.set_leak(config.leak * factor)
        for optimiser, rates in zip(self.optimisers, self.rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        loss = self.loss(config.batch)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in self.optimisers:
            optimiser.step()
        decay = min(config.ema, (self.step + 1) / (self.step + 10))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        self.step += 1
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """All tensors of a checkpoint."""
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for number, optimiser in enumerate(self.optimisers):
            for index, values in optimiser.state_dict()["state"].items():
                state |= {f"optimiser{number}.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        return {k: v.contiguous() for k, v in state.items()}

    def save(self, name: str = CHECKPOINT) -> None:
        """Write a checkpoint atomically."""
        meta = {
            "config": json.dumps(asdict(self.config)),
            "step": str(self.step),
            "rng": json.dumps(self.sampler.rng.bit_generator.state),
        }
        path = self.folder / name
        save_file(self.state(), path.with_suffix(".tmp"), meta)
        os.replace(path.with_suffix(".tmp"), path)

    def load(self, path: Path) -> None:
        """Continue exactly where ``save`` left off."""
        with safe_open(path, "pt") as file:
            meta = file.metadata()
        tensors = load_file(path)
        self.network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
        self.average = {k[8:]: v for k, v in tensors.items() if k.startswith("average.")}
        for number, optimiser in enumerate(self.optimisers):
            state: dict[int, dict[str, Tensor]] = {}
            prefix = f"optimiser{number}."
            for key, value in tensors.items():
                if key.startswith(prefix):
                    index, name = key[len(prefix) :].split(".")
                    state.setdefault(int(index), {})[name] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        self.step = int(meta["step"])
        self.sampler.rng.bit_generator.state = json.loads(meta["rng"])

    def run(self) -> None:
        """Train to the end, with a line of progress every 100 steps and regular checkpoints."""
        saved = time.monotonic()
        total, since = 0.0, time.monotonic()
        while self.step < self.config.steps:
            if self.step == self.config.steps - self.config.decay:
                self.save(STABLE)
            total += self.train_step()
            if self.step % 100 == 0:
                speed = 100 * self.config.batch / (time.monotonic() - since)
                print(f"step {self.step} loss {total / 100:.4f} {speed:.0f} positions/s", flush=True)
                total, since = 0.0, time.monotonic()
            if time.monotonic() - saved > self.config.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
        self.save()


def main(images: Path, run: Path, steps: int) -> None:
    """Train the default photo network, or continue training it."""
    run.mkdir(parents=True, exist_ok=True)
    network = NetworkConfig(axes=2, channels=3, bit_depth=8, normalise=True, smooth=True)
    config = TrainConfig(network=network, steps=steps, decay=steps // 4)
    trainer = Trainer(config, held_out(images)[0], run)
    if (run / CHECKPOINT).exists():
        trainer.load(run / CHECKPOINT)
    trainer.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
