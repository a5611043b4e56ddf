"""What a process and all that it has started have in memory, read ten times a second. Linux only.

Memory is what /proc/*/smaps_rollup says is each process's own, and its share of what they share.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

STEP = 0.1  # seconds


def peak(process: subprocess.Popen[bytes]) -> float:
    """MiB of all at once, at the most; waits until the process ends, which must not wait for its output to be read."""
    most = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):  # it has just ended
            most = max(most, _memory(process.pid))
        time.sleep(STEP)
    return most / 1024


def _memory(process: int) -> int:
    """KiB of a process and all it has started."""
    total = 0
    for each in _family(process):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def _family(process: int) -> list[int]:
    """List a process and all that it has started."""
    found = [process]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found
