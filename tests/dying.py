"""Processes that die while they write, and disks that become full: ``python tests/dying.py``.

``--disk FOLDER`` is one on a disk with less than 2 MB in all, such as ``mount -t tmpfs -o size=1m tmpfs FOLDER``;
without one, a limit on the size of files stands for it.
"""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import click
from sounds import wave

from ardm_compress.codec import sounds

SIZE = 1 << 21
LIMIT = SIZE // 2  # bytes of a file
LONGEST = 1.6  # seconds until the end, a little more than all of it takes


@cache
def contents() -> tuple[bytes, bytes]:
    """A sound file of bytes that do not pack, so that no time goes into networks; compressed as well."""
    original = wave(random.Random(1).randbytes(SIZE), width=4, tag=3)
    return original, sounds.encode_sound(original)


def interruptible() -> None:
    """Shells start what they put into the background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(*arguments: str | Path, before: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """A process of the program."""
    line = [sys.executable, "-m", "ardm_compress", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before or interruptible)


def kill(folder: Path, noise: random.Random | None, end: signal.Signals | None, *, force: bool) -> str:
    """End a process at any time, or without ``noise`` when it begins to write; without ``end`` let it finish.

    The input must be whole then, the output whole or as it was, and nothing else there. Returns which.
    """
    original, whole = contents()
    source, output = folder / "a.wav", folder / "a.ardm"
    source.write_bytes(original)
    if force:
        output.write_bytes(b"precious")
    process = started("encode", source, "-o", output, "--no-verify", *(["-f"] if force else []))
    if noise:
        time.sleep(0.1 + noise.random() * LONGEST)
    while not noise and process.poll() is None and not any(folder.glob(".ardm-*")):
        pass
    if end:
        process.send_signal(end)
    process.communicate()
    assert source.read_bytes() == original
    state = "written" if output.exists() and output.read_bytes() == whole else "as it was"
    assert state == "written" or (output.read_bytes() == b"precious" if force else not output.exists())
    output.unlink(missing_ok=True)
    for path in folder.iterdir():
        assert path == source or (end == signal.SIGKILL and path.name.startswith(".ardm-")), path
        path.unlink()
    return state


def limited() -> None:
    """From now on no file may become larger than LIMIT."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


def fill(folder: Path, *, force: bool, disk: Path | None = None) -> None:
    """Write more than there is room for, encoding and decoding: an error, and everything is as it was."""
    output = (disk or folder) / "out"
    for name, content in zip(("encode", "decode"), contents(), strict=True):
        source = folder / name
        source.write_bytes(content)
        if force:
            output.write_bytes(b"precious")
        before = {path: path.read_bytes() for path in [*folder.iterdir(), *output.parent.iterdir()]}
        options = [*(["--no-verify"] if name == "encode" else []), *(["-f"] if force else [])]
        process = started(name, source, "-o", output, *options, before=None if disk else limited)
        message = process.communicate()[1].decode()
        assert process.returncode == 1, message
        assert ("No space left" if disk else "File too large") in message
        assert {path: path.read_bytes() for path in [*folder.iterdir(), *output.parent.iterdir()]} == before
        output.unlink(missing_ok=True)


@click.command()
@click.option("--trials", default=100, show_default=True, help="Processes to kill, by each of three signals.")
@click.option("--disk", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder on a small disk.")
def main(trials: int, disk: Path | None) -> None:
    """Print how many trials there were; a loss stops it."""
    noise = random.Random(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            states = Counter(
                kill(folder, noise if trial % 4 < 2 else None, end, force=bool(trial % 2)) for trial in range(trials)
            )
            click.echo(f"{end.name}: {trials} processes, nothing lost: {dict(states)}")
        for trial in range(trials // 10):
            fill(folder, force=bool(trial % 2), disk=disk)
        click.echo(f"full disk: {2 * (trials // 10)} processes, nothing lost, nothing left")


if __name__ == "__main__":
    main()
