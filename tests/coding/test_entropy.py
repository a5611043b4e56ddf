"""The entropy coder: what is pushed pops again, with exactly the integer frequencies it was given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from oa.rows import SymbolDecoder, SymbolEncoder

from ardm_compress.errors import FormatError

TOTAL = 1 << 24  # of a row once the coder has added 1 to each frequency

Rows = NDArray[np.float32]
Symbols = NDArray[np.int32]


@st.composite
def frequency_rows(draw: st.DrawFn, most: int = 6) -> Rows:
    """(n, m) integers of sum 2**24 - m, as float32, zeros among them."""
    n, m = draw(st.integers(1, most)), draw(st.sampled_from([2, 3, 4, 16]))
    rest = TOTAL - m
    cut = st.integers(0, rest) | st.sampled_from([0, 1, 2, rest - 1, rest])
    cuts = np.sort(draw(arrays(np.int64, (n, m - 1), elements=cut)), axis=1)
    return np.diff(cuts, prepend=0, append=rest, axis=1).astype(np.float32)


@st.composite
def blocks(draw: st.DrawFn) -> list[tuple[Symbols, Rows]]:
    """What a file pushes: a few arrays of symbols with their rows."""
    rows = draw(st.lists(frequency_rows(), max_size=6))
    return [(draw(arrays(np.int32, len(r), elements=st.integers(0, r.shape[1] - 1))), r) for r in rows]


def pushed(blocks: list[tuple[Symbols, Rows]]) -> bytes:
    encoder = SymbolEncoder()
    for symbols, rows in reversed(blocks):
        encoder.push(symbols, rows)
    return encoder.to_bytes()


class PlainCoder:
    """The same coder in Python's integers: a 64-bit state over a stack of 32-bit words."""

    def __init__(self) -> None:
        self.state, self.words = 0, []

    def push(self, symbol: int, row: list[int]) -> None:
        width, left = row[symbol] + 1, sum(row[:symbol]) + symbol
        if self.state >> 40 >= width:
            self.words.append(self.state & 0xFFFFFFFF)
            self.state >>= 32
        self.state = (self.state // width << 24) + left + self.state % width

    def to_bytes(self) -> bytes:
        words = b"".join(word.to_bytes(4, "little") for word in self.words)
        return (words + self.state.to_bytes(8, "little")).rstrip(b"\0")


@given(blocks())
def test_what_is_pushed_pops_in_order_and_nothing_is_left(blocks: list[tuple[Symbols, Rows]]) -> None:
    data = pushed(blocks)
    assert not data.endswith(b"\0")
    decoder = SymbolDecoder(data)
    for symbols, rows in blocks:
        np.testing.assert_array_equal(decoder.pop(rows), symbols)
    decoder.finish()


@given(blocks())
def test_the_bytes_are_those_of_a_coder_in_plain_integers(blocks: list[tuple[Symbols, Rows]]) -> None:
    plain = PlainCoder()
    for symbols, rows in reversed(blocks):
        for symbol, row in reversed(list(zip(symbols.tolist(), rows.astype(int).tolist(), strict=True))):
            plain.push(symbol, row)
    assert pushed(blocks) == plain.to_bytes()


@given(frequency_rows(most=1))
def test_every_symbol_begins_and_ends_where_its_frequency_says(rows: Rows) -> None:
    """The lowest 24 bits of a stack choose the symbol: its interval is read off exactly, boundary by boundary."""
    left = 0
    for symbol, frequency in enumerate(rows[0].astype(int).tolist()):
        for quantile in (left, left + frequency):  # first and last of frequency + 1 integers
            stack = quantile.to_bytes(4, "little") + b"\x01"
            assert SymbolDecoder(stack).pop(rows).tolist() == [symbol]
        left += frequency + 1
    assert left == TOTAL


def some_symbols(seed: int, n: int, m: int, concentration: float) -> tuple[Symbols, Rows]:
    """Symbols drawn evenly from rows that are far from even, so that small frequencies are paid for."""
    noise = np.random.default_rng(seed)
    cuts = np.sort((noise.dirichlet(np.full(m, concentration), n).cumsum(1)[:, :-1] * (TOTAL - m)).astype(int), axis=1)
    rows = np.diff(cuts, prepend=0, append=TOTAL - m, axis=1)
    return noise.integers(0, m, n, dtype=np.int32), rows.astype(np.float32)


def bits(symbols: Symbols, rows: Rows) -> float:
    return float((24 - np.log2(rows[np.arange(len(symbols)), symbols].astype(float) + 1)).sum())


@pytest.mark.parametrize("concentration", [0.05, 0.3, 5.0])
@pytest.mark.parametrize("m", [2, 16])
def test_the_coded_length_is_the_information(m: int, concentration: float) -> None:
    symbols, rows = some_symbols(m, 20_000, m, concentration)
    assert rows.sum(1, dtype=np.float64).tolist() == [TOTAL - m] * len(rows)
    assert abs(8 * len(pushed([(symbols, rows)])) - bits(symbols, rows)) < 64


def test_rows_without_a_single_spare_count_cost_exactly_24_bits_a_symbol() -> None:
    rows = np.zeros((4000, 16), np.float32)
    rows[:, 5] = TOTAL - 16
    symbols = np.full(4000, 9, np.int32)
    assert abs(8 * len(pushed([(symbols, rows)])) - 24 * 4000) < 64


def test_the_bytes_of_a_small_stack_are_frozen() -> None:
    """Part of the file format (docs/format.md section 9)."""
    even = np.full((3, 16), TOTAL / 16 - 1, np.float32)
    steep = np.array([[TOTAL - 4 - 7, 7, 0, 0], [0, 0, 3, TOTAL - 4 - 3], [1, 2, TOTAL - 4 - 3, 0]], np.float32)
    blocks = [(np.array([3, 15, 0], np.int32), even), (np.array([2, 1, 1, 2, 1, 1], np.int32), np.tile(steep, (2, 1)))]
    data = bytes.fromhex("feffff0101000004fefffff000003aaa0a")
    assert pushed(blocks) == data
    decoder = SymbolDecoder(data)
    assert [decoder.pop(rows).tolist() for _, rows in blocks] == [[3, 15, 0], [2, 1, 1, 2, 1, 1]]
    decoder.finish()


def test_nothing_is_no_bytes() -> None:
    assert SymbolEncoder().to_bytes() == b""
    SymbolDecoder(b"").finish()


@given(st.integers(1, 400), st.integers(0, 99))
def test_finish_refuses_what_was_not_popped(n: int, seed: int) -> None:
    symbols, rows = some_symbols(seed, n, 16, 1.0)
    symbols[-1] = 15  # a lone symbol 0 on an empty stack leaves it empty
    decoder = SymbolDecoder(pushed([(symbols, rows)]))
    decoder.pop(rows[:-1])
    with pytest.raises(FormatError, match="more than its samples"):
        decoder.finish()


@pytest.mark.parametrize("payload", [b"\0", b"abc\0", b"abcd\0\0\0\0"])
def test_payloads_that_end_in_zero_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError, match="zero byte"):
        SymbolDecoder(payload)


@settings(max_examples=60)
@given(st.binary(max_size=64).map(lambda data: data.rstrip(b"\0")), st.lists(frequency_rows(), max_size=8))
def test_garbage_pops_symbols_within_their_range(garbage: bytes, rows: list[Rows]) -> None:
    decoder = SymbolDecoder(garbage)
    for block in rows:
        symbols = decoder.pop(block)
        assert symbols.shape == block.shape[:1]
        assert symbols.min() >= 0
        assert symbols.max() < block.shape[1]
