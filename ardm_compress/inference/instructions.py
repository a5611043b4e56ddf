"""The instructions that multiply 8-bit integers, and layers computed by them tile by tile: LLVM for Numba.

Each tile is kept in registers from the first product to the last rounding. Inputs are bytes, x + 128 for an integer x
within +-127; weights lie within +-63. So two products of a byte and a weight add up to at most 2 * 255 * 63 < 2**15,
and no instruction below saturates. That the inputs are too large by 128 is undone where sums start: at their bias - 128
* (the sum of the output's weights).
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numba.np import arrayobj

from ardm_compress.inference.config import CLIP, INPUT_STEP


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


KERNELS: Final = list(Kernel)  # compiled functions name a kernel by its number
SUMS, ADDED, SMOOTH_RELU, RELU = range(4)  # what becomes of sums
QUAD: Final = 4  # inputs that are multiplied together

I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
KNEE_BITS: Final = INPUT_STEP.bit_length()  # the smooth rectifier divides by 2 * INPUT_STEP


def _multiply(typing, kernel, end, vectors, x, x_stride, rows, weights, start, multiplier, out, out_stride):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Compute the sums of a layer for some rows, and what they become, tile by tile.

    Args:
        typing: of Numba.
        kernel: number of the instruction, among KERNELS; a constant.
        end: SUMS writes the sums; ADDED adds them, rescaled, to ``out``; the others write activations. A constant.
        vectors: of a tile's row; a constant.
        x: uint8, flat: rows of inputs.
        x_stride: from one row to the next.
        rows: to compute; as many more as fill a tile are computed as well, so ``x`` and ``out`` must have them.
        weights: (panels, quads, weights) int8, see ``fused.pack``.
        start: (outputs,) int32, what sums start from.
        multiplier: (outputs,) float32, what sums are rescaled by.
        out: int32, or uint8 for activations, flat: rows of outputs.
        out_stride: from one row to the next.
    """
    chosen, kind, count = KERNELS[kernel.literal_value], end.literal_value, vectors.literal_value
    shape, number = SHAPES[chosen], types.int64
    signature = types.void(kernel, end, vectors, x, number, number, weights, start, multiplier, out, number)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        def array(at: int) -> Any:
            return arrayobj.make_array(signature.args[at])(context, builder, arguments[at])  # type: ignore[no-untyped-call]

        x, weights, start, multiplier, out = (array(at).data for at in (3, 6, 7, 8, 9))
        x_stride, rows, out_stride = arguments[4], arguments[5], arguments[10]
        panels, quads, panel = cgutils.unpack_tuple(builder, array(6).shape)  # type: ignore[no-untyped-call]
        emit = Emitter(builder, chosen, shape.lanes)

        def row(pointer: Any, first: Any, stride: Any, number: int) -> Any:
            return builder.gep(pointer, [builder.mul(stride, builder.add(first, I64(number)))])

        with cgutils.for_range(builder, panels, intp=I64) as outputs:
            at = builder.mul(outputs.index, I64(shape.lanes * count))
            first = emit.vectors(builder.gep(start, [at]), emit.integers, count)
            factors = emit.vectors(builder.gep(multiplier, [at]), emit.floats, count)
            own = builder.gep(weights, [builder.mul(outputs.index, builder.mul(quads, panel))])
            into = builder.gep(out, [at])
            with cgutils.for_range_slice(builder, I64(0), rows, I64(shape.rows), I64) as (tile, _):
                inputs = [builder.bitcast(row(x, tile, x_stride, r), I32.as_pointer()) for r in range(shape.rows)]
                for r, found in enumerate(emit.sums(inputs, own, quads, first)):
                    emit.end(kind, found, factors, row(into, tile, out_stride, r))
        return context.get_dummy_value()

    return signature, generate


multiply: Any = intrinsic(prefer_literal=True)(_multiply)


class Emitter:
    """Emits vectors of a number of lanes for an instruction."""

    def __init__(self, builder: Any, kernel: Kernel, lanes: int) -> None:
        self.builder, self.kernel, self.lanes = builder, kernel, lanes
        self.integers, self.floats = ir.VectorType(I32, lanes), ir.VectorType(F32, lanes)

    def vectors(self, pointer: Any, kind: Any, count: int) -> list[Any]:
        """Load vectors in a row."""
        typed = self.builder.bitcast(pointer, kind.as_pointer())
        found = [self.builder.load(self.builder.gep(typed, [I64(i)])) for i in range(count)]
        for each in found:
            each.align = 4
        return found

    def store(self, vector: Any, pointer: Any, number: int) -> None:
        """Store the vector of a number of those in a row."""
        typed = self.builder.bitcast(pointer, vector.type.as_pointer())
        self.builder.store(vector, self.builder.gep(typed, [I64(number)])).align = 1

    def constant(self, value: int, kind: Any = I32, count: int = 0) -> Any:
        """Make a vector of the same number everywhere."""
        count = count or self.lanes
        return ir.Constant(ir.VectorType(kind, count), [value] * count)

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call an LLVM intrinsic."""
        kind = ir.FunctionType(result, [each.type for each in arguments])
        made: Any = cgutils.get_or_insert_function(self.builder.module, kind, name)  # type: ignore[no-untyped-call]
        return self.builder.call(made, arguments)

    def select(self, vector: Any, indices: list[int]) -> Any:
        """Take some elements of a vector."""
        undefined = ir.Constant(vector.type, ir.Undefined)
        return self.builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(I32, len(indices)), indices))

    def splat(self, scalar: Any) -> Any:
        """Put a scalar into all lanes."""
        empty = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        return self.select(self.builder.insert_element(empty, scalar, I32(0)), [0] * self.lanes)

    def clamp(self, vector: Any, low: int, high: int) -> Any:
        """Clamp a vector to bounds."""
        for sign, bound in (("<", self.constant(high)), (">", self.constant(low))):
            vector = self.builder.select(self.builder.icmp_signed(sign, vector, bound), vector, bound)
        return vector

    def sums(self, inputs: list[Any], weights: Any, quads: Any, first: list[Any]) -> list[list[Any]]:
        """Sum up rows, each as vectors, in a loop over quads of inputs."""
        builder, count = self.builder, len(first)
        before, loop, after = builder.block, builder.append_basic_block("quads"), builder.append_basic_block("sums")
        builder.branch(loop)
        builder.position_at_end(loop)
        quad = builder.phi(I64)
        quad.add_incoming(I64(0), before)
        carried = [[builder.phi(self.integers) for _ in first] for _ in inputs]
        at = builder.gep(weights, [builder.mul(quad, I64(QUAD * self.lanes * count))])
        loaded = self.vectors(at, self.integers, count)
        found = []
        for row, pointer in zip(carried, inputs, strict=True):
            x = builder.load(builder.gep(pointer, [quad]))
            x.align = 1
            added = [self.dot(total, self.splat(x), each) for total, each in zip(row, loaded, strict=True)]
            for total, start, after_quad in zip(row, first, added, strict=True):
                total.add_incoming(start, before)
                total.add_incoming(after_quad, loop)
            found.append(added)
        following = builder.add(quad, I64(1))
        quad.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, quads), loop, after)
        builder.position_at_end(after)
        return found

    def dot(self, total: Any, x: Any, weights: Any) -> Any:
        """Add, in every lane, the products of four bytes and four weights."""
        builder, lanes = self.builder, self.lanes
        if self.kernel is Kernel.AVX512_VNNI:
            return self.call("llvm.x86.avx512.vpdpbusd.512", self.integers, total, x, weights)
        if self.kernel is Kernel.AVX_VNNI:
            return self.call("llvm.x86.avx512.vpdpbusd.256", self.integers, total, x, weights)
        bytes_, pairs = ir.VectorType(I8, 4 * lanes), ir.VectorType(I16, 2 * lanes)
        if self.kernel in (Kernel.AVX2, Kernel.SSSE3):
            name = "avx2.pmadd.ub.sw" if self.kernel is Kernel.AVX2 else "ssse3.pmadd.ub.sw.128"
            both = self.call(f"llvm.x86.{name}", pairs, builder.bitcast(x, bytes_), builder.bitcast(weights, bytes_))
            return builder.add(total, self.pairs(both, self.constant(1, I16, 2 * lanes)))
        x, weights = builder.bitcast(x, pairs), builder.bitcast(weights, pairs)
        byte = self.constant(8, I16, 2 * lanes)
        even = self.pairs(
            builder.and_(x, self.constant(255, I16, 2 * lanes)), builder.ashr(builder.shl(weights, byte), byte)
        )
        odd = self.pairs(builder.lshr(x, byte), builder.ashr(weights, byte))
        return builder.add(builder.add(total, even), odd)

    def pairs(self, a: Any, b: Any) -> Any:
        """Add two products of 16 bits each, in every lane."""
        if self.kernel is Kernel.AVX2:
            return self.call("llvm.x86.avx2.pmadd.wd", self.integers, a, b)
        if self.kernel in (Kernel.SSSE3, Kernel.SSE2):
            return self.call("llvm.x86.sse2.pmadd.wd", self.integers, a, b)
        wide = ir.VectorType(I32, 2 * self.lanes)
        product = self.builder.mul(self.builder.sext(a, wide), self.builder.sext(b, wide))
        halves = [self.select(product, list(range(parity, 2 * self.lanes, 2))) for parity in (0, 1)]
        return self.builder.add(*halves)

    def rounded(self, vector: Any) -> Any:
        """Floats as the nearest integers, halves to even."""
        if self.kernel is Kernel.AVX512_VNNI:
            mask, current = ir.Constant(I16, -1), ir.Constant(I32, 4)
            name = "llvm.x86.avx512.mask.cvtps2dq.512"
            return self.call(name, self.integers, vector, self.constant(0), mask, current)
        if self.kernel in (Kernel.AVX2, Kernel.AVX_VNNI):
            return self.call("llvm.x86.avx.cvt.ps2dq.256", self.integers, vector)
        if self.kernel in (Kernel.SSSE3, Kernel.SSE2):
            return self.call("llvm.x86.sse2.cvtps2dq", self.integers, vector)
        whole = self.call(f"llvm.rint.v{self.lanes}f32", self.floats, vector)
        return self.builder.fptosi(whole, self.integers)

    def end(self, kind: int, sums: list[Any], factors: list[Any], out: Any) -> None:
        """Write what the sums of a row become."""
        builder = self.builder
        if kind == SUMS:
            for number, each in enumerate(sums):
                self.store(each, out, number)
            return
        before = self.vectors(out, self.integers, len(sums)) if kind == ADDED else sums
        for number, (each, factor) in enumerate(zip(sums, factors, strict=True)):
            value = self.rounded(builder.fmul(builder.sitofp(each, self.floats), factor))
            if kind == ADDED:
                self.store(builder.add(before[number], value), out, number)
                continue
            value = self.smooth_relu(value) if kind == SMOOTH_RELU else self.clamp(value, 0, CLIP)
            byte = builder.trunc(builder.add(value, self.constant(CLIP + 1)), ir.VectorType(I8, self.lanes))
            self.store(byte, out, number)

    def smooth_relu(self, x: Any) -> Any:
        """X * clamp(x + INPUT_STEP, 0, 2 * INPUT_STEP) / (2 * INPUT_STEP), halves to even."""
        builder = self.builder
        x = self.clamp(x, -INPUT_STEP, CLIP)
        bend = builder.add(x, self.constant(INPUT_STEP))
        most = self.constant(2 * INPUT_STEP)
        product = builder.mul(x, builder.select(builder.icmp_signed("<", bend, most), bend, most))
        odd = builder.and_(builder.lshr(product, self.constant(KNEE_BITS)), self.constant(1))
        half = builder.add(builder.add(product, self.constant((1 << KNEE_BITS - 1) - 1)), odd)
        return builder.ashr(half, self.constant(KNEE_BITS))
