"""The examples run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from pictures import PHOTO, read_image, write_image
from PIL import Image


def test_frames_of_a_photograph_that_arrives_end_in_itself(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("arriving", PHOTO.with_name("arriving.py"))
    assert spec is not None
    assert spec.loader is not None
    arriving = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arriving)
    small = read_image(PHOTO)[100:228, 200:336]
    write_image(tmp_path / "a.png", small)
    done = CliRunner().invoke(
        arriving.main, [str(tmp_path / "out"), "--image", str(tmp_path / "a.png"), "--frames", "3"]
    )
    assert done.exit_code == 0, done.output
    frames = sorted((tmp_path / "out").glob("frame-*.png"))
    errors = [np.abs(read_image(frame).astype(int) - small).mean() for frame in frames]
    assert len(errors) == 3
    assert errors[0] > errors[1] > errors[2] == 0
    with Image.open(tmp_path / "out" / "arriving.webp") as moving:
        assert moving.n_frames == 3
    write_image(tmp_path / "tiny.png", small[:20, :20])
    refused = CliRunner().invoke(arriving.main, [str(tmp_path), "--image", str(tmp_path / "tiny.png")])
    assert refused.exit_code == 1
    assert "too small" in refused.output
