"""A second decoder of JPEG files, written from docs/format.md section 16 and ITU-T T.81. NumPy, zlib, lzma.

It imports nothing of the package, and codes one coefficient after the other.
"""

from __future__ import annotations

import hashlib
import lzma
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from reader import AnsDecoder, Bytes, RefusedError, ans_encode, start
from reference import Array, Head, Inputs, Model, clamp, to_integers

F32 = np.float32
EDGES = [362, 540, 612, 689, 724, 678, 530, 292]
AROUND = [(0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
BESIDE = [(0, -1), (0, -2), (0, -3), (0, -4), (-1, 0), (-2, 0), (-3, 0), (-4, 0), (-1, -1), (1, -1), (-1, 1), (-2, -1),
          (-1, -2), (2, -2), (-2, 2), (-2, -2)]  # fmt: skip


def zigzag() -> list[tuple[int, int]]:
    """Rows and columns in T.81's order."""
    found = []
    for diagonal in range(15):
        cells = [(diagonal - x, x) for x in range(8) if 0 <= diagonal - x < 8]  # upwards
        found += cells if diagonal % 2 == 0 else cells[::-1]
    return found


CELLS = zigzag()
NUMBER = {cell: k for k, cell in enumerate(CELLS)}


def log(quarters: int) -> int:
    size = min(127, math.floor(16 * math.log2(1 + min(abs(quarters), 1023) / 4) + 0.5))
    return -size if quarters < 0 else size


def rnd(a: int, b: int) -> int:
    return (2 * a + b) // (2 * b)


def clip(x: int) -> int:
    return max(-127, min(127, x))


def near(k: int) -> list[int]:
    u, v = CELLS[k]
    cells = [(u, v - 1), (u, v + 1), (u - 1, v), (u + 1, v)]
    return [NUMBER[c] if c in NUMBER and k and NUMBER[c] else k for c in cells]


@dataclass
class Component:
    """Of a frame, with its coefficients."""

    name: int
    across: int
    down: int
    table: int
    rows: int = 0
    columns: int = 0
    height: int = 0
    width: int = 0
    steps: list[int] = field(default_factory=lambda: [1] * 64)
    values: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    counts: dict[tuple[int, int], int] = field(default_factory=dict)

    def block(self, y: int, x: int) -> list[int]:
        return self.values.setdefault((y, x), [0] * 64)


@dataclass
class Scan:
    """As its header and the markers before it say."""

    at: int  # where its data goes
    components: list[Component]
    codes: list[tuple[dict[int, str], dict[int, str]]]  # DC and AC, symbol -> bits
    first: int
    last: int
    high: int
    low: int
    interval: int
    mcus: tuple[int, int]
    progressive: bool


@dataclass
class Picture:
    """What a picture's markers say."""

    components: list[Component]
    scans: list[Scan]
    height: int
    width: int


def huffman(lengths: bytes, symbols: bytes) -> dict[int, str]:
    """T.81 annex C."""
    found, code, at = {}, 0, 0
    for length, count in enumerate(lengths, 1):
        for symbol in symbols[at : at + count]:
            found.setdefault(symbol, format(code, f"0{length}b"))
            code += 1
        at += count
        code <<= 1
    return found


def walk(data: bytes, at: int, holes: list[tuple[int, int]]) -> Picture:
    """Section 16.2: along the markers of a picture without its scans' data; holes are of the pictures behind it."""
    tables: dict[int, dict[int, str]] = {}
    steps: dict[int, list[int]] = {}
    interval, frame = 0, Picture([], [], 0, 0)
    progressive = False
    at += 2
    while at + 1 < len(data):
        if data[at] != 255 or data[at + 1] in (0, 255):
            at += 1
            continue
        marker, at = data[at + 1], at + 2
        if marker == 0xD9:
            break
        if marker == 1 or 0xD0 <= marker <= 0xD7:
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        size -= sum(gone for begin, gone in holes if at <= begin < at + size)
        body, at = data[at + 2 : at + size], at + size
        if marker == 0xC4:
            while body:
                count = sum(body[1:17])
                tables[body[0]] = huffman(body[1:17], body[17 : 17 + count])
                body = body[17 + count :]
        elif marker == 0xDB:
            while body:
                width = 1 + (body[0] >> 4)
                steps[body[0] & 15] = [max(1, int.from_bytes(body[1 + width * i :][:width], "big")) for i in range(64)]
                body = body[1 + 64 * width :]
        elif marker == 0xDD:
            interval = int.from_bytes(body, "big")
        elif marker in (0xC0, 0xC1, 0xC2):
            progressive = marker == 0xC2
            frame.height, frame.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            parts = [body[i : i + 3] for i in range(6, len(body), 3)]
            frame.components = [Component(p[0], p[1] >> 4, p[1] & 15, p[2]) for p in parts]
            if len(parts) == 1:
                frame.components[0].across = frame.components[0].down = 1
            across, down = (max(getattr(c, n) for c in frame.components) for n in ("across", "down"))
            for c in frame.components:
                c.rows, c.columns = -(-frame.height // (8 * down)) * c.down, -(-frame.width // (8 * across)) * c.across
                c.height, c.width = -(-frame.height * c.down // (8 * down)), -(-frame.width * c.across // (8 * across))
        elif marker == 0xDA:
            names = {c.name: c for c in frame.components}
            chosen = [names[body[1 + 2 * i]] for i in range(body[0])]
            selected = [body[2 + 2 * i] for i in range(body[0])]
            codes = [(tables.get(s >> 4, {}), tables.get(16 | s & 15, {})) for s in selected]
            c = chosen[0]
            mcus = (c.height, c.width) if len(chosen) == 1 else (c.rows // c.down, c.columns // c.across)
            ends = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
            frame.scans.append(Scan(at, chosen, codes, *ends, interval, mcus, progressive))
    for c in frame.components:
        c.steps = steps.get(c.table, c.steps)
    return frame


class Bits:
    """The data of a scan while it is written."""

    def __init__(self) -> None:
        self.done, self.bits = b"", ""

    def put(self, value: int, count: int) -> None:
        self.bits += format(value, f"0{count}b") if count else ""

    def end(self, padding: int) -> None:
        count = -len(self.bits) % 8
        self.bits += {255: "1" * count, 0: "0" * count}.get(padding, format(padding, "b")[1:])
        plain = bytes(int(self.bits[i : i + 8], 2) for i in range(0, len(self.bits), 8))
        self.done, self.bits = self.done + plain.replace(b"\xff", b"\xff\0"), ""


def value_bits(value: int) -> tuple[int, str]:
    """T.81 F.1.2: the size of a number, and its bits."""
    size = abs(value).bit_length()
    return size, format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if size else ""


class ScanWriter:
    """Section 16.2, the data of a scan."""

    def __init__(self, scan: Scan, padding: bytes, breaks: set[int]) -> None:
        self.scan, self.padding, self.breaks = scan, padding, breaks
        self.out, self.run, self.waiting = Bits(), 0, ""

    def write(self) -> bytes:
        scan, interval = self.scan, 0
        number, before = 0, [0] * len(scan.components)
        for mcu in range(scan.mcus[0] * scan.mcus[1]):
            if scan.interval and mcu and mcu % scan.interval == 0:
                self.end_run()
                self.out.end(self.padding[min(interval, len(self.padding) - 1)])
                self.out.done += bytes([255, 0xD0 + interval % 8])
                interval, before = interval + 1, [0] * len(scan.components)
            for index, block in self.blocks(mcu):
                if number in self.breaks:
                    self.end_run()
                number += 1
                dc, ac = scan.codes[index]
                if not scan.first and not (scan.progressive and scan.high):
                    value = block[0] >> scan.low if scan.progressive else block[0]
                    size, bits = value_bits(value - before[index])
                    self.out.bits += dc[size] + bits
                    before[index] = value
                if not scan.progressive:
                    self.band(block[1:], 0, ac, sequential=True)
                elif not scan.first and scan.high:
                    self.out.put(block[0] >> scan.low & 1, 1)
                elif scan.first and not scan.high:
                    self.band(block[scan.first : scan.last + 1], scan.low, ac, sequential=False)
                elif scan.first:
                    self.corrections(block[scan.first : scan.last + 1], scan.low, ac)
        self.end_run()
        self.out.end(self.padding[min(interval, len(self.padding) - 1)])
        return self.out.done

    def blocks(self, mcu: int) -> Iterator[tuple[int, list[int]]]:
        my, mx = divmod(mcu, self.scan.mcus[1])
        for index, c in enumerate(self.scan.components):
            down, across = (1, 1) if len(self.scan.components) == 1 else (c.down, c.across)
            for y in range(down):
                for x in range(across):
                    yield index, c.block(my * down + y, mx * across + x)

    def end_run(self) -> None:
        if self.run:
            size = self.run.bit_length() - 1
            self.out.bits += self.scan.codes[0][1][size << 4]
            self.out.put(self.run - (1 << size), size)
        self.out.bits += self.waiting
        self.run, self.waiting = 0, ""

    def band(self, values: list[int], low: int, ac: dict[int, str], *, sequential: bool) -> None:
        zeros = 0
        for value in values:
            small = (abs(value) >> low) * (1 if value > 0 else -1)
            if not small:
                zeros += 1
                continue
            self.end_run()
            self.out.bits += ac.get(0xF0, "") * (zeros // 16)
            size, bits = value_bits(small)
            self.out.bits += ac[zeros % 16 << 4 | size] + bits
            zeros = 0
        if zeros and sequential:
            self.out.bits += ac[0]
        elif zeros:
            self.run += 1
            if self.run == 32767:
                self.end_run()

    def corrections(self, values: list[int], low: int, ac: dict[int, str]) -> None:
        sizes = [abs(v) >> low for v in values]
        newest = max((i for i, size in enumerate(sizes) if size == 1), default=-1)
        zeros, own = 0, ""
        for i, size in enumerate(sizes):
            if not size:
                zeros += 1
                continue
            while zeros > 15 and i <= newest:
                self.end_run()
                self.out.bits += ac[0xF0] + own
                zeros, own = zeros - 16, ""
            if size > 1:
                own += str(size & 1)
                continue
            self.end_run()
            self.out.bits += ac[zeros << 4 | 1] + ("1" if values[i] > 0 else "0") + own
            zeros, own = 0, ""
        if zeros or own:
            self.run, self.waiting = self.run + 1, self.waiting + own
            if self.run == 32767 or len(self.waiting) > 937:
                self.end_run()


def sums(block: list[int], k: int) -> int:
    return sum(value != 0 for value in block[1:k])


class Looker:
    """Sections 16.4 to 16.6: what is known of one block's value."""

    def __init__(self, model: Model, components: list[Component], number: int) -> None:
        self.components, self.c, self.role = components, components[number], number % 3
        self.pull = model.tensors["tables.edge_pull"]

    def look(self, y: int, x: int, level: int, kind: int, k: int) -> tuple[list[int], int, int, int]:
        """The vector, bucket, reference and scale."""
        c, q, a = self.c, self.c.steps, self.c.block(y, x)
        vector = [0] * 86
        known = {}
        usable = {0: range(4, 8), 1: range(4), 2: range(8), 3: range(0)}[kind]
        for j in usable:
            there = y + (AROUND[j][0] << level), x + (AROUND[j][1] << level)
            if 0 <= there[0] < c.rows and 0 <= there[1] < c.columns:
                known[j] = there
        total = {"here": 0, "size": 0, "energy": 0, "left": 0, "weight": 0}
        here_of = {}
        for j, there in known.items():
            b, n, w = c.block(*there), c.counts[there], 2 if j < 4 else 1
            if k >= 0:
                here, size, left = b[k], abs(b[k]), n - sums(b, k)
                energy = 2 * size + sum(abs(b[i]) for i in near(k))
            else:
                here, size, energy, left = n, n, n - sums(b, 10), n - sums(b, 28)
            here_of[j] = here
            for name, value in (("here", here), ("size", size), ("energy", energy), ("left", left), ("weight", 1)):
                total[name] += w * value
            vector[4 * j : 4 * j + 4] = log(4 * here), log(2 * energy), log(4 * left), 32
        whole = max(1, total["weight"])
        r = self.edges(y, x, k, known) if k >= 0 and level == 0 and kind in (1, 2) else {}
        reference, scale = self.expected(k, r, here_of, total)
        for j, quarters in r.items():
            vector[32 + 2 * j] = log(quarters)
            vector[33 + 2 * j] = clip(rnd(20 * (4 * quarters - reference), scale))
        u, v = CELLS[max(k, 0)]
        for i, (dy, dx) in enumerate(BESIDE):
            z = NUMBER.get((u + dy, v + dx), 64)
            if z < k:
                vector[40 + i] = log(4 * a[z])
        if k:
            vector[56] = log(64 * total["size"] // whole)
            vector[57] = log(64 * total["energy"] // (6 * whole))
        vector[58] = log(8 * total["left"] // whole)
        if k >= 0:
            n, s = c.counts[y, x], sums(a, k)
            sizes = [abs(value) for value in a[1:k]]
            vector[59:65] = [log(4 * sum(sizes[-7:])), log(sum(sizes)), log(4 * s), log(4 * (n - s)),
                             127 * (n - s) // (64 - max(k, 1)), log(4 * n)]  # fmt: skip
            if total["weight"]:
                vector[65] = clip(8 * (n - s) - 8 * total["left"] // whole)
        if self.role:
            self.first_component(vector, y, x, k)
        if self.role == 2:
            self.second_component(vector, y, x, k, known, total["weight"], scale)
        vector[75:78] = log(4 * q[max(k, 0)]), log(4 * q[0]), log(4 * q[24])
        if k > 0:
            vector[78] = clip(a[0] * q[0] // 8)
        if kind < 3:
            vector[79 + kind] = 32
        vector[82 + min(level, 3)] = 32
        amount = 1 + (16 * total["energy"] // (6 * whole) if k else scale - 16)
        bucket = sum((amount - 1) ** 3 >= 0 and amount**3 >= 2**i for i in range(1, 36))
        return vector, bucket, reference, scale

    def edges(self, y: int, x: int, k: int, known: dict[int, tuple[int, int]]) -> dict[int, int]:
        c, q, (u, v) = self.c, self.c.steps, CELLS[k]

        def across(block: list[int], before: int, sign: int) -> int:
            cells = [(NUMBER[u, t], t) for t in range(8)]
            return sum(block[z] * q[z] * EDGES[t] * sign**t for z, t in cells if z < before)

        def along(block: list[int], before: int, sign: int) -> int:
            cells = [(NUMBER[t, v], t) for t in range(8)]
            return sum(block[z] * q[z] * EDGES[t] * sign**t for z, t in cells if z < before)

        found, own = {}, c.block(y, x)
        for j in range(4):
            if j in known:
                edge, odd, e = (across, v, EDGES[v]) if j < 2 else (along, u, EDGES[u])
                second = j % 2 == 1
                theirs = edge(c.block(*known[j]), 64, 1 if second else -1)
                theirs = (theirs + (1 << 31)) % (1 << 32) - (1 << 31)
                gap = theirs - edge(own, k, -1 if second else 1)
                gap = -gap if second and odd % 2 else gap
                found[j] = rnd(4 * gap, e * q[k])
        return found

    def expected(self, k: int, r: dict[int, int], here: dict[int, int], total: dict[str, int]) -> tuple[int, int]:
        """Section 16.5."""
        if k > 0:
            scale = 16 + 16 * total["size"] // max(1, total["weight"])
            if not r:
                return 0, scale
            pairs = []
            for one, other in ((0, 1), (2, 3)):
                both = r.get(one, 0) + r.get(other, 0)
                pairs.append(2 * both if one in r and other in r else 5 * both // 2)
            pull = self.pull[self.role, k]
            return (int(pull[0]) * pairs[0] + int(pull[1]) * pairs[1] + 32) >> 6, scale
        if r:
            reference = rnd(4 * sum(r.values()), len(r))
            return reference, 16 + sum(abs(4 * value - reference) // len(r) for value in r.values())
        if not total["weight"]:
            return 0, 320
        reference = rnd(16 * total["here"], total["weight"])
        spread = sum((2 if j < 4 else 1) * abs(16 * value - reference) for j, value in here.items())
        return reference, 16 + spread // total["weight"]

    def first_component(self, vector: list[int], y: int, x: int, k: int) -> None:
        c, first = self.c, self.components[0]
        down, across = max(1, rnd(first.rows, c.rows)), max(1, rnd(first.columns, c.columns))
        places = [
            (min(y * down + i, first.rows - 1), min(x * across + j, first.columns - 1))
            for i in range(down)
            for j in range(across)
        ]
        area = down * across
        blocks, counts = [first.block(*place) for place in places], [first.counts[place] for place in places]
        if k < 0:
            vector[66] = log(rnd(4 * sum(4 * n for n in counts), area))
            vector[68] = log(4 * sum(n - sums(b, 10) for n, b in zip(counts, blocks, strict=True)) // area)
            return
        q, p = c.steps[k], first.steps[k]
        vector[66] = log(rnd(4 * sum(4 * abs(b[k]) * p for b in blocks), area * q))
        vector[67] = log(rnd(sum(4 * b[k] * p for b in blocks), area * q))
        vector[68] = log(4 * sum(n - sums(b, k) for n, b in zip(counts, blocks, strict=True)) // area)
        vector[69] = log(sum(2 * abs(b[i]) * p for b in blocks for i in near(k)) // (area * q))

    def second_component(
        self, vector: list[int], y: int, x: int, k: int, known: dict[int, tuple[int, int]], weight: int, scale: int
    ) -> None:
        other = self.components[1]

        def place(y: int, x: int) -> tuple[int, int]:
            return min(y, other.rows - 1), min(x, other.columns - 1)

        d, n = other.block(*place(y, x)), other.counts[place(y, x)]
        if k < 0:
            vector[70:72] = log(4 * n), log(4 * (n - sums(d, 10)))
            return
        vector[70:73] = log(4 * d[k]), log(4 * sum(abs(d[i]) for i in near(k))), log(4 * (n - sums(d, k)))
        if k == 0 and weight:
            around = sum((2 if j < 4 else 1) * other.block(*place(*there))[0] for j, there in known.items())
            change = weight * d[0] - around
            vector[73:75] = log(rnd(4 * change, weight)), clip(rnd(320 * change, weight * scale))


def classes(rows: int, columns: int, most: int) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Section 16.3: level, kind and blocks."""
    yield 12, 3, [(0, 0)]
    level = max((n for n in range(20) if 1 << n < most), default=-1)
    for each in range(level, -1, -1):
        for kind in range(3):
            first_row, first_column = (0 if kind == 1 else 1 << each), (0 if kind == 2 else 1 << each)
            rows_of = range(first_row, rows, 2 << each)
            yield each, kind, [(y, x) for y in rows_of for x in range(first_column, columns, 2 << each)]


def boundaries(model: Model, mixture: tuple[Array, Array, Array], edges: list[int], cells: int) -> list[int]:
    """Sections 8.1, 8.2 and 16.7: left(0) .. left(16) of one value."""
    weights, means, factors = (each[0] for each in mixture)
    nodes, f = model.tensors["tables.logistic_nodes"], []
    whole = int(weights.sum()) << 20
    for e in edges:
        if e in (0, cells):
            f.append((whole if e else 0) >> 3)
            continue
        t = to_integers((64 * (e - cells // 2) - 32 - means).astype(F32) * factors)
        u = clamp(t, -(1 << 22), (1 << 22) - 1) + (1 << 22)
        node, fraction = u >> 14, u % (1 << 14)
        f.append(int((weights * (nodes[node] + ((nodes[node + 1] - nodes[node]) * fraction >> 14))).sum()) >> 3)
    g = [value - f[0] for value in f]
    g = g if g[-1] else list(range(len(g)))
    m = len(g) - 1
    return [value * ((1 << 24) - m) // g[-1] + i for i, value in enumerate(g)]


class Recorder:
    """In place of a stack, of known digits: what is pushed."""

    def __init__(self) -> None:
        self.digits: list[int] = []
        self.lefts: list[list[int]] = []

    def pop(self, left: list[int], digit: int) -> int:
        self.digits.append(digit)
        self.lefts.append(left)
        return digit


class Stack:
    """A stack, from which digits are popped whatever they are expected to be."""

    def __init__(self, payload: bytes) -> None:
        self.decoder = AnsDecoder(payload)

    def pop(self, left: list[int], _: int) -> int:
        return self.decoder.pop(left)


def code_rank(
    model: Model, seen: list[tuple[list[int], int, int, int]], row: int, stack: Stack | Recorder, known: list[int]
) -> list[int]:
    """Section 16.7: the values of a rank; ``known`` only matters to a Recorder."""
    vectors, buckets, references, scales = (np.array(each) for each in zip(*seen, strict=True))
    own_row = Model.__new__(Model)
    level = {"level": model.tensors["level"][row : row + 1]}
    own_row.__dict__ |= model.__dict__ | {"tensors": model.tensors | level}
    head = Head(own_row, Inputs(vectors, buckets, references[:, None], scales), 0, 0, [])
    weights, means, factors = head.mixture()
    centres = ((2 * (weights * means).sum(1) // (64 * weights.sum(1))) + 1) >> 1
    means = clamp(means - 64 * centres[:, None], -(1 << 23), 1 << 23)
    digits = [1 if scale < 32 else 2 if scale < 384 else 3 for scale in scales.tolist()]
    values = [0] * len(seen)
    for many in (1, 2, 3):
        own = [i for i, each in enumerate(digits) if each == many]
        cells, found = 16**many, dict.fromkeys(own, 0)
        target = {i: known[i] - int(centres[i]) + cells // 2 for i in own}
        for stage in range(1, many + 1):
            width = 16 ** (many - stage)
            for i in own:
                mixture = (weights[i : i + 1], means[i : i + 1], factors[i : i + 1])
                edges = [found[i] * 16 * width + width * j for j in range(17)]
                digit = max(0, min(cells - 1, target[i])) // width % 16
                found[i] = 16 * found[i] + stack.pop(boundaries(model, mixture, edges, cells), digit)
        ends = [i for i in own if found[i] in (0, cells - 1)]
        beyond = {i: abs(target[i] - found[i]) + 1 for i in ends}
        sizes = {i: uniform(stack, 5, beyond[i].bit_length() - 1) for i in ends}
        for i in ends:
            if sizes[i] > 24:
                raise RefusedError("a value is too far away")
            first = 1 << sizes[i]
            more = uniform(stack, sizes[i], beyond[i] - first) if sizes[i] else 0
            found[i] += (first + more - 1) * (1 if found[i] else -1)
        for i in own:
            values[i] = found[i] + int(centres[i]) - cells // 2
    return values


def uniform(stack: Stack | Recorder, bits: int, known: int) -> int:
    return stack.pop([i << 24 - bits for i in range((1 << bits) + 1)], known)


def code_coefficients(model: Model, pictures: list[Picture], stack: Stack | Recorder) -> None:
    """Sections 16.3 to 16.7."""
    for number in range(max(len(picture.components) for picture in pictures)):
        own = [picture for picture in pictures if number < len(picture.components)]
        most = max(max(p.components[number].rows, p.components[number].columns) for p in own)
        by_picture = [list(classes(p.components[number].rows, p.components[number].columns, most)) for p in own]
        for parts in zip(*by_picture, strict=True):
            for k in range(-1, 64):
                code_step(model, own, number, list(parts), k, stack)


def code_step(
    model: Model, own: list[Picture], number: int, parts: list[tuple[int, int, list[tuple[int, int]]]], k: int,
    stack: Stack | Recorder,
) -> None:  # fmt: skip
    wanted, seen = [], []
    for picture, (level, kind, blocks) in zip(own, parts, strict=True):
        looker, c = Looker(model, picture.components, number), picture.components[number]
        for y, x in blocks:
            if k <= 0 or sums(c.block(y, x), k) < c.counts[y, x]:
                wanted.append((c, y, x))
                seen.append(looker.look(y, x, level, kind, k))
    if not wanted:
        return
    known = [c.counts.get((y, x), 0) if k < 0 else c.block(y, x)[k] for c, y, x in wanted]
    values = code_rank(model, seen, number % 3 * 65 + k + 1, stack, known)
    for (c, y, x), value in zip(wanted, values, strict=True):
        if k < 0:
            c.counts[y, x] = value
        else:
            c.block(y, x)[k] = value


def unpack(rest: bytes, dictionary: bytes) -> Bytes:
    """Section 16.2."""
    if rest[0]:
        return Bytes(zlib.decompressobj(-15, zdict=dictionary).decompress(rest[1:]))
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 26}]
    return Bytes(lzma.decompress(rest[1:], lzma.FORMAT_RAW, filters=filters))


def decode(data: bytes, model: Model, dictionary: bytes) -> bytes:
    """A whole file of method 1."""
    source, _ = start(data, 194)
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise RefusedError("damaged")
    size = source.leb128(0, 1 << 31)
    checksum = source.number(4)
    if source.take(1) != b"\1" or source.take(4) != model.name:
        raise RefusedError("another method or model")
    rest = unpack(source.take(source.leb128(1, 1 << 28)), dictionary)
    holes: list[tuple[int, int]] = []
    notes: list[list[tuple[bytes, set[int]]]] = []
    for _ in range(rest.leb128(1, 65)):
        begin = rest.leb128(0, 1 << 28) + (holes[-1][0] if holes else 0)
        holes.append((begin, rest.leb128(0, 1 << 31)))
        notes.append([])
        for _ in range(rest.leb128(0, 256)):
            padding = rest.take(rest.leb128(1, 1 << 28))
            gaps = [rest.leb128(0, 1 << 28) for _ in range(rest.leb128(0, 1 << 22))]
            notes[-1].append((padding, set(np.cumsum(gaps).tolist())))
    bare = rest.data[rest.at :]
    pictures = [walk(bare, begin, holes[i + 1 :]) for i, (begin, _) in enumerate(holes)]
    stack = Stack(source.data[source.at : -4])
    code_coefficients(model, pictures, stack)
    if not stack.decoder.is_empty():
        raise RefusedError("a stream is too long")
    jpeg = put_back(bare, pictures, notes)
    if len(jpeg) != size or zlib.crc32(jpeg) != checksum:
        raise RefusedError("other bytes than were encoded")
    return jpeg


def put_back(bare: bytes, pictures: list[Picture], notes: list[list[tuple[bytes, set[int]]]]) -> bytes:
    """The bare file with the data of all scans."""
    parts: list[tuple[int, bytes]] = []
    for picture, own in zip(pictures, notes, strict=True):
        for i, scan in enumerate(picture.scans):
            padding, breaks = own[i] if i < len(own) else (b"\xff", set[int]())
            parts.append((scan.at, ScanWriter(scan, padding, breaks).write()))
    found, last = b"", 0
    for at, written in sorted(parts, key=lambda part: part[0]):
        found, last = found + bare[last:at] + written, at
    return found + bare[last:]


def known_answer(model: Model) -> int:
    """Section 16.8."""
    sizes = [(9, 13), (5, 7), (5, 7)]
    noise = iter(hashlib.shake_256(b"ardm-compress").digest(64 * sum(rows * columns for rows, columns in sizes)))
    components = []
    for name, (rows, columns) in enumerate(sizes):
        component = Component(name, 1, 1, 0, rows, columns, steps=list(range(1, 65)))
        for place in product(range(rows), range(columns)):
            z = [next(noise) - 128 for _ in range(64)]
            block = [(abs(each) >> 1 + k // 8) * (1 if each > 0 else -1) for k, each in enumerate(z)]
            component.values[place], component.counts[place] = block, sums(block, 64)
        components.append(component)
    recorder = Recorder()
    code_coefficients(model, [Picture(components, [], 0, 0)], recorder)
    return zlib.crc32(ans_encode(recorder.digits, recorder.lefts))
