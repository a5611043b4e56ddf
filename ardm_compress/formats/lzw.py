"""LZW and PackBits as TIFF files have them (TIFF 6.0), packed to the bytes that several programs make. Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.computing import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLEAR, END, FIRST = 256, 257, 258  # codes; those from FIRST on are entries of the table
ENTRIES: Final = 4096
LEAST_BITS: Final = 9  # of a code
BYTES: Final = 256
# Entry at which a table is full; bytes after which one that serves no better is dropped, 0: never; and whether a zero
# byte follows codes that fill their last byte
WAYS: Final = ((4094, 10_000, 0), (4095, 0, 0), (4096, 0, 1))  # libtiff's, the specification's, and imagecodecs'
RUN: Final = 128  # bytes of a run or of literals, at most
BASE, LITERAL, REPEAT, LITERAL_REPEAT = range(4)  # what precedes


def pack_lzw(data: bytes, way: int) -> bytes:
    """Pack bytes in one of WAYS."""
    if not data:
        return b""
    full, gap, closed = WAYS[way]
    codes, bits = _codes(np.frombuffer(data, np.uint8), full, gap)
    return _joined(codes, bits).tobytes() + bytes(closed * (int(bits.sum()) % 8 == 0))


def pack_runs(data: bytes, pitch: int) -> bytes:
    """Pack lines of so many bytes each by PackBits, as libtiff does."""
    return _runs(np.frombuffer(data, np.uint8), pitch).tobytes()


@compiled
def _runs(data: NDArray[np.uint8], pitch: int) -> NDArray[np.uint8]:
    out = np.empty(2 * len(data) + 2, np.uint8)
    at, state, literal, place = 0, BASE, 0, 0
    while place < len(data):
        if place % pitch == 0:
            state = BASE
        end, count = place - place % pitch + pitch, 1
        while place + count < min(end, len(data)) and data[place + count] == data[place]:
            count += 1
        value, place = data[place], place + count
        while count:
            if state == LITERAL_REPEAT:
                state = REPEAT
                if count == 1 and out[at - 2] == 255 and out[literal] < RUN - 2:  # two alike join the literals
                    out[literal], out[at - 2] = out[literal] + 2, out[at - 1]
                    state = LITERAL if out[literal] < RUN - 1 else BASE
            if count > 1:
                part = min(count, RUN)
                out[at], out[at + 1], at, count = 257 - part, value, at + 2, count - part
                state = LITERAL_REPEAT if state == LITERAL else REPEAT
            else:
                if state == LITERAL:
                    out[literal] += 1
                    state = BASE if out[literal] == RUN - 1 else LITERAL
                else:
                    literal, out[at], at, state = at, 0, at + 1, LITERAL
                out[at], at, count = value, at + 1, 0
    return out[:at]


@compiled
def _joined(codes: NDArray[np.uint16], bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Join codes of so many bits each, the most significant first."""
    out = np.empty(2 * len(codes) + 1, np.uint8)
    held, waiting, at = 0, 0, 0
    for place in range(len(codes)):
        held, waiting = held << bits[place] | codes[place], waiting + bits[place]
        while waiting >= 8:
            waiting -= 8
            out[at], at = held >> waiting & 0xFF, at + 1
        held &= (1 << waiting) - 1
    if waiting:
        out[at], at = held << 8 - waiting & 0xFF, at + 1
    return out[:at]


@compiled
def _codes(data: NDArray[np.uint8], full: int, gap: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Return the codes of bytes, and how many bits each takes; for the others see WAYS."""
    codes, bits = np.empty(2 * len(data) + 4, np.uint16), np.empty(2 * len(data) + 4, np.uint8)
    table = np.zeros(ENTRIES * BYTES, np.int64)  # by entry and next byte, number of the table and entry behind both
    number, free, width = 1, FIRST, LEAST_BITS
    look, ratio, taken, given = gap, 0, 1, LEAST_BITS  # the bytes and bits of this table
    codes[0], bits[0], count = CLEAR, width, 1
    entry = np.int64(data[0])
    for place in range(1, len(data)):
        taken += 1
        key = entry * BYTES + data[place]
        if table[key] // ENTRIES == number:
            entry = table[key] % ENTRIES
            continue
        codes[count], bits[count] = entry, width
        count, given, entry = count + 1, given + width, np.int64(data[place])
        table[key] = number * ENTRIES + free
        free += 1
        drop = free == full
        if not drop and free >> width:
            width += 1
        elif not drop and gap and taken >= look:
            look, found = taken + gap, (taken << 8) // given
            drop, ratio = found <= ratio, found
        if drop:
            codes[count], bits[count] = CLEAR, width
            count, number, free, width = count + 1, number + 1, FIRST, LEAST_BITS
            ratio, taken, given = 0, 0, 0
    codes[count], bits[count] = entry, width
    free += 1
    if free == full:
        codes[count + 1], bits[count + 1], width = CLEAR, width, LEAST_BITS
        count += 1
    elif free >> width:
        width += 1
    codes[count + 1], bits[count + 1] = END, width
    return codes[: count + 2], bits[: count + 2]
