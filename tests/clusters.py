"""What workers of a Dask cluster do in tests; they import it by its name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import get_worker

from ardm_compress.batch.run import encode_group
from ardm_compress.coding import models

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job
    from ardm_compress.batch.settings import Encoding, Outcome

LOAD = models.load


def slow(task: int) -> tuple[int, str]:
    """The task, and where it was done."""
    time.sleep(0.1)
    return task, get_worker().address


def deadly(task: int) -> int:
    """The task, if it is none of those that no process survives."""
    if task < 0:
        time.sleep(0.1)  # as long as it takes to run out of memory
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def encode_and_die(mark: Path, how: Encoding, group: list[Job]) -> list[Outcome]:
    """Encode; the first process to have done so is killed before it can tell of it."""
    outcomes = encode_group(how, group)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return outcomes
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def broken(data: bytes) -> Any:
    """A model with one wrong number in a table."""
    tensors = LOAD(data)
    tensors["tables.logistic_nodes"][256] += 1
    return tensors


def set_broken(wrong: bool) -> None:
    """Let this process compute other integers than it should, or right ones again."""
    models.load = broken if wrong else LOAD
    models.loaded.cache_clear()
