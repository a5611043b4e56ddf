"""Functions as machine code, and batches of work in threads. Numba is imported once a function is compiled."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function, and keep the machine code for the next process where there is a place for it.

    Compilation happens at the first call. Numba notices when the function's own file changes; ``sources`` adds the
    files that it may take constants and other functions from: those of its room and of the network.
    """
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        made: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written to
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    stamp = made._cache._cache_file._source_stamp, sources(room_of(Path(function.__code__.co_filename)))
    made._cache._cache_file._source_stamp = stamp
    save = made._cache.save_overload

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):  # there is no room, or the folder is gone
            save(*arguments)

    made._cache.save_overload = save_if_possible
    made._cache.load_overload = partial(_load, made._cache)
    return made  # type: ignore[no-any-return]


def _load(cache: Any, signature: Any, context: Any) -> Any:
    """Load machine code as Numba does, without first loading all that it can compile: a quarter of a second.

    Numba loads that when it compiles. The code itself needs only the runtime, which counts references to arrays.
    """
    from numba.core.runtime.nrt import rtsys

    rtsys.initialize(context)
    with cache._guard_against_spurious_io_errors():
        code = cache._load_overload(signature, context)
        if code is None:
            _log_compiling()
        return code


@cache
def _log_compiling() -> None:
    """Log, once, that a first run takes longer; the command line shows that on a terminal."""
    logging.getLogger("ardm_compress").info("compiling for this machine, once, which takes some seconds ...")


def inlined(function: Function) -> Function:
    """Let compiled functions contain a small function where they call it, instead of a call."""
    import numba

    made: Any = numba.njit(inline="always", nogil=True, error_model="numpy")(function)
    return made  # type: ignore[no-any-return]


PACKAGE: Final = Path(__file__).parent


def room_of(file: Path) -> Path:
    """Name the folder at the top of the package that holds a file; files elsewhere are in their own folder."""
    if PACKAGE not in file.parents:
        return file.parent
    return PACKAGE / file.relative_to(PACKAGE).parts[0]


@cache
def sources(room: Path) -> str:
    """Hash the modules of a room and of the exact network."""
    files = sorted({*room.rglob("*.py"), *(PACKAGE / "inference").rglob("*.py")})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


Result = TypeVar("Result")

CGROUP: Final = "/sys/fs/cgroup"
QUOTAS: Final = ((f"{CGROUP}/cpu.max",), (f"{CGROUP}/cpu/cpu.cfs_quota_us", f"{CGROUP}/cpu/cpu.cfs_period_us"))
THREADS: Final = "OMP_NUM_THREADS"  # in the environment

_here = threading.local()  # whether this thread is one of a pool
_used = 0  # processors that this process was let code by; 0 if nothing was said


def processors() -> int:
    """How many processors this process may use, by its affinity and by the quota of its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([count, *(quota for quota in map(_quota, QUOTAS) if quota)])


def _quota(files: tuple[str, ...]) -> int:
    """Return the whole processors that a control group of Linux allows; 0 if it sets no limit."""
    try:
        quota, period = " ".join(Path(file).read_text("ascii") for file in files).split()
        return -(-int(quota) // int(period)) if int(quota) > 0 else 0
    except (OSError, ValueError):  # there is none, or "max"
        return 0


def use_processors(count: int) -> None:
    """Let this process code by so many threads, unless the environment says otherwise."""
    global _used
    _used = count


def threads() -> int:
    """How many threads this process codes by: what the environment says, or was said, or all processors."""
    told = os.environ.get(THREADS, "")
    return max(1, int(told)) if told.isdecimal() else _used or processors()


def _begin() -> None:
    _here.pooled = True


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Make the threads of a process: a forked one inherits the object, but not its threads."""
    return ThreadPoolExecutor(count, "ardm-compress", initializer=_begin)


def mapped(work: Callable[..., Result], first: Sequence[Any], *others: Sequence[Any]) -> list[Result]:
    """Work on batches in threads, return results in order; in this thread alone if it is one of several."""
    count = 1 if getattr(_here, "pooled", False) else threads()
    if count == 1 or len(first) == 1:
        return list(map(work, first, *others))
    return list(_pool(count, os.getpid()).map(work, first, *others))


def by_batches(part: Callable[[slice], Result], positions: int, batch: int) -> list[Result]:
    """Return what ``part`` makes of each batch of so many positions, computed by all threads that there are."""
    return mapped(part, [slice(start, start + batch) for start in range(0, positions, batch)])
