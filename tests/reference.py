"""A second decoder, written from docs/format.md sections 4 to 10. NumPy; safetensors only to read the model.

It imports nothing of the package. Where the document says integer, this has int64; matrix products are taken in
float64, exact below 2^53 and faster. The floating-point steps are marked F1 to F6.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from reader import AnsDecoder, RefusedError, read_file
from safetensors import safe_open
from safetensors.numpy import load

Array = np.ndarray[Any, Any]
F32 = np.float32

BAYER = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]
THRESHOLDS = [21, 26, 32, 41, 51, 64, 81, 102, 128, 162, 204, 256]
THRESHOLDS += [323, 407, 512, 646, 813, 1024, 1291, 1626, 2048, 2581, 3251]
WEIGHTS = {1: 64, 2: 16, 4: 4, 5: 3}
ROOT = [i << 20 for i in range(17)]
BLOCK = 1 << 14


def spread_cell() -> Array:
    """Section 5.2."""
    cell = np.full((8, 8), -1)
    for i in range(4):
        for j in range(4):
            cell[2 * i + 1, 2 * j + 1] = BAYER[i][j]
            cell[2 * i, 2 * j + 1] = 16 + 2 * BAYER[(i + 2) % 4][j]
            cell[2 * i + 1, 2 * j] = 17 + 2 * BAYER[i][j]
    return cell


CELL = spread_cell()


def clamp(x: Array, low: int, high: int) -> Array:
    return np.clip(x, low, high)


def to_integers(x: Array) -> Array:
    """Rint of binary32 numbers; they may be large, but not beyond int64."""
    assert x.dtype == F32
    return np.rint(x).astype(np.int64)


class Model:
    """Section 10: the tensors and the configuration."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.name = hashlib.sha256(data).digest()[:4]
        with safe_open(path, "np") as file:
            meta = file.metadata()
        self.known_answer = int(meta["known_answer"])
        config = json.loads(meta["config"])
        self.config = config
        self.tensors = {k: v if v.dtype == F32 else v.astype(np.int64) for k, v in load(data).items()}
        self.products = {k: v.T.astype(np.float64) for k, v in self.tensors.items() if k.endswith(".weight")}
        reach = range(-32, 33)
        self.offsets = [(y, x) for y in reach for x in reach if 0 < y * y + x * x <= config["radius_sq"]]
        self.weights = np.array([WEIGHTS.get(y * y + x * x, 1) for y, x in self.offsets])

    def linear(self, name: str, x: Array) -> Array:
        product: Array = x.astype(np.float64) @ self.products[name + ".weight"]
        return product.astype(np.int64) + self.tensors[name + ".bias"]

    def rescale(self, name: str, s: Array) -> Array:
        assert int(np.abs(s).max()) < 1 << 24
        return to_integers(s.astype(F32) * self.tensors[name + ".multiplier"])  # F3


@dataclass
class Inputs:
    """Section 6, for n positions."""

    vector: Array
    bucket: Array
    reference: Array
    scale: Array


def f1(scale: Array, gain: int) -> Array:
    factor: Array = F32(gain) / scale.astype(F32)
    return factor


def f2(deviation: Array, factor: Array) -> Array:
    return clamp(to_integers(deviation.astype(F32) * factor), -127, 127)


def make_inputs(model: Model, v: Array, known: Array) -> Inputs:
    """Section 6.3 to 6.5; v (n, N, C), known (n, N)."""
    count, channels = len(v), v.shape[2]
    w = known * model.weights
    total = w.sum(1)
    none = total == 0
    total = np.where(none, 1, total)
    sums = (w[:, :, None] * v).sum(1)
    reference = np.where(none[:, None], 2048, (32 * sums + total[:, None]) // (2 * total[:, None]))
    deviation = 16 * v - reference[:, None, :]
    spread = (w[:, :, None] * abs(deviation)).sum((1, 2))
    scale = np.where(none, 512, spread // (channels * total) + 16)
    factor = f1(scale, model.config["gain"])
    near = np.where(known[:, :, None], f2(deviation, factor[:, None, None]), 0)
    quotient, rest = reference >> 4, reference & 15
    rounded = quotient + ((rest > 8) | ((rest == 8) & (quotient % 2 == 1)))
    level = clamp(rounded - 128, -127, 127)
    vector = np.concatenate([near.reshape(count, -1), 32 * known, level], 1)
    bucket = (scale[:, None] >= np.array(THRESHOLDS)).sum(1)
    return Inputs(vector, bucket, reference, scale)


def act(model: Model, h: Array) -> Array:
    if not model.config.get("normalise", False):
        return clamp(to_integers(h.astype(F32) / F32(8)), -127, 127)
    width = h.shape[1]
    q = 8 * width + (h * h).sum(1, keepdims=True)
    factor = np.sqrt(1024 * width / q.astype(np.float64)).astype(F32)  # F6
    return clamp(to_integers(h.astype(F32) * factor), -127, 127)


def bend(model: Model, x: Array) -> Array:
    if not model.config.get("smooth", False):
        return clamp(x, 0, 127)
    m = np.minimum(x, 127)
    return np.rint(m * clamp(m + 32, 0, 64) / 64).astype(np.int64)


def hidden(model: Model, inputs: Inputs, level: int, style: int, latents: list[int]) -> Array:
    """Section 7.3."""
    tensors, config = model.tensors, model.config
    embedding = tensors["bucket"][inputs.bucket] + tensors["level"][min(level, config["levels"] - 1)]
    if "style" in tensors:
        embedding = embedding + tensors["style"][style]
    if latents:
        embedding = embedding + (np.array(latents) @ tensors["latent"][: len(latents)] + 16) // 32
    stream = model.rescale("input", model.linear("input", inputs.vector) + embedding)
    for i in range(config["blocks"]):
        expand, contract = f"blocks.{i}.expand", f"blocks.{i}.contract"
        inner = bend(model, model.rescale(expand, model.linear(expand, act(model, stream))))
        stream = stream + model.rescale(contract, model.linear(contract, inner))
    return act(model, stream)


class Head:
    """Sections 7.4 and 7.5: the channels of n positions in turn."""

    def __init__(self, model: Model, inputs: Inputs, level: int, style: int, latents: list[int]) -> None:
        self.model, self.inputs = model, inputs
        self.seen = [hidden(model, inputs, level, style, latents)]
        self.innovations: list[Array] = []

    def mixture(self) -> tuple[Array, Array, Array]:
        """Weights, means and factors of the next channel, (n, k) each."""
        model, c, k = self.model, len(self.innovations), self.model.config["mixture"]
        inner, outer = f"heads.{c}.inner", f"heads.{c}.outer"
        x = bend(model, model.rescale(inner, model.linear(inner, np.concatenate(self.seen, 1))))
        out = model.rescale(outer, model.linear(outer, x))
        logits, offsets, octaves, couplings = np.split(out, [k, 2 * k, 3 * k], 1)
        below = np.minimum(logits.max(1, keepdims=True) - logits, 255)
        weights = model.tensors["tables.mixture_weights"][below]
        scale = self.inputs.scale[:, None]
        factors = model.tensors["tables.inverse_scales"][clamp(octaves, -128, 127) + 128] / scale.astype(F32)  # F4
        centre = 4 * self.inputs.reference[:, c]
        if c:
            pull = (clamp(couplings, -2047, 2047) * np.stack(self.innovations, 1)).sum(1)
            centre = centre + (pull + 128) // 256
        means = centre[:, None] + (clamp(offsets, -32767, 32767) * scale + 32) // 64
        self.expected = (weights * means).sum(1) // weights.sum(1)
        return weights, clamp(means, -(1 << 23), 1 << 23), factors

    def observe(self, v: Array) -> None:
        """The decoded values of the channel whose mixture was taken last."""
        config, c = self.model.config, len(self.innovations)
        innovation = 64 * v - self.expected
        self.innovations.append(innovation)
        scale = self.inputs.scale
        self.seen.append(f2(16 * v - self.inputs.reference[:, c], f1(scale, config["gain"]))[:, None])
        self.seen.append(f2(innovation, f1(scale, config["innovation_gain"] >> 2))[:, None])


def cdf(model: Model, mixture: tuple[Array, Array, Array], e: Array) -> Array:
    """Section 8.1: F at values e (n or 1, m)."""
    nodes = model.tensors["tables.logistic_nodes"]
    weights, means, factors = mixture
    mass = 0
    for weight, mean, factor in zip(weights.T, means.T, factors.T, strict=True):
        t = (64 * e - 32 - mean[:, None]).astype(F32) * factor[:, None]  # F5
        u = clamp(to_integers(t), -(1 << 22), (1 << 22) - 1) + (1 << 22)
        node, fraction = u >> 14, u % (1 << 14)
        mass = mass + weight[:, None] * (nodes[node] + ((nodes[node + 1] - nodes[node]) * fraction >> 14))
    whole = weights.sum(1, keepdims=True) << 20
    return np.where(e == 0, 0, np.where(e == 256, whole, mass)) >> 3


def lefts(model: Model, mixture: tuple[Array, Array, Array], high: Array | None) -> Array:
    """Section 8.2: left(0) .. left(16) for the high digit, or for the low one after ``high``."""
    i = np.arange(17)
    e = 16 * i[None] if high is None else 16 * high[:, None] + i
    mass = cdf(model, mixture, e)
    mass = mass - mass[:, :1]
    mass = np.where(mass[:, -1:] == 0, i, mass)
    left: Array = mass * ((1 << 24) - 16) // mass[:, -1:] + i
    return left


def levels_of(height: int, width: int) -> int:
    return next(count for count in range(22) if 1 << count >= max(height, width))


def rank_map(height: int, width: int) -> Array:
    """Section 5.3."""
    levels = levels_of(height, width)
    ranks = np.full((height, width), -1)
    for y in range(height):
        for x in range(width):
            if y | x:
                level = ((y | x) & -(y | x)).bit_length() - 1
                ranks[y, x] = 48 * (levels - 1 - level) + CELL[(y >> level) % 8, (x >> level) % 8]
    return ranks


def planned(model: Model, first: tuple[int, int], steps: int) -> list[int]:
    """Section 5.6: the runs of so many steps."""
    same, coarser = model.tensors["costs.same"], model.tensors["costs.coarser"]
    ranks, sizes = np.unique(rank_map(*first)[rank_map(*first) >= 0], return_counts=True)
    n, levels = len(ranks), levels_of(*first)
    if steps >= n:
        raise RefusedError("more steps are planned than there are ranks")
    level, within = levels - 1 - ranks // 48, ranks % 48
    cost = np.zeros((n, n), np.int64)  # of coding j in a step that starts at i
    for j in range(n):
        row, least = min(level[j], len(same) - 1), np.inf
        for i in range(j + 1):
            up = min(level[i] - level[j] - 1, coarser.shape[1] - 1)
            table = same[row] if level[i] == level[j] else coarser[row, up]
            least = min(least, float(table[within[i], within[j]]))
            whole = int(least * 4096 + 0.5)
            cost[i, j] = sizes[j] * (whole + (whole // 256 if i < j else 0))
    step = cost.cumsum(1)  # of ranks i .. k
    best = [[(int(step[0, k]), 0) for k in range(n)]]  # of 1, 2, ... steps up to k: the cost, and where the last starts
    for count in range(1, steps):
        before = best[-1]
        best.append(
            [min(((before[i - 1][0] + int(step[i, k]), i) for i in range(count, k + 1)), default=(1 << 62, 0))
             for k in range(n)]
        )  # fmt: skip
    edges = [n]
    for row in reversed(best):
        edges.append(row[edges[-1] - 1][1])
    return [b - a for a, b in pairwise(reversed(edges))]


def steps_of(first: tuple[int, int], shape: tuple[int, int], runs: list[int] | None) -> list[tuple[int, int]]:
    """Sections 5.4 and 5.5."""
    occupied = sorted(set(rank_map(*first)[rank_map(*first) >= 0].tolist()))
    runs = [1] * len(occupied) if runs is None else runs
    if sum(runs) != len(occupied):
        raise RefusedError("the schedule does not fit")
    if not occupied:
        return []
    edges = [0] + [occupied[sum(runs[:s])] for s in range(1, len(runs))] + [48 * levels_of(*first)]
    edges = [max(0, edge - 48 * (levels_of(*first) - levels_of(*shape))) for edge in edges]
    return list(pairwise(edges))


def blocks_of(ranks: Array, step: tuple[int, int]) -> Iterator[tuple[int, Array]]:
    """Level and positions (n, 2), in the tile's coordinates, of every block of a step."""
    y, x = np.nonzero((ranks >= step[0]) & (ranks < step[1]))
    order = np.argsort(ranks[y, x], kind="stable")  # np.nonzero goes in raster order
    y, x = y[order], x[order]
    level = np.array([(int(v) & -int(v)).bit_length() - 1 for v in y | x])
    for here in sorted(set(level.tolist()), reverse=True):
        positions = np.stack([y[level == here], x[level == here]], 1)
        for start in range(0, len(positions), BLOCK):
            yield here, positions[start : start + BLOCK]


def look(model: Model, samples: Array, ranks: Array, level: int, positions: Array, first: int) -> tuple[Array, Array]:
    """Section 6.1: the window's samples (n, N, C) and which are known."""
    at = positions[:, None, :] + (np.array(model.offsets) << level)
    inside = ((at >= 0) & (at < ranks.shape)).all(2)
    y, x = np.where(inside[..., None], at, 0).transpose(2, 0, 1)
    return samples[y, x], inside & (ranks[y, x] < first)


Pop = Callable[[int, list[int]], int]  # section, left -> digit


def decode_tile(model: Model, tile: int, shape: tuple[int, int], file: dict[str, Any], pop: Pop) -> Array:
    """Section 4."""
    channels, coded = file["channels"], model.config["channels"]
    latents = file["latents"][tile] if file["latents"] else []
    samples = np.zeros((*shape, coded), np.int64)
    ranks = rank_map(*shape)
    root = [16 * pop(0, ROOT) + pop(0, ROOT) for _ in range(channels)]
    samples[0, 0] = root
    runs = planned(model, file["tile"], file["runs"]) if isinstance(file["runs"], int) else file["runs"]
    for step in steps_of(file["tile"], shape, runs):
        for level, positions in blocks_of(ranks, step):
            section = max(0, file["sections"] - 1 - level)
            inputs = make_inputs(model, *look(model, samples, ranks, level, positions, step[0]))
            head = Head(model, inputs, level, file["style"], latents)
            decoded = np.zeros((len(positions), channels), np.int64)
            for c in range(channels):
                mixture = head.mixture()
                rows = np.broadcast_to(lefts(model, mixture, None), (len(positions), 17))
                high = np.array([pop(section, row) for row in rows.tolist()])
                low = np.array([pop(section, row) for row in lefts(model, mixture, high).tolist()])
                decoded[:, c] = 16 * high + low
                head.observe(decoded[:, c])
            samples[tuple(positions.T)] = decoded  # one channel goes to all of the model's
    return samples[..., :channels].astype(np.uint8)


def decode(data: bytes, model: Model) -> Array:
    """A whole file."""
    file = read_file(data)
    if file["model"] != model.name:
        raise RefusedError("another model")
    height, width, channels = file["height"], file["width"], file["channels"]
    rows, columns = file["tile"]
    image = np.zeros((height, width, channels), np.uint8)
    corners = [(y, x) for y in range(0, height, rows) for x in range(0, width, columns)]
    for tile, (y, x) in enumerate(corners):
        part = image[y : y + rows, x : x + columns]
        payloads = file["payloads"][tile :: len(corners)]
        stacks = [AnsDecoder(payload[::-1] if file["reverse"] else payload) for payload in payloads]
        decoded = decode_tile(
            model, tile, part.shape[:2], file, lambda section, left, stacks=stacks: stacks[section].pop(left)
        )
        part[:] = decoded[:: -1 if file["mirror"] & 1 else 1, :: -1 if file["mirror"] & 2 else 1]
        if not all(stack.is_empty() for stack in stacks) or zlib.crc32(part.tobytes()) != file["checksums"][tile]:
            raise RefusedError("a tile is damaged")
    return image


def known_answer(model: Model) -> int:
    """Section 10."""
    n, window, channels = 96, len(model.offsets), model.config["channels"]
    count = n * ((window + 1) * channels + window)
    numbers = np.frombuffer(hashlib.shake_256(b"ardm-compress").digest(2 * count), "<u2").astype(np.int64)
    s = numbers[: n * (window + 1) * channels].reshape(n, window + 1, channels)
    m = numbers[prod(s.shape) :].reshape(n, window)
    samples = s % 64 + (s[:, :1] >> 9)
    known = m % 7 < np.arange(n)[:, None] % 8
    inputs = make_inputs(model, samples[:, 1:], known)
    check = 0
    for level in range(model.config["levels"]):
        latents = [(37 * level + 101 * k) % 255 - 127 for k in range(model.config.get("latents", 0))]
        head = Head(model, inputs, level, level % model.config.get("styles", 1), latents)
        for c in range(channels):
            rows = np.diff(lefts(model, head.mixture(), None)) - 1
            check = zlib.crc32(rows.astype("<i4").tobytes(), check)
            head.observe(samples[:, 0, c])
    return check
