"""The instructions that multiply 8-bit integers, and which of them this machine has. Numba and llvmlite only."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import llvmlite.binding as llvm
import numba
from numba.core.codegen import get_host_cpu_features


class Kernel(str, Enum):
    """How products are computed; never what they are."""

    REFERENCE = "reference"  # float64, by NumPy
    PORTABLE = "portable"  # whatever LLVM makes of multiplications and additions, on any processor
    SSE2 = "sse2"  # pmaddwd
    SSSE3 = "ssse3"  # pmaddubsw
    AVX2 = "avx2"  # vpmaddubsw
    AVX_VNNI = "avx-vnni"  # vpdpbusd of 256 bits
    AVX512_VNNI = "avx512-vnni"  # vpdpbusd of 512 bits


class Shape(NamedTuple):
    """What a tile of sums has; its sums and a row of weights stay in registers."""

    lanes: int  # sums of a vector
    rows: int
    vectors: int  # of a row


SHAPES: Final = {
    Kernel.PORTABLE: Shape(4, 4, 2),
    Kernel.SSE2: Shape(4, 4, 2),
    Kernel.SSSE3: Shape(4, 4, 2),
    Kernel.AVX2: Shape(8, 4, 2),
    Kernel.AVX_VNNI: Shape(8, 6, 2),
    Kernel.AVX512_VNNI: Shape(16, 6, 4),
}

NEEDED: Final[dict[Kernel, list[tuple[str, ...]]]] = {  # features, in LLVM's names: any of these sets
    Kernel.REFERENCE: [()],
    Kernel.PORTABLE: [()],
    Kernel.SSE2: [("sse2",)],
    Kernel.SSSE3: [("ssse3",)],
    Kernel.AVX2: [("avx2",)],
    Kernel.AVX_VNNI: [("avxvnni",), ("avx512vnni", "avx512vl")],
    Kernel.AVX512_VNNI: [("avx512vnni",)],
}


def available() -> list[Kernel]:
    """Return the kernels that this machine has, the fastest last."""
    features = _features()
    return [kernel for kernel, sets in NEEDED.items() if any(features.issuperset(each) for each in sets)]


def _features() -> set[str]:
    """Tell what Numba compiles for: the host, unless NUMBA_CPU_NAME or NUMBA_CPU_FEATURES say otherwise."""
    told: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    features: str = get_host_cpu_features() if told is None else told  # type: ignore[no-untyped-call]
    found = {each[1:] for each in features.split(",") if each.startswith("+")}
    if llvm.get_process_triple().startswith("x86_64"):
        found.add("sse2")  # of all of them, even the "generic" one
    return found
