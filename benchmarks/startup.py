"""How long ``info`` takes, beside a bare Python interpreter: the best of several whole processes each.

Run as ``python benchmarks/startup.py FILE.ardm``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click

COMMANDS = {"python -c pass": ["-c", "pass"], "info": ["-m", "ardm_compress", "info"]}


def best(command: list[str], runs: int = 10) -> float:
    """Seconds of the fastest run."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
def main(file: Path) -> None:
    """Print both times and their ratio."""
    bare, info = best(COMMANDS["python -c pass"]), best([*COMMANDS["info"], str(file)])
    click.echo(f"python -c pass {bare:.3f} s, info {info:.3f} s, ratio {info / bare:.1f}")


if __name__ == "__main__":
    main()
