"""Functions of arrays and numbers as machine code. Numba only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
from numba.core.runtime.nrt import rtsys

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function, and keep the machine code for the next process where there is a place for it.

    Compilation happens at the first call. Numba notices when the function's own file changes; ``sources`` adds the
    files that it may take constants and other functions from: those of its room and of the network.
    """
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
    rtsys.initialize(context)
    with cache._guard_against_spurious_io_errors():
        return cache._load_overload(signature, context)


def inlined(function: Function) -> Function:
    """Let compiled functions contain a small function where they call it, instead of a call."""
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
