"""The Python of documents runs, and so do the examples that it speaks of."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click import Command
from click.testing import CliRunner, Result
from pictures import PHOTO, Samples, read_image, write_image
from PIL import Image
from sounds import wave

import ardm_compress
from ardm_compress import soundfile

ROOT = PHOTO.parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/how-it-works.md", "docs/python.md"])
def test_python_in_documents_runs(
    name: str, photo: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("zarr", "3")  # which Python 3.10 has not
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", photo[:32, :32])
    tone = 3000 * np.sin(np.arange(2000) / 9)
    Path("take.wav").write_bytes(wave(tone.astype("<i2").tobytes(), rate=8000))
    text = (ROOT / name).read_text("utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]  # so that errors name the document's lines
        exec(compile(code, str(ROOT / name), "exec"), names)
    shown = capsys.readouterr().out
    for line in re.findall(r"print\(.*\) +# (\S+ \(.*)$", text, re.MULTILINE):  # what they say is shown
        assert line in shown


def test_the_first_commands_of_the_readme_run_as_typed(photo: Samples, tmp_path: Path) -> None:
    """In a folder that holds nothing but a photo.png."""
    folder, programs = tmp_path / "new", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    program = programs / "ardm-compress"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ardm_compress "$@"\n')
    program.chmod(0o755)
    write_image(folder / "photo.png", photo[:32, :32])
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    blocks = [block for block in blocks if " photo.png" in block]
    assert len(blocks) == 2
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(ardm_compress.__file__).parents[1]),
    }
    for block in blocks:
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for path in folder.glob("*.ardm"):
            path.unlink()
    for name in ("same.png", "piped.png", "restored/photo.png"):
        assert np.array_equal(read_image(folder / name), photo[:32, :32])


def run(example: str, *arguments: object) -> Result:
    main: Command = runpy.run_path(str(PHOTO.with_name(example)))["main"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done


def test_a_contact_sheet_shows_all_images(photo: Samples, tmp_path: Path) -> None:
    write_image(tmp_path / "one.png", photo[:16, :16])
    write_image(tmp_path / "two.png", photo[8:20, 8:24, :1])
    done = run("contact_sheet.py", tmp_path / "out", tmp_path / "one.png", tmp_path / "two.png", "--side", 16)
    assert "one.ardm: 16 x 16, RGB" in done.output
    with Image.open(tmp_path / "out" / "sheet.ardm") as sheet:
        shown = np.asarray(sheet)
    assert np.array_equal(shown[:, :16], photo[:16, :16])
    assert np.array_equal(shown[:12, 16:32], np.repeat(photo[8:20, 8:24, :1], 3, 2))


def test_parts_of_a_sound_swell(tmp_path: Path) -> None:
    done = run("sound_parts.py", tmp_path / "a.ardm", "--seconds", 1, "--rate", 1000, "--budget", 8)
    levels = [float(level) for level in re.findall(r"s: (0\.\d+)$", done.output, re.MULTILINE)]
    assert len(levels) == 5
    assert levels[0] < levels[1] < levels[2] > levels[4]
    assert soundfile.info(tmp_path / "a.ardm").frames == 1000


def test_a_stack_of_images_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("zarr", "3")
    done = run("zarr_stack.py", tmp_path / "a.zarr", "--side", 16, "--budget", 4)
    assert "the third image is as it was" in done.output
