"""A tile of one or two channels of sound <-> the payload of its stream. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ardm_compress.analysis.sound import SETTINGS, choose, observed
from ardm_compress.coding.ans import SymbolDecoder, SymbolEncoder
from ardm_compress.coding.loop import Progress
from ardm_compress.coding.sound.codec import Collected, Popped, decode_samples, encode_samples
from ardm_compress.coding.sound.side import code_analysis
from ardm_compress.coding.sound.transform import TRANSFORMS, restored, transformed
from ardm_compress.coding.sound.wave import Wave
from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order
    from ardm_compress.inference.model import Model

TRANSFORM_BITS = np.full(1, 2)


def encode_tile(
    model: Model, samples: NDArray[np.int64], order: Order, steps: Sequence[tuple[int, int]], progress: Progress
) -> bytes:
    """Entropy-code samples (n, 1 or 2); ``steps`` are together all ranks, ``progress`` is called after each."""
    transform, setting = choose(samples)
    changed = transformed(samples, transform)
    try:
        wave = observed(changed, order, steps, setting)
    except FormatError:  # a spectrum at the edge of what numbers can hold
        wave = observed(changed, order, steps, SETTINGS[-1])
    encoder, head = SymbolEncoder(), Collected()
    encode_samples(model, wave, steps, encoder, progress)
    head.bits(np.full(1, transform), TRANSFORM_BITS)
    code_analysis(head, wave.analysis, len(samples), samples.shape[1], model.network.nodes)
    head.push_to(encoder)
    return encoder.to_bytes()


def decode_tile(
    model: Model, shape: tuple[int, int], order: Order, steps: Sequence[tuple[int, int]], payload: bytes,
    progress: Progress,
) -> NDArray[np.int64]:  # fmt: skip
    """Inverse of ``encode_tile``; ``shape`` (n, channels).

    Raises:
        FormatError: the payload holds more or other than its samples, as far as that shows.
    """
    decoder = SymbolDecoder(payload)
    symbols = Popped(decoder)
    (transform,) = symbols.bits(np.zeros(1, np.int64), TRANSFORM_BITS).tolist()
    if transform not in TRANSFORMS[shape[1]]:
        raise FormatError("a tile has a transform that version 1 does not define", section="payload")
    analysis = code_analysis(symbols, None, *shape, model.network.nodes)
    wave = Wave(np.zeros(shape, np.int64), order, analysis)
    decode_samples(model, wave, steps, decoder, progress)
    decoder.finish()
    return restored(wave.samples, transform)
