"""A second reader of files, written from docs/format.md sections 1 to 4, 9 and 13 to 15. Standard library only.

It shares no code with the package, so that a test that compares them tests the document.
"""

from __future__ import annotations

import lzma
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import Any

PRECISION = 24


class RefusedError(ValueError):
    """Section 3 says to refuse the file."""


class Bytes:
    """Reads fields one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        field = self.data[self.at : self.at + count]
        if len(field) != count:
            raise RefusedError("the file ends inside its header")
        self.at += count
        return field

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def leb128(self, low: int, high: int) -> int:
        value = 0
        for place in range(5):
            byte = self.number(1)
            value += (byte & 127) << 7 * place
            if byte < 128:
                if byte == 0 and place > 0:
                    raise RefusedError("a number is longer than it need be")
                if not low <= value <= high:
                    raise RefusedError("a number is out of range")
                return value
        raise RefusedError("a number has more than 5 bytes")


def elias_gamma(data: bytes) -> list[int]:
    """All codes; the zero bits after the last are padding."""
    number = int.from_bytes(data, "big")
    left = 8 * len(data)
    runs = []
    if not number:
        raise RefusedError("a schedule without runs")
    while number:  # the bits not yet read are the lowest ``left`` of ``number``
        zeros = left - number.bit_length()
        left -= 2 * zeros + 1
        if left < 0:
            raise RefusedError("the schedule ends inside a run")
        runs.append(number >> left)
        number &= (1 << left) - 1
    if left > 7 or max(runs) == 1:
        raise RefusedError("a schedule that is longer than it need be, or need not be given")
    return runs


def schedule(source: Bytes) -> list[int] | int:
    """The runs, or the number of steps of a planned schedule."""
    length = source.leb128(0, 1 << 16)
    return elias_gamma(source.take(length)) if length else source.leb128(1, 1 << 16)


def read_file(data: bytes) -> dict[str, Any]:
    """All fields of the header, and the payload of every stream in file order."""
    source = Bytes(data)
    if source.take(4) != b"ARDM":
        raise RefusedError("not an ARDM file")
    if source.number(1) != 1:
        raise RefusedError("another version")
    flags = source.number(1)
    if flags >> 7 or flags & 1:
        raise RefusedError("unknown flags")
    height, width = source.leb128(1, 1 << 20), source.leb128(1, 1 << 20)
    model = source.take(4)
    tile = (height, width)
    if flags & 8:
        tile = (source.leb128(1, height), source.leb128(1, width))
        if tile == (height, width):
            raise RefusedError("tile sides that need not be given")
    reverse, sections = divmod(source.leb128(2, 52), 32) if flags & 16 else (0, 1)
    if flags & 16 and not 2 <= sections <= 20:
        raise RefusedError("a number is out of range")
    mirror, style = divmod(source.leb128(1, 127) if flags & 32 else 0, 32)
    tiles = -(-height // tile[0]) * -(-width // tile[1])
    latents = [[source.number(1) for _ in range(source.leb128(0, 255))] for _ in range(tiles)] if flags & 64 else []
    if any(128 in given or given[-1:] == [0] for given in latents) or (flags & 64 and not any(latents)):
        raise RefusedError("latents that are too large, or need not be given")
    latents = [[(latent + 128) % 256 - 128 for latent in given] for given in latents]
    runs = schedule(source) if flags & 4 else None
    checksums = [source.number(4) for _ in range(tiles)]
    fields = {
        "height": height, "width": width, "channels": flags % 4 + 1, "model": model, "tile": tile,
        "sections": sections, "reverse": bool(reverse), "style": style, "mirror": mirror, "latents": latents,
        "runs": runs, "checksums": checksums,
    }  # fmt: skip
    return fields | {"payloads": payloads(source, tiles * sections)}


def payloads(source: Bytes, streams: int) -> list[bytes]:
    """Section 2, behind the sample checksums."""
    data = source.data
    if streams == 1:
        payload, check = data[source.at : -4], data[-4:]
        if source.at + 4 > len(data) or zlib.crc32(data[:-4]) != int.from_bytes(check, "little"):
            raise RefusedError("the file is damaged")
        return [payload]
    lengths = [source.leb128(4, 1 << 32) for _ in range(streams)]
    check_header(source)
    found = []
    for length in lengths:
        found.append(source.take(length - 4))
        if zlib.crc32(found[-1]) != source.number(4):
            raise RefusedError("a stream is damaged")
    if source.at != len(data):
        raise RefusedError("bytes follow the last stream")
    return found


def check_header(source: Bytes) -> None:
    if zlib.crc32(source.data[: source.at]) != source.number(4):
        raise RefusedError("the header is damaged")


def start(data: bytes, *flags: int) -> tuple[Bytes, int]:
    """Behind the flags, which must be one of those given."""
    source = Bytes(data)
    if source.take(5) != b"ARDM\1":
        raise RefusedError("not an ARDM file of version 1")
    found = source.number(1)
    if found not in flags:
        raise RefusedError("unknown flags")
    return source, found


def read_sound(data: bytes) -> dict[str, Any]:
    """Section 13.1."""
    source, flags = start(data, 128, 129, 130, 131)
    length, channels = source.leb128(0, 1 << 34), source.leb128(1, 64)
    model = source.take(0 if flags & 2 else 4)
    tile = source.leb128(1, 1 << 20) if flags & 1 else max(1, length)
    if flags & 1 and tile >= length:
        raise RefusedError("a tile length that need not be given")
    order = source.number(1)
    if order > (5 if flags & 2 else 12):
        raise RefusedError("an order or a profile that is not defined")
    wrapper = source.take(source.leb128(1, 1 << 28))
    tiles = -(-length // tile)
    checksums = [source.number(4) for _ in range(tiles)]
    return {
        "length": length, "channels": channels, "model": model, "tile": tile, "order": order, "wrapper": wrapper,
        "checksums": checksums, "payloads": payloads(source, tiles * (1 if flags & 2 else -(-channels // 2))),
    }  # fmt: skip


def read_stored(data: bytes) -> bytes:
    """Section 14: the file that is stored."""
    source, flags = start(data, 192, 193)
    size = source.leb128(0, 1 << 34)
    (body,) = payloads(source, 1)
    if flags & 1:
        body = lzma.decompress(body, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 23}])
    if len(body) != size:
        raise RefusedError("a file of another size")
    return body


def read_picture(data: bytes) -> dict[str, Any]:
    """Section 15.1."""
    source, flags = start(data, 1, 5)
    height, width = source.leb128(1, 1 << 20), source.leb128(1, 1 << 20)
    tile = (source.leb128(1, height), source.leb128(1, width)) if flags & 4 else (height, width)
    if flags & 4 and tile == (height, width):
        raise RefusedError("tile sides that need not be given")
    wrapper = source.take(source.leb128(1, 1 << 28))
    tiles = -(-height // tile[0]) * -(-width // tile[1])
    checksums = [source.number(4) for _ in range(tiles)]
    return {
        "height": height, "width": width, "tile": tile, "wrapper": wrapper, "checksums": checksums,
        "payloads": payloads(source, tiles),
    }  # fmt: skip


def read_wrapped(data: bytes) -> tuple[bytes, bytes]:
    """Section 15.5: the wrapper, and the file of section 2."""
    source, _ = start(data, 9)
    wrapper = source.take(source.leb128(1, 1 << 28))
    check_header(source)
    return wrapper, data[:5] + data[source.at :]


def read_original(wrapper: bytes, *, sound: bool) -> tuple[int, bytes] | None:
    """Sections 13.7 and 15.3: size and SHA-256 of the original file, if they are given."""
    source = Bytes(wrapper)
    first = source.number(1)
    source.take(2 if sound else 1)
    if sound:
        source.leb128(0, (1 << 32) - 1)
    return (source.leb128(0, (1 << 35) - 1), source.take(32)) if first & (16 if sound else 128) else None


class AnsDecoder:
    """Section 9, decoding."""

    def __init__(self, payload: bytes) -> None:
        if payload[-1:] == b"\0":
            raise RefusedError("a payload ends in a zero byte")
        self.words = [int.from_bytes(payload[i : i + 4], "little") for i in range(0, len(payload), 4)]
        self.state = 0
        for _ in self.words[-2:]:
            self._refill()

    def _refill(self) -> None:
        self.state = self.state << 32 | self.words.pop()

    def pop(self, left: list[int]) -> int:
        """The next digit; ``left`` is left(0) .. left(m) = 2^24."""
        q = self.state % (1 << PRECISION)
        digit = bisect_right(left, q) - 1
        self.state = (self.state >> PRECISION) * (left[digit + 1] - left[digit]) + q - left[digit]
        if self.state < 1 << 32 and self.words:
            self._refill()
        return digit

    def is_empty(self) -> bool:
        return self.state == 0 and not self.words


def ans_encode(digits: list[int], lefts: list[list[int]]) -> bytes:
    """Section 9, encoding: the payload of digits in the order in which they are popped."""
    state, words = 0, []
    for digit, left in zip(reversed(digits), reversed(lefts), strict=True):
        frequency = left[digit + 1] - left[digit]
        if state >= frequency << 40:
            words.append(state % (1 << 32))
            state >>= 32
        state = (state // frequency << PRECISION) + left[digit] + state % frequency
    words += [state % (1 << 32), state >> 32]
    return b"".join(word.to_bytes(4, "little") for word in words).rstrip(b"\0")


def cumulative(frequencies: list[int]) -> list[int]:
    """left(0) .. left(m)."""
    return list(accumulate(frequencies, initial=0))
