"""Coding needs no PyTorch, and does not import it where it is installed; training says how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sounds import wave

BLOCKED = "import sys; sys.modules['torch'] = None; "  # importing it fails
PROGRAM = "from ardm_compress.cli import main; main(sys.argv[1:])"


def python(code: str, *arguments: str | Path, code_of_exit: int = 0) -> str:
    """Run Python code in a process without PyTorch; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code_of_exit, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        ramp = np.arange(24)[:, None, None] * 4 + np.arange(20)[:, None] + noise.integers(0, 9, (24, 20, 3))
        Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / name)
    walk = np.cumsum(noise.integers(-99, 100, 700)).astype("<i2")
    (tmp_path / "c.wav").write_bytes(wave(walk.tobytes(), channels=1, rate=8000))
    return tmp_path


def test_every_command_that_codes_runs_without_torch(folder: Path) -> None:
    files = [folder / name for name in ("a.png", "b.png", "c.wav")]
    coded = [folder / f"{file.name}.ardm" for file in files]
    python(PROGRAM, "encode", "--budget", "8", *files)
    python(PROGRAM, "test", *coded)
    python(PROGRAM, "decode", "-f", *coded)
    python(PROGRAM, "sample", "--width", "16", "--height", "12", "-o", folder / "drawn.png", "--budget", "4")
    holes = np.zeros((24, 20), np.uint8)
    holes[5:9, 5:9] = 255
    Image.fromarray(holes).save(folder / "holes.png")
    mask = "--mask", folder / "holes.png"
    python(PROGRAM, "inpaint", folder / "a.png", *mask, "-o", folder / "whole.png", "--budget", "4")
    (folder / "measured").mkdir()
    (folder / "a.png").rename(folder / "measured" / "a.png")
    python(PROGRAM, "bench", folder / "measured", "--budgets", "4")
    assert all((folder / name).stat().st_size for name in ("drawn.png", "whole.png"))


def test_the_doors_of_other_programs_code_without_torch() -> None:
    python(
        "import numpy as np, ardm_compress;"
        "samples = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3);"
        "assert (ardm_compress.decode(ardm_compress.encode(samples, budget=2)) == samples).all()"
    )


def test_what_codes_imports_no_torch_where_it_is_installed(folder: Path) -> None:
    code = f"{PROGRAM.replace('argv[1:]', 'argv[1:], standalone_mode=False')}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", "encode", folder / "a.png"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split()[-1] == "False"


def test_training_says_what_to_install(folder: Path) -> None:
    assert "pip install torch" in python(PROGRAM, "train", folder, folder / "run", code_of_exit=4)
