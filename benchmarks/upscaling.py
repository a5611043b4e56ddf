"""Upscaling against the direct mixture on 16-bit sound (Hoogeboom et al. 2022, Table 4), at equal training.

    python benchmarks/upscaling.py TRAIN TEST [--order random,causal] [--branching 65536,256,16,4] [--steps 3000]

TRAIN and TEST are folders of 16 kHz clips. Stage s codes, at every position, which child interval of the interval that
stage s-1 named holds the sample; all of stage s-1 is known before. A branching of 65536 is the direct mixture. Every
run has the same network, told its stage, and as many training positions; one of S stages needs S evaluations a sample
to code a file, the direct one needs one. Float weights, cross entropy, nothing quantised: to compare, not to ship.
``upscaling_images.py`` does the same with pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import click
import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ardm_compress.ardm import Upscaling
from ardm_compress.training.muon import Muon

VALUES = 1 << 16
RATE = 16000
REACH = 32  # samples to each side
COMPONENTS = 4  # of a mixture
FLOOR = 1e-4  # of the probability, shared evenly by all children
HEADINGS = "branching | stages, and evaluations a sample | bits a sample | of every stage, coarse to fine |"


class Batch(NamedTuple):
    """Positions of a stage, in sample units."""

    stage: Tensor  # (n,) 0..S-1
    around: Tensor  # (n, window) middles of what is known
    width: Tensor  # (n, window) of the intervals that are known; that of all values: nothing
    parent: Tensor  # (n, 2) the interval that is known of the position itself
    child: Tensor  # (n, 2) the interval to code


class Data(Protocol):
    """Where positions come from."""

    upscaling: Upscaling

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Positions that are not known yet, at a time of the order that is drawn evenly, of an even stage."""


@dataclass
class Clips:
    """Equally long clips (clips, samples), values from 0 to VALUES - 1."""

    samples: np.ndarray
    upscaling: Upscaling
    order: str

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """See ``Data``."""
        offsets = np.concatenate([np.arange(-REACH, 0), np.arange(1, REACH + 1)])
        clip = rng.integers(len(self.samples), size=count)
        time = rng.integers(self.samples.shape[1], size=count)
        stage = rng.integers(self.upscaling.stages(), size=count)
        index = time[:, None] + offsets
        inside = (index >= 0) & (index < self.samples.shape[1])
        value = self.samples[clip[:, None], index.clip(0, self.samples.shape[1] - 1)].astype(np.int64)
        causal = np.broadcast_to(offsets < 0, index.shape)
        done = causal if self.order == "causal" else randomly_done(index.shape, rng)
        own = self.samples[clip, time].astype(np.int64)
        return batch_of(self.upscaling, stage, value, done, inside, own)


def randomly_done(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Mark what of the windows is coded by now, at any time of a stage in random order, all equally likely."""
    share = (np.arange(shape[0]) + rng.random()) / shape[0]
    return rng.random(shape) < share[:, None]


def batch_of(
    upscaling: Upscaling, stage: np.ndarray, value: np.ndarray, done: np.ndarray, inside: np.ndarray, own: np.ndarray
) -> Batch:
    """Positions of stages (n,) with samples ``own`` (n,) and their windows (n, window), which end at the border."""
    widths = np.array([upscaling.width(s) for s in range(upscaling.stages() + 1)])
    width = np.where(inside, np.where(done, widths[stage + 1, None], widths[stage, None]), upscaling.values)
    return Batch(
        torch.from_numpy(stage),
        torch.from_numpy(value // width * width + (width - 1) / 2).float(),
        torch.from_numpy(width).float(),
        *(interval(own, w) for w in (widths[stage], widths[stage + 1])),
    )


def interval(value: np.ndarray, width: np.ndarray) -> Tensor:
    """Edges (n, 2) of the intervals around values, half a step beyond them."""
    low = value // width * width - 0.5
    return torch.from_numpy(np.stack([low, low + width], 1))


class Net(nn.Module):
    """A residual MLP that sees the window and gives taps on it, and a mixture of logistics."""

    def __init__(self, upscaling: Upscaling, near: Tensor, hidden: int, blocks: int) -> None:
        """Args: ``near`` (window,), how much each neighbour matters; the squares weigh references."""
        super().__init__()
        window = len(near)
        self.values = upscaling.values
        self.input = nn.Linear(2 * window + 3, hidden)
        self.stage = nn.Embedding(upscaling.stages(), hidden)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, hidden)]) for _ in range(blocks)
        )
        self.output = nn.Linear(hidden, window + 3 * COMPONENTS)
        self.register_buffer("near", near)
        with torch.no_grad():
            self.output.weight.mul_(0.1)
            self.output.bias.zero_()
            self.output.bias[-COMPONENTS:] = torch.linspace(-2, 1, COMPONENTS)

    def bits(self, batch: Batch) -> Tensor:
        """Bits (n,) of coding the children."""
        known = torch.where(batch.width < self.values, self.near**2 / (1 + batch.width), 0) + 1e-9 * self.near
        share = known / known.sum(1, keepdim=True)
        reference = (share * batch.around).sum(1, keepdim=True)
        deviation = batch.around - reference
        scale = ((share * deviation**2).sum(1, keepdim=True) + 1).sqrt() + (share * batch.width).sum(1, keepdim=True)
        usable = (batch.width < self.values).float()
        parent = ((batch.parent.float() - reference) / scale).clamp(-30, 30)
        seen = torch.cat([usable * (deviation / scale).clamp(-4, 4) * 3 * self.near, usable], 1)
        state = self.input(torch.cat([seen, torch.asinh(parent), scale.log2() / 4], 1)) + self.stage(batch.stage)
        for expand, contract in self.blocks:
            state = state + contract(F.silu(expand(F.rms_norm(state, state.shape[1:]))))
        out = self.output(F.rms_norm(state, state.shape[1:]))
        taps, logits, shift, log2 = out.split([len(self.near)] + 3 * [COMPONENTS], 1)
        mean = (taps * deviation * usable).sum(1, keepdim=True) + scale * shift
        inverse = 1 / (scale * torch.exp2(log2.clamp(-12, 6)))
        weights = logits.log_softmax(1)
        mass, whole = (
            log_mass(weights, mean, inverse, edges.float() - reference) for edges in (batch.child, batch.parent)
        )
        children = ((batch.parent[:, 1] - batch.parent[:, 0]) / (batch.child[:, 1] - batch.child[:, 0])).float()
        return -torch.logaddexp(mass - whole + math.log(1 - FLOOR), math.log(FLOOR) - children.log()) / math.log(2)


def log_mass(weights: Tensor, mean: Tensor, inverse: Tensor, edges: Tensor) -> Tensor:
    """Logarithm (n,) of the mass that mixtures have between edges (n, 2)."""
    low, high = (edges[:, :1] - mean) * inverse, (edges[:, 1:] - mean) * inverse
    inside = F.logsigmoid(high) + F.logsigmoid(-low) + torch.log(-torch.expm1(-(high - low).clamp_min(1e-6)))
    return torch.logsumexp(weights + inside, 1)


def train(net: Net, data: Data, steps: int, batch: int) -> None:
    """Muon and AdamW, a constant rate and then a falling one."""
    hidden = [p for name, p in net.named_parameters() if p.ndim == 2 and not name.startswith(("stage", "output"))]
    rest = [p for p in net.parameters() if all(p is not h for h in hidden)]
    optimisers = [Muon(hidden, lr=0.02), torch.optim.AdamW(rest, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.0)]
    rates = [0.02, 2e-3]
    for step in range(steps):
        factor = min(1, (step + 1) / 100, 2.5 * (steps - step) / steps)
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * factor
            optimiser.zero_grad()
        net.bits(data.draw(batch, np.random.default_rng((1, step)))).mean().backward()
        nn.utils.clip_grad_norm_(rest, 1.0)
        for optimiser in optimisers:
            optimiser.step()


@torch.no_grad()
def measure(net: Net, data: Data, batches: int = 200) -> list[float]:
    """Bits a sample of every stage, at positions that are the same for every run."""
    stages = data.upscaling.stages()
    sums, counts = np.zeros(stages), np.zeros(stages)
    for index in range(batches):
        batch = data.draw(2048, np.random.default_rng((2, index)))
        bits = net.bits(batch).numpy()
        sums += np.bincount(batch.stage.numpy(), bits, stages)
        counts += np.bincount(batch.stage.numpy(), minlength=stages)
    return [float(bits) for bits in sums / counts]


def load(folder: Path, prefix: str) -> np.ndarray:
    """Load the first second of every clip of that rate which has one."""
    clips = []
    for file in sorted(folder.glob(f"{prefix}*")):
        samples, rate = soundfile.read(file, dtype="int16", always_2d=True)
        if rate == RATE and len(samples) >= RATE:
            clips.append(samples[:RATE, 0])
    return (np.stack(clips).astype(np.int32) + VALUES // 2).astype(np.uint16)


def row(children: int, found: list[float]) -> str:
    """Of the table, after the order."""
    each = " ".join(f"{bits:.3f}" for bits in found)
    return f"{children} | {len(found)} | {sum(found):.3f} | {each} |"


@click.command()
@click.argument("train_folder", type=click.Path(path_type=Path, exists=True))
@click.argument("test_folder", type=click.Path(path_type=Path, exists=True))
@click.option("--order", "orders", default="random,causal", show_default=True, help="In which a stage is coded.")
@click.option("--branching", default="65536,256,16,4", show_default=True, help="Children of an interval.")
@click.option("--steps", default=3000, show_default=True, help="Of training.")
@click.option("--batch", default=1024, show_default=True, help="Positions of a step.")
@click.option("--hidden", default=192, show_default=True, help="Width of the network.")
@click.option("--prefix", default="", help="Of the training clips' names.")
def main(
    train_folder: Path, test_folder: Path, orders: str, branching: str, steps: int, batch: int, hidden: int, prefix: str
) -> None:
    """Print the table."""
    data, test = load(train_folder, prefix), load(test_folder, "")
    distance = torch.arange(1.0, REACH + 1)
    near = torch.cat([distance.flip(0), distance]).reciprocal()
    click.echo(f"{len(data)} clips to train on, {len(test)} to measure on\n")
    click.echo(f"| order | {HEADINGS}\n|---|---|---|---|---|")
    for order in orders.split(","):
        for children in map(int, branching.split(",")):
            upscaling = Upscaling(VALUES, children)
            torch.manual_seed(0)
            net = Net(upscaling, near, hidden, 2)
            train(net, Clips(data, upscaling, order), steps, batch)
            click.echo(f"| {order} | {row(children, measure(net, Clips(test, upscaling, order)))}")


if __name__ == "__main__":
    main()
