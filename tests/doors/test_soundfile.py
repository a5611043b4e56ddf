"""Sound as python-soundfile reads and writes it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pictures import noise

import ardm_compress
from ardm_compress import soundfile as ours
from ardm_compress.errors import UnsupportedError

SAMPLES = np.array([0, 1, -1, 77, -5000, 32767, -32768, 9], np.int16)
PARTS: list[dict[str, Any]] = [
    {}, {"start": 3}, {"start": -3}, {"stop": 4}, {"stop": -2}, {"frames": 2}, {"frames": 99}, {"start": 99},
    {"start": 2, "frames": 3}, {"start": 2, "stop": 5}, {"start": 5, "stop": 2}, {"frames": 0}, {"always_2d": True},
]  # fmt: skip


def coded(data: NDArray[Any], subtype: str | None = None) -> io.BytesIO:
    out = io.BytesIO()
    ours.write(out, data, 8000, subtype, budget=2)
    out.seek(0)
    return out


def by_libsndfile(data: NDArray[Any], subtype: str) -> io.BytesIO:
    out = io.BytesIO()
    soundfile.write(out, data, 8000, subtype, format="WAV")
    out.seek(0)
    return out


def both(data: NDArray[Any], subtype: str, **options: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """What is read of the same samples by this module and by python-soundfile."""
    found, rate = ours.read(coded(data, subtype), **options)
    expected, other_rate = soundfile.read(by_libsndfile(data, subtype), **options)
    assert rate == other_rate
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    return found, expected


@pytest.mark.parametrize("dtype", ours.DTYPES)
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
def test_samples_are_converted_as_by_libsndfile(subtype: str, dtype: str) -> None:
    data = np.random.default_rng(0).integers(-(2**31), 2**31, (20, 2)).astype(np.int32)
    assert np.array_equal(*both(data, subtype, dtype=dtype))


@given(arrays.arrays(np.float64, st.integers(0, 9), elements=st.floats(-1.5, 1.5)))
@settings(max_examples=8)
def test_floating_point_is_written_as_by_libsndfile(data: NDArray[np.float64]) -> None:
    assert np.array_equal(*both(data, "PCM_16"))


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_point_is_kept_if_that_is_asked_for(subtype: str, dtype: str) -> None:
    data = np.array([0.1, -3.0, np.inf, 1e-30, np.nan])
    assert np.array_equal(*both(data, subtype, dtype=dtype), equal_nan=True)
    with pytest.raises(UnsupportedError, match="cannot be read as int16"):
        ours.read(coded(data, subtype), dtype="int16")


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_those_of_python_soundfile(part: dict[str, Any]) -> None:
    assert np.array_equal(*both(SAMPLES, "PCM_16", **part))


def test_integers_keep_all_their_bits(tmp_path: Path) -> None:
    for samples in (SAMPLES, SAMPLES.astype(np.int32) << 13, np.stack([SAMPLES, SAMPLES[::-1]], 1)):
        ours.write(tmp_path / "a.ardm", samples, 44100, budget=2)  # over what is there
        found, rate = ours.read(tmp_path / "a.ardm", dtype=samples.dtype.name)
        assert rate == 44100
        assert np.array_equal(found, samples)


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ardm"
    ours.write(path, np.zeros((4000, 2)), 8000, "PCM_24", budget=2)
    assert ours.info(path) == ours.Info(str(path), 8000, 2, 4000, "WAV", "PCM_24")
    assert ours.info(path).duration == 0.5
    assert ours.info(coded(SAMPLES, "DOUBLE")).subtype == "DOUBLE"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ardm"]


@pytest.mark.parametrize(
    ("data", "rate", "subtype"),
    [
        (SAMPLES.astype(np.int64), 8000, None),
        (SAMPLES, 8000, "ULTRA"),
        (SAMPLES, 0, None),
        (SAMPLES, 10**12, None),
        (np.zeros((2, 2, 2)), 8000, None),
        (np.zeros((2, 0)), 8000, None),
    ],
)
def test_what_no_file_can_hold_is_refused(data: NDArray[Any], rate: int, subtype: str | None, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError):
        ours.write(tmp_path / "a.ardm", data, rate, subtype)
    assert not list(tmp_path.iterdir())


def test_wrong_arguments_and_files_are_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be one of"):
        ours.read(coded(SAMPLES), dtype="int8")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only one of"):
        ours.read(coded(SAMPLES), frames=2, stop=3)
    with pytest.raises(UnsupportedError, match="not sound but image"):
        ours.info(io.BytesIO(ardm_compress.encode(noise(3, 4, 1, 16))))
