"""Files come back under their names and as what they were, whatever their suffix said."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from commands import failed, run, smooth
from pictures import saved
from PIL import Image
from sounds import noisy, wave

from ardm_compress.formats.catalogue import read_picture

FAST = ("--budget", "2")
IMAGE = saved(smooth(3), "PNG")
SUFFIXES = (".bmp", ".tif", ".jpg", ".webp", ".dng", ".nef", ".svs", ".apng", ".pbm", ".bak", ".wav", "")
FILES = {
    "png": IMAGE,
    "bmp": saved(smooth(3), "BMP"),
    "gif": saved(smooth(1), "GIF"),
    "wave": wave(noisy(900)),
}


@pytest.mark.parametrize("kind", FILES)
def test_names_and_kinds_come_back(tmp_path: Path, kind: str) -> None:
    names = [f"a{suffix}" for suffix in SUFFIXES] + ["b.png", "b.ppm", "c", "c.png"]
    for name in names:
        (tmp_path / name).write_bytes(FILES[kind])
    assert run("encode", *(tmp_path / name for name in names), *FAST).exit_code == 0
    out = tmp_path / "out"
    assert run("decode", *(tmp_path / f"{name}.ardm" for name in names), "--output-dir", out).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    for path in out.iterdir():
        if kind != "png":
            assert path.read_bytes() == FILES[kind]
        else:
            assert path.read_bytes()[:4] == IMAGE[:4]
            np.testing.assert_array_equal(read_picture(path.read_bytes()).samples, smooth(3))


def test_a_name_that_is_asked_for_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(IMAGE)
    assert run("encode", tmp_path / "a.png", *FAST).exit_code == 0
    packed = tmp_path / "a.png.ardm"
    for name, kind in (("b.bmp", "BMP"), ("b.ppm", "PPM"), ("b.nef", "PNG"), ("b", "PNG")):
        assert run("decode", packed, "-o", tmp_path / name).exit_code == 0
        assert Image.open(io.BytesIO((tmp_path / name).read_bytes())).format == kind
    assert ".png" in failed(run("decode", packed, "-o", tmp_path / "b.wav"), 4)
