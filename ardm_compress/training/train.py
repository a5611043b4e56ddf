"""Training: Muon and AdamW, warm-up, constant rate and decay, EMA, rounding in the loop, resumable. Imports torch.

docs/training.md tells how to use it. Under ``torchrun`` every process draws its share of each batch and gradients are
averaged (``torch.nn.parallel.DistributedDataParallel``).
"""

from __future__ import annotations

import csv
import json
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ardm_compress.ardm import make_order
from ardm_compress.errors import UnsupportedError
from ardm_compress.files.atomic import write_atomically
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.training.data import IMAGE_SUFFIXES, Example, ImageFolder, Positions, Sampler, Sampling, held_out
from ardm_compress.training.defaults import SOUND_SUFFIXES
from ardm_compress.training.features import Features
from ardm_compress.training.model import Mixture, Network, hidden_layers, mixture_bits
from ardm_compress.training.muon import Muon
from ardm_compress.training.sound import SoundPositions

REPORT = 100  # steps between lines of progress
SOON = (1, 10)  # steps of a run after which there are lines as well
MEASURE = 1000  # steps between measurements on held-out images
# As at the largest budget, without latents.
MEASURED = Sampling(random_masks=0, early_start=0, coarse_start=0, varied=False, gray=0, described=0)
CHECKPOINT = "checkpoint.safetensors"
LOSSES = "losses.csv"  # one row for each line of progress
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
    latent_lr: float = 5e-3  # of the pictures' latents
    leak: float = 0.05  # share of the gradient outside the activations' range; falls with the learning rate
    warmup: int = 200  # steps
    ema: float = 0.9995  # decay of the averaged weights
    seed: int = 0
    fast: bool = False  # products in bfloat16, steps compiled by torch.compile
    memory: int = 1 << 30  # bytes of samples held; larger folders are cropped
    checkpoint_seconds: float = 240.0


class Pictures(nn.Module):
    """A network, and the latents of every training picture, which are learned with it; those of picture 0 are zeros.

    Source: the auto-decoder of Park et al. 2019 (DeepSDF).
    """

    def __init__(self, network: Network, pictures: int) -> None:
        super().__init__()
        self.network = network
        self.latents = nn.Embedding(pictures + 1, network.config.latents, padding_idx=0)
        nn.init.zeros_(self.latents.weight)

    def forward(  # noqa: D102
        self, features: Features, level: Tensor, style: Tensor, picture: Tensor, target: Tensor
    ) -> list[Mixture]:
        mixtures: list[Mixture] = self.network(features, level, style, self.latents(picture), target)
        return mixtures


def mean_bits(network: nn.Module, example: Example, top: int) -> Tensor:
    """Bits per sample of a batch of positions, given the largest sample."""
    features, level, style, picture, target, share = example
    mixtures = network(features, level, style, picture, target)
    bits = [mixture_bits(m, target[:, c], top) for c, m in enumerate(mixtures)]
    return (torch.stack(bits, 1) * share).sum(1).mean()


def optimisers(pictures: Pictures, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the weight matrices of hidden layers, AdamW for everything else, and last for the latents."""
    network = pictures.network
    layers = hidden_layers(network)
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
    chosen = {id(p) for p in (*weights, *biases)}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    groups = [{"params": rest, "lr": config.adam_lr}, {"params": biases, "lr": config.bias_lr}]
    return [
        Muon(weights, lr=config.muon_lr, dtype=torch.bfloat16 if config.fast else torch.float32),
        torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0),
        torch.optim.AdamW(pictures.latents.parameters(), config.latent_lr, betas=(0.9, 0.98), weight_decay=0.1),
    ]


def schedule(step: int, config: TrainConfig) -> float:
    """Learning rate factor: linear warm-up, constant, linear decay to zero (Hägele et al. 2024)."""
    return min(1.0, (step + 1) / config.warmup, (config.steps - step) / config.decay)


def checkpoint_metadata(path: Path) -> dict[str, str]:
    """Read a checkpoint's ``config``, a TrainConfig as JSON, and ``step``."""
    with safe_open(path, "pt") as file:
        strings: dict[str, str] = file.metadata()
    return strings


def part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Pick a checkpoint's tensors called ``name.*``, without that prefix."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def positions(config: TrainConfig, files: list[Path]) -> Positions:
    """Where the examples of a network of images, or of sound, come from."""
    network = config.network
    if network.axes == 1:
        return SoundPositions(files, network, memory=config.memory, seed=config.seed)
    images = ImageFolder(files, varied=config.sampling.varied, memory=config.memory, seed=config.seed)
    order = make_order(network.order, axes=network.axes, period=network.period)
    return Sampler(images, network, order, config.sampling)


class Trainer:
    """One training run; ``save`` and ``load`` keep everything its next step depends on."""

    def __init__(
        self,
        config: TrainConfig,
        files: list[Path],
        folder: Path,
        *,
        held: list[Path] | None = None,
        device: str = "cpu",
    ) -> None:
        """Args: ``files`` to train on; ``folder`` for checkpoints; ``held`` to measure with, from time to time."""
        self.config, self.folder, self.device = config, folder, torch.device(device)
        self.processes = dist.get_world_size() if dist.is_initialized() else 1
        self.process = dist.get_rank() if dist.is_initialized() else 0
        torch.manual_seed(config.seed)
        self.sampler = positions(config, files)
        self.network = Network(config.network).to(self.device)
        self.pictures = Pictures(self.network, self.sampler.pictures).to(self.device)
        self.parallel: nn.Module = DistributedDataParallel(self.pictures) if self.processes > 1 else self.pictures
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimisers = optimisers(self.pictures, config)
        self.rates = [[group["lr"] for group in optimiser.param_groups] for optimiser in self.optimisers]
        self.measured = positions(replace(config, sampling=MEASURED), held) if held else None
        self.loss = mean_bits
        if config.fast:
            self.network.set_halved()
            self.loss = torch.compile(mean_bits, dynamic=False)
        self.step = 0

    def train_step(self) -> float:
        """One step on a fresh batch; returns its loss in bits per sample (of this process's share)."""
        config = self.config
        self.network.set_rounding(self.step >= config.steps - config.decay)
        factor = schedule(self.step, config)
        self.network.set_leak(config.leak * factor)
        for optimiser, rates in zip(self.optimisers, self.rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        self.sampler.seed(config.seed, self.process, self.step)
        example = self.sampler.example(config.batch // self.processes, self.device)
        loss = self.loss(self.parallel, example, config.network.top)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in self.optimisers:
            optimiser.step()
        decay = min(config.ema, (self.step + 1) / (self.step + 10))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def measure(self, batches: int = 8) -> float:
        """Bits per sample of the averaged and rounded weights on held-out files, always at the same positions."""
        assert self.measured is not None
        network = Network(self.config.network).to(self.device)
        network.load_state_dict(self.average)
        network.set_rounding(True)
        pictures, top = Pictures(network, 0).to(self.device), self.config.network.top
        self.measured.seed(0)
        examples = (self.measured.example(4096, self.device) for _ in range(batches))
        return sum(float(mean_bits(pictures, example, top)) for example in examples) / batches

    def state(self) -> dict[str, Tensor]:
        """All tensors of a checkpoint."""
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state["pictures"] = self.pictures.latents.weight.detach()
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for number, optimiser in enumerate(self.optimisers):
            for index, values in optimiser.state_dict()["state"].items():
                state |= {f"optimiser{number}.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        return {k: v.contiguous() for k, v in state.items()}

    def save(self, name: str = CHECKPOINT) -> None:
        """Write a checkpoint atomically."""
        if self.process:
            return
        meta = {"config": json.dumps(asdict(self.config)), "step": str(self.step)}
        write_atomically(self.folder / name, save(self.state(), meta), force=True)

    def load(self, path: Path) -> None:
        """Continue exactly where ``save`` left off; with other images, their latents start anew."""
        tensors = load_file(path)
        self.network.load_state_dict(part(tensors, "network"))
        self.average = part(tensors, "average")
        latents = self.pictures.latents.weight
        same = tensors["pictures"].shape == latents.shape
        if same:
            latents.data.copy_(tensors["pictures"])
        for number, optimiser in enumerate(self.optimisers if same else self.optimisers[:-1]):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in part(tensors, f"optimiser{number}").items():
                index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        self.step = int(checkpoint_metadata(path)["step"])

    def run(self) -> None:
        """Train to the end, with lines of progress and regular checkpoints."""
        saved = since = time.monotonic()
        first, total, steps = self.step, 0.0, 0
        while self.step < self.config.steps:
            if self.step == self.config.steps - self.config.decay:
                self.save(STABLE)
            total, steps = total + self.train_step(), steps + 1
            if self.step % REPORT == 0 or self.step - first in SOON:
                self.report(total / steps, (time.monotonic() - since) / steps)
                total, steps, since = 0.0, 0, time.monotonic()
            if self.measured and self.step % MEASURE == 0:
                held = self.measure()
                self.tell(f"step {self.step}/{self.config.steps}  held out: {held:.4f} bits")
                self.note("", held)
                since = time.monotonic()
            if time.monotonic() - saved > self.config.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
        self.save()

    def report(self, bits: float, seconds: float) -> None:
        """Tell the loss and the seconds of a step, and when the run will end."""
        left = timedelta(seconds=round((self.config.steps - self.step) * seconds))
        speed = f"{self.config.batch / seconds:.0f} positions/s, {left} left"
        self.tell(f"step {self.step}/{self.config.steps}  {bits:.4f} bits  {speed}")
        self.note(bits, "")

    def note(self, bits: float | str, held: float | str) -> None:
        """Append a row to the table of losses."""
        if self.process:
            return
        file = self.folder / LOSSES
        is_new = not file.exists()
        with file.open("a", newline="") as table:
            rows = csv.writer(table)
            rows.writerows([["step", "bits", "held_out_bits"]] * is_new)
            rows.writerow([self.step, bits, held])

    def tell(self, line: str) -> None:
        """Print a line of progress, once for all processes."""
        if self.process == 0:
            print(line, flush=True)


def train(config: TrainConfig, data: Path, folder: Path, *, device: str = "cpu") -> Path:
    """Train a network on a folder of images or of sound files, or continue from the checkpoint in ``folder``.

    Returns:
        The checkpoint.
    """
    files, held = held_out(data, SOUND_SUFFIXES if config.network.axes == 1 else IMAGE_SUFFIXES)
    trainer = Trainer(config, files, folder, held=held, device=device)
    folder.mkdir(parents=True, exist_ok=True)
    if start := _start(config, folder):
        trainer.load(start)
        trainer.tell(f"continuing from {start}, step {trainer.step}")
    trainer.run()
    return folder / CHECKPOINT


def _start(config: TrainConfig, folder: Path) -> Path | None:
    """Find the checkpoint to continue from: the one before the decay if the run is to be longer than it was."""
    if not (folder / CHECKPOINT).exists():
        return None
    before = json.loads(checkpoint_metadata(folder / CHECKPOINT)["config"])
    if NetworkConfig(**before["network"]) != config.network:
        raise UnsupportedError(f"{folder / CHECKPOINT} is of another network; give its options or another folder")
    longer = before["steps"] != config.steps and (folder / STABLE).exists()
    return folder / (STABLE if longer else CHECKPOINT)
