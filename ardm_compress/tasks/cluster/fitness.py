"""Whether a process would code as this one does."""

from __future__ import annotations

import asyncio
import ctypes
import os
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

from ardm_compress.computing import use_processors
from ardm_compress.container import VERSION
from ardm_compress.errors import ArdmError
from ardm_compress.inference import find_model, manifest

TRIMMED: Final = "MALLOC_TRIM_THRESHOLD_"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT: Final = 1 << 25  # bytes that glibc's allocator may keep, the most that it takes
MODELS: Final = ("photo", "sound")  # are loaded, which tests them, before the first task; others when they are needed


class Installed(NamedTuple):
    """What must be the same in all processes, so that all give the same files."""

    version: str  # of the package
    format: int
    models: tuple[str, ...]


def installed() -> Installed:
    """Tell what this process has."""
    try:
        number = version("ardm-compress")
    except PackageNotFoundError:
        number = "(not installed)"
    return Installed(number, VERSION, tuple(f"{model.name} {model.model_id.hex()}" for model in manifest()))


async def unfit(expected: Installed) -> str:
    """Why the process of a worker is not to code anything; empty if it may. Meanwhile the worker talks to others."""
    return await asyncio.to_thread(_unfit, expected)


def _unfit(expected: Installed) -> str:
    use_processors(1)  # as many tasks as the worker has threads run at once
    _keep_freed_memory()
    try:
        if difference := _difference(installed(), expected):
            return difference
        from ardm_compress.coding.models import loaded

        for name in MODELS:
            loaded(find_model(name))
    except (ArdmError, OSError) as error:
        return str(error)
    return ""


def _keep_freed_memory() -> None:
    """Undo what Dask's nanny sets for glibc: to give back whatever is freed makes tensors a quarter slower."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if TRIMMED in os.environ else None
    if mallopt:
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(option, KEPT)


def _difference(found: Installed, expected: Installed) -> str:
    if found[:2] != expected[:2]:
        return (
            f"it has ardm-compress {found.version}, format {found.format}, and not {expected.version}, format "
            f"{expected.format}"
        )
    missing, unknown = set(expected.models) - set(found.models), set(found.models) - set(expected.models)
    if missing:
        return f"it lacks the models {', '.join(sorted(missing))}"
    if unknown:
        return f"it has other models, {', '.join(sorted(unknown))}"
    return "" if found == expected else "its manifest has another order of models"  # the last one of a name is used
