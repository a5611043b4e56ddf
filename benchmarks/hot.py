"""The functions that take the time, one by one, by pytest-benchmark: ``make bench-hot``.

Compare two versions with ``--benchmark-save=before`` and ``--benchmark-compare``; see pytest-benchmark.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from corpus import corpus, integers, voice, wav
from oa.rows import SymbolDecoder, SymbolEncoder

from ardm_compress.codec import images, sounds
from ardm_compress.coding.loading import load_model
from ardm_compress.inference.instructions import Kernel, available
from ardm_compress.inference.layers import Layer
from ardm_compress.inference.mixture import Children
from ardm_compress.inference.products import Product
from ardm_compress.inference.registry import find_model
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
    product = Product(kernel, Layer(weight, np.zeros(384, np.int32)))
    benchmark(product.sums, product.inputs(ROWS))


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
    benchmark(model.picture_gradient, features, level, model.network.conditioning(0, (0,)), around[0][:ROWS], 3)


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
