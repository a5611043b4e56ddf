"""A model file: integer tensors, tables, cost table and known answers, checked before use."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load, save

from ardm_compress.ardm.order import Order, make_order
from ardm_compress.coding.sound import answer
from ardm_compress.errors import ModelError
from ardm_compress.files.atomic import write_atomically
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.inference.features import FeatureMaker
from ardm_compress.inference.fused import FusedNetwork, exact_features, exact_network
from ardm_compress.inference.gradient import PictureGradient
from ardm_compress.inference.instructions import Kernel, available
from ardm_compress.inference.mixture import Children
from ardm_compress.inference.registry import ModelFile, metadata

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
    """CRC-32 of the frequencies that the network gives for fixed pseudo-random neighbours."""
    if network.config.axes == 1:
        return answer.known_answer(network)
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


def save_model(file: FilePath, config: NetworkConfig, tensors: dict[str, NDArray[Any]], training: str = "") -> str:
    """Write a model file with its known answer.

    Args:
        file: to write.
        config: of the network.
        tensors: from ``export`` and, named ``costs.*``, the cost table.
        training: how the network was trained, JSON; kept for the reader.

    Returns:
        The file's SHA-256.
    """
    network = exact_network(config, tensors, Kernel.REFERENCE)
    answer = known_answer(network, FeatureMaker(config))
    meta = {"config": json.dumps(asdict(config)), "known_answer": str(answer), "training": training}
    data = save(tensors, meta)
    write_atomically(file, data, force=True)
    return hashlib.sha256(data).hexdigest()


def load_model(entry: ModelFile, *, kernel: Kernel | None = None) -> Model:
    """Read, check and prepare a model.

    Args:
        entry: from the manifest.
        kernel: how to compute products; the fastest on this machine by default. The results do not depend on it.

    Raises:
        ModelError: the file is missing, is not the one the manifest names, or this machine fails its self-test.
    """
    try:
        data = entry.file.read_bytes()
    except OSError as error:
        raise ModelError(f"model {entry.name} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ModelError(f"{entry.file} is not the model that the manifest names; reinstall ardm-compress")
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
    if known_answer(network, features) != int(meta["known_answer"]):
        raise ModelError(
            f"this machine computes other integers than the model {entry.name} was made with ({kernel.value} "
            "products); nothing is coded, because files would not be portable. Please report the processor."
        )
    order = make_order(config.order, axes=config.axes, period=config.period)
    costs = {k[6:]: v for k, v in tensors.items() if k.startswith("costs.")}
    return Model(entry.model_id, config, network, features, order, costs, tensors)
