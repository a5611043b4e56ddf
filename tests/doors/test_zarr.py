"""The codec for Zarr's format 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import ardm_compress
from ardm_compress.errors import FormatError, UnsupportedError

zarr = pytest.importorskip("zarr", "3")  # which Python 3.10 has not
from ardm_compress.zarr import ArdmCodec  # noqa: E402  # it imports zarr

TYPES = ["|b1", "|i1", "|u1", *(f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (2, 4, 8))]


def made(array: NDArray[Any], store: Any, chunks: tuple[int, ...], **options: Any) -> Any:
    """Write an array of format 3."""
    return zarr.create_array(
        store, data=array, chunks=chunks, zarr_format=3, serializer=ArdmCodec(budget=2), compressors=None, **options
    )


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_chunks_of_all_integers_come_back(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    array = data.draw(arrays.arrays(data.draw(st.sampled_from(TYPES)), shape))
    chunks = (data.draw(st.integers(-(-shape[0] // 2), shape[0])), *shape[1:])  # at most two
    store = zarr.storage.MemoryStore()
    made(array, store, chunks)
    again = zarr.open_array(store, mode="r")
    assert again.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(again[:], array)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u4", "u8"])
def test_the_ends_of_a_range_come_back(dtype: str) -> None:
    ends = np.iinfo(dtype)
    array = np.array([[ends.min, ends.max, 0], [1, ends.max // 2, ends.max - 1]], dtype)
    assert np.array_equal(made(array, zarr.storage.MemoryStore(), array.shape)[:], array)


def test_a_chunk_is_a_file_of_its_own_with_the_highest_bits_first(tmp_path: Path) -> None:
    array = np.arange(-8, 8, dtype=np.int32).reshape(4, 4) * 70000
    made(array, tmp_path / "a.zarr", (4, 4))
    image = ardm_compress.decode((tmp_path / "a.zarr" / "c" / "0" / "0").read_bytes())
    stored = array.astype(np.int64) + 0x80008000
    assert np.array_equal(image, np.concatenate([stored >> 16, stored & 0xFFFF]))


def test_shards_and_parts_come_back() -> None:
    array = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    found = made(array, zarr.storage.MemoryStore(), (4, 6, 3), shards=(8, 12, 3))
    assert np.array_equal(found[2:7, 5:], array[2:7, 5:])
    found[3:5] = 7
    array[3:5] = 7
    assert np.array_equal(found[:], array)


def test_the_codec_is_kept_in_the_metadata(tmp_path: Path) -> None:
    made(np.zeros((4, 4), np.int16), tmp_path / "a.zarr", (4, 4))
    kept = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text("utf-8"))["codecs"]
    assert kept == [{"name": "ardm", "configuration": {"budget": 2, "model": "photo"}}]
    assert ArdmCodec.from_dict(kept[0]) == ArdmCodec(budget=2)
    assert ArdmCodec.from_dict({"name": "ardm"}) == ArdmCodec()
    assert json.dumps(ArdmCodec(budget=np.int64(4)).to_dict())
    with pytest.raises(ValueError, match="budget"):
        ArdmCodec(budget=0)


def test_the_entry_point_is_the_codec() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["zarr.codecs"] == {"ardm": f"{ArdmCodec.__module__}:{ArdmCodec.__name__}"}
    assert zarr.registry.get_codec_class("ardm") is ArdmCodec


@pytest.mark.parametrize("array", [np.zeros((3, 3)), np.zeros((3, 3), "M8[s]"), np.zeros((), np.uint8)])
def test_other_arrays_are_refused(array: NDArray[Any]) -> None:
    with pytest.raises(UnsupportedError, match="integers or bool"):
        made(array, zarr.storage.MemoryStore(), array.shape)


def test_an_image_of_another_chunk_is_a_format_error(tmp_path: Path) -> None:
    array = made(np.ones((4, 4), np.uint8), tmp_path / "a.zarr", (4, 4))
    (tmp_path / "a.zarr" / "c" / "0" / "0").write_bytes(ardm_compress.encode(np.ones((4, 5), np.uint8)))
    with pytest.raises(FormatError, match="cannot be an image"):
        array[:]
