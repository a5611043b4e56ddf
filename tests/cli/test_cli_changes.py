"""Inputs that change while they are read: --rm removed them, and the exit code was 0."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import names, run, smooth
from pictures import write_image

from ardm_compress.batch.settings import Encoding, Outcome, finish
from ardm_compress.errors import SourceChangedError
from ardm_compress.files import locations


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def overwritten(path: Path) -> None:
    before = path.stat().st_mtime_ns
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, ns=(before + 1, before + 1))


@pytest.mark.parametrize("change", [grown, replaced, overwritten, Path.unlink])
@pytest.mark.parametrize("remove", [True, False])
def test_a_source_that_changed_is_kept_and_named(tmp_path: Path, change: object, remove: bool) -> None:
    source, target = tmp_path / "a.png", tmp_path / "a.png.ardm"
    write_image(source, smooth(1))
    target.write_bytes(b"made of what was read")
    outcome = Outcome(source=str(source), target=str(target), state=locations.state(str(source)))
    assert callable(change)
    change(source)
    there = source.exists()
    with pytest.raises(SourceChangedError, match=r"a\.png has changed while it was read"):
        finish(outcome, Encoding(remove=remove))
    assert source.exists() == there


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_file_that_grows_while_a_command_works_is_kept(tmp_path: Path, command: str) -> None:
    """As when another program still writes to it: here, at the moment when the output appears."""
    write_image(tmp_path / "a.png", smooth(3))
    if command == "decode":
        assert run("encode", tmp_path / "a.png", "--rm-inexact", "--budget", "2").exit_code == 0
    (source,) = tmp_path.iterdir()
    hook = (
        "import sys\n"
        "from pathlib import Path\n"
        "def grow(event, arguments):\n"
        "    if event == 'os.rename' and arguments[0].endswith('.tmp') or event == 'os.link':\n"
        f"        Path({str(source)!r}).open('ab').write(b'more')\n"
        "sys.addaudithook(grow)\n"
        "from ardm_compress.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    line = [
        sys.executable,
        "-c",
        hook,
        command,
        str(source),
        "--rm-inexact" if command == "encode" else "--rm",
        *(["--budget", "2"] if command == "encode" else []),
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert f"{source.name} has changed while it was read" in done.stderr
    assert source.name in names(tmp_path)
