"""Train the model of JPEG files: ``python benchmarks/train_jpeg.py PHOTOS FOLDER --minutes 60``.

PHOTOS are lossless images, made into planes of quantised coefficients of every usual quality and sampling. FOLDER keeps
the state, from which a longer run continues (copy models/training/jpeg-1.safetensors there as stable.safetensors), and
at last the model with its manifest, to be named in ARDM_COMPRESS_MODELS. Needs the extra [train]. How much of the edges
to believe (``edge_pull``) is kept from the state; a run from nothing believes none.
"""

from __future__ import annotations

import io
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor

from ardm_compress.coding.coefficients import features as dct
from ardm_compress.coding.models import save_model
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.training.export import export
from ardm_compress.training.features import Features
from ardm_compress.training.model import Network, hidden_layers, mixture_bits
from ardm_compress.training.muon import Muon

GROUPS, EACH = 16, 320  # pictures of a step, and symbols of each
POOL = 96  # pictures held; every second step one is made anew
WARMUP = 200  # steps
LEAK = 0.05  # as of ``ardm_compress.training.train``
EMA = 0.9995
SAVED_SECONDS = 180
STANDARD = [np.array(table, float).reshape(8, 8) for table in (
    [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
     14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
     49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99],
    [17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56] + [99] * 5 + [47, 66] + [99] * 38,
)]  # fmt: skip
LINE = np.arange(8)
BASIS = np.where(
    LINE[:, None] == 0, math.sqrt(1 / 8), 0.5 * np.cos((2 * LINE[None] + 1) * LINE[:, None] * math.pi / 16)
).astype(np.float32)
SUM = LINE[:, None] + LINE[None]
COLOURS = ([0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312])
Rows = tuple[NDArray[np.generic], ...]


def tables(rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Quantiser tables as of libjpeg and of cameras."""
    kinds = [rng.uniform(50, 80), rng.uniform(75, 96), rng.uniform(88, 99), 100]
    share = (200 - 2 * rng.choice(kinds, p=[0.2, 0.4, 0.35, 0.05])) / 100
    luma, chroma = STANDARD
    kind = rng.random()
    if kind < 0.2:
        luma = 8 + rng.uniform(1, 7) * SUM + rng.uniform(0, 0.6) * SUM**2
        chroma = luma * rng.uniform(0.8, 1.6)
    elif kind < 0.35:
        luma = STANDARD[0] * np.exp(rng.normal(0, 0.12, (8, 8))) * (1 + rng.uniform(-0.4, 0.4) * SUM / 14)
        chroma = STANDARD[1] * np.exp(rng.normal(0, 0.12, (8, 8)))
    elif kind < 0.42:
        chroma = STANDARD[0]
    other = share * rng.uniform(0.6, 1.4) if rng.random() < 0.3 else share
    scaled = ((luma, share), (chroma, other))
    return [np.clip(np.floor(table * each + 0.5), 1, 255).astype(np.int64) for table, each in scaled]


def quantised(samples: NDArray[np.float32], steps: NDArray[np.int64]) -> dct.Plane:
    """Quantise the coefficients of a component's samples."""
    rows, columns = samples.shape
    samples = np.pad(samples, ((0, -rows % 8), (0, -columns % 8)), mode="edge")
    blocks = samples.reshape(len(samples) // 8, 8, -1, 8).swapaxes(1, 2)
    values = np.rint(BASIS @ blocks @ BASIS.T / steps).reshape(*blocks.shape[:2], 64)[..., dct.ZIGZAG]
    return dct.Plane.known(np.clip(values, -2047, 2047).astype(np.int16), steps.reshape(64)[dct.ZIGZAG])


def varied(image: Image.Image, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut out a part of a photograph, and now and then resize, sharpen, brighten it, or add noise or JPEG's traces."""
    factor = rng.choice([1, rng.uniform(1, 1.5), rng.uniform(1.3, 2.5), rng.uniform(0.6, 1)], p=[0.4, 0.3, 0.2, 0.1])
    columns, rows = min(image.width, int(560 * factor)), min(image.height, int(440 * factor))
    left, top = rng.integers(0, image.width - columns + 1), rng.integers(0, image.height - rows + 1)
    image = image.crop((left, top, left + columns, top + rows))
    if factor != 1:
        size = max(64, int(columns / factor)), max(64, int(rows / factor))
        filters = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX, Image.Resampling.BILINEAR)
        image = image.resize(size, filters[rng.integers(4)])
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.UnsharpMask(rng.uniform(0.5, 2), int(rng.uniform(20, 150)), 0))
    if rng.random() < 0.1:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=int(rng.integers(60, 97)), subsampling=int(rng.integers(0, 3)))
        image = Image.open(out).convert("RGB")
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.15:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    samples = np.asarray(image, np.float32)
    if rng.random() < 0.25:
        samples = samples + rng.normal(0, rng.uniform(0.5, 4), samples.shape)
    if rng.random() < 0.2:
        samples = 255 * (np.clip(samples, 0, 255) / 255) ** rng.uniform(0.7, 1.4)
    return np.clip(np.rint(samples), 0, 255).astype(np.float32)


class Drawer:
    """The symbols of a picture's components, of which any is as likely to be drawn."""

    def __init__(self, image: Image.Image, rng: np.random.Generator) -> None:
        samples, (luma, chroma) = varied(image, rng), tables(rng)
        planes = [quantised(np.rint(samples @ np.array(COLOURS[0], np.float32)) - 128, luma)]
        down, across = ((1, 1), (1, 2), (2, 2), (2, 1))[rng.choice(4, p=[0.2, 0.3, 0.47, 0.03])]
        for colour in COLOURS[1:] if rng.random() > 0.06 else ():
            part = samples @ np.array(colour, np.float32)
            part = np.pad(part, ((0, -len(part) % down), (0, -part.shape[1] % across)), mode="edge")
            part = part.reshape(len(part) // down, down, -1, across).mean((1, 3))
            planes.append(quantised(np.rint(part), chroma))
        self.planes, self.ends = planes, [self._ends(plane) for plane in planes]
        sizes = np.array([ends[-1] for ends in self.ends])
        self.share = sizes / sizes.sum()

    @staticmethod
    def _ends(plane: dct.Plane) -> NDArray[np.int64]:
        """How many symbols there are up to the end of each block: its count, DC, and AC up to the last one."""
        some = plane.values != 0
        some[..., 0] = False
        last = np.where(some.any(2), 63 - some[..., ::-1].argmax(2), 0)
        return np.cumsum(2 + last.ravel())

    def draw(self, role: int, count: int, pull: NDArray[np.int64], rng: np.random.Generator) -> Rows:
        """Draw inputs, buckets, rows, references, scales and values of symbols of a component."""
        plane, ends = self.planes[role], self.ends[role]
        symbol = rng.integers(0, ends[-1], count)
        block = np.searchsorted(ends, symbol, side="right")
        number = symbol - np.where(block > 0, ends[block - 1], 0) - 1
        y, x = np.divmod(block, plane.counts.shape[1])
        both = y | x
        level = np.where(both > 0, np.log2(np.maximum(both & -both, 1)).astype(np.int64), 12)
        odd_row, odd_column = (y >> level) & 1, (x >> level) & 1
        kind = np.where(both == 0, dct.KINDS, np.where(odd_row & odd_column, 0, np.where(odd_column == 1, 1, 2)))
        inputs = np.zeros((count, dct.INPUTS), np.int8)
        bucket, row, reference, scale = (np.zeros(count, np.int64) for _ in range(4))
        luma, other = self.planes[0].arrays, self.planes[min(1, len(self.planes) - 1)].arrays
        dct.features(plane.arrays, luma, other, role, y, x, number, level, kind, pull,
                     inputs, bucket, row, reference, scale)  # fmt: skip
        value = np.where(number < 0, plane.counts[y, x], plane.values[y, x, np.maximum(number, 0)])
        return inputs, bucket, row, reference, scale, value.astype(np.int64)


class Batch(NamedTuple):
    """Symbols of a step."""

    features: Features
    row: Tensor
    value: Tensor
    weight: Tensor


def batch(pool: list[Drawer], pull: NDArray[np.int64], rng: np.random.Generator) -> Batch:
    """Draw symbols of some pictures: half by components' sizes, half of each component alike, and weighted for it."""
    parts: list[Rows] = []
    for picture in (pool[rng.integers(len(pool))] for _ in range(GROUPS)):
        drawn = 0.5 * picture.share + 0.5 / len(picture.planes)
        for role, count in enumerate(rng.multinomial(EACH, drawn)):
            weight = np.full(count, picture.share[role] / drawn[role], np.float32)
            parts += [(*picture.draw(role, int(count), pull, rng), weight)] if count else []
    columns = [torch.from_numpy(np.concatenate(each)) for each in zip(*parts, strict=True)]
    inputs, bucket, row, reference, scale, value, weight = columns
    features = Features(inputs.float(), bucket, reference.float()[:, None], scale.float()[:, None])
    return Batch(features, row, value.float(), weight)


def mean_bits(network: Network, own: Batch) -> Tensor:
    """Bits per symbol."""
    zero = torch.zeros_like(own.row)
    mixture = network(own.features, own.row, zero, torch.zeros(len(own.row), 0), own.value[:, None])[0]
    return (mixture_bits(mixture, own.value) * own.weight).sum() / own.weight.sum()


@click.command()
@click.argument("photos", type=click.Path(exists=True, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--decay", default=0.5, show_default=True, help="Last share of the time, over which the rates fall.")
def main(photos: Path, folder: Path, minutes: float, decay: float) -> None:
    """Train, and write the model."""
    folder.mkdir(parents=True, exist_ok=True)
    config = NetworkConfig(axes=0, channels=1, bit_depth=12, radius_sq=0, hidden=128, expand=256, blocks=2, head=48,
                           levels=dct.ROLES * dct.ROWS, summary=dct.INPUTS, normalise=True, smooth=True,
                           period=2)  # fmt: skip
    rng, network = np.random.default_rng(), Network(config)
    weights, biases = ([getattr(each, name) for each in hidden_layers(network)] for name in ("weight", "bias"))
    chosen = {id(each) for each in (*weights, *biases)}
    rest = [each for each in network.parameters() if id(each) not in chosen and each.numel()]
    groups = [{"params": rest, "lr": 1.5e-3}, {"params": biases, "lr": 2e-4}]
    optimisers = [Muon(weights, lr=0.01), torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)]
    rates = [[group["lr"] for group in each.param_groups] for each in optimisers]
    average, step = {k: v.detach().clone() for k, v in network.state_dict().items()}, 0
    stable = folder / "stable.safetensors"
    pull = np.zeros((dct.ROLES, 64, 2), np.int64)
    if stable.exists():
        tensors = load_file(stable)
        pull, step = tensors.pop("edge_pull").numpy().astype(np.int64), int(tensors.pop("step"))
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
        average = {k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")}
    images = [Image.open(file).convert("RGB") for file in sorted(photos.iterdir())]
    pool = [Drawer(images[rng.integers(len(images))], rng) for _ in range(POOL)]
    start = saved = time.monotonic()
    total, first = 0.0, step
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        falling = min(1.0, (1 - share) / decay)
        network.set_rounding(falling < 1)
        factor = min(falling, (step - first + 1) / WARMUP)
        network.set_leak(LEAK * factor)
        for optimiser, own in zip(optimisers, rates, strict=True):
            for group, rate in zip(optimiser.param_groups, own, strict=True):
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        if step % 2:
            pool[rng.integers(POOL)] = Drawer(images[rng.integers(len(images))], rng)
        loss = mean_bits(network, batch(pool, pull, rng))
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1 - min(EMA, (step + 1) / (step + 10)))
        step, total = step + 1, total + float(loss.detach())
        if step % 100 == 0:
            click.echo(f"step {step}  {total / 100:.4f} bits a symbol")
            total = 0.0
        if falling == 1 and time.monotonic() - saved > SAVED_SECONDS:
            saved = time.monotonic()
            state = {f"network.{k}": v for k, v in network.state_dict().items()}
            state |= {f"average.{k}": v for k, v in average.items()}
            state |= {"edge_pull": torch.from_numpy(pull), "step": torch.tensor(step)}
            save_file({k: v.contiguous() for k, v in state.items()}, stable)
    network.load_state_dict(average)
    arrays = export(network) | {"tables.edge_pull": pull.astype(np.int16)}
    note = json.dumps({"steps": step, "config": asdict(config)})
    sha256 = save_model(folder / "jpeg.safetensors", config, arrays, note)
    entry = {"name": "jpeg", "file": "jpeg.safetensors", "sha256": sha256}
    entry |= {"order": config.order}
    (folder / "manifest.json").write_text(json.dumps([entry | {"period": config.period}], indent=2))


if __name__ == "__main__":
    main()
