"""Gradients by integer products: those of the float network, nearly, and the same whatever computes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from networks import IMAGE, random_features, random_network, restore
from numpy.typing import NDArray
from pictures import Samples

from ardm_compress.coding.models import load_model
from ardm_compress.inference import find_model, fused
from ardm_compress.inference.config import INPUT_STEP, NetworkConfig
from ardm_compress.inference.features import Features
from ardm_compress.inference.fused import FusedNetwork
from ardm_compress.inference.gradient import PictureGradient, picture_gradient
from ardm_compress.inference.instructions import Kernel, available
from ardm_compress.inference.network import Model
from ardm_compress.methods.conditioning import SampledPositions, sample_positions
from ardm_compress.training import features as floats
from ardm_compress.training.export import export
from ardm_compress.training.model import Network, mixture_bits

LATENTS = (20, -5, 0, 13)


def by_float(
    network: Network, known: Features, levels: NDArray[np.int64], style: int, targets: NDArray[Any], channels: int
) -> NDArray[np.float64]:
    """The same by torch, in float64."""
    inputs, bucket, reference, scale = map(torch.from_numpy, known)
    features = floats.Features(inputs.double(), bucket, reference.double(), scale.double())
    level, target = torch.from_numpy(levels), torch.from_numpy(targets)
    latents = torch.zeros(len(level), network.config.latents, dtype=torch.float64)
    latents[:, : len(LATENTS)] = torch.tensor(LATENTS) / INPUT_STEP
    mixtures = network(features, level, torch.full_like(level, style), latents.requires_grad_(), target.double())
    bits = [mixture_bits(m, target[:, c].double(), network.config.top) for c, m in enumerate(mixtures[:channels])]
    (gradient,) = torch.autograd.grad(torch.stack(bits).sum() * np.log(2), latents)
    found: NDArray[np.float64] = gradient.numpy()
    return found


def by_integers(
    sample: SampledPositions, style: int, latents: tuple[int, ...], model: Model | None = None
) -> NDArray[np.float64]:
    """Gradients of a sample of one tile."""
    model = model or sample.model
    conditioning = model.network.conditioning(style, latents)
    found: NDArray[np.float64] = picture_gradient(model)(
        sample.features, sample.level, conditioning, sample.target, sample.channels
    )
    return found


@pytest.fixture(scope="module")
def sample(model: Model, photo: Samples) -> SampledPositions:
    return sample_positions(model, photo[None])


@pytest.mark.parametrize(("channels", "likeness"), [(1, 0.98), (2, 0.95), (3, 0.95)])
def test_gradients_are_those_of_the_float_network(sample: SampledPositions, channels: int, likeness: float) -> None:
    found = by_integers(replace(sample, channels=channels), 2, LATENTS)
    network = restore(sample.model.config, sample.model.tensors).double().eval()
    wanted = by_float(network, sample.features, sample.level, 2, sample.target, channels)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > likeness
    assert abs(found.std() / wanted.std() - 1) < 0.05
    assert np.corrcoef(found.sum(0), wanted.sum(0))[0, 1] > 0.99  # what the fit follows


@pytest.mark.parametrize(
    ("changes", "likeness"),
    [({}, 0.98), ({"smooth": False}, 0.96), ({"normalise": False}, 0.85)],  # the last has activations of few steps
    ids=str,
)
def test_every_kind_of_network_has_a_way_back(changes: dict[str, bool], likeness: float) -> None:
    config: NetworkConfig = replace(IMAGE, **changes)
    tensors = export(random_network(config))
    features, target = random_features(config, 400)
    level = np.ones(400, np.int64)
    network = FusedNetwork(config, tensors, Kernel.PORTABLE)
    conditioning = network.conditioning(1, LATENTS)
    found = PictureGradient(network, tensors)(features, level, conditioning, target, 3)
    wanted = by_float(restore(config, tensors).double().eval(), features, level, 1, target, 3)
    usual = np.abs(wanted).max(1) < np.quantile(np.abs(wanted).max(1), 0.9)  # of the wildest, 8 bits tell little
    assert np.corrcoef(found[usual].ravel(), wanted[usual].ravel())[0, 1] > likeness


@pytest.mark.parametrize("part", [40, 1 << 11])
def test_every_kernel_and_every_split_gives_the_same_gradients(
    sample: SampledPositions, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = by_integers(sample, 1, LATENTS)
    monkeypatch.setattr(fused, "PART", part)
    for kernel in available():
        np.testing.assert_array_equal(
            by_integers(sample, 1, LATENTS, load_model(find_model("photo"), kernel=kernel)), whole
        )
    half = slice(0, len(whole) // 2)
    first = replace(sample, features=sample.features.rows(half), target=sample.target[half], level=sample.level[half])
    np.testing.assert_allclose(by_integers(first, 1, LATENTS), whole[half], rtol=1e-12)
