"""Coders that are programs. Standard library, NumPy and Pillow; each program runs below a small process that times it.

A process's peak memory counts what its parent had when it was started, so a parent with PyTorch in it cannot tell.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from ardm_compress.bench.base import Measured
from ardm_compress.bench.inputs import Input
from ardm_compress.bench.samples import check_image, check_sound
from ardm_compress.errors import UnsupportedError
from ardm_compress.formats import IMAGE, SOUND
from ardm_compress.options import MIB

WATCH: Final = """
import os, sys, time
start = time.perf_counter()
number = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(number, 0)
print(time.perf_counter() - start, usage.ru_maxrss, file=open(os.environ["WATCHED"], "w"))
sys.exit(os.waitstatus_to_exitcode(status))
"""
UNIT: Final = 1 if sys.platform == "darwin" else 1024  # bytes, of the peak that the system reports


class Run(NamedTuple):
    """What running a program took."""

    seconds: float
    memory: float  # MiB


@dataclass(frozen=True)
class Command:
    """A coder that is one or two programs; arguments may name {source}, {coded} and {decoded}."""

    name: str
    kind: str
    package: str  # of Debian, that has both programs
    suffix: str  # of coded files
    encode: tuple[str, ...]
    decode: tuple[str, ...] = ()  # none: coded files are of the kind of the source
    depth: int = 32  # bits of a sample, at most
    asked: str = "--version"  # option that makes the program tell its version

    @property
    def version(self) -> str:
        """See ``Coder.version``."""
        return _version(self.encode[0], self.asked)

    def missing(self) -> str:
        """See ``Coder.missing``."""
        programs = dict.fromkeys(line[0] for line in (self.encode, self.decode) if line)
        lacking = [program for program in programs if not shutil.which(program)]
        if lacking:
            return f"{' and '.join(lacking)} (apt install {self.package})"
        return "" if hasattr(os, "wait4") else "a system that tells what processes take, such as Linux"

    def measure(self, source: Input) -> Measured:
        """See ``Coder.measure``."""
        if source.depth > self.depth:
            raise UnsupportedError(f"would narrow {source.depth} bits to {self.depth}")
        with tempfile.TemporaryDirectory() as folder:
            coded, decoded = Path(folder, f"coded{self.suffix}"), Path(folder, f"decoded{source.path.suffix}")
            places = {"source": str(source.path), "coded": str(coded), "decoded": str(decoded)}
            encoding = run([part.format(**places) for part in self.encode])
            decoding = run([part.format(**places) for part in self.decode]) if self.decode else None
            check = check_image if self.kind == IMAGE else check_sound
            check((decoded if decoding else coded).read_bytes(), source.path.read_bytes())
            memory = max(encoding.memory, decoding.memory if decoding else 0)
            return Measured(coded.stat().st_size, encoding.seconds, decoding and decoding.seconds, memory)


def run(line: list[str]) -> Run:
    """Run a program.

    Raises:
        UnsupportedError: it failed.
    """
    with tempfile.NamedTemporaryFile() as watched:
        environment = {**os.environ, "WATCHED": watched.name}
        started = [sys.executable, "-I", "-S", "-c", WATCH, *line]
        done = subprocess.run(started, capture_output=True, env=environment, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise UnsupportedError(f"{line[0]} failed with {done.returncode}: {said[-1] if said else 'nothing said'}")
        seconds, peak = Path(watched.name).read_text("utf-8").split()
    return Run(float(seconds), int(peak) * UNIT / MIB)


@cache
def _version(program: str, option: str) -> str:
    told = subprocess.run([program, option], capture_output=True, text=True, errors="replace", check=False)
    number = re.search(r"\d+(\.\d+)+", told.stdout + told.stderr)
    return f"{program} {number[0]}" if number else program


def _jpeg_xl(*options: str) -> Command:
    return Command(
        " ".join(("JPEG XL, cjxl -d 0", *options)), IMAGE, "libjxl-tools", ".jxl",
        ("cjxl", "{source}", "{coded}", "-d", "0", *options, "--quiet"), ("djxl", "{coded}", "{decoded}"),
    )  # fmt: skip


COMMANDS: Final = (
    Command("PNG, optipng -o2", IMAGE, "optipng", ".png",
            ("optipng", "-quiet", "-o2", "{source}", "-out", "{coded}")),
    Command("WebP, cwebp -lossless -exact -z 9", IMAGE, "webp", ".webp",
            ("cwebp", "-quiet", "-lossless", "-exact", "-z", "9", "{source}", "-o", "{coded}"),
            ("dwebp", "-quiet", "{coded}", "-o", "{decoded}"), depth=8, asked="-version"),
    _jpeg_xl("-e", "7"),
    _jpeg_xl("-e", "9"),
    _jpeg_xl("-e", "9", "-g", "3"),  # groups of 1024 instead of 256 pixels: the best there is of it
    Command("FLAC, flac -8", SOUND, "flac", ".flac",
            ("flac", "-s", "-f", "-8", "--no-padding", "{source}", "-o", "{coded}"),
            ("flac", "-s", "-f", "-d", "{coded}", "-o", "{decoded}")),
    Command("WavPack, wavpack -hhx4", SOUND, "wavpack", ".wv",
            ("wavpack", "-q", "-y", "-hhx4", "{source}", "-o", "{coded}"),
            ("wvunpack", "-q", "-y", "{coded}", "-o", "{decoded}")),
)  # fmt: skip
