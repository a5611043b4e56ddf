"""The command line run again: what was done before is not done again, and what has changed is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import PATIENCE, failed, names, run, smooth
from pictures import write_image
from sounds import wave

FAST = ("--budget", "2", "-j", "1")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three images, in two folders."""
    folder = tmp_path / "tree"
    (folder / "below").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "below/c.png"), 1):
        write_image(folder / name, smooth(3)[: 10 + number])
    return folder


def modified(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files there are, and when each was written."""
    status = {path.name: path.stat() for path in folder.rglob("*.ardm")}
    return {name: (found.st_ino, found.st_ctime_ns) for name, found in status.items()}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_was_done_before_is_not_done_again(tree: Path, jobs: str) -> None:
    packed = tree.parent / "packed"
    for done in (["a.png"], ["a.png", "b.png"]):  # as if it had been interrupted
        for name in done:
            run("encode", tree / name, "--output-dir", packed, *FAST)
    before = modified(packed)
    result = run("encode", "-r", tree, "--output-dir", packed, *FAST, "-j", jobs)
    assert result.exit_code == 0, result.output
    assert "1 file: " in result.stderr
    assert ", 2 done before" in result.stderr
    assert {name: modified(packed)[name] for name in before} == before
    assert names(packed / "below") == ["c.png.ardm"]

    again = run("encode", "-r", tree, "--output-dir", packed, *FAST, "-v", "-j", jobs)
    assert again.exit_code == 0
    assert again.stderr.count(": done before, ") == 3
    assert "0 files ok, 3 done before" in again.stderr

    back = tree.parent / "back"
    for _ in range(2):
        decoded = run("decode", "-r", packed, "--output-dir", back, "-j", jobs)
        assert decoded.exit_code == 0, decoded.output
    assert "3 done before" in decoded.stderr
    assert (back / "below" / "c.png").is_file()


def test_three_interruptions_lose_nothing_and_nothing_is_done_twice(tmp_path: Path) -> None:
    tree, packed = tmp_path / "tree", tmp_path / "packed"
    tree.mkdir()
    for number in range(12):
        noise = np.random.default_rng(number).integers(-9000, 9000, 40_000).astype("<i2")
        (tree / f"{number:02}.wav").write_bytes(wave(noise.tobytes()))
    line = [sys.executable, "-m", "ardm_compress", "encode", "-r", str(tree), "--output-dir", str(packed), *FAST]
    seen = dict[str, tuple[int, int]]()
    for least in (1, 4, 7):
        process = subprocess.Popen(line, stderr=subprocess.PIPE)
        while process.poll() is None and len(list(packed.glob("*.ardm"))) < least:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        message = process.communicate(timeout=PATIENCE)[1].decode()
        assert process.returncode in (130, 0), message
        assert seen.items() <= modified(packed).items()
        seen = modified(packed)
    done = subprocess.run(line, stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert f"{len(seen)} done before".encode() in done.stderr
    assert seen.items() <= modified(packed).items()
    assert names(packed) == [f"{number:02}.wav.ardm" for number in range(12)]
    assert run("test", "-r", packed, "--against", tree, "-j", "1").exit_code == 0


def test_force_does_it_again(tree: Path) -> None:
    assert run("encode", "-r", tree, *FAST).exit_code == 0
    before = modified(tree)
    assert run("encode", "-r", tree, *FAST, "-f").exit_code == 0
    assert all(modified(tree)[name] != before[name] for name in before)


def test_a_changed_input_is_named(tree: Path) -> None:
    assert run("encode", "-r", tree, *FAST).exit_code == 0
    write_image(tree / "b.png", smooth(1))
    changed = (tree / "b.png.ardm").stat().st_mtime_ns + 1_000_000_000
    os.utime(tree / "b.png", ns=(changed, changed))
    result = run("encode", "-r", tree, *FAST)
    assert result.exit_code == 1
    assert f"{tree / 'b.png'} has changed since" in result.stderr
    assert "2 done before, 1 failed" in result.stderr


def test_what_is_no_whole_compressed_file_is_not_taken_for_done(tree: Path) -> None:
    assert run("encode", "-r", tree, *FAST).exit_code == 0
    packed = tree / "a.png.ardm"
    packed.write_bytes(packed.read_bytes()[:-1])
    (tree / "b.png.ardm").write_bytes(b"something else")
    result = run("encode", "-r", tree, *FAST)
    assert result.exit_code == 1
    assert result.stderr.count("exists; use -f") == 2
    assert "1 done before, 2 failed" in result.stderr


def test_one_file_that_is_named_is_not_passed_over(tree: Path) -> None:
    assert run("encode", tree / "a.png", *FAST).exit_code == 0
    assert "exists" in failed(run("encode", tree / "a.png", *FAST), 1)


def test_sources_of_what_was_done_before_are_kept(tree: Path) -> None:
    """What is there has not been compared with them."""
    assert run("encode", tree / "a.png", *FAST).exit_code == 0
    result = run("encode", "-r", tree, "--rm-inexact", *FAST)
    assert result.exit_code == 0, result.output
    assert names(tree) == ["a.png", "a.png.ardm", "b.png.ardm", "below"]


def test_a_dry_run_says_what_was_done_before(tree: Path) -> None:
    assert run("encode", tree / "a.png", *FAST).exit_code == 0
    result = run("encode", "-r", tree, "--dry-run")
    assert [line.endswith(" (done before)") for line in result.stdout.splitlines()] == [True, False, False]
    outcomes = json.loads(run("encode", "-r", tree, "--dry-run", "--json").stdout)
    assert [outcome["done_before"] for outcome in outcomes] == [True, False, False]
