"""On what something was measured. Standard library only; asks libraries for versions, without importing them."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ardm_compress.computing import processors


def machine() -> dict[str, str]:
    """Processor, how many of them, and versions; what a table needs to be compared with another."""
    return {
        "processor": _processor(),
        "processors": str(processors()),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version_of("torch"),
        "threads": os.environ.get("OMP_NUM_THREADS", "as many as processors"),
    }


def _processor() -> str:
    """Its name, and on Linux what of it a virtual machine may hide behind a general one."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(_pair(line) for line in lines)
    name = facts.get("model name", platform.machine())
    return f"{name} (model {facts['model']})" if "model" in facts else name


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def version_of(package: str) -> str:
    """Of a Python package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
