"""``encode_file`` and ``decode_file``, and the model's own names."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import FOLDER, GOLDEN
from pictures import Samples, bmp_file, noise, read_image, saved
from sounds import wave

import ardm_compress
from ardm_compress.errors import ChecksumError, FormatError, OptionError, OutputExistsError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp_file(noise(5, 7, 3, 8)))
    return path


def test_a_file_comes_back(source: Path) -> None:
    coded = ardm_compress.encode_file(source, budget=2)
    assert coded == f"{source}.ardm"
    original = source.read_bytes()
    with pytest.raises(OutputExistsError, match="force=True"):
        ardm_compress.decode_file(coded)
    source.unlink()
    assert ardm_compress.decode_file(coded) == str(source)
    assert source.read_bytes() == original
    assert ardm_compress.encode_file(str(source), coded, budget=2, force=True) == coded


def test_a_url_is_read_and_written(source: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://single/a.bmp", "wb") as file:
        file.write(source.read_bytes())
    coded = ardm_compress.encode_file("memory://single/a.bmp", budget=2)
    assert coded == "memory://single/a.bmp.ardm"
    ardm_compress.decode_file(coded, source, force=True)
    with fsspec.open("memory://single/a.bmp", "rb") as file:
        assert file.read() == source.read_bytes()


def test_parts_are_decoded(tmp_path: Path) -> None:
    array = noise(40, 30, 3, 8)
    (tmp_path / "a.ardm").write_bytes(ardm_compress.encode(array))
    ardm_compress.decode_file(tmp_path / "a.ardm", tmp_path / "part.png", region=(3, 4, 5, 6))
    assert np.array_equal(read_image(tmp_path / "part.png"), array[4:10, 3:8])
    (tmp_path / "a.wav").write_bytes(wave(np.arange(80, dtype="<i2").tobytes(), rate=8))
    coded = ardm_compress.encode_file(tmp_path / "a.wav", level=1)
    ardm_compress.decode_file(coded, tmp_path / "part.wav", start=2, end=4)
    assert (tmp_path / "part.wav").read_bytes() == wave(np.arange(16, 32, dtype="<i2").tobytes(), rate=8)
    with pytest.raises(OptionError):
        ardm_compress.decode_file(coded, tmp_path / "no.wav", preview=1)
    assert not (tmp_path / "no.wav").exists()


def test_a_level_is_the_preset_of_the_commands(tmp_path: Path, photo: Samples) -> None:
    (tmp_path / "a.png").write_bytes(saved(photo[:16, :16], "PNG"))
    calls: list[tuple[int, int]] = []
    coded = ardm_compress.encode_file(tmp_path / "a.png", level=1, progress=lambda *done: calls.append(done))
    with ardm_compress.open(coded) as file:
        assert file.info["calls"] == 8
    assert calls[0] == (1, 1)  # the encoder's tiles
    assert calls[-1] == (8, 8)  # the calls of what verifies
    for level in (0, 10):
        with pytest.raises(ValueError, match="level must be one of 1 to 9"):
            ardm_compress.encode_file(tmp_path / "a.png", level=level)
    wrong: Any = "1"
    with pytest.raises(TypeError):
        ardm_compress.encode_file(tmp_path / "a.png", level=wrong)


def test_what_a_damaged_file_still_holds_is_written(tmp_path: Path) -> None:
    data = (FOLDER / "photo-4-rgb-sections.ardm").read_bytes()
    (tmp_path / "a.ardm").write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError):
        ardm_compress.decode_file(tmp_path / "a.ardm", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(ChecksumError, match="not exact"):
        ardm_compress.decode_file(tmp_path / "a.ardm", tmp_path / "a.png", salvage=True)
    assert read_image(tmp_path / "a.png").shape == GOLDEN["photo-4-rgb-sections"][0].shape


@pytest.mark.parametrize("wrong", [b"a.png", 3, None, io.BytesIO(b"BM"), np.zeros((3, 3), np.uint8)])
def test_what_is_neither_a_path_nor_a_url_is_a_type_error(wrong: Any) -> None:
    for work in (ardm_compress.encode_file, ardm_compress.decode_file):
        with pytest.raises(TypeError, match=f"path or URL is needed, not {type(wrong).__name__}"):
            work(wrong)


def test_a_file_may_be_called_as_standard_input_is(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.rename(source, "-")
    assert ardm_compress.encode_file("-", budget=2) == "./-.ardm"


def test_the_model_draws_and_fills(photo: Samples) -> None:
    drawn = ardm_compress.sample((8, 12), seed=3, budget=2)
    assert drawn.shape == (8, 12, 3)
    holes = np.zeros((16, 16), bool)
    holes[4:8, 5:9] = True
    filled = ardm_compress.inpaint(photo[:16, :16], holes, budget=2)
    assert np.array_equal(filled[~holes], photo[:16, :16][~holes])
    assert [row.budget for row in ardm_compress.plan("photo", (16, 16))][:2] == [1, 2]
