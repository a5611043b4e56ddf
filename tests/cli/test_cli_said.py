"""What the command line says and how it ends: JSON, exit codes, folders as outputs, times."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from commands import failed, names, run, smooth
from pictures import write_image
from sounds import wave

from ardm_compress.cli import main
from ardm_compress.formats.catalogue import read_sound

FAST = ("--budget", "2", "-j", "1")
DOCS = Path(__file__).parents[2] / "docs"
RATE = 8000  # of the recording


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A compressed recording of half a second."""
    source = tmp_path / "take.wav"
    source.write_bytes(wave(bytes(2 * RATE // 2), rate=RATE))
    assert run("encode", source, *FAST).exit_code == 0
    return tmp_path / "take.wav.ardm"


def frames(file: Path) -> int:
    """How many samples of each channel a sound file has."""
    return read_sound(file.read_bytes()).samples.shape[0]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (("--start", "0.125"), 3000),
        (("--start", "0:00.125"), 3000),
        (("--start", "0:0:.125", "--end", "0:0.25"), 1000),
        (("--start", "1000samples", "--end", "1007samples"), 7),
        (("--start", "3999samples"), 1),
        (("--end", "7"), 4000),
        (("--duration", "10samples"), 10),
        (("--start", "0.25", "--duration", "0:01"), 2000),
    ],
)
def test_parts_of_sound(packed: Path, part: tuple[str, ...], expected: int) -> None:
    out = packed.with_name("part.wav")
    result = run("decode", packed, "-o", out, *part)
    assert result.exit_code == 0, result.output
    assert frames(out) == expected


@pytest.mark.parametrize(
    "part",
    [("--start", "0.5"), ("--start", "1:00"), ("--start", "4000samples"), ("--duration", "0"), ("--end", "0"),
     ("--start", "0.2", "--end", "0.2"), ("--end", "0.2", "--duration", "0.1")],
)  # fmt: skip
def test_a_part_without_sound_is_an_error(packed: Path, part: tuple[str, ...]) -> None:
    """It was an empty file, and code 0."""
    failed(run("decode", packed, "-o", packed.with_name("part.wav"), *part), 2)
    assert not packed.with_name("part.wav").exists()


def test_an_output_that_is_a_folder_takes_the_file(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run("decode", packed, "-o", tmp_path / "out").exit_code == 0
    assert names(tmp_path / "out") == ["take.wav"]
    assert run("encode", tmp_path / "take.wav", "-o", f"{tmp_path}/new/", *FAST).exit_code == 0
    assert names(tmp_path / "new") == ["take.wav.ardm"]
    assert run("decode", packed, "-o", f"{tmp_path}/parts/", "--start", "0.25").exit_code == 0
    assert frames(tmp_path / "parts" / "take.wav") == 2000
    assert run("decode", packed, "-o", tmp_path / "out", "--output-dir", tmp_path / "out").exit_code == 2


def test_of_several_files_the_exit_code_is_that_of_the_worst(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write_image(tmp_path / name, smooth(1))
        assert run("encode", tmp_path / name, *FAST).exit_code == 0
    files = [tmp_path / f"{name}.png.ardm" for name in "abc"]
    assert run("test", *files).exit_code == 0
    assert run("test", *files, tmp_path / "none.ardm").exit_code == 1
    files[1].write_bytes(files[1].read_bytes()[:-3])
    assert run("test", *files, tmp_path / "none.ardm").exit_code == 3
    assert run("info", *files, tmp_path / "none.ardm").exit_code == 3
    assert run("decode", *files).exit_code == 3
    assert run("decode", files[0], files[2], "-f", "--max-pixels", "1").exit_code == 4


def test_every_command_that_reports_has_json(packed: Path, tmp_path: Path) -> None:
    told = json.loads(run("test", packed, "--json").stdout)
    assert (told["source"], told["code"], told["error"]) == (str(packed), 0, "")
    told = json.loads(run("decode", packed, "-f", "--json").stdout)
    assert (told["target"], told["after"]) == (str(tmp_path / "take.wav"), (tmp_path / "take.wav").stat().st_size)
    told = json.loads(run("encode", tmp_path / "take.wav", tmp_path / "none.png", "-f", "--json", *FAST).stdout)
    assert {Path(outcome["source"]).name: outcome["code"] for outcome in told} == {"take.wav": 0, "none.png": 1}
    assert sum("none.png" in outcome["error"] for outcome in told) == 1
    assert {row["name"] for row in json.loads(run("models", "--json").stdout)} >= {"photo", "sound"}
    budgets = [row["budget"] for row in json.loads(run("plan", "--width", "32", "--height", "32", "--json").stdout)]
    assert budgets == sorted(budgets)
    assert budgets[0] == 4


def test_what_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    """It was a traceback."""
    write_image(tmp_path / "写真.png", smooth(1))
    line = [sys.executable, "-m", "ardm_compress", "encode", "--dry-run", str(tmp_path / "写真.png")]
    done = subprocess.run(line, env=os.environ | {"PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u5199\\u771f.png -> " in done.stdout


def test_a_model_that_was_asked_for_and_lost_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "flat.png", np.full((9, 300, 3), 7, np.uint8))
    result = run("encode", tmp_path / "flat.png", *FAST, "-v", "--model", "photo")
    assert ", smaller than photo" in result.stderr + result.stdout
    result = run("encode", tmp_path / "flat.png", *FAST, "-v", "-f")
    assert "smaller than" not in result.stderr + result.stdout


def test_the_log_has_all_that_vv_says_with_the_time(tmp_path: Path) -> None:
    """Also where nothing is shown."""
    write_image(tmp_path / "写真.png", smooth(1))
    (tmp_path / "broken.png").write_bytes(b"no image")
    log = tmp_path / "log.txt"
    shown = run("encode", "-r", tmp_path, "--budget", "2", "-j", "1", "-vv", "--exclude", "log.txt").stderr
    quiet = run("encode", "-r", tmp_path, "-f", "--budget", "2", "-j", "1", "-q", "--log", log, "--exclude", "log.txt")
    assert quiet.stderr.count("\n") == 1  # the error
    lines = log.read_text("utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    for line in (f"{tmp_path / '写真.png'}: begun", "1 file: ", "bits per subpixel", "broken.png: "):
        assert line in shown
        assert any(line in told for told in lines)
    before = len(lines)
    run("test", tmp_path / "写真.png.ardm", "--log", log, "-j", "1")
    assert len(log.read_text("utf-8").splitlines()) == before + 4


def test_options_stand_in_groups_and_none_is_lost() -> None:
    for name in ("encode", "decode", "test", "info"):
        told = run(name, "--help").stdout
        options_ = [param for param in main.commands[name].params if isinstance(param, click.Option)]
        assert all(told.count(f"{option.opts[-1]}") for option in options_)
        assert "Which files:" in told
        titles = re.findall(r"^([A-Z][a-z, ]+):$", told, re.MULTILINE)
        documented = (DOCS / "cli.md").read_text("utf-8")
        assert all(f"\n## {title}\n" in documented for title in titles if title != "Options")
