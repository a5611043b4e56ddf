"""The codec for Zarr."""

from __future__ import annotations

import json
from typing import Any

import numcodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from ardm_compress.errors import UnsupportedError
from ardm_compress.numcodecs import Ardm

SIDE = st.integers(1, 6)


@given(st.data())
@settings(max_examples=40)
def test_chunks_come_back_byte_for_byte(data: st.DataObject) -> None:
    shape = data.draw(st.lists(SIDE, min_size=2, max_size=5))
    chunk = data.draw(arrays.arrays(data.draw(st.sampled_from(["<u2", "|b1"])), tuple(shape)))
    chunk = np.asarray(chunk, order=data.draw(st.sampled_from(["C", "F"])))
    coded, codec = Ardm(budget=2).encode(chunk), Ardm()
    assert codec.decode(coded).tobytes() == chunk.tobytes("A")
    out = np.empty_like(chunk)
    codec.decode(bytearray(coded), out=out)
    assert np.array_equal(out, chunk)


def test_channels_are_coded_together() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)
    chunk = np.repeat(gray, 3, 3)
    coded = Ardm(budget=2).encode(chunk)
    assert Ardm().decode(coded).shape == (16, 8, 3)
    assert len(coded) < 1.5 * gray.size  # three equal channels take little more than one


def test_the_codec_is_known_by_its_name() -> None:
    codec = numcodecs.get_codec({"id": "ardm", "budget": 16})
    assert codec == Ardm(budget=16)
    assert codec.get_config() == {"id": "ardm", "budget": 16, "model": "photo"}
    assert repr(codec) == "Ardm(budget=16, model='photo')"


@pytest.mark.parametrize("chunk", [np.zeros((3, 3), ">u2"), np.zeros((3, 3), "i2"), np.zeros(3, "u1"), b"bytes",
                                   np.zeros((0, 4), "u1")])  # fmt: skip
def test_other_chunks_are_refused(chunk: Any) -> None:
    with pytest.raises(UnsupportedError, match="chunks must be uint8"):
        Ardm().encode(chunk)


def test_what_is_asked_of_the_codec_can_be_kept_by_zarr() -> None:
    assert json.dumps(Ardm(budget=np.int64(4)).get_config())
    with pytest.raises(ValueError, match="budget"):
        Ardm(budget=0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5, 9, 7), (9, 7, 3), (2, 9, 7, 3)])
def test_zarr_arrays_come_back(shape: tuple[int, ...], order: Any) -> None:
    zarr = pytest.importorskip("zarr", "3")  # which Python 3.10 has not
    stack: NDArray[np.uint16] = np.random.default_rng(0).integers(0, 1 << 16, shape).astype(np.uint16)
    store = zarr.storage.MemoryStore()
    chunks = (2, *shape[1:])
    array = zarr.create_array(
        store, shape=shape, chunks=chunks, dtype="<u2", zarr_format=2, compressors=Ardm(budget=2), order=order
    )
    array[:] = stack
    again = zarr.open_array(store, mode="r")
    assert np.array_equal(again[:], stack)
    assert np.array_equal(again[1], stack[1])
    assert again.compressors == (Ardm(budget=2),)
