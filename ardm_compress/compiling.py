"""Functions of arrays and numbers as machine code. Numba only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A function as machine code, kept for the next process where there is a place for that."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        made: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written to
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    save = made._cache.save_overload

    def saved(*arguments: Any) -> None:
        with suppress(OSError):  # there is no room, or the folder is gone
            save(*arguments)

    made._cache.save_overload = saved
    return made  # type: ignore[no-any-return]
