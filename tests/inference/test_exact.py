"""Exact inference: the same integers whatever computes them, close to the float network they were made from."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import edges
from networks import (
    AUDIO,
    BRANCHING,
    IMAGE,
    LATENTS,
    SOUND,
    bits_of,
    every_kernel,
    random_features,
    random_network,
    random_windows,
    restore,
    rows_of,
)
from numpy.typing import NDArray
from pictures import PHOTO
from safetensors.numpy import load, save

from ardm_compress.ardm import COARSER, Upscaling, make_order
from ardm_compress.coding.models import known_answer, load_model
from ardm_compress.errors import ModelError
from ardm_compress.inference import ModelFile, find_model, fused
from ardm_compress.inference import config as grid
from ardm_compress.inference.config import CLIP, FREQUENCY_BITS, INPUT_STEP, WEIGHT_CLIP, NetworkConfig
from ardm_compress.inference.features import FeatureMaker
from ardm_compress.inference.fused import FusedNetwork, Product, exact_features, exact_network
from ardm_compress.inference.instructions import Kernel, available
from ardm_compress.inference.network import ExactNetwork, Layer, Parameters, boundaries, cumulative, frequencies
from ardm_compress.training import features as floats
from ardm_compress.training.data import Sampling
from ardm_compress.training.export import export, save_model
from ardm_compress.training.model import mixture_bits
from ardm_compress.training.train import TrainConfig, Trainer

both_kinds = pytest.mark.parametrize("config", [IMAGE, AUDIO], ids=["image", "audio"])


def layer(weight: NDArray[np.int64], bias: NDArray[np.int64]) -> Layer:
    return Layer(weight.astype(np.int8), bias.astype(np.int32))


# Products


def sums(kernel: Kernel, linear: Layer, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of rows of integers by a kernel."""
    if kernel is Kernel.REFERENCE:
        return linear.sums(x).astype(np.int64)
    product = Product(kernel, linear)
    rows = product.inputs(len(x))
    rows[: len(x), : x.shape[1]] = x + 128
    rows[len(x) :] = rows[:, x.shape[1] :] = 77  # what is there does not matter
    return product.sums(rows)[: len(x), : len(linear.bias)].astype(np.int64)


@every_kernel
@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 150), st.integers(0, 2**32 - 1), st.booleans())
def test_products_are_those_of_plain_integers(
    kernel: Kernel, n: int, inputs: int, outputs: int, seed: int, extreme: bool
) -> None:
    noise = np.random.default_rng(seed)
    x = noise.integers(-CLIP, CLIP, (n, inputs), endpoint=True)
    weight = noise.integers(-WEIGHT_CLIP, WEIGHT_CLIP, (outputs, inputs), endpoint=True)
    if extreme:
        x, weight = np.where(x < 0, -CLIP, CLIP), np.where(weight < 0, -WEIGHT_CLIP, WEIGHT_CLIP)
    bias = noise.integers(-(1 << 23), 1 << 23, outputs)
    np.testing.assert_array_equal(sums(kernel, layer(weight, bias), x), x @ weight.T + bias)


@every_kernel
def test_the_largest_sums_are_exact(kernel: Kernel) -> None:
    """All pairs of products are as large as they can be, and in the first row of one sign."""
    inputs = (1 << 24) // (CLIP * WEIGHT_CLIP)  # 2096
    signs = np.where(np.random.default_rng(0).random((40, inputs)) < 0.97, 1, -1)
    signs[0] = 1
    weight = np.full((3, inputs), WEIGHT_CLIP)
    bias = np.array([0, (1 << 24) - 1 - CLIP * WEIGHT_CLIP * inputs, -1])
    expected = (signs * CLIP).sum(1)[:, None] * WEIGHT_CLIP + bias
    np.testing.assert_array_equal(sums(kernel, layer(weight, bias), signs * CLIP), expected)


@pytest.mark.parametrize("weight", [WEIGHT_CLIP + 1, -WEIGHT_CLIP - 1, 127, -127, -128])
def test_weights_that_could_saturate_pair_sums_are_refused(weight: int) -> None:
    """-128 was once let through: its magnitude in 8 bits is -128."""
    with pytest.raises(ModelError, match="too large"):
        layer(np.array([[1, weight]]), np.array([0]))


def test_sums_that_float32_might_round_are_refused() -> None:
    weight = np.full((1, 2096), WEIGHT_CLIP)
    room = (1 << 24) - CLIP * WEIGHT_CLIP * 2096
    for sign in (1, -1):
        layer(weight, np.array([sign * (room - 1)]))
        with pytest.raises(ModelError, match="too large"):
            layer(weight, np.array([sign * room]))


def test_outputs_that_32_bits_might_not_hold_are_refused() -> None:
    for multiplier, fits in ((60000.0, True), (70000.0, False), (-70000.0, False)):
        parts = np.full((1, 2), WEIGHT_CLIP, np.int8), np.zeros(1, np.int32), np.full(1, multiplier, np.float32)
        if fits:
            Layer(*parts)
        else:
            with pytest.raises(ModelError, match="too large"):
                Layer(*parts)


# Networks


@pytest.mark.parametrize("part", [29, 1 << 11])  # positions that a thread takes; the last part is short
@both_kinds
def test_every_kernel_gives_the_same_integers(
    config: NetworkConfig, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "PART", part)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    tensors = export(random_network(config))
    features, target = random_features(config, 150)
    for level in range(config.levels + 1):  # the last two share their embedding
        results = []
        for kernel in available():
            network = exact_network(config, tensors, kernel)
            latents = (99, -98)[: config.latents]
            state = network.hidden(features, level, network.conditioning(level % config.styles, latents))
            results.append([state, *(f for f, _ in rows_of(network, features, level, target))])
        assert results[0][0].min() >= -CLIP
        assert len(np.unique(results[0][0])) > 20
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_every_kernel_of_the_shipped_model_gives_the_same_integers() -> None:
    models = [load_model(find_model("photo"), kernel=kernel) for kernel in available()]
    features, target = random_features(models[0].config, 100)
    results = [[f for f, _ in rows_of(m.network, features, 0, target)] for m in models]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("deep", [False, True])
def test_every_kernel_gathers_the_same_features(deep: bool) -> None:
    config = replace(IMAGE, bit_depth=12 if deep else 8)
    samples, known = random_windows(config, 90)
    flat = samples.reshape(-1, config.channels)
    ranks = np.insert(np.where(known, 6, 7), 0, 7, axis=1).ravel().astype(np.int32)
    window = len(config.offsets)
    at, neighbours = np.arange(90) * (window + 1), np.arange(1, window + 1)
    wanted = FeatureMaker(config)(samples[:, 1:], known)
    for kernel in available():
        found = exact_features(config, kernel).gather(flat, ranks, at, 7, neighbours)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_processor_has_kernels_and_the_reference_none() -> None:
    tensors = export(random_network(IMAGE))
    kinds = {kernel: type(exact_network(IMAGE, tensors, kernel)) for kernel in available()}
    assert kinds.pop(Kernel.REFERENCE) is ExactNetwork
    assert set(kinds.values()) == {FusedNetwork}
    assert Kernel.PORTABLE in kinds


@every_kernel
@pytest.mark.parametrize("parts", [[1, 69], [37, 33], [7] * 10, [1] * 70])
def test_every_split_into_batches_gives_the_same_integers(parts: list[int], kernel: Kernel) -> None:
    network = exact_network(IMAGE, export(random_network(IMAGE)), kernel)
    samples, known = random_windows(IMAGE, 70)
    maker = FeatureMaker(IMAGE)
    whole = maker(samples[:, 1:], known)
    ends = np.cumsum(parts)[:-1]
    split = [maker(s[:, 1:], k) for s, k in zip(np.split(samples, ends), np.split(known, ends), strict=True)]
    for a, b in zip(whole, zip(*split, strict=True), strict=True):
        np.testing.assert_array_equal(a, np.concatenate(b))
    conditioning = network.conditioning(2, (7, -100))
    states = [network.hidden(part, 1, conditioning) for part in split]
    np.testing.assert_array_equal(np.concatenate(states), network.hidden(whole, 1, conditioning))
    target = samples[:, 0]
    by_part = [
        [f for f, _ in rows_of(network, whole.rows(index), 1, target[index])]
        for index in (slice(0, parts[0]), slice(parts[0], None))
    ]
    for a, b in zip(rows_of(network, whole, 1, target), zip(*by_part, strict=True), strict=True):
        np.testing.assert_array_equal(a[0], np.concatenate(b))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A small network after a few seconds of training, the second half with rounding."""
    config = TrainConfig(network=IMAGE, steps=150, decay=75, batch=512, muon_lr=0.02, adam_lr=2e-3, warmup=10)
    trainer = Trainer(config, [PHOTO], tmp_path_factory.mktemp("trained"))
    for _ in range(config.steps):
        trainer.train_step()
    return trainer


def test_rounding_costs_at_most_half_a_percent(trained: Trainer) -> None:
    trainer, n = trained, 6000
    trainer.sampler.sampling = Sampling(random_masks=0.1, early_start=0.25, coarse_start=0.05)
    batch = trainer.sampler.draw(n)
    features = floats.FeatureMaker(IMAGE)(batch.values, batch.known)
    exact = exact_network(IMAGE, export(trainer.network), Kernel.REFERENCE)
    integers = FeatureMaker(IMAGE)(batch.values.numpy(), batch.known.numpy())
    for a, b in zip(features, integers, strict=True):  # training sees what coding sees
        np.testing.assert_array_equal(a.numpy(), b)
    spent = np.zeros((IMAGE.channels, n))
    for level in range(IMAGE.levels):
        index = (batch.level == level).numpy()
        rows = rows_of(exact, integers.rows(index), level, batch.target.numpy()[index].astype(np.int64))
        spent[:, index] = bits_of(rows).reshape(IMAGE.channels, -1, int(index.sum())).sum(1)
    trainer.network.set_rounding(False)
    with torch.no_grad():
        mixtures = trainer.pictures(features, batch.level, batch.level % IMAGE.styles, 0 * batch.level, batch.target)
        ideal = [mixture_bits(m, batch.target[:, c], IMAGE.top) for c, m in enumerate(mixtures)]
    wanted = torch.stack(ideal).numpy()
    # Near 24 bits the float loss is at its floor, and the digits each at theirs; minutes of training leave none there.
    usual = wanted < 20
    assert usual.mean() > 0.99
    assert wanted[usual].mean() < 5  # bits; a network that learnt nothing pays more, and loses less by rounding
    assert abs(spent[usual].sum() / wanted[usual].sum() - 1) < 0.005


def test_the_float_network_of_a_model_exports_to_the_same_model(trained: Trainer) -> None:
    tensors = export(trained.network)
    again = export(restore(IMAGE, tensors))
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_allclose(again[name], tensor, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["level", "bucket", "style", "latent"])
def test_embeddings_that_sums_have_no_room_for_are_refused(name: str) -> None:
    tensors = export(random_network(IMAGE))
    for value, fits in ((1 << 20, True), (-(1 << 24), False)):
        tensors[name][-1, -1] = value
        if fits:
            exact_network(IMAGE, tensors, Kernel.REFERENCE)
        else:
            with pytest.raises(ModelError, match="too large"):
                exact_network(IMAGE, tensors, Kernel.REFERENCE)


def test_the_hidden_state_is_that_of_the_rounded_float_network(trained: Trainer) -> None:
    """On the grid of activations, where 127 is the largest; a multiplier that is off by 1% shows."""
    features, target = random_features(IMAGE, 1000)
    states: list[torch.Tensor] = []
    hook = trained.network.state.register_forward_hook(lambda _, __, state: states.append(state))
    trained.network.set_rounding(True)
    with torch.no_grad():
        ones = torch.ones(1000, dtype=torch.int64)
        latents = torch.tensor([LATENTS]).expand(1000, -1) / INPUT_STEP
        known = floats.Features(*map(torch.from_numpy, features))
        trained.network(known, ones, 2 * ones, latents, torch.from_numpy(target).to(torch.float32))
    hook.remove()
    network = exact_network(IMAGE, export(trained.network), Kernel.REFERENCE)
    exact = network.hidden(features, 1, network.conditioning(2, LATENTS))
    apart = np.abs(exact - INPUT_STEP * states[0].numpy())
    assert np.abs(exact.astype(int)).mean() > 20
    assert apart.mean() < 0.5
    assert apart.max() < 8


@pytest.mark.parametrize(
    "change",
    [
        {"mixture": 4},
        {"mixture": 0},
        {"bit_depth": 2},
        {"bit_depth": 17},
        {"axes": 3},
        {"radius_sq": 400},
        {"latents": 256},
    ],
)
def test_networks_without_exact_sums_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"a network has|a mixture has|window and bit depth"):
        replace(IMAGE, **change)  # type: ignore[arg-type]


# Features


def plain_features(
    config: NetworkConfig, values: list[list[int]], known: list[bool]
) -> tuple[list[int], int, list[int], int]:
    """docs/format.md section 6 in Python's integers: inputs, bucket, references and scale of one position."""
    radius, channels = math.isqrt(config.radius_sq), range(config.channels)
    squares = [sum(x * x for x in o) for o in product(range(-radius, radius + 1), repeat=config.axes)]
    # 64 / d**4 rounded half up, and at least 1
    weights = [max(1, (2 * 64 + d * d) // (2 * d * d)) for d in squares if 0 < d <= config.radius_sq]
    near = [(w, v) for w, v, k in zip(weights, values, known, strict=True) if k]
    total = sum(w for w, _ in near)
    references, scale = [16 << config.bit_depth - 1 for _ in channels], 16 << config.bit_depth - 3
    if total:
        references = [(2 * 16 * sum(w * v[c] for w, v in near) + total) // (2 * total) for c in channels]
        spread = sum(w * abs(16 * v[c] - references[c]) for w, v in near for c in channels)
        scale = spread // (config.channels * total) + 16
    factor = np.float32(config.gain) / np.float32(scale)  # the only part that is not integers

    def clipped(x: float) -> int:
        return min(CLIP, max(-CLIP, round(x)))  # halves to even

    inputs = [
        clipped(float(np.float32(16 * v[c] - references[c]) * factor)) if k else 0
        for v, k in zip(values, known, strict=True)
        for c in channels
    ]
    inputs += [32 * k for k in known]
    eight_bits = 16 << max(0, config.bit_depth - 8)
    inputs += [clipped(round(r / eight_bits) - 128) for r in references]
    # A row for each third of an octave: the number of i >= 1 with scale >= 16 * 2**(i / 3).
    bucket = sum(scale**3 >= 1 << 12 + i for i in range(1, 3 * config.bit_depth))
    return inputs, bucket, references, scale


@both_kinds
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1))
def test_features_are_those_of_plain_integers(config: NetworkConfig, seed: int) -> None:
    samples, known = random_windows(config, 60, seed)
    features = FeatureMaker(config)(samples[:, 1:], known)
    assert features.inputs.shape == (60, config.inputs)
    for i in range(60):
        inputs, bucket, references, scale = plain_features(config, samples[i, 1:].tolist(), known[i].tolist())
        assert features.inputs[i].tolist() == inputs
        assert features.bucket[i].item() == bucket
        assert features.reference[i].tolist() == references
        assert features.scale[i].tolist() == [scale]


@both_kinds
def test_unknown_samples_are_ignored(config: NetworkConfig) -> None:
    samples, known = random_windows(config, 80)
    other = np.where(known[:, :, None], samples[:, 1:], (1 << config.bit_depth) - 1 - samples[:, 1:])
    maker = FeatureMaker(config)
    told, hidden = (maker(v, known) for v in (samples[:, 1:], other))
    for a, b in zip(told, hidden, strict=True):
        np.testing.assert_array_equal(a, b)


def test_network_and_order_know_nothing_of_images() -> None:
    """Two channels of 16-bit audio: the order covers it, and all four digits of a sample have proper frequencies."""
    order = make_order(AUDIO.order, axes=1, period=AUDIO.period)
    ranks = order.rank_map((50,))
    assert (ranks == COARSER).sum() == 1
    network = exact_network(AUDIO, export(random_network(AUDIO)), Kernel.PORTABLE)
    features, target = random_features(AUDIO, 300)
    rows = rows_of(network, features, 0, target)
    assert len(rows) == 2 * 4
    for f, _ in rows:
        assert_proper(f)
    bits = bits_of(rows).sum(0)
    assert 0 < bits.min() < 16 < bits.max() < 2 * 4 * 24


def test_the_second_channel_sees_the_first() -> None:
    network = exact_network(AUDIO, export(random_network(AUDIO)), Kernel.PORTABLE)
    features, target = random_features(AUDIO, 50)
    other = target.copy()
    other[:, 0] ^= 1 << 14
    before, after = (rows_of(network, features, 0, t) for t in (target, other))
    np.testing.assert_array_equal(before[0][0], after[0][0])
    assert (before[4][0] != after[4][0]).any()


# Frequencies


def assert_proper(rows: NDArray[np.float32]) -> None:
    """What the coder requires of its frequencies."""
    assert rows.dtype == np.float32
    assert (rows >= 0).all()
    assert (rows == np.rint(rows)).all()
    assert (rows.astype(np.float64).sum(1) == (1 << FREQUENCY_BITS) - rows.shape[1]).all()


NODES = grid.logistic_nodes()
MEANS = st.integers(-grid.MEAN_LIMIT, grid.MEAN_LIMIT) | st.integers(-(1 << 9), 1 << 15)


@st.composite
def mixtures(draw: st.DrawFn) -> Parameters:
    """What a network can give, the extremes of every table among it."""
    k = draw(st.integers(1, 3))
    below = draw(st.lists(st.integers(0, 255), min_size=k, max_size=k))
    below[draw(st.integers(0, k - 1))] = 0  # the likeliest
    octaves = draw(st.lists(st.sampled_from([0, 255]) | st.integers(0, 255), min_size=k, max_size=k))
    means = draw(st.lists(MEANS, min_size=k, max_size=k))
    scale = draw(st.sampled_from([16, 17, 16 << 8, 16 << 16]) | st.integers(16, 1 << 20))
    inverse = grid.inverse_scales()[octaves] / np.float32(scale)
    weights = grid.mixture_weights()[below]
    return Parameters(weights[None], np.array([means], np.float32), inverse[None])


@settings(max_examples=200)
@given(mixtures(), st.sampled_from([8, 16]), st.integers(0, 2**16 - 1))
def test_frequencies_are_proper_at_every_stage(parameters: Parameters, bit_depth: int, value: int) -> None:
    upscaling = Upscaling(1 << bit_depth, BRANCHING)
    parent = np.array([value >> 16 - bit_depth])
    for stage in range(1, upscaling.stages() + 1):
        bounds = edges(upscaling, stage, parent // upscaling.width(stage - 1))
        cdf = cumulative(parameters, boundaries(bounds, upscaling.values), NODES)
        assert (np.diff(cdf) >= 0).all()
        assert cdf.min() >= 0
        assert_proper(frequencies(cdf))


@settings(max_examples=50)
@given(mixtures())
def test_the_cdf_is_that_of_the_mixture(parameters: Parameters) -> None:
    values = np.arange(257)[None]
    cdf = cumulative(parameters, boundaries(values, 256), NODES)[0].astype(np.int64)
    assert cdf[0] == 0
    assert cdf[256] == int(parameters.weights.sum()) << grid.CDF_BITS - 3
    weights, means, inverse = (p[0].astype(np.float64) for p in parameters)
    boundary = np.arange(1, 256)[:, None] * 64.0 - 32
    t = np.clip((boundary - means) * inverse / (1 << grid.NODE_BITS + grid.STEP_BITS), -40, 40)
    ideal = (weights / (1 + np.exp(-t))).sum(1) / weights.sum()
    np.testing.assert_allclose(cdf[1:256] / cdf[256], ideal, atol=1e-4)


@pytest.mark.parametrize("m", [2, 3, 16])
def test_no_mass_is_shared_evenly(m: int) -> None:
    for level in (0, 1, 12345, (1 << 28) - 1):
        rows = frequencies(np.full((2, m + 1), level, np.int32))
        assert_proper(rows)
        share = ((1 << 24) - m) / m
        assert set(rows.ravel()) <= {math.floor(share), math.ceil(share)}


def test_an_interval_beyond_all_mass_is_shared_evenly() -> None:
    sharp = Parameters(np.array([[512]], np.int32), np.zeros((1, 1), np.float32), np.full((1, 1), 2.0**20, np.float32))
    edges = np.arange(160, 177)[None]
    assert frequencies(cumulative(sharp, boundaries(edges, 256), NODES)).tolist() == [[(1 << 20) - 1] * 16]


@given(st.lists(st.integers(0, 1 << 24), min_size=2, max_size=16), st.integers(0, 1 << 20))
def test_frequencies_are_shares_rounded_down_cumulatively(masses: list[int], start: int) -> None:
    cdf = [start]
    for mass in masses:
        cdf.append(cdf[-1] + mass)
    m, total = len(masses), cdf[-1] - start
    rows = frequencies(np.array([cdf], np.int32))
    assert_proper(rows)
    if total:
        left = [(c - start) * ((1 << 24) - m) // total for c in cdf]
        assert rows[0].tolist() == [b - a for a, b in pairwise(left)]


# Model files


def entry_of(file: FilePath, config: NetworkConfig) -> ModelFile:
    """A line of the manifest that names the file as it is."""
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return ModelFile("small", file, sha256, config.order, config.period)


@pytest.mark.parametrize("config", [IMAGE, SOUND], ids=["image", "sound"])
@every_kernel
def test_a_saved_model_loads(tmp_path: FilePath, config: NetworkConfig, kernel: Kernel) -> None:
    file = tmp_path / "small.safetensors"
    tensors = export(random_network(config))
    costs = {"costs.same": np.ones((1, 2, 2), np.float32)}
    sha256 = save_model(file, config, {**tensors, **costs})
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    model = load_model(entry_of(file, config), kernel=kernel)
    assert model.config == config
    assert model.model_id == bytes.fromhex(sha256)[:4]
    assert (model.order.name, model.order.axes, model.order.period) == (config.order, config.axes, config.period)
    assert model.network.kernel is kernel
    np.testing.assert_array_equal(model.costs["same"], np.ones((1, 2, 2)))
    features, target = random_features(config, 20)
    direct = exact_network(config, tensors, Kernel.REFERENCE)
    rows = [rows_of(network, features, 0, target) for network in (model.network, direct)]
    for (a, _), (b, _) in zip(*rows, strict=True):
        np.testing.assert_array_equal(a, b)


def parts_of(file: FilePath) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a model file."""
    data = file.read_bytes()
    return load(data), json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def tampered(entry: ModelFile, file: FilePath, name: str) -> ModelFile:
    """A copy of a model with the largest integer of one tensor moved by one, and the hash that goes with it."""
    tensors, meta = parts_of(entry.file)
    tensors[name] = tensors[name].copy()
    flat = tensors[name].reshape(-1)
    largest = int(np.abs(flat.astype(np.int64)).argmax())
    flat[largest] -= np.sign(flat[largest])
    file.write_bytes(save(tensors, meta))
    return replace(entry, file=file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    "name",
    ["input.weight", "input.bias", "latent", "heads.1.outer.weight", "heads.2.inner.weight", "tables.mixture_weights"],
)  # of units that the known answer switches on: it cannot notice weights of others
def test_a_model_with_one_changed_integer_fails_its_self_test(tmp_path: FilePath, name: str) -> None:
    changed = tampered(find_model("photo"), tmp_path / "changed.safetensors", name)
    with pytest.raises(ModelError, match="other integers"):
        load_model(changed)


def test_a_copy_of_a_model_passes_its_self_test(tmp_path: FilePath) -> None:
    """So that the refusals above are due to the change, not to the copying."""
    entry, file = find_model("photo"), tmp_path / "copy.safetensors"
    file.write_bytes(save(*parts_of(entry.file)))
    load_model(replace(entry, file=file, sha256=hashlib.sha256(file.read_bytes()).hexdigest()))


def test_a_model_file_that_the_manifest_does_not_name_is_refused(tmp_path: FilePath) -> None:
    entry = find_model("photo")
    data = bytearray(entry.file.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match="not the model that the manifest names"):
        load_model(replace(entry, file=tmp_path / "damaged.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(data[:1000])
    with pytest.raises(ModelError, match="not the model that the manifest names"):
        load_model(replace(entry, file=tmp_path / "cut.safetensors"))
    with pytest.raises(ModelError, match="not the model that the manifest names"):  # swapped
        load_model(replace(entry, file=find_model("sound").file))


@pytest.mark.parametrize("change", [{"order": "random"}, {"period": 16}])
def test_a_manifest_with_another_order_than_the_model_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="order"):
        load_model(replace(find_model("photo"), **change))


def test_a_missing_model_file_is_named(tmp_path: FilePath) -> None:
    with pytest.raises(ModelError, match=r"photo cannot be read.*gone\.safetensors"):
        load_model(replace(find_model("photo"), file=tmp_path / "gone.safetensors"))


@every_kernel
@pytest.mark.parametrize("layer", ["first", "expand", "contract", "heads"])
def test_a_machine_that_computes_otherwise_is_noticed(kernel: Kernel, layer: str) -> None:
    """A sum that is wrong by more than roundings hide, of one output of one layer, changes the known answer."""
    model = load_model(find_model("photo"), kernel=kernel)
    right = known_answer(model.network, model.features)
    network = exact_network(model.config, model.tensors, kernel)
    assert known_answer(network, model.features) == right
    if isinstance(network, FusedNetwork):
        packed = network.packed_heads[1][0] if layer == "heads" else getattr(network, layer)
        packed.start[..., 3] += 1 << 14
    else:
        layers = {"first": network.input, "expand": network.blocks[0][0], "contract": network.blocks[0][1]}
        layers.get(layer, network.heads[1][0]).bias[3] += 1 << 14
    assert known_answer(network, model.features) != right
