"""A second decoder of sound by filters that learn, written from docs/format.md section 13.9 alone. Slow."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from reader import AnsDecoder, RefusedError

Vector = NDArray[np.float64]

SPEECH = ((256, 0.2), (32, 0.2), (16, 0.1))
MUSIC = ((1024, 0.01), (256, 0.05), (32, 0.06), (16, 0.06))
LOUD = ((1024, 0.03), (512, 0.01), (256, 0.05), (32, 0.06), (16, 0.06))
WIDE = ((256, 0.02), (32, 0.02))
# narrow stages, forget, agile forget, wide: own inputs, stages, forget and times between solutions; memory
PROFILES = (
    (SPEECH, 0.996, 0.98, None, 0.995),
    (MUSIC, 0.998, 0.99, None, 0.995),
    (MUSIC, 0.9995, 0.998, None, 0.995),
    (SPEECH, 0.996, 0.98, (32, (), 0.9995, 8), 0.995),
    (LOUD, 0.998, 0.99, (112, WIDE, 0.9998, 64), 0.998),
    (LOUD, 0.9995, 0.998, (112, WIDE, 0.99995, 64), 0.998),
)
COMPONENTS = [(0, speed, factor) for speed in range(3) for factor in (0.5, 1.0, 2.0)] + [
    (centre, speed, 1.0) for centre in (1, 2, 3, 4) for speed in range(3)
]


def lanes(products: Vector) -> float:
    """The sum of products, in eight lanes."""
    total = np.zeros(8)
    for eight in products.reshape(-1, 8):
        total = total + eight
    s = total.tolist()
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))


def solve(sums: Vector, right: Vector, ridge: float) -> Vector | None:
    """Cholesky's factor row by row, the right side along with it."""
    u, v, n = sums.copy(), right.copy(), len(right)
    roots = np.zeros(n)
    for i in range(n):
        pivot = u[i, i] + ridge
        if not pivot > 0.5 * ridge:
            return None
        roots[i] = 1.0 / math.sqrt(pivot)
        u[i, i + 1 :] = u[i, i + 1 :] * roots[i]
        v[i] = v[i] * roots[i]
        for j in range(i + 1, n):
            u[j, j:] = u[j, j:] - u[i, j] * u[i, j:]
            v[j] = v[j] - v[i] * u[i, j]
    for i in range(n - 1, -1, -1):
        v[i] = v[i] * roots[i]
        v[:i] = v[:i] - u[:i, i] * v[i]
    return v


class Squares:
    """Least squares with forgetting."""

    def __init__(self, n: int, forget: float) -> None:
        self.sums, self.right, self.forget = np.zeros((n, n)), np.zeros(n), forget
        self.size = self.growth = 1.0

    def learn(self, inputs: Vector, value: float, error: float, t: int) -> None:
        self.size = 0.8 * self.size + 0.2 * (abs(error) + 2.0)
        gain = self.growth / math.sqrt(self.size)
        self.sums = self.sums + (gain * inputs)[:, None] * inputs[None, :]
        self.right = self.right + (gain * value) * inputs
        self.growth = self.growth / self.forget
        if t % 512 == 511:
            for a in (self.sums, self.right):
                a[...] = a / self.growth
                a[~(np.abs(a) > 2.0**-100)] = 0.0
            self.growth = 1.0

    def solution(self, n: int) -> Vector | None:
        return solve(self.sums[:n, :n], self.right[:n], 0.01 / (1.0 - self.forget) * self.growth)


class Channel:
    """All that one channel has learnt."""

    def __init__(self, number: int, channels: int, profile: int) -> None:
        narrow, forget, agile_forget, self.wide, self.memory = PROFILES[profile]
        stages = narrow + (self.wide[1] if self.wide else ())
        self.narrow = len(narrow)
        self.partners = [(number - 1 - i) % channels for i in range(min(channels - 1, 2))]
        self.number, self.stages = number, stages
        n, self.short = (64, 24) if self.partners else (32, 16)
        self.long, self.agile = Squares(n, forget), Squares(self.short, agile_forget)
        self.solutions = [np.zeros(n), np.zeros(self.short), np.zeros(self.short)]
        if self.wide:
            count = self.wide[0] + (16 if self.partners else 0)
            self.widest, self.wide_solution = Squares(count, self.wide[2]), np.zeros(count)
        self.weights = [np.zeros(taps) for taps, _ in stages]
        self.past = [np.zeros(taps) for taps, _ in stages]
        self.emphasis = []
        for taps, _ in stages:
            falling, total = [4 / (4 + i) for i in range(taps)], 0.0
            for value in falling:
                total += value
            self.emphasis.append(np.array(falling) * (float(taps) / total))
        self.mix = [[1.0] * len(narrow) + [0.0] * (len(stages) - len(narrow) + (3 if self.wide else 2)) for _ in "12"]
        self.slopes = [[0.0] * len(mix) for mix in self.mix]
        self.sizes = [[32.0] * 3 for _ in range(5 if self.wide else 4)]
        self.components = COMPONENTS[: 21 if self.wide else 18]
        self.shares = [1 / len(self.components)] * len(self.components)

    def gather(self, known: NDArray[np.float64], t: int) -> tuple[Vector, Vector]:
        def back(channel: int, first: int, count: int) -> list[float]:
            return [float(known[channel, t - i]) if t >= i else 0.0 for i in range(first, first + count)]

        own, latest = self.number, [0 if e < self.number else 1 for e in self.partners]
        inputs = back(own, 1, 16)
        if self.partners:
            inputs += back(self.partners[0], latest[0], 8)
        inputs += back(own, 17, 16)
        each = 32 // max(1, len(self.partners))
        for i, partner in enumerate(self.partners):
            skipped = 0 if i else 8
            inputs += back(partner, latest[i] + skipped, each - skipped)
        wide = back(own, 1, self.wide[0]) if self.wide else []
        for i, partner in enumerate(self.partners):
            wide += back(partner, latest[i], 16 // len(self.partners))
        return np.array(inputs), np.array(wide)

    def predict(self, known: NDArray[np.float64], t: int) -> list[float]:
        def sane(value: float, otherwise: float) -> float:
            return value if abs(value) < 2.0**26 else otherwise

        self.inputs, self.wide_inputs = self.gather(known, t)
        long, agile, steady = (sane(lanes(s * self.inputs[: len(s)]), 0.0) for s in self.solutions)
        self.parts = [lanes(w * p) for w, p in zip(self.weights, self.past, strict=True)]
        cascade = long
        for part in self.parts[: self.narrow]:
            cascade += part
        centres = [sane(cascade, long), agile, long]
        stages = self.parts
        self.parts = [*stages, agile - long, steady - long]
        if self.wide:
            wide = sane(lanes(self.wide_solution * self.wide_inputs), 0.0)
            self.parts.append(wide - long)
            for part in stages[self.narrow :]:
                wide += part
            centres.append(sane(wide, long))
        mixed = 0.0
        for one, other, part in zip(*self.mix, self.parts, strict=True):
            mixed += (one + other) * part
        self.centres = [sane(long + 0.5 * mixed, long), *centres]
        return self.centres

    def learn(self, value: float, t: int) -> None:
        error, long, agile = value - self.centres[0], self.centres[3], self.centres[2]
        for mix, slopes, by in zip(self.mix, self.slopes, (error, float(np.sign(error))), strict=True):
            for s, part in enumerate(self.parts):
                slope = by * part
                slopes[s] = (0.95 * slopes[s] + 0.05 * (slope * slope)) + 1e-9
                mix[s] += 0.003 * slope / (math.sqrt(slopes[s]) + 1e-3)
        rest, wide_rest = value - long, value - long - self.parts[-1]
        for s, (taps, rate) in enumerate(self.stages):
            rest = wide_rest if s == self.narrow else rest
            past = self.past[s]
            step = rate * (rest - self.parts[s]) / (lanes(self.emphasis[s] * (past * past)) + taps)
            self.weights[s] = self.weights[s] + step * past
            self.past[s] = np.concatenate([[rest], past[:-1]])
            rest -= self.parts[s]
        self.long.learn(self.inputs, value, value - long, t)
        self.agile.learn(self.inputs[: self.short], value, value - agile, t)
        if t < 64 or t % 8 == 0:
            n = len(self.inputs)
            found = self.long.solution(n), self.agile.solution(self.short), self.long.solution(self.short)
            self.solutions = [old if new is None else new for old, new in zip(self.solutions, found, strict=True)]
        if self.wide:
            self.widest.learn(self.wide_inputs, value, wide_rest, t)
            new = self.widest.solution(len(self.wide_inputs)) if t % self.wide[3] == 0 else None
            self.wide_solution = self.wide_solution if new is None else new


def logistic_table() -> list[int]:
    """Of section 13.9."""
    table, power = [0] * 513, 1.0
    for i in range(257):
        table[256 + i] = round(2**20 / (1.0 + power))
        table[256 - i] = 2**20 - table[256 + i]
        power *= float.fromhex("0x1.e0fabfbc702a4p-1")
    return [*table, table[-1]]


TABLE = logistic_table()


def below_cell(cell: int, fine: int, middles: list[float], inverses: list[float]) -> list[int]:
    """Of every component, the mass below a cell."""
    if cell in (0, 256):
        return [0 if cell == 0 else 2**20] * len(middles)
    found = []
    for middle, inverse in zip(middles, inverses, strict=True):
        t = round(min(max((((cell - 128) << fine) - 0.5 - middle) * inverse, -(2.0**22)), 2.0**22)) + 2**22
        node, fraction = divmod(t, 2**14)
        found.append(TABLE[node] + ((TABLE[node + 1] - TABLE[node]) * fraction >> 14))
    return found


def decode_sample(channel: Channel, stack: AnsDecoder, largest: int) -> int:
    """The next sample, predicted already."""
    centres, base = channel.centres, math.floor(channel.centres[0])
    whole = [int(share * 65536.0) + 1 for share in channel.shares]
    middles = [centres[centre] - base for centre, _, _ in channel.components]
    inverses = [
        262144.0 / ((0.72 * channel.sizes[c][speed] + 0.05) * factor) for c, speed, factor in channel.components
    ]
    fast, medium, slow = channel.sizes[0]
    fine = min(max(int((0.5 * fast + 0.3 * medium) + 0.2 * slow).bit_length() - 4, 0), 20)

    def mass(cell: int) -> int:
        return sum(w * edge for w, edge in zip(whole, below_cell(cell, fine, middles, inverses), strict=True))

    def digit(edges: list[int]) -> int:
        low, total = mass(edges[0]), mass(edges[-1]) - mass(edges[0])
        masses = [mass(edge) - low for edge in edges] if total else list(range(17))
        return stack.pop([m * (2**24 - 16) // (total or 16) + i for i, m in enumerate(masses)])

    high = digit(list(range(0, 257, 16)))
    cell = 16 * high + digit(list(range(16 * high, 16 * high + 17)))
    if cell in (0, 255):
        rest = (raw(stack, 16) << 16) + raw(stack, 16) - 2**31
    else:
        rest = ((cell - 128) << fine) + (raw(stack, fine) if fine else 0)
    value = base + rest
    if abs(value) > largest:
        raise RefusedError("a sample of more than 24 bits")
    ends = [below_cell(edge, fine, middles, inverses) for edge in (cell, cell + 1)]
    fits = [s * max((b - a) / 2**20, 1e-6) for s, a, b in zip(channel.shares, *ends, strict=True)]
    total = 0.0
    for fit in fits:
        total += fit
    channel.shares = [channel.memory * fit / total + (1.0 - channel.memory) / len(fits) for fit in fits]
    for sizes, centre in zip(channel.sizes, centres, strict=True):
        error = abs(value - centre) + 2.0**-8
        for i, speed in enumerate((0.06, 0.014, 0.002)):
            sizes[i] += speed * (error - sizes[i])
    return value


def raw(stack: AnsDecoder, bits: int) -> int:
    return stack.pop([i << (24 - bits) for i in range((1 << bits) + 1)])


def decode(payload: bytes, times: int, channels: int, profile: int) -> NDArray[np.int64]:
    """The samples (times, channels) of a tile."""
    stack, known = AnsDecoder(payload), np.zeros((channels, times))
    all_channels = [Channel(number, channels, profile) for number in range(channels)]
    shifts = [raw(stack, 5) if profile >= 3 else 0 for _ in range(channels)]
    for t in range(times):
        for channel in all_channels:
            channel.predict(known, t)
            value = decode_sample(channel, stack, 2**24 >> shifts[channel.number])
            known[channel.number, t] = value
            channel.learn(float(value), t)
    if not stack.is_empty():
        raise RefusedError("a payload holds more than its samples")
    return known.T.astype(np.int64) << np.array(shifts)
