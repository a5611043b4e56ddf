"""The command line with many files, pipes, lists, presets: what it writes, what it says, how it ends."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from commands import PATIENCE, failed, names, run, smooth
from pictures import read_image, write_image
from PIL import Image
from sounds import noisy, wave

from ardm_compress.batch import run as batch_run
from ardm_compress.batch.failing import explain
from ardm_compress.batch.inputs import Choice, Job, find_jobs
from ardm_compress.batch.many import GROUP, SMALL, group_jobs
from ardm_compress.batch.settings import Encoding, Outcome
from ardm_compress.cli import main
from ardm_compress.errors import LimitError, OptionError
from ardm_compress.formats import FOLDER_SUFFIXES
from ardm_compress.options import DEFAULT_PRESET, PRESETS
from ardm_compress.tasks.processes import DIED

FAST = ("--budget", "2", "-j", "1")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of two images, one of them below another folder, sound, and a text."""
    top = tmp_path / "in"
    (top / "sub").mkdir(parents=True)
    write_image(top / "a.png", smooth(3)[:9, :8])
    write_image(top / "sub" / "b.png", smooth(1)[:7, :9])
    (top / "sub" / "c.wav").write_bytes(wave(noisy(600), rate=8000))
    (top / "notes.txt").write_text("no image")
    return top


def succeeded(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def decoded_alike(first: Path, second: Path) -> bool:
    if first.suffix == ".wav":
        return first.read_bytes() == second.read_bytes()
    return np.array_equal(read_image(first), read_image(second))


def test_folders_come_back_with_their_tree(tree: Path, tmp_path: Path) -> None:
    packed, back = tmp_path / "packed", tmp_path / "back"
    result = succeeded(run("encode", "-r", tree, "--output-dir", packed, *FAST))
    assert sorted(contents(packed)) == ["a.png.ardm", "sub/b.png.ardm", "sub/c.wav.ardm"]
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == f"{tree / 'notes.txt'}: skipped, .txt files are taken with --all only"
    assert result.stderr.splitlines()[1].startswith("3 files: ")
    assert result.stderr.count("\n") == 2
    assert succeeded(run("test", "-r", packed, "-j", "1")).stdout.count(": ok\n") == 3
    succeeded(run("decode", "-r", packed, "--output-dir", back, "-j", "1"))
    assert sorted(contents(back)) == ["a.png", "sub/b.png", "sub/c.wav"]
    assert all(decoded_alike(tree / name, back / name) for name in contents(back))
    assert len(contents(tree)) == 4


def test_one_bad_file_does_not_stop_the_rest(tree: Path) -> None:
    (tree / "a.png").write_text("broken")
    result = run("encode", tree / "a.png", tree / "none.png", tree / "sub" / "b.png", *FAST)
    assert result.exit_code == 4
    lines = result.stderr.splitlines()
    assert sum(line.startswith("ardm-compress: ") for line in lines) == 2
    assert any("a.png" in line for line in lines)
    assert any("none.png: No such file" in line for line in lines)
    assert lines[-1].startswith("1 file: ")
    assert lines[-1].endswith("2 failed")
    assert names(tree) == ["a.png", "notes.txt", "sub"]
    assert names(tree / "sub") == ["b.png", "b.png.ardm", "c.wav"]


def test_many_damaged_files_are_named(tree: Path) -> None:
    succeeded(run("encode", tree / "a.png", tree / "sub" / "b.png", *FAST))
    data = bytearray((tree / "a.png.ardm").read_bytes())
    data[-1] ^= 1
    (tree / "a.png.ardm").write_bytes(data)
    for command in (["test"], ["decode", "-f"]):
        result = run(*command, tree / "a.png.ardm", tree / "sub" / "b.png.ardm", "-j", "1")
        assert result.exit_code == 3
        assert f"ardm-compress: {tree / 'a.png.ardm'}: " in result.stderr
        assert "1 failed" in result.stderr.splitlines()[-1]
        assert result.stdout == (f"{tree / 'sub' / 'b.png.ardm'}: ok\n" if command == ["test"] else "")


def test_processes_and_groups_do_not_change_the_bytes(tree: Path, tmp_path: Path) -> None:
    write_image(tree / "sub" / "d.png", smooth(3)[5:14, :8])  # of the same shape as a.png
    made = {}
    for jobs in ("1", "2"):
        folder = tmp_path / jobs
        succeeded(run("encode", "-r", tree, "--output-dir", folder, "--budget", "2", "-j", jobs))
        made[jobs] = contents(folder)
    succeeded(run("encode", tree / "a.png", *FAST))
    assert made["1"] == made["2"]
    assert made["1"]["a.png.ardm"] == (tree / "a.png.ardm").read_bytes()


def test_lists_name_files(tree: Path, tmp_path: Path) -> None:
    listing = f"{tree / 'a.png'}\n\n{tree / 'sub' / 'b.png'}\n"
    (tmp_path / "list").write_text(listing)
    succeeded(run("encode", "--files-from", tmp_path / "list", *FAST))
    piped = CliRunner().invoke(main, ["encode", "--files-from", "-", "-f", *FAST], input=listing)
    assert "2 files: " in succeeded(piped).stderr
    assert names(tree) == ["a.png", "a.png.ardm", "notes.txt", "sub"]


def test_names_for_one_file_are_one_job(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --output-dir they were said to have the same output; without, the second one failed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tree)
    (tree / "link.png").symlink_to("a.png")
    listing = f"in/a.png\n./in/a.png\nin/sub/../a.png\nlink/a.png\n{tree}/a.png\nin/link.png\n"
    for folder in ([], ["--output-dir", "out"]):
        result = CliRunner().invoke(main, ["encode", "--dry-run", "--files-from", "-", *folder], input=listing)
        assert [line.split(" -> ")[0] for line in succeeded(result).stdout.splitlines()] == ["in/a.png", "in/link.png"]


def test_a_mark_of_byte_order_is_not_of_the_first_name(tree: Path) -> None:
    listing = f"\ufeff{tree / 'a.png'}\n".encode()
    succeeded(CliRunner().invoke(main, ["encode", "--dry-run", "--files-from", "-"], input=listing))


def test_a_place_that_cannot_be_reached_fails_alone(tree: Path) -> None:
    """With -r nothing was done."""
    result = run("encode", "-r", tree / "a.png", "nowhere://b/x.png", *FAST)
    assert result.exit_code == 4
    assert "ardm-compress: nowhere://b/x.png" in result.stderr
    assert (tree / "a.png.ardm").exists()


def test_odd_names_are_shown_in_one_line(tree: Path) -> None:
    odd = os.fsdecode(b"x\xff\ny\x1b.png")
    shown = r"x\xff\ny\x1b.png"
    (tree / odd).write_bytes((tree / "a.png").read_bytes())
    assert shown in failed(run("test", tree / odd), 3)
    for quiet in ([], ["-v"]):
        told = succeeded(run("encode", tree / odd, "-f", *FAST, *quiet)).stderr
        assert f"/{shown}: " in told
        assert told.count("\n") == 1
    packed = tree / f"{odd}.ardm"
    assert run("decode", "--dry-run", "-f", packed).stdout.endswith(f"/{shown}.ardm -> {tree}/{shown}\n")
    assert run("test", packed).stdout == f"{tree}/{shown}.ardm: ok\n"
    assert len(run("info", packed, packed.with_name("none")).stdout.splitlines()) == 2
    assert json.loads(run("info", packed, "--json").stdout)["source"] == str(packed)


def test_messages_name_options_of_the_command_line_only(tree: Path) -> None:
    (tree / "a.png.ardm").touch()
    assert failed(run("encode", tree / "a.png"), 1).endswith("use -f to overwrite it\n")
    assert failed(run("encode", "-f", tree / "a.png", "--max-pixels", "9"), 4).endswith("--max-pixels 72 allows them\n")
    message = "a process has died, probably for lack of memory; --jobs 1 needs the least"
    assert explain(LimitError(DIED)) == (message, 4)
    assert explain(LimitError("x (v=2).png")) == ("x (v=2).png", 4)


def test_what_no_file_can_have_is_said_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ardm_compress.coding.models import loaded

    monkeypatch.setenv("ARDM_COMPRESS_DEVICE", "")
    loaded.cache_clear()
    both = (tree / "a.png", tree / "sub" / "b.png")
    assert "CUDA" in failed(run("encode", *both, "--device", "cuda"), 4)
    monkeypatch.setenv("ARDM_COMPRESS_DEVICE", "abacus")
    assert "abacus" in failed(run("test", *both), 4)
    monkeypatch.setenv("ARDM_COMPRESS_DEVICE", "")
    assert "nope" in failed(run("encode", *both, "--model", "nope"), 4)


def test_unreadable_files_are_said_to_be_so(tree: Path) -> None:
    """Pillow told the address of an object in memory."""
    (tree / "a.png").write_bytes(b"no image")
    assert "a.png: this kind of file is not known" in failed(run("encode", tree / "a.png"), 4)
    (tree / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "a.png: this PNG file is damaged or cut short" in failed(run("encode", tree / "a.png"), 3)
    (tree / "a.png").write_bytes(b"")
    assert failed(run("encode", tree / "a.png"), 3).endswith("a.png: the file is empty\n")


def test_pipes(tree: Path) -> None:
    original = (tree / "sub" / "c.wav").read_bytes()
    packed = subprocess.run(
        [sys.executable, "-m", "ardm_compress", "encode", "-", "--budget", "2"],
        input=original, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert packed[:4] == b"ARDM"
    back = CliRunner().invoke(main, ["decode", "-"], input=packed)
    assert succeeded(back).stdout_bytes == original
    (tree / "x").write_bytes(packed)
    for option in (["-c"], ["-o", "-"]):
        assert succeeded(run("decode", tree / "x", *option)).stdout_bytes == original
    packed = succeeded(run("encode", tree / "a.png", "-c", *FAST)).stdout_bytes
    image = CliRunner().invoke(main, ["decode", "-"], input=packed)
    assert succeeded(image).stdout_bytes.startswith(b"\x89PNG")
    assert names(tree) == ["a.png", "notes.txt", "sub", "x"]


def test_nothing_is_written_to_a_terminal(tree: Path) -> None:
    master, terminal = os.openpty()
    for arguments in (["encode", str(tree / "a.png"), "-c"], ["decode", "-"]):
        line = [sys.executable, "-m", "ardm_compress", *arguments]
        done = subprocess.run(line, stdout=terminal, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 2
        assert b"terminal" in done.stderr
    os.close(terminal)
    with pytest.raises(OSError):  # nothing is there to be read  # noqa: PT011
        os.read(master, 1)
    os.close(master)


def test_outputs_that_do_not_fit_are_wrong_usage(tree: Path, tmp_path: Path) -> None:
    two = [tree / "a.png", tree / "sub" / "b.png"]
    for arguments in (
        [*two, "-o", tmp_path / "x"], [*two, "-c"], [two[0], "-o", tmp_path / "x", "-c"],
        [two[0], "-o", tmp_path / "x", "--output-dir", tmp_path], ["-", "--output-dir", tmp_path],
        [two[0], "-c", "--rm"], [], ["-r"],
    ):  # fmt: skip
        result = run("encode", *arguments)
        assert result.exit_code == 2, arguments
    (tmp_path / "empty").mkdir()
    for command, what in (("encode", "images or sound"), ("test", ".ardm files")):
        assert failed(run(command, "-r", tmp_path / "empty"), 2).endswith(f"no {what} below {tmp_path / 'empty'}\n")
    assert len(contents(tmp_path)) == 4


def test_folders_need_r(tree: Path) -> None:
    for command in ("encode", "decode", "test", "info"):
        assert failed(run(command, tree), 1).endswith("Is a directory; -r takes the files below it\n")
    assert "; -r" not in failed(run("encode", tree / "a.png", "-o", tree / "a.png" / "x"), 1)


def test_one_output_for_two_files_is_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "sub" / "a.png").write_bytes((tree / "a.png").read_bytes())
    result = run("encode", tree / "a.png", tree / "sub" / "a.png", "--output-dir", tmp_path / "out", *FAST)
    assert "the same output" in failed(result, 2)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(tree: Path) -> None:
    before = contents(tree)
    result = succeeded(run("encode", "-r", tree, "--dry-run", "-q"))
    assert result.stdout.splitlines() == [f"{path} -> {path}.ardm" for path in
                                          (tree / "a.png", tree / "sub" / "b.png", tree / "sub" / "c.wav")]  # fmt: skip
    assert contents(tree) == before
    succeeded(run("encode", tree / "a.png", *FAST))
    assert "exists" in failed(run("encode", tree / "a.png", "--dry-run"), 1)
    (tree / "a.png").unlink()
    assert run("decode", tree / "a.png.ardm", "--dry-run").stdout == f"{tree / 'a.png.ardm'} -> {tree / 'a.png'}\n"
    assert not (tree / "a.png").exists()


def test_a_dry_run_promises_only_what_will_be_done(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(smooth(3)).save(tree / "j.jpg")
    (tree / "g.png").write_bytes(b"no image")
    (tree / "empty.png").touch()
    sound = tree / "sub" / "c.wav"
    for arguments, code, why in (
        ([tree / "g.png"], 4, "not known"), ([tree / "empty.png"], 3, "empty"),
        ([tree / "a.png", "--model", "nope"], 4, "nope"), ([tree / "a.png", "--model", "sound"], 4, "of images"),
        ([sound, "--model", "photo"], 4, "of sound"), ([sound, "--max-samples", "9"], 4, "--max-samples 600"),
        ([tree / "a.png", "--max-pixels", "9"], 4, "--max-pixels 72 "),
        ([tree / "a.png", "--output-dir", sound], 1, "Not a directory"),
        ([tree / "a.png", "--output-dir", sound / "x" / "y"], 1, "Not a directory"),
    ):  # fmt: skip
        assert why in failed(run("encode", "--dry-run", *arguments), code), arguments
        assert why in failed(run("encode", *arguments, *FAST), code), arguments
    assert succeeded(run("encode", "--dry-run", tree / "j.jpg", "--force-pixels")).stdout
    monkeypatch.chdir(tree)
    assert succeeded(run("encode", "--dry-run", "a.png", "./a.png")).stdout == "a.png -> a.png.ardm\n"


def test_a_dry_run_needs_no_torch(tree: Path) -> None:
    code = "import sys; from ardm_compress.cli import main; main(sys.argv[1:], standalone_mode=False);"
    code += " assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, "encode", "-r", str(tree), "--dry-run"], check=True)


def test_q_and_v(tree: Path) -> None:
    both = [tree / "a.png", tree / "sub" / "b.png"]
    packed = [f"{path}.ardm" for path in both]
    assert succeeded(run("encode", *both, "--quiet", *FAST)).output == ""
    told = succeeded(run("encode", *both, "--verbose", "-f", *FAST)).stderr.splitlines()
    assert len(told) == 3
    assert all("bits per subpixel" in line for line in told[:2])
    assert succeeded(run("decode", packed[0], "-f", "-q")).output == ""
    for line in (succeeded(run("decode", packed[0], "-f", *more)).stderr for more in ([], ["-v"])):
        assert re.fullmatch(
            rf"{packed[0]}: \d+ -> \d+ bytes, {both[0]}, gives back pixels and metadata, [\d.]+ s\n", line
        )
    assert succeeded(run("test", *packed, "-q")).output == ""


def test_testing_tells_of_no_outputs(tree: Path) -> None:
    """It told of a file of no name, as large as that which was tested."""
    succeeded(run("encode", tree / "a.png", "-q", *FAST))
    packed = tree / "a.png.ardm"
    result = succeeded(run("test", "-v", packed, tree / "sub" / ".." / "a.png.ardm"))
    assert result.stdout == f"{packed}: ok\n"
    assert re.fullmatch(
        rf"{packed}: {packed.stat().st_size} bytes, gives back pixels and metadata, [\d.]+ s\n", result.stderr
    )
    result = run("test", packed, tree / "none.ardm", tree / "a.png", "-j", "1")
    assert re.fullmatch(r"1 file ok, 2 failed, [\d.]+ s", result.stderr.splitlines()[-1])


def test_the_long_forms_of_options(tree: Path, tmp_path: Path) -> None:
    packed, out = tmp_path / "packed", tmp_path / "x"
    succeeded(run("encode", "--recursive", tree, "--output-dir", packed, "--budget", "2", "--jobs", "1", "--verify"))
    data = (packed / "a.png.ardm").read_bytes()
    assert succeeded(run("encode", tree / "a.png", "--stdout", *FAST)).stdout_bytes == data
    succeeded(run("encode", tree / "a.png", "--output", out, *FAST, "--quiet"))
    out.write_bytes(b"")
    succeeded(run("encode", tree / "a.png", "--output", out, "--force", "--keep", *FAST))
    assert out.read_bytes() == data
    assert len(succeeded(run("test", "--recursive", packed, "--verbose", "--jobs", "1")).stderr.splitlines()) == 4


def test_rm_and_keep(tree: Path) -> None:
    both = [tree / "a.png", tree / "sub" / "b.png"]
    succeeded(run("encode", *both, "--rm", "-k", *FAST))
    assert both[0].exists()
    succeeded(run("encode", *both, "-f", "--rm-inexact", *FAST))
    assert not both[0].exists()
    assert not both[1].exists()
    succeeded(run("decode", *(f"{path}.ardm" for path in both), "--rm", "-j", "1"))
    assert names(tree) == ["a.png", "notes.txt", "sub"]


def test_info_of_many_is_a_table_or_a_list(tree: Path) -> None:
    succeeded(run("encode", "-r", tree, *FAST))
    table = succeeded(run("info", "-r", tree)).stdout.splitlines()
    assert len(table) == 5
    assert table[-1].startswith("3 files: ")
    assert table[0].split()[0] == "bytes"
    assert "8 x 9 x 3" in table[1]
    told = json.loads(succeeded(run("info", "-r", tree, "--json")).stdout)
    assert [facts["kind"] for facts in told] == ["image", "image", "sound"]
    assert [Path(facts["source"]).name for facts in told] == ["a.png.ardm", "b.png.ardm", "c.wav.ardm"]
    (tree / "a.png.ardm").write_bytes(b"ARDM")
    result = run("info", "-r", tree)
    assert result.exit_code == 3
    assert "a.png.ardm: " in result.stderr
    assert len(result.stdout.splitlines()) == 4


def test_presets_are_budgets(tree: Path) -> None:
    sizes = {}
    for level in (1, DEFAULT_PRESET):
        succeeded(run("encode", tree / "a.png", f"-{level}", "-f", "-q"))
        sizes[level] = (tree / "a.png.ardm").read_bytes()
    succeeded(run("encode", tree / "a.png", "--budget", str(PRESETS[1].image), "--model", "photo-fast", "-f"))
    assert (tree / "a.png.ardm").read_bytes() == sizes[1]
    succeeded(run("encode", tree / "a.png", "-f"))
    assert (tree / "a.png.ardm").read_bytes() == sizes[DEFAULT_PRESET]
    succeeded(run("encode", tree / "sub" / "c.wav", "-2", "--model", "sound"))
    facts = json.loads(run("info", tree / "sub" / "c.wav.ardm", "--json").stdout)
    assert facts["calls"] == PRESETS[2].sound


def test_devices(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes do not depend on it; a device that is not there is an error."""
    from ardm_compress.coding.models import loaded

    monkeypatch.setenv("ARDM_COMPRESS_DEVICE", "cpu")
    loaded.cache_clear()
    assert "CUDA" in failed(run("encode", tree / "a.png", "--device", "cuda"), 4)
    succeeded(run("encode", tree / "a.png", "--device", "auto", *FAST))
    first = (tree / "a.png.ardm").read_bytes()
    succeeded(run("encode", tree / "a.png", "--device", "cpu", "-f", *FAST))
    assert (tree / "a.png.ardm").read_bytes() == first
    assert run("encode", tree / "a.png", "--device", "abacus").exit_code == 2


def test_version_names_format_and_models() -> None:
    lines = run("--version").stdout.splitlines()
    assert lines[0].startswith("ardm-compress ")
    assert lines[0].endswith("format 1")
    assert any("photo-4" in line for line in lines)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str) -> None:
    script = CliRunner().invoke(main, [], prog_name="ardm-compress", env={"_ARDM_COMPRESS_COMPLETE": f"{shell}_source"})
    assert "_ARDM_COMPRESS_COMPLETE" in script.stdout
    at = "enc" if shell == "fish" else "1"
    words = {"COMP_WORDS": "ardm-compress enc", "COMP_CWORD": at, "_ARDM_COMPRESS_COMPLETE": f"{shell}_complete"}
    assert "encode" in CliRunner().invoke(main, [], prog_name="ardm-compress", env=words).stdout


def test_small_files_are_grouped_and_large_ones_alone(tmp_path: Path) -> None:
    sizes = [10, SMALL + 1, 20, 30]
    jobs = []
    for number, size in enumerate(sizes):
        (tmp_path / str(number)).write_bytes(bytes(size))
        jobs.append(Job(str(tmp_path / str(number)), ""))
    jobs.append(Job("-", "-", "-"))
    assert list(group_jobs(jobs, 1)) == [[jobs[1]], [jobs[4]], [jobs[0], jobs[2], jobs[3]]]
    assert list(group_jobs(jobs, 1, together=False)) == [[job] for job in jobs]
    small = [jobs[0]] * 40
    assert [len(group) for group in group_jobs(small, 2)] == [5] * 8
    assert [len(group) for group in group_jobs([jobs[0]] * (GROUP + 1), 1)] == [GROUP, 1]
    (tmp_path / "full").write_bytes(bytes(SMALL))
    full = Job(str(tmp_path / "full"), "")
    assert [len(group) for group in group_jobs([full] * 10, 1)] == [4, 4, 2]  # each is written before the next is begun


def test_suffixes_choose_files_of_folders_only(tmp_path: Path) -> None:
    choice = Choice(FOLDER_SUFFIXES)
    for name in ("a.PNG", "b.txt", "c"):
        (tmp_path / name).write_bytes(b"")
    assert find_jobs([str(tmp_path)], choice, recursive=True) == [Job(*[str(tmp_path / "a.PNG")] * 2)]
    named = str(tmp_path / "b.jpg")
    assert find_jobs([named, named], choice, recursive=True) == [Job(named, named)]
    with pytest.raises(OptionError, match="standard input"):
        find_jobs(["-"], choice, folder=str(tmp_path))


def test_a_process_that_dies_fails_its_files_only() -> None:
    groups = [[Job(name, name)] for name in ("a", "dies", "b")]
    found = {outcome.source: outcome for outcome in batch_run.outcomes(dying, Encoding(jobs=2), groups)}
    assert set(found) == {"a", "dies", "b"}
    assert found["a"].code == found["b"].code == 0
    assert found["dies"].code == 4
    assert "memory" in found["dies"].error


def test_a_compressed_file_called_dash_is_no_pipe(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    succeeded(run("encode", "sub/c.wav", "-o", "./-.ardm", *FAST))
    assert succeeded(run("decode", "./-.ardm")).stdout_bytes == b""
    assert Path("./-").read_bytes() == Path("sub/c.wav").read_bytes()


def test_lists_have_one_name_a_line_whatever_else_is_in_it(tree: Path) -> None:
    """A form feed, which names may hold, cut one in two."""
    odd = tree / "x\x0cy.png"
    odd.write_bytes((tree / "a.png").read_bytes())
    listing = CliRunner().invoke(main, ["encode", "--files-from", "-", *FAST], input=f"{odd}\r\n")
    succeeded(listing)
    assert Path(f"{odd}.ardm").exists()
    zeros = CliRunner().invoke(main, ["encode", "--files-from", "-"], input=f"{odd}\0{odd}\0")
    assert "one name a line" in failed(zeros, 2)


def test_standard_input_goes_alone(tree: Path) -> None:
    result = CliRunner().invoke(main, ["encode", str(tree / "a.png"), "-"], input=b"x")
    assert result.exit_code == 2
    assert "by itself" in result.stderr


def test_folders_that_cannot_be_read_are_failures(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were passed over in silence."""
    scan = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    result = run("encode", "-r", tree, *FAST)
    assert result.exit_code == 1
    assert "sub" in result.stderr
    assert (tree / "a.png.ardm").exists()


def test_pipes_in_folders_are_passed_over(tree: Path) -> None:
    os.mkfifo(tree / "pipe.png")
    assert "3 files: " in succeeded(run("encode", "-r", tree, *FAST)).stderr


def test_a_damaged_manifest_is_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.json").write_text("{")
    monkeypatch.setenv("ARDM_COMPRESS_MODELS", str(tmp_path))
    for command in ("--version", "models"):
        result = run(command)
        assert result.exit_code == 1
        assert "manifest.json is damaged" in result.stderr


def test_outputs_of_a_process_that_died_are_not_failures(tree: Path) -> None:
    """They were there, whole, and their sources removed; a second try called that an error."""
    names_ = [str(tree / "a.png"), str(tree / "sub" / "b.png"), "dies"]
    groups = [[Job(name, name) for name in names_[:2]], [Job("dies", str(tree / "a.png.ardm"))]]
    (tree / "sub" / "b.png.ardm").write_bytes(b"")
    found = {outcome.source: outcome for outcome in batch_run.outcomes(written_then_dead, Encoding(jobs=2), groups)}
    assert [bool(found[name].code) for name in names_] == [False, True, True]
    assert (tree / "a.png.ardm").exists()


def written_then_dead(how: Encoding, group: list[Job], _bar: object) -> list[Outcome]:
    """Encodes, and dies before it can tell, unless it is the second time."""
    if group[0].source == "dies":
        while not Path(group[0].place).exists():
            time.sleep(0.05)
        os._exit(1)
    found = batch_run.encode_group(how, group)
    if not how.again:
        os._exit(1)
    return found


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_interruption_of_several_processes_leaves_nothing_half_written(tree: Path, end: signal.Signals) -> None:
    """They were killed before they could remove what they had begun to write."""
    large = np.random.default_rng(1).integers(0, 255, (260, 260, 3)).astype(np.uint8)
    for number in range(4):
        write_image(tree / f"large{number}.png", large)
    process = started("encode", "-r", tree, "-j", "2", "--budget", "4")
    while process.poll() is None and not list(tree.rglob("*.ardm")):  # the small ones are written first
        time.sleep(0.05)
    os.killpg(process.pid, end) if end == signal.SIGINT else process.send_signal(end)
    message = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 130, message
    assert "Traceback" not in message
    assert not list(tree.rglob(".ardm-*"))
    assert all(run("test", path).exit_code == 0 for path in tree.rglob("*.ardm"))


def started(*arguments: str | Path) -> subprocess.Popen[bytes]:
    """A process of the program and a group of its own, as in a terminal."""
    line = [sys.executable, "-m", "ardm_compress", *map(str, arguments)]
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def dying(_how: object, group: list[Job], _bar: object) -> list[object]:
    if group[0].source == "dies":
        os._exit(1)
    return [Outcome(source=job.source) for job in group]


def test_commands_say_what_they_are_for() -> None:
    with click.Context(main) as ctx:
        assert all(len(main.commands[name].get_short_help_str(60)) < 60 for name in main.list_commands(ctx))
