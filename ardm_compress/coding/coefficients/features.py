"""Known coefficients -> the network's integer inputs. Exact: integers throughout. NumPy and Numba only.

Blocks are coded in classes, from coarse lattices to fine ones; in a class first the number of coefficients that are not
zero (AC only), then the 64 coefficients in zigzag order, each of all blocks of the class at once. Training and coding
share this module. docs/format.md is normative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.computing import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZIGZAG: Final = np.array(
    sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8)), np.int64
)  # row and column of a coefficient, 8 * row + column, by its zigzag number
_PLACE: Final = np.argsort(ZIGZAG).reshape(8, 8)  # zigzag numbers
AROUND: Final = np.array([(0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)], np.int64)
SIDES: Final = 4  # of AROUND: left, right, above, below
KINDS: Final = 3  # classes of a level: rows and columns odd, columns odd, rows odd
KNOWN: Final = np.array([[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0], [1] * 8], np.int64)  # of AROUND, by kind
LEVELS: Final = 4  # that the network tells apart
_OWN: Final = [
    (0, -1), (0, -2), (0, -3), (0, -4), (-1, 0), (-2, 0), (-3, 0), (-4, 0), (-1, -1), (1, -1), (-1, 1), (-2, -1),
    (-1, -2), (2, -2), (-2, 2), (-2, -2),
]  # fmt: skip
COUNT: Final = -1  # in place of a coefficient's number: how many are not zero
ROWS: Final = 65  # of the network's level embedding, for each role of a component
ROLES: Final = 3  # the first component, the second, the third
INPUTS: Final = 8 * 4 + 2 * SIDES + len(_OWN) + 10 + 9 + 4 + KINDS + LEVELS
SCALE_ONE: Final = 16
GAIN: Final = 20
EDGE_BITS: Final = 10


def _beside() -> NDArray[np.int64]:
    """Zigzag numbers of the coefficients at _OWN of each, 64 if there is none before it: (64, len(_OWN))."""
    table = np.full((64, len(_OWN)), 64, np.int64)
    for k, i in enumerate(ZIGZAG):
        for j, (dy, dx) in enumerate(_OWN):
            y, x = i // 8 + dy, i % 8 + dx
            if 0 <= y < 8 and 0 <= x < 8 and _PLACE[y, x] < k:
                table[k, j] = _PLACE[y, x]
    return table


def _near() -> NDArray[np.int64]:
    """Zigzag numbers of the four coefficients next to each, itself where there is none: (64, 4)."""
    table = np.zeros((64, 4), np.int64)
    for k, i in enumerate(ZIGZAG):
        for j, (dy, dx) in enumerate([(0, -1), (0, 1), (-1, 0), (1, 0)]):
            y, x = i // 8 + dy, i % 8 + dx
            table[k, j] = _PLACE[y, x] if 0 <= y < 8 and 0 <= x < 8 and i and (y or x) else k
    return table


BESIDE: Final = _beside()
NEAR: Final = _near()
# What each of a row's coefficients adds at the block's edge, halfway to its neighbour, times 2**EDGE_BITS:
# round(1024 * (1.5 * basis(0) - 0.5 * basis(1))) of the orthonormal DCT's basis functions.
EDGE: Final = np.array([362, 540, 612, 689, 724, 678, 530, 292], np.int64)
LOGS: Final = np.array([min(127, round(16 * math.log2(1 + i / 4))) for i in range(1 << 10)], np.int64)  # of quarters
THIRDS: Final = np.array([math.ceil(2 ** (i / 3) - 1e-9) for i in range(1, 36)], np.int64)


@dataclass(frozen=True)
class Plane:
    """The coefficients of one component, all or those known so far, and what is derived from them."""

    values: NDArray[np.int16]  # (rows, columns, 64), in zigzag order
    sums: NDArray[np.uint8]  # (rows, columns, 65): how many of the AC coefficients before each are not zero
    counts: NDArray[np.uint8]  # (rows, columns): of all AC coefficients
    edges: NDArray[np.int32]  # (rows, columns, 4, 8): the edges' own spectra, left, right, top, bottom
    steps: NDArray[np.int64]  # (64,), of the quantiser

    @classmethod
    def empty(cls, values: NDArray[np.int16], steps: NDArray[np.int64]) -> Plane:
        """Make a plane of which nothing is known, to be filled: ``values`` are zeros."""
        rows, columns = values.shape[:2]
        return cls(
            values, np.zeros((rows, columns, 65), np.uint8), np.zeros((rows, columns), np.uint8),
            np.zeros((rows, columns, 4, 8), np.int32), steps,
        )  # fmt: skip

    @classmethod
    def known(cls, values: NDArray[np.int16], steps: NDArray[np.int64]) -> Plane:
        """Make a plane of known coefficients."""
        plane = cls.empty(values, steps)
        every = np.indices(values.shape[:2]).reshape(2, -1)
        plane.counts[:] = (values[..., 1:] != 0).sum(2)
        count(plane.arrays, every[0], every[1])
        finish(plane.arrays, every[0], every[1])
        return plane

    @property
    def arrays(self) -> tuple[Any, ...]:
        """As compiled functions take it."""
        return self.values, self.sums, self.counts, self.edges, self.steps


@compiled
def count(plane: Any, by: Any, bx: Any) -> None:
    """Fill in the running counts of known blocks; ``plane`` are the arrays of one."""
    values, sums = plane[0], plane[1]
    for i in range(len(by)):
        y, x = by[i], bx[i]
        sums[y, x, 0] = sums[y, x, 1] = 0
        for k in range(1, 64):
            sums[y, x, k + 1] = sums[y, x, k] + (values[y, x, k] != 0)


@compiled
def advance(plane: Any, by: Any, bx: Any, k: int) -> None:
    """Fill in the running counts behind coefficient ``k`` of blocks, of which those up to it are known."""
    values, sums, counts = plane[0], plane[1], plane[2]
    for i in range(len(by)):
        y, x = by[i], bx[i]
        sums[y, x, k + 1] = sums[y, x, k] + (k > 0 and values[y, x, k] != 0)
        if sums[y, x, k + 1] == counts[y, x]:  # all others are zero
            sums[y, x, k + 2 :] = counts[y, x]


@compiled
def finish(plane: Any, by: Any, bx: Any) -> None:
    """Fill in the edges of known blocks."""
    values, _, _, edges, steps = plane
    for i in range(len(by)):
        y, x = by[i], bx[i]
        edges[y, x] = 0
        for k in range(64):
            if values[y, x, k]:
                u, v = ZIGZAG[k] >> 3, ZIGZAG[k] & 7
                real = values[y, x, k] * steps[k]
                across, along = real * EDGE[v], real * EDGE[u]
                edges[y, x, 0, u] += across
                edges[y, x, 1, u] += -across if v & 1 else across
                edges[y, x, 2, v] += along
                edges[y, x, 3, v] += -along if u & 1 else along


@compiled
def _log(quarters: int) -> int:
    """Give sign and magnitude of a number of quarters, as an input."""
    size = int(LOGS[min(abs(quarters), 1023)])
    return -size if quarters < 0 else size


@compiled
def _floor(number: int, by: int) -> int:
    """Divide, rounded down: exact below 2^53, and many times as fast as by integers on processors without AVX-512."""
    found: int = math.floor(np.float64(number) / np.float64(by))
    return found


@compiled
def _divide(number: int, by: int) -> int:
    """Divide, rounded to the nearest, halves up."""
    return _floor(2 * number + by, 2 * by)


@compiled
def _clip(number: int) -> int:
    return max(-127, min(127, number))


@compiled
def features(
    plane: Any, luma: Any, other: Any, role: int, by: Any, bx: Any, ks: Any, levels: Any, kinds: Any, pull: Any,
    inputs: Any, bucket: Any, row: Any, reference: Any, scale: Any,
) -> None:  # fmt: skip
    """Fill in what the network sees of coefficients ``ks`` (n,) of blocks ``by``, ``bx`` (n,).

    Args:
        plane: arrays of the component's ``Plane``.
        luma: of the first component, if it is another.
        other: of the second component, if this is the third.
        role: 0, 1 or 2.
        by: rows of the blocks.
        bx: columns of the blocks.
        ks: zigzag numbers, or COUNT.
        levels: (n,), of their classes, 0 the finest.
        kinds: (n,), the same; KINDS for the one block that comes first.
        pull: (ROLES, 64, 2) in 1/64, how much of what the edges tell to believe, of the sides and of above and below.
        inputs: (n, INPUTS) int8, to fill.
        bucket: (n,) int64, to fill.
        row: (n,) int64, of the level embedding, to fill.
        reference: (n,) int64, in 1/16, to fill.
        scale: (n,) int64, in 1/16, to fill.
    """
    values, sums, counts, edges, steps = plane
    rows, columns = values.shape[0], values.shape[1]
    r4, there = np.zeros(4, np.int64), np.zeros(8, np.int64)
    for i in range(len(by)):
        y, x, k, level, kind = by[i], bx[i], ks[i], levels[i], kinds[i]
        reach = 1 << level
        u = v = 0
        if k >= 0:
            u, v = ZIGZAG[k] >> 3, ZIGZAG[k] & 7
        out = inputs[i]
        out[:] = 0
        at, size, energy, weight, rest, mean = 0, 0, 0, 0, 0, 0
        for j in range(8):
            ny, nx = y + AROUND[j, 0] * reach, x + AROUND[j, 1] * reach
            there[j] = kind < KINDS and KNOWN[kind, j] and 0 <= ny < rows and 0 <= nx < columns
            if there[j]:
                w = 2 if j < SIDES else 1
                block = values[ny, nx]
                if k < 0:
                    here, own = np.int64(counts[ny, nx]), np.int64(counts[ny, nx])
                    near, left = own - sums[ny, nx, 10], own - sums[ny, nx, 28]
                else:
                    here = np.int64(block[k])
                    own = abs(here)
                    near = 2 * own
                    for t in range(4):
                        near += abs(np.int64(block[NEAR[k, t]]))
                    left = np.int64(counts[ny, nx]) - sums[ny, nx, k]
                mean += w * here
                size += w * own
                energy += w * near
                rest += w * left
                weight += w
                out[at] = _log(4 * here)
                out[at + 1] = _log(2 * near)
                out[at + 2] = _log(4 * left)
                out[at + 3] = 32
            at += 4
        whole = max(weight, 1)
        # What continuity across the edges tells, in quarters; of level 0 only, where neighbours touch.
        sides = 0
        if k >= 0 and level == 0:
            known_across, known_across_odd, known_along, known_along_odd = 0, 0, 0, 0
            own_values = values[y, x]
            for t in range(8):
                z = _PLACE[u, t]
                if z < k:
                    part = own_values[z] * steps[z] * EDGE[t]
                    known_across += part
                    known_across_odd += -part if t & 1 else part
                z = _PLACE[t, v]
                if z < k:
                    part = own_values[z] * steps[z] * EDGE[t]
                    known_along += part
                    known_along_odd += -part if t & 1 else part
            for j in range(SIDES):
                r4[j] = 0
                if there[j]:
                    sides += 1
                    ny, nx = y + AROUND[j, 0], x + AROUND[j, 1]
                    if j == 0:
                        gap = edges[ny, nx, 1, u] - known_across
                    elif j == 1:
                        gap = edges[ny, nx, 0, u] - known_across_odd
                        gap = -gap if v & 1 else gap
                    elif j == 2:
                        gap = edges[ny, nx, 3, v] - known_along
                    else:
                        gap = edges[ny, nx, 2, v] - known_along_odd
                        gap = -gap if u & 1 else gap
                    d = (EDGE[v] if j < 2 else EDGE[u]) * steps[k]
                    r4[j] = _divide(4 * gap, d)
        ref, local = 0, SCALE_ONE
        if k <= 0:
            if k == 0 and sides:
                ref = _divide(4 * (r4[0] + r4[1] + r4[2] + r4[3]), sides)
                for j in range(SIDES):
                    if there[j]:
                        local += _floor(abs(4 * r4[j] - ref), sides)
            elif weight:
                ref = _divide(SCALE_ONE * mean, weight)
                total = 0
                for j in range(8):
                    if there[j]:
                        ny, nx = y + AROUND[j, 0] * reach, x + AROUND[j, 1] * reach
                        here = np.int64(counts[ny, nx]) if k < 0 else np.int64(values[ny, nx, 0])
                        total += (2 if j < SIDES else 1) * abs(SCALE_ONE * here - ref)
                local += _floor(total, weight)
            else:
                local = 20 * SCALE_ONE
        else:
            local += _floor(SCALE_ONE * size, whole)
            if sides:
                across, along = r4[0] + r4[1], r4[2] + r4[3]
                if there[0] + there[1] == 2:
                    across *= 2
                else:
                    across = across * 5 // 2
                if there[2] + there[3] == 2:
                    along *= 2
                else:
                    along = along * 5 // 2
                ref = (pull[role, k, 0] * across + pull[role, k, 1] * along + 32) >> 6
        for j in range(SIDES):
            if sides and there[j]:
                out[at + 2 * j] = _log(r4[j])
                out[at + 2 * j + 1] = _clip(_divide(GAIN * (4 * r4[j] - ref), local))
        at += 2 * SIDES
        remaining = 0
        if k >= 0:
            for j in range(BESIDE.shape[1]):
                z = BESIDE[k, j]
                if z < 64:
                    out[at + j] = _log(4 * values[y, x, z])
            remaining = np.int64(counts[y, x]) - sums[y, x, k]
        at += BESIDE.shape[1]
        out[at] = _log(_floor(4 * SCALE_ONE * size, whole)) if k else 0
        out[at + 1] = _log(_floor(4 * SCALE_ONE * energy, 6 * whole)) if k else 0
        out[at + 2] = _log(_floor(8 * rest, whole))
        if k >= 0:
            recent, total = 0, 0
            own_values = values[y, x]
            for t in range(1, k):
                total += abs(np.int64(own_values[t]))
            for t in range(max(1, k - 7), k):
                recent += abs(np.int64(own_values[t]))
            out[at + 3] = _log(4 * recent)
            out[at + 4] = _log(total)
            out[at + 5] = _log(4 * sums[y, x, k])
            out[at + 6] = _log(4 * remaining)
            out[at + 7] = _floor(127 * remaining, 64 - max(k, 1))
            out[at + 8] = _log(4 * counts[y, x])
            out[at + 9] = _clip(8 * remaining - _floor(8 * rest, whole)) if weight else 0
        at += 10
        if role:
            lvalues, lsums, lcounts, _, lsteps = luma
            ly, lx = max(1, _divide(lvalues.shape[0], rows)), max(1, _divide(lvalues.shape[1], columns))
            under, signed, busy, around = 0, 0, 0, 0
            for dy in range(ly):
                for dx in range(lx):
                    py, px = min(y * ly + dy, lvalues.shape[0] - 1), min(x * lx + dx, lvalues.shape[1] - 1)
                    if k < 0:
                        under += 4 * np.int64(lcounts[py, px])
                        busy += np.int64(lcounts[py, px]) - lsums[py, px, 10]
                    else:
                        here = np.int64(lvalues[py, px, k])
                        under += 4 * abs(here) * lsteps[k]
                        signed += 4 * here * lsteps[k]
                        busy += np.int64(lcounts[py, px]) - lsums[py, px, k]
                        for t in range(4):
                            around += 2 * abs(np.int64(lvalues[py, px, NEAR[k, t]])) * lsteps[k]
            area = ly * lx
            step = steps[k] if k >= 0 else 1
            out[at] = _log(_divide(4 * under, area * step))
            out[at + 1] = _log(_divide(signed, area * step))
            out[at + 2] = _log(_floor(4 * busy, area))
            out[at + 3] = _log(_floor(around, area * step))
            if role == 2:
                ovalues, osums, ocounts, _, _ = other
                py, px = min(y, ovalues.shape[0] - 1), min(x, ovalues.shape[1] - 1)
                if k < 0:
                    out[at + 4] = _log(4 * ocounts[py, px])
                    out[at + 5] = _log(4 * (np.int64(ocounts[py, px]) - osums[py, px, 10]))
                else:
                    out[at + 4] = _log(4 * ovalues[py, px, k])
                    total = 0
                    for t in range(4):
                        total += abs(np.int64(ovalues[py, px, NEAR[k, t]]))
                    out[at + 5] = _log(4 * total)
                    out[at + 6] = _log(4 * (np.int64(ocounts[py, px]) - osums[py, px, k]))
                    if weight and k == 0:
                        total = 0
                        for j in range(8):
                            if there[j]:
                                ny = min(y + AROUND[j, 0] * reach, ovalues.shape[0] - 1)
                                nx = min(x + AROUND[j, 1] * reach, ovalues.shape[1] - 1)
                                total += (2 if j < SIDES else 1) * np.int64(ovalues[ny, nx, 0])
                        change = np.int64(ovalues[py, px, 0]) * weight - total
                        out[at + 7] = _log(_divide(4 * change, weight))
                        out[at + 8] = _clip(_divide(GAIN * SCALE_ONE * change, weight * local))
        at += 9
        out[at] = LOGS[min(4 * steps[max(k, 0)], 1023)]
        out[at + 1] = LOGS[min(4 * steps[0], 1023)]
        out[at + 2] = LOGS[min(4 * steps[24], 1023)]
        if k > 0:
            out[at + 3] = _clip(values[y, x, 0] * steps[0] // 8)
        at += 4
        if kind < KINDS:
            out[at + kind] = 32
        out[at + KINDS + min(level, LEVELS - 1)] = 32
        # The row of the scale embedding: thirds of octaves of how large the coefficients around are.
        amount = 1 + (_floor(16 * energy, 6 * whole) if k else local - SCALE_ONE)
        at = 0
        while at < len(THIRDS) and THIRDS[at] <= amount:
            at += 1
        bucket[i], row[i] = at, role * ROWS + k + 1
        reference[i], scale[i] = ref, local
