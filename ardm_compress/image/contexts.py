"""Small tiles of few colours <-> bytes, by mixing predictions from several contexts. NumPy only; all in integers.

Bit by bit, from each sample's most significant one: every context has an adaptive probability of its own, a small
network trained on the way mixes their logarithmic odds, and a binary arithmetic coder takes the result. It is slow,
some 10 microseconds a bit and context, hence for small tiles only. docs/format.md section 15.4 is normative.

Source: Mahoney 2005, Adaptive weighing of context models for lossless data compression (PAQ6 to lpaq1).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTEXTS: Final = 9  # of a sample
MOST_PIXELS: Final = 1 << 14
MOST_COLOURS: Final = 256
MOST_BYTES: Final = 1 << 12
CURVE: Final = (1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785,
                3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094)  # fmt: skip
ODDS: Final = 2047  # largest logarithmic odds, in 256ths
LIMIT: Final = 255  # observations of a context from which it no longer slows down
WEIGHT: Final = 12000  # of every context at first, in 65536ths
RATE: Final = 14  # of the mixer


def squash(odds: int) -> int:
    """Probability in 4096ths of logarithmic odds in 256ths."""
    if abs(odds) > ODDS:
        return 4095 if odds > 0 else 1
    place, rest = divmod(odds + 2048, 128)
    return CURVE[place] * (128 - rest) + CURVE[place + 1] * rest + 64 >> 7


def _stretched() -> list[int]:
    """The inverse of ``squash``: the least odds of every probability that has any, else those of the next."""
    found, probability = [], 0
    for odds in range(-ODDS, ODDS + 1):
        while probability <= squash(odds):
            found.append(odds)
            probability += 1
    return found + [ODDS] * (4096 - len(found))


STRETCHED: Final = _stretched()
BEYOND: Final = ODDS + 1  # stands for all odds that are larger
SQUASHED: Final = [min(4095, max(1, squash(odds))) for odds in range(-BEYOND, BEYOND + 1)]


class Bits(Protocol):
    """Takes bits, or gives them."""

    def code(self, bit: int, probability: int) -> int:
        """A bit that is 1 with this probability in 4096ths; ``bit`` matters when encoding only."""


class BitEncoder:
    """A binary arithmetic coder."""

    def __init__(self) -> None:
        self._low, self._high, self._out = 0, 0xFFFFFFFF, bytearray()

    def code(self, bit: int, probability: int) -> int:
        """See ``Bits``."""
        middle = self._low + (self._high - self._low >> 12) * probability
        if bit:
            self._high = middle
        else:
            self._low = middle + 1
        while (self._low ^ self._high) >> 24 == 0:
            self._out.append(self._high >> 24)
            self._low, self._high = self._low << 8 & 0xFFFFFFFF, self._high << 8 & 0xFFFFFFFF | 255
        return bit

    def finish(self) -> bytes:
        """All bytes: the fewest that say where in the last interval they end, zeros following."""
        for count in range(1, 5):
            step = 1 << 32 - 8 * count
            value = -(-self._low // step) * step
            if value <= self._high:
                break
        return (bytes(self._out) + value.to_bytes(4, "big")[:count]).rstrip(b"\0")


class BitDecoder:
    """Inverse of ``BitEncoder``."""

    def __init__(self, data: bytes) -> None:
        self._low, self._high, self._data, self._at = 0, 0xFFFFFFFF, data, 4
        self._value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def code(self, bit: int, probability: int) -> int:  # noqa: ARG002
        """See ``Bits``."""
        middle = self._low + (self._high - self._low >> 12) * probability
        found = int(self._value <= middle)
        if found:
            self._high = middle
        else:
            self._low = middle + 1
        while (self._low ^ self._high) >> 24 == 0:
            self._low, self._high = self._low << 8 & 0xFFFFFFFF, self._high << 8 & 0xFFFFFFFF | 255
            following = self._data[self._at] if self._at < len(self._data) else 0
            self._value = self._value << 8 & 0xFFFFFFFF | following
            self._at += 1
        return found

    @property
    def used_up(self) -> bool:
        """Whether no byte is left over."""
        return self._at >= len(self._data)


class Mixer:
    """Codes numbers of some bits, given as many contexts each time."""

    def __init__(self, bits: Bits, contexts: int) -> None:
        self._bits = bits
        self._seen: list[dict[tuple[int, ...], dict[int, list[int]]]] = [{} for _ in range(contexts)]
        self._weights: dict[int, list[int]] = {}

    def number(self, value: int, size: int, contexts: Sequence[tuple[int, ...]], chosen: int) -> int:
        """A number of ``size`` bits; ``chosen`` picks the weights. ``value`` matters when encoding only."""
        weights = self._weights.setdefault(chosen, [WEIGHT] * len(contexts))
        tables = [seen.setdefault(context, {}) for seen, context in zip(self._seen, contexts, strict=True)]
        node = 1
        for place in range(size - 1, -1, -1):
            states = [table.get(node) or table.setdefault(node, [32768, 0]) for table in tables]
            node = 2 * node + self._bit(value >> place & 1, states, weights)
        return node - (1 << size)

    def _bit(self, bit: int, states: list[list[int]], weights: list[int]) -> int:
        """States are a context's probability of a 1, in 65536ths, and how often it was seen."""
        odds = [STRETCHED[state[0] >> 4] for state in states]
        total = sum(map(mul, weights, odds)) >> 16
        probability = SQUASHED[min(BEYOND, max(-BEYOND, total)) + BEYOND]
        found = self._bits.code(bit, probability)
        error = ((found << 12) - probability) * RATE
        weights[:] = [weight + (odd * error + 8192 >> 14) for weight, odd in zip(weights, odds, strict=True)]
        target = found * 65535
        for state in states:
            state[1] += state[1] < LIMIT
            state[0] += ((target - state[0]) * 2) // (2 * state[1] + 1)
        return found


def _plane(mixer: Mixer, known: NDArray[Any] | None, rows: int, columns: int, size: int) -> NDArray[np.uint8]:
    """Numbers (rows, columns) of ``size`` bits, each given those around it."""
    values = np.zeros((rows + 2, columns + 4), np.int64).tolist()
    for y in range(rows):
        above, line, top = values[y + 1], values[y + 2], values[y]
        for x in range(columns):
            west, north, corner, east = line[x + 1], above[x + 2], above[x + 1], above[x + 3]
            far, high = line[x], top[x + 2]
            contexts = ((), (west,), (north,), (west, north), (west, north, corner), (west, north, east),
                        (west, north, corner, east, far, high), (west, far), (north, east))  # fmt: skip
            chosen = (west == north) + 2 * (north == corner) + 4 * (west == corner) + 8 * (north == east)
            line[x + 2] = mixer.number(0 if known is None else int(known[y, x]), size, contexts, chosen)
    return np.array([line[2 : columns + 2] for line in values[2:]], np.uint8).reshape(rows, columns)


def _palette(bits: Bits, known: NDArray[Any] | None, count: int, channels: int) -> NDArray[np.uint8]:
    """Colours (count, channels), each given those before it."""
    mixer, found = Mixer(bits, 4), np.zeros((count + 1, channels), np.int64).tolist()
    for index in range(1, count + 1):
        before, now = found[index - 1], found[index]
        for channel in range(channels):
            last = now[channel - 1] if channel else 0
            contexts = ((channel,), (channel, before[channel] >> 4), (channel, last >> 3), (channel, before[channel]))
            value = 0 if known is None else int(known[index - 1, channel])
            now[channel] = mixer.number(value, 8, contexts, channel)
    return np.array(found[1:], np.uint8).reshape(count, channels)


def _bytes(bits: Bits, known: bytes | None, count: int) -> bytes:
    """Bytes, each given those before it; made for palettes, so every third matters."""
    mixer, found = Mixer(bits, 6), bytearray(3)
    for index in range(count):
        one, two, three = found[-1], found[-2], found[-3]
        place = index % 3
        contexts = ((), (place, three >> 3), (one,), (one, two), (place, one >> 4, three >> 4), (one, two, three))
        found.append(mixer.number(0 if known is None else known[index], 8, contexts, place))
    return bytes(found[3:])


def pack_bytes(data: bytes) -> bytes:
    """At most MOST_BYTES."""
    bits = BitEncoder()
    _bytes(bits, data, len(data))
    return bits.finish()


def unpack_bytes(data: bytes, count: int) -> bytes:
    """Inverse of ``pack_bytes``; FormatError if there is none."""
    bits = BitDecoder(data)
    found = _bytes(bits, None, count)
    if not bits.used_up:
        raise FormatError("a wrapper is followed by something", section="header")
    return found


def pack(samples: NDArray[Any], depth: int) -> bytes | None:
    """Samples (rows, columns, channels) of up to 8 bits; None if they are too many, or of too many colours."""
    rows, columns, channels = samples.shape
    if rows * columns > MOST_PIXELS or depth > 8:
        return None
    bits = BitEncoder()
    if channels == 1:
        _plane(Mixer(bits, CONTEXTS), samples[..., 0], rows, columns, depth)
        return bits.finish()
    colours, index = np.unique(samples.reshape(-1, channels), axis=0, return_inverse=True)
    if len(colours) > MOST_COLOURS:
        return None
    _palette(bits, colours, len(colours), channels)
    _plane(Mixer(bits, CONTEXTS), index.reshape(rows, columns), rows, columns, (len(colours) - 1).bit_length())
    return bytes([len(colours) - 1]) + bits.finish()


def unpack(data: bytes, shape: tuple[int, int, int], depth: int) -> NDArray[np.uint8]:
    """Inverse of ``pack``.

    Raises:
        FormatError: not such bytes.
    """
    rows, columns, channels = shape
    if rows * columns > MOST_PIXELS or depth > 8 or (channels > 1 and not data):
        raise FormatError("a tile is coded in a way that is not for its size", section="payload")
    bits = BitDecoder(data[channels > 1 :])
    if channels == 1:
        found = _plane(Mixer(bits, CONTEXTS), None, rows, columns, depth)[..., None]
    else:
        colours = _palette(bits, None, data[0] + 1, channels)
        index = _plane(Mixer(bits, CONTEXTS), None, rows, columns, data[0].bit_length())
        if index.max() > data[0]:
            raise FormatError("a tile has a colour that it does not define", section="payload")
        found = colours[index]
    if not bits.used_up:
        raise FormatError("a tile is followed by something", section="payload")
    return found
