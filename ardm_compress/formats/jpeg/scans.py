"""Entropy-coded data of a JPEG scan <-> quantised coefficients, Huffman coded. NumPy and Numba only.

Source: ITU-T T.81, annexes F and G. The writer gives the bytes that the reader was given, if an encoder wrote them that
codes as libjpeg does; what else such bytes may hold (padding bits, where runs of blocks end) the reader takes down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.computing import compiled
from ardm_compress.formats.jpeg.markers import (
    AC_FIRST,
    DC_BITS,
    DC_FIRST,
    FIRST,
    INTERVAL,
    LAST,
    LOW,
    MODE,
    ONES,
    SEQUENTIAL,
    ZEROS,
)  # fmt: skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT: Final = 0  # state of a reader or writer: position in the data
_BUFFER: Final = 1
_BITS: Final = 2  # in the buffer
_LACKING: Final = 3  # of them, those behind the end of the data
_RUN: Final = 4  # blocks that the last end-of-band code leaves, or has gathered

_LONGEST_RUN: Final = 0x7FFF  # blocks of an end-of-band code
_CORRECTIONS: Final = 1 << 10  # bits that can wait for the end of a run, libjpeg's MAX_CORR_BITS is 1000
_FLUSHED_FROM: Final = 1000 - 64 + 1  # libjpeg ends a run from here on


def lookup(lengths: NDArray[np.uint8], symbols: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Tabulate length * 256 + symbol of the code that 16 bits begin with, 0 if none does: (65536,).

    Raises:
        ValueError: more codes than their lengths leave room for.
    """
    table = np.zeros(1 << 16, np.uint16)
    at = 0
    for symbol, length in zip(symbols, np.repeat(np.arange(1, 17), lengths), strict=True):
        stop = at + (1 << 16 - int(length))
        if stop > len(table):
            raise ValueError("a Huffman table has too many codes")
        table[at:stop] = int(length) << 8 | int(symbol)
        at = stop
    return table


def codes(lengths: NDArray[np.uint8], symbols: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Tabulate code << 8 | length of every symbol, 0 of those that have none: (256,)."""
    table = np.zeros(256, np.int64)
    at = 0
    for symbol, length in zip(symbols, np.repeat(np.arange(1, 17), lengths), strict=True):
        if not table[symbol]:
            table[symbol] = (at >> 16 - int(length)) << 8 | int(length)
        at += 1 << 16 - int(length)
    return table


@compiled
def _fill(data: Any, state: Any) -> None:
    """Take bytes into the buffer; zeros at a marker or the end."""
    at, buffer, bits, size = state[_AT], state[_BUFFER], state[_BITS], len(data)
    while bits <= 48:
        byte = 0
        if at < size and data[at] != 0xFF:
            byte = np.int64(data[at])
            at += 1
        elif at + 1 < size and data[at + 1] == 0:
            byte = 0xFF
            at += 2
        else:
            state[_LACKING] += 8
        buffer = ((buffer & 0xFFFFFFFFFFFF) << 8) | byte
        bits += 8
    state[_AT], state[_BUFFER], state[_BITS] = at, buffer, bits


@compiled
def _take(data: Any, state: Any, count: int) -> int:
    """Read the next bits, at most 16."""
    if state[_BITS] < count:
        _fill(data, state)
    state[_BITS] -= count
    return int((state[_BUFFER] >> state[_BITS]) & ((1 << count) - 1))


@compiled
def _symbol(data: Any, state: Any, table: Any) -> int:
    """Read the next symbol of a Huffman code, -1 if there is none."""
    if state[_BITS] < 16:
        _fill(data, state)
    entry = np.int64(table[(state[_BUFFER] >> (state[_BITS] - 16)) & 0xFFFF])
    if entry == 0:
        return -1
    state[_BITS] -= entry >> 8
    return int(entry & 0xFF)


@compiled
def _value(data: Any, state: Any, size: int) -> int:
    """Read a number of ``size`` bits with its sign."""
    if size == 0:
        return 0
    bits = _take(data, state, size)
    return bits if bits >> (size - 1) else bits - (1 << size) + 1


@compiled
def _padding(data: Any, state: Any) -> int:
    """Read up to the end of a byte; returns a 1 followed by the bits."""
    count = (state[_BITS] - state[_LACKING]) & 7
    return int(1 << count | _take(data, state, count))


@compiled
def _read_sequential(data: Any, state: Any, block: Any, predicted: int, dc: Any, ac: Any) -> int:
    """Read a block; returns its DC coefficient, or a number out of range."""
    size = _symbol(data, state, dc)
    if size < 0 or size > 16:
        return 1 << 20
    value = predicted + _value(data, state, size)
    k = 1
    while k < 64:
        symbol = _symbol(data, state, ac)
        if symbol < 0:
            return 1 << 20
        size = symbol & 15
        if size == 0:
            if symbol != 0xF0:
                break
            k += 16
            continue
        k += symbol >> 4
        if k > 63:
            return 1 << 20
        block[k] = _value(data, state, size)
        k += 1
    return value if k <= 64 else 1 << 20


@compiled
def _read_run(data: Any, state: Any, symbol: int) -> None:
    size = symbol >> 4
    state[_RUN] = (1 << size) + (_take(data, state, size) if size else 0)


@compiled
def _read_band(data: Any, state: Any, block: Any, ac: Any, settings: Any) -> int:
    """Read a block of an AC scan: 0, 1 if a run begins at once, 2 if one begins after coefficients, -1 for damage."""
    k, last, low = settings[FIRST], settings[LAST], settings[LOW]
    first = k
    if state[_RUN]:
        state[_RUN] -= 1
        return 0
    while k <= last:
        symbol = _symbol(data, state, ac)
        if symbol < 0:
            return -1
        size = symbol & 15
        if size == 0:
            if symbol != 0xF0:
                _read_run(data, state, symbol)
                state[_RUN] -= 1
                return 1 if k == first else 2
            k += 16
            continue
        k += symbol >> 4
        if k > last:
            return -1
        value = _value(data, state, size) * (1 << low)
        if value < -32768 or value > 32767:
            return -1
        block[k] = value
        k += 1
    return 0 if k == last + 1 else -1


@compiled
def _correct(data: Any, state: Any, block: Any, k: int, one: int) -> None:
    """Read the next bit of a coefficient that is not zero."""
    if _take(data, state, 1) and (abs(np.int64(block[k])) & one) == 0:
        block[k] += one if block[k] > 0 else -one


@compiled
def _read_bits(data: Any, state: Any, block: Any, ac: Any, settings: Any) -> int:
    """Read a block of a scan of further AC bits; returns as ``_read_band``."""
    k, last, one = settings[FIRST], settings[LAST], 1 << settings[LOW]
    first, new = k, 0
    if state[_RUN] == 0:
        while k <= last:
            symbol = _symbol(data, state, ac)
            if symbol < 0:
                return -1
            run, size, value = symbol >> 4, symbol & 15, 0
            if size:
                if size != 1:
                    return -1
                value = one if _take(data, state, 1) else -one
            elif run != 15:
                _read_run(data, state, symbol)
                new = 1 if k == first else 2
                break
            while k <= last:
                if block[k]:
                    _correct(data, state, block, k, one)
                elif run == 0:
                    break
                else:
                    run -= 1
                k += 1
            if size:
                if k > last:
                    return -1
                block[k] = value
            k += 1
    if state[_RUN]:
        while k <= last:
            if block[k]:
                _correct(data, state, block, k, one)
            k += 1
        state[_RUN] -= 1
    return new


@compiled
def read(
    data: Any, start: int, settings: Any, places: Any, owners: Any, coefficients: Any, dc: Any, ac: Any,
    padding: Any, breaks: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Read a scan.

    Args:
        data: (n,) uint8.
        start: where the scan's entropy-coded data begins.
        settings: see ``markers``, int64.
        places: (blocks,) int64, where the coefficients of the scan's blocks begin.
        owners: (blocks of an MCU,) int64, which of the scan's components each is of.
        coefficients: flat, int16, of all components, block by block in zigzag order; written to.
        dc: (components, 65536) uint16, tables as of ``lookup``.
        ac: the same.
        padding: (intervals,) uint8, filled with a 1 followed by the bits that fill up the last byte of each.
        breaks: int64, filled with the numbers of blocks at which a run of blocks ends though it need not.

    Returns:
        Where the data ends, or -1 if it is not as it should be; how many intervals and breaks there are.
    """
    state = np.zeros(5, np.int64)
    state[_AT] = start
    mode, low, interval = settings[MODE], settings[LOW], settings[INTERVAL]
    predicted = np.zeros(len(dc), np.int64)
    intervals, broken, run, ended = 0, 0, 0, False  # run: length of the last one
    for number in range(len(places)):
        own = owners[number % len(owners)]
        if interval and number and number % (interval * len(owners)) == 0:
            if state[_RUN]:
                return -1, 0, 0
            padding[intervals] = _padding(data, state)
            at = state[_AT]
            if state[_BITS] != state[_LACKING] or at + 1 >= len(data):
                return -1, 0, 0
            if data[at] != 0xFF or data[at + 1] != 0xD0 + (intervals & 7):
                return -1, 0, 0
            intervals += 1
            state[:] = 0
            state[_AT] = at + 2
            predicted[:] = 0
            ended = False
        block = coefficients[places[number] : places[number] + 64]
        if mode == SEQUENTIAL:
            value = _read_sequential(data, state, block, predicted[own], dc[own], ac[own])
            if value < -32768 or value > 32767:
                return -1, 0, 0
            predicted[own] = value
            block[0] = value
        elif mode == DC_FIRST:
            size = _symbol(data, state, dc[own])
            if size < 0 or size > 16:
                return -1, 0, 0
            value = predicted[own] + _value(data, state, size)
            if value * (1 << low) < -32768 or value * (1 << low) > 32767:
                return -1, 0, 0
            predicted[own] = value
            block[0] = value * (1 << low)
        elif mode == DC_BITS:
            if _take(data, state, 1):
                block[0] |= 1 << low
        else:
            before = state[_RUN]
            if mode == AC_FIRST:
                new = _read_band(data, state, block, ac[own], settings)
            else:
                new = _read_bits(data, state, block, ac[own], settings)
            if new < 0:
                return -1, 0, 0
            if new == 1 and ended and run < _LONGEST_RUN:
                breaks[broken] = number
                broken += 1
            if new:
                run = state[_RUN] + 1
            ended = before > 0 or new > 0
        if state[_LACKING] > state[_BITS]:
            return -1, 0, 0
    if state[_RUN]:
        return -1, 0, 0
    padding[intervals] = _padding(data, state)
    at = state[_AT]
    for _ in range((state[_BITS] - state[_LACKING]) >> 3):
        at -= 2 if data[at - 1] == 0 and data[at - 2] == 0xFF else 1
    return at, intervals + 1, broken


@compiled
def _put(out: Any, state: Any, bits: int, count: int) -> None:
    """Append bits, at most 32."""
    state[_BUFFER] = ((state[_BUFFER] & 0xFF) << count) | bits
    state[_BITS] += count
    while state[_BITS] >= 8:
        state[_BITS] -= 8
        byte = (state[_BUFFER] >> state[_BITS]) & 0xFF
        if state[_AT] + 2 > len(out):
            state[_LACKING] = 1
            return
        out[state[_AT]] = byte
        state[_AT] += 1
        if byte == 0xFF:
            out[state[_AT]] = 0
            state[_AT] += 1


@compiled
def _put_symbol(out: Any, state: Any, table: Any, symbol: int) -> None:
    entry = table[symbol]
    if entry == 0:
        state[_LACKING] = 1
    _put(out, state, entry >> 8, entry & 0xFF)


@compiled
def _size(number: int) -> int:
    """Count the bits of a magnitude."""
    size = 0
    while number >> size:
        size += 1
    return size


@compiled
def _put_value(out: Any, state: Any, table: Any, run: int, value: int) -> None:
    """Write a run of zeros and the number that ends it: AC coefficients or, with a run of 0, differences of DC ones."""
    size = _size(abs(value))
    if size > 15 + (run == 0):
        state[_LACKING] = 1
        return
    _put_symbol(out, state, table, run << 4 | size if size < 16 else 16)
    if size:
        _put(out, state, value if value > 0 else value + (1 << size) - 1, size)


@compiled
def _write_sequential(out: Any, state: Any, block: Any, predicted: int, dc: Any, ac: Any) -> None:
    _put_value(out, state, dc, 0, block[0] - predicted)
    run = 0
    for k in range(1, 64):
        value = np.int64(block[k])
        if value == 0:
            run += 1
            continue
        while run > 15:
            _put_symbol(out, state, ac, 0xF0)
            run -= 16
        _put_value(out, state, ac, run, value)
        run = 0
    if run:
        _put_symbol(out, state, ac, 0)


@compiled
def _put_all(out: Any, state: Any, bits: Any, first: int, stop: int) -> None:
    for i in range(first, stop):
        _put(out, state, bits[i], 1)


@compiled
def _end_run(out: Any, state: Any, ac: Any, waiting: Any) -> None:
    """Write the run of blocks that is gathered, if any, and the bits that wait for its end."""
    run = state[_RUN]
    if run:
        size = _size(run) - 1
        _put_symbol(out, state, ac, size << 4)
        if size:
            _put(out, state, run & ((1 << size) - 1), size)
        state[_RUN] = 0
    _put_all(out, state, waiting, 1, 1 + waiting[0])
    waiting[0] = 0


@compiled
def _write_band(out: Any, state: Any, block: Any, ac: Any, settings: Any, waiting: Any) -> None:
    run, low = 0, settings[LOW]
    for k in range(settings[FIRST], settings[LAST] + 1):
        value = np.int64(block[k])
        value = value >> low if value > 0 else -(-value >> low)
        if value == 0:
            run += 1
            continue
        _end_run(out, state, ac, waiting)
        while run > 15:
            _put_symbol(out, state, ac, 0xF0)
            run -= 16
        _put_value(out, state, ac, run, value)
        run = 0
    if run:
        state[_RUN] += 1
        if state[_RUN] == _LONGEST_RUN:
            _end_run(out, state, ac, waiting)


@compiled
def _write_bits(out: Any, state: Any, block: Any, ac: Any, settings: Any, waiting: Any) -> None:
    """Write further AC bits; ``waiting`` holds how many bits wait, and they."""
    run, low, newest = 0, settings[LOW], 0
    for k in range(settings[FIRST], settings[LAST] + 1):
        if abs(np.int64(block[k])) >> low == 1:
            newest = k
    first = stop = 1 + waiting[0]  # of the corrections since the last symbol
    for k in range(settings[FIRST], settings[LAST] + 1):
        size = abs(np.int64(block[k])) >> low
        if size == 0:
            run += 1
            continue
        while run > 15 and k <= newest:
            _end_run(out, state, ac, waiting)
            _put_symbol(out, state, ac, 0xF0)
            run -= 16
            _put_all(out, state, waiting, first, stop)
            first = stop = 1
        if size > 1:
            waiting[stop] = size & 1
            stop += 1
            continue
        _end_run(out, state, ac, waiting)
        _put_symbol(out, state, ac, run << 4 | 1)
        _put(out, state, 1 if block[k] > 0 else 0, 1)
        _put_all(out, state, waiting, first, stop)
        first = stop = 1
        run = 0
    if run or stop > first:
        state[_RUN] += 1
        waiting[0] = stop - 1
        if state[_RUN] == _LONGEST_RUN or waiting[0] > _FLUSHED_FROM:
            _end_run(out, state, ac, waiting)


@compiled
def _pad(out: Any, state: Any, padding: int) -> None:
    """Fill up the last byte, with ONES, with ZEROS, or with the very bits that ``read`` found."""
    count = -state[_BITS] & 7
    if padding in (ONES, ZEROS):
        _put(out, state, (1 << count) - 1 if padding == ONES else 0, count)
    elif padding >> count == 1:
        _put(out, state, padding & ((1 << count) - 1), count)
    else:
        state[_LACKING] = 1


@compiled
def write(
    out: Any, settings: Any, places: Any, owners: Any, coefficients: Any, dc: Any, ac: Any, padding: Any, breaks: Any,
) -> int:  # fmt: skip
    """Write a scan: inverse of ``read``.

    Args:
        out: (capacity,) uint8, to fill.
        settings: as of ``read``, also what follows.
        places: see there.
        owners: see there.
        coefficients: see there.
        dc: (components, 256) int64, tables as of ``codes``.
        ac: the same.
        padding: of every interval, or ONES or ZEROS; the last stands for those that lack.
        breaks: see there.

    Returns:
        How many bytes were written, or -1 if it cannot be.
    """
    state, waiting = np.zeros(5, np.int64), np.zeros(_CORRECTIONS + 64, np.int64)
    mode, low, interval = settings[MODE], settings[LOW], settings[INTERVAL]
    predicted = np.zeros(len(dc), np.int64)
    intervals, broken = 0, 0
    for number in range(len(places)):
        own = owners[number % len(owners)]
        if interval and number and number % (interval * len(owners)) == 0:
            _end_run(out, state, ac[0], waiting)
            _pad(out, state, padding[min(intervals, len(padding) - 1)])
            if state[_LACKING] or state[_AT] + 2 > len(out):
                return -1
            out[state[_AT]], out[state[_AT] + 1] = 0xFF, 0xD0 + (intervals & 7)
            state[_AT] += 2
            intervals += 1
            predicted[:] = 0
        block = coefficients[places[number] : places[number] + 64]
        if broken < len(breaks) and breaks[broken] == number:
            _end_run(out, state, ac[0], waiting)
            broken += 1
        if mode == SEQUENTIAL:
            _write_sequential(out, state, block, predicted[own], dc[own], ac[own])
            predicted[own] = block[0]
        elif mode == DC_FIRST:
            _put_value(out, state, dc[own], 0, (block[0] >> low) - predicted[own])
            predicted[own] = block[0] >> low
        elif mode == DC_BITS:
            _put(out, state, (block[0] >> low) & 1, 1)
        elif mode == AC_FIRST:
            _write_band(out, state, block, ac[own], settings, waiting)
        else:
            _write_bits(out, state, block, ac[own], settings, waiting)
        if state[_LACKING]:
            return -1
    _end_run(out, state, ac[0], waiting)
    _pad(out, state, padding[min(intervals, len(padding) - 1)])
    return -1 if state[_LACKING] else state[_AT]
