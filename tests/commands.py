"""Running the command line in tests, and a picture for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from pictures import Samples

from ardm_compress.cli import main

PATIENCE = 600  # seconds, after which a test that hangs ends; no test passes or fails by how fast it is


def smooth(channels: int) -> Samples:
    """A 24x20 picture with some structure."""
    rows, columns, bands = np.mgrid[:20, :24, :channels]
    noise = np.random.default_rng(2).integers(0, 6, (20, 24, channels))
    return (3 * rows + 4 * columns + 20 * bands + noise).astype(np.uint8)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def failed(result: Result, code: int) -> str:
    """Check that the command failed with one line and no traceback; return the line."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("ardm-compress: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
