"""A model file, read and checked once for a process: what is ready to code has passed its self-test here."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors.numpy import load

from ardm_compress.ardm import make_order
from ardm_compress.errors import ModelError, UnsupportedError
from ardm_compress.inference import DEVICE, DEVICES, metadata
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.inference.features import FeatureMaker
from ardm_compress.inference.fused import exact_features, exact_network
from ardm_compress.inference.instructions import Kernel, available
from ardm_compress.inference.network import Children, Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ardm_compress.inference import ModelFile
    from ardm_compress.inference.features import FeatureMaker
    from ardm_compress.inference.network import ExactNetwork, Parameters

KNOWN_ANSWER_POSITIONS = 96  # per level


def known_answer(network: ExactNetwork, features: FeatureMaker) -> int:
    """Return the CRC-32 of the frequencies that a network of images gives for fixed pseudo-random neighbours."""
    config, n = network.config, KNOWN_ANSWER_POSITIONS
    window, top = len(config.offsets), 1 << config.bit_depth
    count = n * ((window + 1) * config.channels + window)
    noise = np.frombuffer(hashlib.shake_256(b"ardm-compress").digest(2 * count), "<u2").astype(np.int64)
    samples, mask = noise[: -n * window].reshape(n, window + 1, config.channels), noise[-n * window :]
    smooth = (samples % 64 * top // 256 + samples[:, :1] * top // (1 << 17)) % top
    coded = smooth.astype(np.uint8) if top <= 1 << 8 else smooth  # as samples of tiles come
    unknown = np.ones((n, window + 1), np.int32)
    unknown[:, 1:] = mask.reshape(n, window) % 7 >= np.arange(n)[:, None] % 8
    at, neighbours = np.arange(n) * (window + 1), np.arange(1, window + 1)
    children, check = Children(np.zeros(1, np.int64), top // 16, 16, top), 0

    def code(channel: int, mixtures: Parameters) -> NDArray[np.int64]:
        nonlocal check
        check = zlib.crc32(network.frequencies(mixtures, children).astype("<i4").tobytes(), check)
        return smooth[:, 0, channel]

    for level in range(config.levels):
        context = features.gather(coded.reshape(-1, config.channels), unknown.ravel(), at, 1, neighbours)
        latents = [(37 * level + 101 * k) % 255 - 127 for k in range(config.latents)]
        conditioning = network.conditioning(level % config.styles, latents)
        channels = network.start(network.hidden(context, level, conditioning), context.scale)
        channels.code(config.channels, context.reference_of, code)
    return check


BLOCK_AXES: Final = 2  # of the blocks whose coefficients a network without axes codes


def load_model(entry: ModelFile, *, kernel: Kernel | None = None) -> Model:
    """Read, check and prepare a model.

    Args:
        entry: from the manifest.
        kernel: how to compute products; the fastest on this machine by default. The results do not depend on it.

    Raises:
        ModelError: the file is missing, is not the one the manifest names, or this machine fails its self-test.
    """
    data = entry.read()
    tensors = load(data)
    meta = metadata(data)
    config = NetworkConfig(**json.loads(meta["config"]))
    if (config.order, config.period) != (entry.order, entry.period):
        raise ModelError(f"the manifest gives {entry.file} another generation order than the file itself")
    tensors.setdefault("style", np.zeros((1, config.hidden), np.int32))  # models before there were styles
    tensors.setdefault("latent", np.zeros((0, config.hidden), np.int32))
    kernel = kernel or available()[-1]
    network = exact_network(config, tensors, kernel)
    features = exact_features(config, kernel)
    if self_test(network, features, tensors) != int(meta["known_answer"]):
        raise ModelError(
            f"this machine computes other integers than the model {entry.name} was made with ({kernel.value} "
            "products); nothing is coded, because files would not be portable. Please report the processor."
        )
    order = make_order(config.order, axes=config.axes or BLOCK_AXES, period=config.period)
    costs = {k[6:]: v for k, v in tensors.items() if k.startswith("costs.")}
    return Model(entry.model_id, config, network, features, order, costs, tensors)


def self_test(network: ExactNetwork, features: FeatureMaker, tensors: Mapping[str, NDArray[Any]]) -> int:
    """Compute the known answer of a model: of images, of sound, or of coefficients."""
    if network.config.axes == 0:
        from ardm_compress.coding.coefficients.answer import known_answer as known_answer_of_coefficients

        return known_answer_of_coefficients(network, tensors["tables.edge_pull"])
    if network.config.axes == 1:
        from ardm_compress.coding.sound.answer import known_answer as known_answer_of_sound

        return known_answer_of_sound(network)
    return known_answer(network, features)


@cache
def loaded(entry: ModelFile) -> Model:
    """Load the model of a line of the manifest.

    Raises:
        UnsupportedError: the environment asks for a GPU; ModelError: the model is missing, damaged, or not exact here.
    """
    device = os.environ.get(DEVICE) or "cpu"
    if device not in DEVICES:
        raise UnsupportedError(f"{DEVICE} is {device!r}; choose {', '.join(DEVICES)}")
    if device == "cuda":
        raise UnsupportedError(
            f"this version codes on CPUs, not on CUDA devices: leave out --device cuda ({DEVICE}=cuda)"
        )
    return load_model(entry)


def model_of(entry: ModelFile, axes: int) -> Model:
    """Load a model that must be of images (2 axes), of sound (1) or of coefficients of JPEG files (0).

    Raises:
        UnsupportedError: it is of the other kind; ModelError: it is missing or damaged.
    """
    model = loaded(entry)
    if model.config.axes != axes:
        raise UnsupportedError(f"{entry.name} is not a model of {'sound' if axes == 1 else 'images'}")
    return model
