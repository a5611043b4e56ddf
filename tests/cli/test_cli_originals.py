"""The command line about originals: what of them comes back, their SHA-256, and when they may be removed."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import failed, names, run, smooth
from pictures import write_image
from sounds import wave

FAST = ("--budget", "2", "-j", "1")
CONTENT = {"noise.png", "music.flac"}  # of which the content comes back, not the bytes


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files that come back byte for byte, and files that do not: the latter long enough to be named."""
    import soundfile

    folder = tmp_path / "tree"
    folder.mkdir()
    values = np.random.default_rng(5).integers(0, 64, (70, 60, 3)).astype(np.uint8)
    write_image(folder / "noise.png", values)
    write_image(folder / "drawing.bmp", smooth(3))
    (folder / "notes.txt").write_bytes(b"Nothing but text.\n" * 20)
    sound = np.random.default_rng(6).integers(-300, 301, 12000).cumsum().astype(np.int16)
    soundfile.write(folder / "music.flac", sound, 8000)
    (folder / "take.wav").write_bytes(wave(sound[:500].tobytes()))
    assert all((folder / name).stat().st_size >= 8192 for name in CONTENT)
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_comes_back_is_said_by_every_command_and_is_true(tree: Path, tmp_path: Path) -> None:
    packed, back = tmp_path / "packed", tmp_path / "back"
    encoded = json.loads(run("encode", "-r", "--all", tree, "--output-dir", packed, *FAST, "--json").stdout)
    told = json.loads(run("info", "-r", packed, "--json").stdout)
    decoded = json.loads(run("decode", "-r", packed, "--output-dir", back, "-j", "1", "--json").stdout)
    for outcome, facts, restored in zip(encoded, told, decoded, strict=True):
        source = Path(outcome["source"])
        exact = outcome["comes_back"] == "the file, byte for byte"
        assert exact == (source.name not in CONTENT)
        assert not exact or digest(source) == digest(back / source.name)
        assert outcome["comes_back"] == facts["comes_back"] == restored["comes_back"]
        assert outcome["sha256"] == digest(source)
        assert facts["original_bytes"] == source.stat().st_size
        assert facts.get("original_sha256") == (None if exact else digest(source))

    lines = run("info", "-r", packed).stdout.splitlines()
    assert lines[0].split()[:3] == ["bytes", "original", "ratio"]
    assert sum("pixels and metadata" in line or "samples and metadata" in line for line in lines) == len(CONTENT)
    total = sum(path.stat().st_size for path in tree.iterdir())
    assert lines[-1].startswith("5 files: ")
    assert f"originals {total / 1000:.1f} kB (" in lines[-1]
    verbose = run("encode", tree / "drawing.bmp", "-o", tmp_path / "x.ardm", *FAST).stderr
    assert "gives back the file, byte for byte" in verbose


def test_small_files_say_nothing_of_their_size(tmp_path: Path) -> None:
    write_image(tmp_path / "small.png", smooth(3))
    write_image(tmp_path / "small.bmp", smooth(3))
    assert run("encode", "-r", tmp_path, *FAST).exit_code == 0
    facts = json.loads(run("info", tmp_path / "small.png.ardm", "--json").stdout)
    assert not {"original_bytes", "original_sha256"} & set(facts)
    assert run("info", "-r", tmp_path).stdout.splitlines()[-1].endswith("; that of 1 is not known")


def test_rm_keeps_files_that_would_not_come_back(tree: Path) -> None:
    result = run("encode", "-r", "--all", tree, "--rm", *FAST)
    assert result.exit_code == 2
    assert result.stderr.count("--rm-inexact removes such files too") == len(CONTENT)
    assert {name for name in names(tree) if not name.endswith(".ardm")} == CONTENT
    assert len(names(tree)) == 5
    assert "only" not in failed(run("encode", "--rm", "--dry-run", tree / "noise.png"), 2)
    assert run("encode", "-r", tree, "--rm-inexact", *FAST).exit_code == 0
    assert all(name.endswith(".ardm") for name in names(tree))


def test_the_manifest_is_what_sha256sum_checks(tree: Path, tmp_path: Path) -> None:
    (tree / "a\\b\nc.txt").write_bytes(b"of an odd name")
    manifest = tmp_path / "SHA256SUMS"
    for _ in range(2):  # and once more, when all is done before
        line = ("encode", "-r", "--all", tree, "--output-dir", tmp_path / "packed", "--manifest", manifest)
        assert run(*line, *FAST).exit_code == 0
    assert len(manifest.read_bytes().splitlines()) == 6
    subprocess.run(["sha256sum", "--check", "--strict", manifest], check=True, capture_output=True)
    (tree / "take.wav").write_bytes(b"")
    assert subprocess.run(["sha256sum", "--check", manifest], check=False, capture_output=True).returncode == 1


def test_files_are_compared_with_their_originals(tree: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    assert run("encode", "-r", "--all", tree, "--output-dir", packed, *FAST).exit_code == 0
    same = run("test", "-r", packed, "--against", tree, "-j", "1")
    assert same.exit_code == 0, same.output
    assert same.stdout.count(": ok") == 5

    write_image(tree / "noise.png", smooth(3))
    (tree / "take.wav").write_bytes((tree / "take.wav").read_bytes()[:-1] + b"x")
    (tree / "music.flac").write_bytes(b"no sound")
    (tree / "notes.txt").unlink()
    other = run("test", "-r", packed, "--against", tree, "-j", "1")
    assert other.exit_code == 3
    assert other.stderr.count(" restores something else than ") == 3
    assert "notes.txt: No such file" in other.stderr
    assert other.stdout.count(": ok") == 1


def test_what_was_stripped_is_the_original_all_the_same(tree: Path, tmp_path: Path) -> None:
    from pictures import TEXT, png_file

    big = np.random.default_rng(8).integers(0, 256, (60, 60, 3))
    for name, samples in (("big.png", big), ("small.png", smooth(3).astype(int))):
        (tree / name).write_bytes(png_file(samples, 8, 2, TEXT))
        packed = tmp_path / f"{name}.ardm"
        assert run("encode", "--strip", tree / name, "-o", packed, *FAST).exit_code == 0
        assert run("test", packed, "--against", tree, "-j", "1").exit_code == 0
