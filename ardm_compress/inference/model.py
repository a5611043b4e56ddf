"""A model that is ready to code, and the known answer of one of images."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ardm_compress.ardm.order import Order
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.inference.features import FeatureMaker
from ardm_compress.inference.fused import FusedNetwork
from ardm_compress.inference.gradient import PictureGradient
from ardm_compress.inference.instructions import available
from ardm_compress.inference.mixture import Children

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ardm_compress.inference.mixture import Parameters
    from ardm_compress.inference.network import ExactNetwork

KNOWN_ANSWER_POSITIONS = 96  # per level


@dataclass(frozen=True)
class Model:
    """A model ready to code: it has passed its self-test on this machine."""

    model_id: bytes
    config: NetworkConfig
    network: ExactNetwork
    features: FeatureMaker
    order: Order
    costs: Mapping[str, NDArray[np.float32]]  # see ardm_compress.ardm.costs
    tensors: Mapping[str, NDArray[Any]]  # of the model file

    @cached_property
    def picture_gradient(self) -> PictureGradient:
        """How costs change with latents; the same whatever computes it."""
        network = self.network
        if not isinstance(network, FusedNetwork):
            network = FusedNetwork(self.config, self.tensors, available()[-1])
        return PictureGradient(network, self.tensors)


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
