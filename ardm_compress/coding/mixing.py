"""Numbers <-> bytes, by mixing predictions from several contexts. Numba, NumPy; all in integers.

docs/format.md section 15.4 is normative.

Source: Mahoney 2005, Adaptive weighing of context models for lossless data compression (PAQ6 to lpaq1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.computing import compiled
from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTEXTS: Final = 9  # of a number of a plane
CURVE: Final = (1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785,
                3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094)  # fmt: skip
ODDS: Final = 2047  # largest logarithmic odds, in 256ths
SEEN_LIMIT: Final = 255  # observations of a context from which it no longer slows down
FIRST_WEIGHT: Final = 12000  # of every context at first, in 65536ths
RATE: Final = 14  # of the mixer


def squash(odds: int) -> int:
    """Return the probability, in 4096ths, of logarithmic odds in 256ths."""
    if abs(odds) > ODDS:
        return 4095 if odds > 0 else 1
    place, rest = divmod(odds + 2048, 128)
    return CURVE[place] * (128 - rest) + CURVE[place + 1] * rest + 64 >> 7


def _invert_squash() -> list[int]:
    """Return the least odds of every probability that has any, else those of the next."""
    found, probability = [], 0
    for odds in range(-ODDS, ODDS + 1):
        while probability <= squash(odds):
            found.append(odds)
            probability += 1
    return found + [ODDS] * (4096 - len(found))


STRETCH: Final = np.array(_invert_squash())  # logarithmic odds of every probability
BEYOND: Final = ODDS + 1  # stands for all odds that are larger
SQUASH: Final = np.array([min(4095, max(1, squash(odds))) for odds in range(-BEYOND, BEYOND + 1)])


class Coder:
    """A binary arithmetic coder, for so many bits at most, or one that gives those of ``data``."""

    def __init__(self, most: int = 0, data: bytes | None = None) -> None:
        self.decoding = data is not None
        first = int.from_bytes((data or b"")[:4].ljust(4, b"\0"), "big")
        self.state = np.array([0, 0xFFFFFFFF, first, 4 if self.decoding else 0])  # low, high, what was read, and where
        self.data = np.zeros(2 * most + 8, np.uint8) if data is None else np.frombuffer(bytearray(data), np.uint8)

    def code(self, bit: int, probability: int) -> int:
        """Code a bit that is 1 with this probability in 4096ths; ``bit`` matters when encoding only."""
        found: int = _code(self.state, self.data, self.decoding, bit, probability)
        return found

    def finish(self) -> bytes:
        """Return all bytes: the fewest that say where in the last interval they end, zeros following."""
        low, high, written = int(self.state[0]), int(self.state[1]), int(self.state[3])
        for count in range(1, 5):
            step = 1 << 32 - 8 * count
            value = -(-low // step) * step
            if value <= high:
                break
        return (self.data[:written].tobytes() + value.to_bytes(4, "big")[:count]).rstrip(b"\0")

    @property
    def used_up(self) -> bool:
        """Tell whether no byte is left over."""
        return int(self.state[3]) >= len(self.data)


@compiled
def _code(state: Any, data: Any, decoding: bool, bit: int, probability: int) -> int:
    low, high, value, at = state
    middle = low + (high - low >> 12) * probability
    found = int(value <= middle) if decoding else bit
    if found:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) >> 24 == 0:
        if decoding:
            value = value << 8 & 0xFFFFFFFF | (data[at] if at < len(data) else 0)
        else:
            data[at] = high >> 24
        at += 1
        low, high = low << 8 & 0xFFFFFFFF, high << 8 & 0xFFFFFFFF | 255
    state[:] = low, high, value, at
    return found


class Mixer:
    """What was seen in contexts, and how they are weighed: for so many bits at most, given as many contexts each."""

    def __init__(self, coder: Coder, contexts: int, choices: int, most: int) -> None:
        size = 1 << (2 * most * contexts).bit_length()
        self._keys = np.zeros(size, np.int64)  # open addressing; 0 is free
        self._odds, self._seen = np.full(size, 32768, np.uint16), np.zeros(size, np.uint8)  # of a 1; how often
        self._weights = np.full((choices, contexts), FIRST_WEIGHT, np.int64)
        self._coder = coder

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Return it as compiled functions take it."""
        coder = self._coder
        return coder.state, coder.data, coder.decoding, self._keys, self._odds, self._seen, self._weights


@compiled
def _slot(keys: Any, key: int) -> int:
    """Find where a key is, or put it there."""
    last = len(keys) - 1
    slot = (key * 0x9E3779B97F4A7C15 >> 20) & last
    while keys[slot] not in (0, key):
        slot = (slot + 1) & last
    keys[slot] = key
    return slot


@compiled
def _number(value: int, size: int, contexts: Any, chosen: int, mixer: Any, slots: Any, odds: Any) -> int:
    """Code a number of ``size`` bits; ``chosen`` picks the weights. ``value`` matters when encoding only.

    Contexts are numbers below 2**52 that tell apart all there are, whichever of them they are.
    """
    state, data, decoding, keys, chances, seen, weights = mixer
    node = 1
    for place in range(size - 1, -1, -1):
        total = 0
        for k in range(len(contexts)):
            slots[k] = _slot(keys, (contexts[k] << 8 | node) + 1)
            odds[k] = STRETCH[chances[slots[k]] >> 4]
            total += weights[chosen, k] * odds[k]
        probability = SQUASH[min(BEYOND, max(-BEYOND, total >> 16)) + BEYOND]
        found = _code(state, data, decoding, value >> place & 1, probability)
        error = ((found << 12) - probability) * RATE
        for k in range(len(contexts)):
            weights[chosen, k] += odds[k] * error + 8192 >> 14
            slot = slots[k]
            seen[slot] += seen[slot] < SEEN_LIMIT
            chance = np.int64(chances[slot])
            chances[slot] = chance + (found * 65535 - chance) * 2 // (2 * np.int64(seen[slot]) + 1)
        node = 2 * node + found
    return node - (1 << size)


@compiled
def _plane(values: Any, size: int, mixer: Any) -> None:
    """Code numbers of ``size`` bits (rows + 2, columns + 4), in a margin of zeros, each given those around it."""
    contexts, slots, odds = np.zeros(CONTEXTS, np.int64), np.zeros(CONTEXTS, np.int64), np.zeros(CONTEXTS, np.int64)
    for y in range(2, values.shape[0]):
        for x in range(2, values.shape[1] - 2):
            west, north, corner, east = values[y, x - 1], values[y - 1, x], values[y - 1, x - 1], values[y - 1, x + 1]
            far, high = values[y, x - 2], values[y - 2, x]
            contexts[1], contexts[2], contexts[3] = west, north, west << 8 | north
            contexts[4] = contexts[3] << 8 | corner
            contexts[5] = contexts[3] << 8 | east
            contexts[6] = contexts[4] << 24 | east << 16 | far << 8 | high
            contexts[7], contexts[8] = west << 8 | far, north << 8 | east
            for k in range(CONTEXTS):
                contexts[k] = contexts[k] | k << 48
            chosen = int(west == north) + 2 * (north == corner) + 4 * (west == corner) + 8 * (north == east)
            values[y, x] = _number(values[y, x], size, contexts, chosen, mixer, slots, odds)
            for k in range(CONTEXTS):
                contexts[k] = 0


@compiled
def _palette(colours: Any, mixer: Any) -> None:
    """Code colours (1 + count, channels), behind one of zeros, each given those before it."""
    contexts, slots, odds = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.int64)
    for index in range(1, colours.shape[0]):
        for channel in range(colours.shape[1]):
            before, last = colours[index - 1, channel], colours[index, channel - 1] if channel else 0
            contexts[0], contexts[1], contexts[2], contexts[3] = 0, before >> 4, last >> 3, before
            for k in range(4):
                contexts[k] |= channel << 8 | k << 48
            colours[index, channel] = _number(colours[index, channel], 8, contexts, channel, mixer, slots, odds)


@compiled
def _bytes(values: Any, mixer: Any) -> None:
    """Code bytes, behind three zeros, each given those before it; made for palettes, so every third matters."""
    contexts, slots, odds = np.zeros(6, np.int64), np.zeros(6, np.int64), np.zeros(6, np.int64)
    for index in range(3, len(values)):
        one, two, three = values[index - 1], values[index - 2], values[index - 3]
        place = (index - 3) % 3
        contexts[0], contexts[1], contexts[2], contexts[3] = 0, place << 8 | three >> 3, one, one << 8 | two
        contexts[4], contexts[5] = place << 8 | one >> 4 << 4 | three >> 4, one << 16 | two << 8 | three
        for k in range(6):
            contexts[k] |= k << 48
        values[index] = _number(values[index], 8, contexts, place, mixer, slots, odds)


def code_plane(coder: Coder, values: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Code numbers (rows, columns), which matter when encoding only."""
    padded = np.pad(values.astype(np.int64), ((2, 0), (2, 2)))
    _plane(padded, size, Mixer(coder, CONTEXTS, 16, values.size * size).arrays)
    return padded[2:, 2:-2].astype(np.uint8)


def code_palette(coder: Coder, colours: NDArray[Any]) -> NDArray[np.uint8]:
    """Code colours (count, channels), which matter when encoding only."""
    padded = np.pad(colours.astype(np.int64), ((1, 0), (0, 0)))
    _palette(padded, Mixer(coder, 4, colours.shape[1], 8 * colours.size).arrays)
    return padded[1:].astype(np.uint8)


def code_bytes(coder: Coder, data: bytes) -> bytes:
    """Code bytes, which matter when encoding only."""
    padded = np.frombuffer(bytes(3) + data, np.uint8).astype(np.int64)
    _bytes(padded, Mixer(coder, 6, 3, 8 * len(data)).arrays)
    return padded[3:].astype(np.uint8).tobytes()


def pack_bytes(data: bytes) -> bytes:
    """Code bytes, such as those of a palette, each given the three before it."""
    coder = Coder(8 * len(data))
    code_bytes(coder, data)
    return coder.finish()


def unpack_bytes(data: bytes, count: int) -> bytes:
    """Invert ``pack_bytes``; FormatError if more than ``count`` bytes were coded."""
    coder = Coder(data=data)
    found = code_bytes(coder, bytes(count))
    if not coder.used_up:
        raise FormatError("a wrapper is followed by something", section="header")
    return found
