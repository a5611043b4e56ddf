"""The command line on folders of all kinds of files: what is skipped is named, and with --all everything comes back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from commands import failed, names, run, smooth
from pictures import write_image

FAST = ("--budget", "2", "-j", "1")
BYTE_FOR_BYTE = {
    "photo.bmp": b"",  # an image, written below
    "film.mp4": b"\0\0\0\x18ftypisom" + bytes(range(64)),
    "notes.txt": b"Nothing but text.\n" * 20,
    "empty": b"",
    ".hidden": b"\x7fELF",
    "broken.png": b"\x89PNG\r\n\x1a\nand no image",
    "below/old.ardm": b"ARDM and no compressed file",
    "below/script.sh": b"#!/bin/sh\n",
    "below/deep/archive.zip": b"PK\x03\x04" + bytes(30),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One image, and files that are none."""
    folder = tmp_path / "tree"
    for name, content in BYTE_FOR_BYTE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_image(folder / "photo.bmp", smooth(3))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_all_gives_the_whole_tree_back(tree: Path, tmp_path: Path, jobs: str) -> None:
    packed, back = tmp_path / "packed", tmp_path / "back"
    for _ in range(2):  # and once more, which does nothing
        result = run("encode", "-r", "--all", tree, "--output-dir", packed, *FAST, "-j", jobs)
        assert result.exit_code == 0, result.output
        assert "skipped" not in result.stderr
    assert f"{len(BYTE_FOR_BYTE)} done before" in result.stderr
    assert run("test", "-r", packed, "-j", "1").exit_code == 0
    decoded = run("decode", "-r", packed, "--output-dir", back, "-j", jobs)
    assert decoded.exit_code == 0, decoded.output
    assert contents(back) == contents(tree)


def test_all_says_why_a_file_is_stored(tree: Path) -> None:
    stored = run("encode", "-r", "--all", tree, *FAST, "-v").stderr
    assert "film.mp4: 76 -> " in stored
    assert "stored as it is: the kind of this file is MP4" in stored


def test_a_dry_run_takes_what_the_real_one_takes(tree: Path) -> None:
    dry = run("encode", "-r", "--all", tree, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert len(dry.stdout.splitlines()) == len(BYTE_FOR_BYTE) - 1  # beside its inputs, what is compressed stays


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_is_skipped_is_named(tree: Path, tmp_path: Path, dry: tuple[str, ...]) -> None:
    (tree / "broken.png").unlink()
    (tree / "nothing").mkdir()
    (tree / "loop").symlink_to(tree)
    (tree / "gone.png").symlink_to(tree / "nowhere")
    os.mkfifo(tree / "pipe.png")
    result = run("encode", "-r", tree, "--output-dir", tmp_path / "packed", *FAST, *dry)
    assert result.exit_code == 0, result.output
    reasons = {
        "film.mp4": ".mp4 files are taken with --all only",
        "empty": "files without a suffix are taken with --all only",
        "below/old.ardm": "it is compressed already",
        "nothing": "the folder is empty",
        "loop": "it is a symbolic link to a folder",
        "gone.png": "it is a symbolic link to nothing",
        "pipe.png": "it is a pipe, a socket or a device",
    }
    for name, reason in reasons.items():
        assert f"{tree / name}: skipped, {reason}\n" in result.stderr
    assert result.stderr.count(": skipped, ") == 11
    assert dry or "1 file: " in result.stderr
    assert dry or ", 11 skipped" in result.stderr


def test_skipped_files_are_in_json_and_quiet_is_quiet(tree: Path) -> None:
    result = run("encode", "-r", tree, "--exclude", "broken.png", "--dry-run", "--json", "-q")
    assert result.stderr == ""
    skipped = {outcome["source"]: outcome["skipped"] for outcome in json.loads(result.stdout)}
    assert skipped.pop(str(tree / "photo.bmp")) == ""
    assert len(skipped) == 6
    assert all("--all" in reason for reason in skipped.values())


def test_what_is_skipped_below_a_folder_may_be_named_by_itself(tree: Path) -> None:
    named = tree / "scan.data"
    (tree / "photo.bmp").rename(named)
    result = run("encode", "-r", tree, named, "--exclude", "broken.png", *FAST)
    assert result.exit_code == 0, result.output
    assert f"{named}: skipped" not in result.stderr
    assert f"{named.name}.ardm" in names(tree)


def shape(folder: Path) -> dict[str, str]:
    """What there is besides files: links, and folders with nothing in them."""
    links = {path: os.readlink(path) for path in folder.rglob("*") if path.is_symlink()}
    empty = {path: "" for path in folder.rglob("*") if path not in links and path.is_dir() and not any(path.iterdir())}
    return {path.relative_to(folder).as_posix(): text for path, text in (links | empty).items()}


def test_links_and_empty_folders_come_back_as_such(tree: Path, tmp_path: Path) -> None:
    for name, text in (("link.txt", "notes.txt"), ("gone", "nowhere"), ("around", "below/deep"), ("old.ardm", "x")):
        (tree / name).symlink_to(text)
    (tree / "below" / "up.bmp").symlink_to("../photo.bmp")
    (tree / "below" / "outside").symlink_to(tmp_path)
    (tree / "nothing" / "at all").mkdir(parents=True)
    packed, back = tmp_path / "packed", tmp_path / "back"
    for _ in range(2):  # and once more, which does nothing
        result = run("encode", "-r", "--all", tree, "--output-dir", packed, *FAST)
        assert result.exit_code == 0, result.output
        assert "skipped" not in result.stderr
        result = run("decode", "-r", packed, "--output-dir", back, "-j", "1")
        assert result.exit_code == 0, result.output
    assert "0 files" in result.stderr
    assert len(shape(tree)) == 7
    assert shape(back) == shape(packed) == shape(tree)
    assert contents(back) == contents(tree)
    diff = subprocess.run(["diff", "-r", "--no-dereference", tree, back], check=False, capture_output=True, text=True)
    assert (diff.returncode, diff.stdout) == (0, "")


def test_another_thing_at_the_place_of_a_link_stays_unless_forced(tree: Path, tmp_path: Path) -> None:
    (tree / "link.txt").symlink_to("notes.txt")
    packed = tmp_path / "packed"
    line = ("encode", "-r", "--all", tree, "--output-dir", packed, "--include", "link.txt")
    assert run(*line, "--dry-run").stdout == f"{tree / 'link.txt'} -> {packed / 'link.txt'}\n"
    assert not packed.exists()
    packed.mkdir()
    (packed / "link.txt").write_bytes(b"mine")
    assert "exists; use -f" in failed(run(*line), 1)
    assert (packed / "link.txt").read_bytes() == b"mine"
    assert run(*line, "-f").exit_code == 0
    assert os.readlink(packed / "link.txt") == "notes.txt"


def test_links_to_compressed_files_are_decoded_as_these(tree: Path, tmp_path: Path) -> None:
    assert run("encode", tree / "photo.bmp", *FAST).exit_code == 0
    (tree / "below" / "again.bmp.ardm").symlink_to("../photo.bmp.ardm")
    (tree / "below" / "old.ardm").unlink()
    assert run("decode", "-r", tree / "below", "--output-dir", tmp_path / "back", "-j", "1").exit_code == 0
    assert not (tmp_path / "back" / "again.bmp").is_symlink()
    assert (tmp_path / "back" / "again.bmp").read_bytes() == (tree / "photo.bmp").read_bytes()


def test_outputs_in_the_same_folder_are_not_taken_for_inputs(tree: Path) -> None:
    for _ in range(2):
        result = run("encode", "-r", "--all", tree, "--output-dir", tree / "packed", *FAST)
        assert result.exit_code == 0, result.output
    assert f"{len(BYTE_FOR_BYTE)} done before" in result.stderr


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        (["--include", "*.zip"], ["below/deep/archive.zip"]),
        (["--include", "/*.txt", "--include", "below/"], ["below/deep/archive.zip", "below/script.sh", "notes.txt"]),
        (["--include", "below/**", "--exclude", "deep/"], ["below/script.sh"]),
        (["--include", "*", "--include", "!below/", "--exclude", "*.*"], ["empty"]),
        (["--exclude", "*.png"], ["photo.bmp"]),
        (["--all", "--exclude", "*", "--exclude", "!*.mp4"], ["film.mp4"]),
    ],
)
def test_patterns_choose_by_the_rules_of_gitignore(tree: Path, patterns: list[str], taken: list[str]) -> None:
    outcomes = json.loads(run("encode", "-r", tree, "--dry-run", "--json", *patterns).stdout)
    outcomes = outcomes if isinstance(outcomes, list) else [outcomes]
    found = [outcome["source"] for outcome in outcomes if not outcome["skipped"]]
    assert sorted(found) == [str(tree / name) for name in taken]


def test_the_summary_has_units_that_people_read(tree: Path) -> None:
    (tree / "notes.txt").write_bytes(bytes(2_500_000))
    result = run("encode", "-r", "--all", tree, "--include", "*.txt", "--include", "*.bmp", *FAST)
    assert result.stderr.startswith("2 files: 2.5 MB -> ")


def test_choices_are_of_folders(tree: Path) -> None:
    for choice in (["--all"], ["--include", "*"], ["--exclude", "*"]):
        result = run("encode", tree / "photo.bmp", *choice)
        assert result.exit_code == 2
        assert "give -r with them" in result.stderr
    assert run("encode", "-r", tree, "--all", "--strict").exit_code == 2
    assert "no such files" in failed(run("encode", "-r", tree, "--include", "*.nothing"), 2)
