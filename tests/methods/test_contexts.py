"""Mixed contexts: what is packed comes back, and the curves are each other's inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ardm_compress.coding.mixing import ODDS, STRETCH, Coder, pack_bytes, squash, unpack_bytes
from ardm_compress.errors import FormatError
from ardm_compress.methods.contexts import METHOD, MOST_PIXELS, encode


def test_curves_are_inverse_and_rise() -> None:
    curve = [squash(odds) for odds in range(-ODDS, ODDS + 1)]
    assert curve == sorted(curve)
    assert len(STRETCH) == 4096
    assert (np.diff(STRETCH) >= 0).all()
    for probability in range(1, 4095):
        assert squash(STRETCH[probability]) >= probability
        assert STRETCH[probability] == -ODDS or squash(STRETCH[probability] - 1) < probability


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4095)), max_size=300))
def test_bits_come_back(drawn: list[tuple[bool, int]]) -> None:
    encoder = Coder(len(drawn))
    for bit, probability in drawn:
        encoder.code(bit, probability)
    data = encoder.finish()
    entropy = sum(-np.log2((p if bit else 4096 - p) / 4096) for bit, p in drawn)
    assert 8 * len(data) <= entropy * 1.001 + 16
    decoder = Coder(data=data)
    assert [decoder.code(0, probability) for _, probability in drawn] == [int(bit) for bit, _ in drawn]
    assert decoder.used_up


@settings(max_examples=30)
@given(st.data())
def test_samples_come_back(data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, 8))
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)))
    samples = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 1 << depth, shape).astype(np.uint8)
    packed = encode(samples, depth)
    assert packed is not None
    np.testing.assert_array_equal(METHOD.decode(packed, shape, depth), samples)


@settings(max_examples=30)
@given(st.binary(max_size=90))
def test_bytes_come_back(data: bytes) -> None:
    assert unpack_bytes(pack_bytes(data), len(data)) == data


def test_what_is_alike_takes_little() -> None:
    checks = (np.indices((32, 32)).sum(0) // 4 % 2)[..., None].astype(np.uint8)
    packed = encode(checks, 1)
    assert packed is not None
    assert len(packed) < 32
    assert len(pack_bytes(bytes(range(64)) * 4)) < 120


def test_large_tiles_and_many_colours_are_left_to_others() -> None:
    assert encode(np.zeros((MOST_PIXELS + 1, 1, 1), np.uint8), 1) is None
    assert encode(np.arange(3 * 257).reshape(257, 1, 3).astype(np.uint16) // 3, 16) is None
    colours = np.stack([np.arange(300) % 256, np.arange(300) // 256, np.arange(300) % 7], 1)[None].astype(np.uint8)
    assert encode(colours, 8) is None
    for data, shape in ((b"", (3, 3, 3)), (b"", (1 << 8, 1 << 8, 1)), (bytes(90), (2, 2, 1))):
        with pytest.raises(FormatError):
            METHOD.decode(data, shape, 8)
