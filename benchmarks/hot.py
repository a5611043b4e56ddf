"""The functions that take the time, one by one, and the layers against the processor's peak: ``make bench-hot``.

``python benchmarks/hot.py`` prints billions of multiply-accumulate operations a second of one core, in seconds that the
thread itself took, and the share of what the instruction gives when it does nothing but multiply registers.

Compare two versions with ``--benchmark-save=before`` and ``--benchmark-compare``; see pytest-benchmark.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial, reduce
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

sys.path.insert(0, str(Path(__file__).parent))

from corpus import corpus, integers, voice, wav
from oa.rows import SymbolDecoder, SymbolEncoder

from ardm_compress.codec import images, sounds
from ardm_compress.coding.models import load_model
from ardm_compress.inference import find_model
from ardm_compress.inference.features import FeatureMaker
from ardm_compress.inference.fused import Product
from ardm_compress.inference.gradient import picture_gradient
from ardm_compress.inference.instructions import KERNELS, QUAD, SHAPES, Emitter, Kernel, available
from ardm_compress.inference.network import Children, Layer
from ardm_compress.methods import contexts

ROWS = 4096  # positions


@pytest.fixture(scope="module")
def model() -> Any:
    return load_model(find_model("photo"))


@pytest.fixture(scope="module")
def around(model: Any) -> tuple[Any, Any, Any, int, Any]:
    """Windows side by side, half of their positions known."""
    window = len(model.config.offsets)
    samples = (integers(ROWS * window * 3).reshape(-1, 3) + 128).astype(np.uint8)
    ranks = (integers(ROWS * window) > 0).astype(np.int32)
    return samples, ranks, np.arange(ROWS) * window, 1, np.arange(window)


@pytest.mark.parametrize("kernel", available()[1:], ids=lambda kernel: kernel.value)
def test_products(benchmark: Any, kernel: Kernel) -> None:
    weight = integers(384 * 192).reshape(384, 192).clip(-63, 63).astype(np.int8)
    packed = Product(kernel, Layer(weight, np.zeros(384, np.int32)))
    benchmark(packed.sums, packed.inputs(ROWS))


def test_features(benchmark: Any, model: Any, around: tuple[Any, ...]) -> None:
    benchmark(model.features.gather, *around)


def test_hidden(benchmark: Any, model: Any, around: tuple[Any, ...]) -> None:
    features, conditioning = model.features.gather(*around), model.network.conditioning(0, (0,))
    benchmark(model.network.hidden, features, 0, conditioning)


def test_frequencies(benchmark: Any, model: Any, around: tuple[Any, ...]) -> None:
    features = model.features.gather(*around)
    hidden = model.network.hidden(features, 0, model.network.conditioning(0, (0,)))
    parameters = model.network.start(hidden, features.scale).parameters(features.reference[:, 0])
    benchmark(model.network.frequencies, parameters, Children(np.zeros(1, np.int64), 16, 16, 256))


def test_gradient(benchmark: Any, model: Any, around: tuple[Any, ...]) -> None:
    features, level = model.features.gather(*around), np.zeros(ROWS, np.int64)
    benchmark(picture_gradient(model), features, level, model.network.conditioning(0, (0,)), around[0][:ROWS], 3)


@pytest.fixture(scope="module")
def symbols() -> tuple[np.ndarray, np.ndarray]:
    rows = np.full((ROWS, 16), (1 << 24) // 16 - 1, np.float32)
    return (integers(ROWS) % 16).astype(np.int32), rows


def test_push(benchmark: Any, symbols: tuple[np.ndarray, np.ndarray]) -> None:
    benchmark(lambda: SymbolEncoder().push(*symbols))


def test_pop(benchmark: Any, symbols: tuple[np.ndarray, np.ndarray]) -> None:
    encoder = SymbolEncoder()
    encoder.push(*symbols)
    data = encoder.to_bytes()
    assert (benchmark(lambda: SymbolDecoder(data).pop(symbols[1])) == symbols[0]).all()


def test_contexts(benchmark: Any) -> None:
    drawing = (integers(48 * 48).reshape(48, 48, 1) > 60).astype(np.uint8)
    benchmark(contexts.pack, drawing, 1)


def test_small_image(benchmark: Any) -> None:
    benchmark(images.encode_image, corpus()["photo-32"])


def test_sound(benchmark: Any) -> None:
    benchmark(sounds.encode_sound, wav(voice(4000)[:, None], 16000), budget=64)


# Layers against the processor's peak


def _busy(typing, kernel, rounds):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Multiply vectors in registers, each of weights with each of inputs, ``rounds`` times."""
    chosen = KERNELS[kernel.literal_value]
    rows, columns = factors(chosen)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ARG001
        emit, number, count = Emitter(builder, chosen, SHAPES[chosen].lanes), ir.IntType(32), arguments[1]
        wide = count.type
        first = [emit.splat(builder.trunc(builder.add(count, wide(i)), number)) for i in range(rows + columns)]
        before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        left = builder.phi(wide)
        left.add_incoming(count, before)
        weights, inputs = first[:rows], [builder.phi(emit.integers) for _ in range(columns)]
        totals = [builder.phi(emit.integers) for _ in range(rows * columns)]
        for x, start in zip(inputs, first[rows:], strict=True):
            x.add_incoming(start, before)
            x.add_incoming(builder.xor(x, weights[0]) if "vnni" not in chosen.value else x, loop)  # or it is hoisted
        for total, (x, weight) in zip(totals, product(inputs, weights), strict=True):
            total.add_incoming(emit.constant(0), before)
            total.add_incoming(emit.dot(total, x, weight), loop)
        fewer = builder.sub(left, wide(1))
        left.add_incoming(fewer, loop)
        builder.cbranch(builder.icmp_signed(">", fewer, wide(0)), loop, after)
        builder.position_at_end(after)
        whole = reduce(builder.add, totals)
        return builder.sext(builder.extract_element(whole, number(0)), wide)

    return types.int64(kernel, types.int64), generate


def factors(kernel: Kernel) -> tuple[int, int]:
    """Return vectors of weights and of inputs, whose products hide what each waits for and which fit registers."""
    return (4, 3) if "vnni" in kernel.value else (2, 2)


busy: Any = intrinsic(prefer_literal=True)(_busy)


def seconds(work: Callable[[], object]) -> float:
    """Return what the fastest of a second's runs takes, in the thread's own time."""
    work()
    best, until = float("inf"), time.thread_time() + 1
    while time.thread_time() < until:
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    return best


def peak(kernel: Kernel) -> float:
    """Billions of multiply-accumulate operations a second of products of registers."""
    number, rounds = KERNELS.index(kernel), 1 << 18

    @numba.njit
    def run(rounds: int) -> int:
        return busy(number, rounds)  # type: ignore[no-any-return]

    return rounds * prod(factors(kernel)) * SHAPES[kernel].lanes * QUAD / seconds(lambda: run(rounds)) / 1e9


def main() -> None:
    """Print a table for each instruction that this machine has."""
    entry = find_model("photo")
    for kernel in available()[1:]:
        network, most = load_model(entry, kernel=kernel).network, peak(kernel)
        config, features = network.config, FeatureMaker(network.config)
        noise = integers(ROWS * len(config.offsets) * 3).reshape(ROWS, -1, 3) + 128
        known = integers(ROWS * len(config.offsets)).reshape(ROWS, -1) > 0
        around, told = features(noise, known), network.conditioning(0, (0,))
        layers = {"input": network.input, "expand": network.blocks[0][0], "contract": network.blocks[0][1],
                  "head, inner": network.heads[0][0], "head, outer": network.heads[0][1]}  # fmt: skip
        print(f"{kernel.value}, peak {most:.0f}")
        for name, layer in layers.items():
            packed = Product(kernel, layer)
            speed = ROWS * layer.weight.size / seconds(partial(packed.sums, packed.inputs(ROWS))) / 1e9
            print(f"  {name:12} {speed:6.0f}  {speed / most:4.0%}")
        products = sum(each.weight.size for pair in (*network.blocks, (network.input,)) for each in pair)
        speed = ROWS * products / seconds(partial(network.hidden, around, 0, told)) / 1e9
        print(f"  {'whole':12} {speed:6.0f}  {speed / most:4.0%}")


if __name__ == "__main__":
    main()
