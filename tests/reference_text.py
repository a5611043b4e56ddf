"""A second decoder of texts, written from docs/format.md section 17 alone; slow, and in Python's integers."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path

from safetensors.numpy import load

A, B, C, WORD = 0x2F0B4C47, 0x9E3779B1, 0x3D4D51CB, 1 << 32
CLASSES = (1, 2, 3, 4, 5, 7, 9, 12, 20, 44, 144)


@cache
def model(folder: Path, model_id: bytes) -> dict[str, list]:
    for entry in json.loads((folder / "manifest.json").read_text()):
        if bytes.fromhex(entry["sha256"])[:4] == model_id:
            return {name: values.tolist() for name, values in load((folder / entry["file"]).read_bytes()).items()}
    raise LookupError(model_id)


def mixed(x: int) -> int:
    y = (x ^ x >> 15) * B % WORD
    return (y ^ y >> 13) * A % WORD


def clamp(x: int, most: int = 2047) -> int:
    return min(max(x, -most), most)


class Stack:
    """Section 9."""

    def __init__(self, payload: bytes) -> None:
        payload += bytes(-len(payload) % 4)
        self.words = [int.from_bytes(payload[i : i + 4], "little") for i in range(0, len(payload), 4)]
        below = max(0, len(self.words) - 2)
        self.number = sum(word << 32 * k for k, word in enumerate(self.words[below:]))
        del self.words[below:]

    def bit(self, size: int) -> int:
        place = self.number % (1 << 24)
        found = int(place < size)
        left, own = (0, size) if found else (size, (1 << 24) - size)
        self.number = (self.number >> 24) * own + place - left
        if self.number < WORD and self.words:
            self.number = self.number << 32 | self.words.pop()
        return found


def learn(slot: list[int], bit: int, limit: int) -> None:
    p, n = slot
    slot[:] = p + ((bit * ((1 << 22) - 1) - p) * (131072 // (2 * n + 3)) >> 16), min(n + 1, limit)


def slots(values: list[int]) -> list[list[int]]:
    return [[value >> 10, value & 1023] for value in values]


def decode_tile(t: dict[str, list], size: int, payload: bytes) -> bytes:
    stack, data, digits = Stack(payload), bytearray(), size.bit_length()
    stretch, squash, table, sizes = t["tables.stretch"], t["tables.squash"], t["table"], t["sizes"]
    starts = [sum(1 << each for each in sizes[:k]) for k in range(8)]
    maps, match_map = [slots(row) for row in t["maps"]], slots(t["match_map"])
    sets = [[list(row) for row in t[f"weights.{name}"]] for name in ("place", "bits", "byte")]
    final = [list(row) for row in t["weights.final"]]
    most = 1 << min(max(digits, 4), 18)
    lines: list[dict[int, tuple[int, list[list[int]]]]] = [{} for _ in range(8)]
    whole = [[1 << 21, 0] for _ in range(256)]
    places = [0] * (1 << min(max(digits, 6), 20))
    w = v = m = length = 0

    def before(k: int) -> int:
        return data[-k] if k <= len(data) else 0

    def line(k: int, h: int) -> list[list[int]]:
        check, a = h % (1 << 14) + 1, (h >> 14) % most
        for at in (a, a ^ 1):
            if at in lines[k] and lines[k][at][0] == check:
                return lines[k][at][1]
        seen = [lines[k][at][1][1][1] if at in lines[k] else 0 for at in (a, a ^ 1)]
        found = [[1 << 21, 0] for _ in range(16)]
        lines[k][a ^ 1 if seen[1] < seen[0] else a] = check, found
        return found

    for i in range(size):
        f = sum(before(k) << 8 * (k - 1) for k in range(1, 5))
        six = f + (before(5) + (before(6) << 8)) * A
        s = w or before(1)
        xs = [before(1), f % (1 << 16), f % (1 << 24), f, f + before(5) * A, six, s, s + (v ^ v >> 16) * B]
        g = [mixed(x % WORD + k * A) for k, x in enumerate(xs)]
        prefix = node = 1
        for place in range(8):
            if place in (0, 4):
                h = [mixed(each + (prefix * C if place else 0)) for each in g]
                own, node = [line(k, h[k]) for k in range(8)], 1
            inputs, used = [], []
            for k in range(8):
                p, n = own[k][node]
                if n:
                    odds = stretch[p >> 10]
                    used.append(maps[k][32 * sum(each <= n for each in CLASSES) + (odds + 2048 >> 7)])
                    inputs += [stretch[used[-1][0] >> 10], odds * (256 * n // (n + 2)) >> 8]
                else:
                    inputs += [0, 0]
            inputs.append(stretch[whole[prefix][0] >> 10])
            told = [table[starts[k] + 16 * (h[k] >> 36 - sizes[k]) + node] for k in range(8)]
            inputs += [clamp(16 * sum(part)) for part in (told[:3], told[3:6], told[6:])]
            inputs.append(squash[clamp(16 * sum(told)) + 2048] - 32768 >> 4)
            foretold, kind = None, 0
            if length and (data[m] | 256) >> 8 - place == prefix:
                foretold = data[m] >> 7 - place & 1
                kind = length if length < 16 else min(16 + (length - 16) // 4, 31)
            odds = stretch[match_map[kind][0] >> 10]
            inputs += [0 if foretold is None else odds if foretold else -odds, 256]
            row = i.bit_length()
            weights = [sets[0][row], sets[1][prefix], sets[2][before(1)]]
            o = [clamp(sum(a * b for a, b in zip(each, inputs, strict=True)) >> 16) for each in weights]
            chance = squash[clamp(sum(a * b for a, b in zip(o, final[row], strict=True)) >> 16) + 2048]
            bit = stack.bit(chance << 8)
            for j in range(3):
                own_error = (bit << 16) - squash[o[j] + 2048]
                final[row][j] = clamp(
                    final[row][j] + (2 * o[j] * ((bit << 16) - chance) + (1 << 19) >> 20), 1 << 24
                )  # fmt: skip
                weights[j][:] = [
                    clamp(a + (7 * x * own_error + (1 << 19) >> 20), 1 << 24)
                    for a, x in zip(weights[j], inputs, strict=True)
                ]
            for k in range(8):
                learn(own[k][node], bit, 255)
            for slot in used:
                learn(slot, bit, 1023)
            learn(whole[prefix], bit, 255)
            if foretold is not None:
                learn(match_map[kind], int(foretold == bit), 1023)
            prefix, node = 2 * prefix + bit, 2 * node + bit
        b = prefix & 255
        right = length and data[m] == b
        data.append(b)
        m, length = (m + 1, length + 1) if right else (m, 0)
        b += 32 * (65 <= b <= 90)
        if 97 <= b <= 122 or 48 <= b <= 57 or b >= 128:
            w = ((w + b) * A + 1) % WORD
        elif w:
            w, v = 0, w
        f = sum(before(k) << 8 * (k - 1) for k in range(1, 5))
        q = (mixed(f + (before(5) + (before(6) << 8)) * A) >> 8) % len(places)
        e, r = i + 1, places[q]
        if not length and r:
            same = 0
            while same < min(48, r, e) and data[r - 1 - same] == data[e - 1 - same]:
                same += 1
            if same >= 6:
                m, length = r, same
        places[q] = e
    assert stack.number == 0
    assert not stack.words
    return bytes(data)


def decode(file: bytes, folder: Path) -> bytes:
    """Decode a file whose flags are 196."""
    assert file[:6] == b"ARDM\x01\xc4"
    assert zlib.crc32(file[:-4]).to_bytes(4, "little") == file[-4:]
    at = 6

    def leb() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (file[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if file[at - 1] < 128:
                return value

    size = leb()
    checksum, tensors = file[at : at + 4], model(folder, file[at + 4 : at + 8])
    at += 8
    tiles = [min(1 << 21, size - start) for start in range(0, size, 1 << 21)]
    lengths = [leb() for _ in tiles[1:]]
    found = b""
    for tile, length in zip(tiles, [*lengths, len(file) - 4 - at - sum(lengths)], strict=True):
        found += decode_tile(tensors, tile, file[at : at + length])
        at += length
    assert zlib.crc32(found).to_bytes(4, "little") == checksum
    return found
