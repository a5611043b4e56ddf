"""Spectra, predictions and innovations of sound: what they are, and that only what is known enters them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ardm_compress.ardm import Order, make_order
from ardm_compress.coding.ans import pushed_stacks
from ardm_compress.coding.loop import Collected, Popped
from ardm_compress.coding.sound.analysis import (
    SETTINGS,
    Setting,
    choose,
    derive_wave,
    find_pitches,
    find_stretches,
    spectra_of,
)
from ardm_compress.coding.sound.features import SUMMARY_INPUTS, WaveFeatures
from ardm_compress.coding.sound.prediction import SIGMA_BITS, TAP_BITS, solve
from ardm_compress.coding.sound.side import code_analysis
from ardm_compress.coding.sound.spectra import analyse, residual
from ardm_compress.coding.sound.spectrum import FLOOR, GAINS, SINE_LIMIT, SINES, Spectrum, covariances
from ardm_compress.coding.sound.transform import SIDE_MIDDLE, apply_transform, undo_transform
from ardm_compress.coding.sound.wave import INNOVATION_BITS, Wave, clusters
from ardm_compress.errors import FormatError
from ardm_compress.inference.config import CLIP, NetworkConfig
from ardm_compress.inference.network import Model

CONFIG = NetworkConfig(
    axes=1, channels=2, bit_depth=24, radius_sq=576, summary=SUMMARY_INPUTS, order="causal", period=64
)
CAUSAL, SPREAD = make_order("causal", axes=1, period=32), make_order("spread", axes=1)
sines = st.lists(st.integers(-SINE_LIMIT, SINE_LIMIT), min_size=1, max_size=12)


def tune(count: int, channels: int = 1, seed: int = 0) -> NDArray[np.int64]:
    """Two tones and some noise, a little different in every channel."""
    rng, time = np.random.default_rng(seed), np.arange(count)[:, None] + np.arange(channels) * 0.3
    tones = 3000 * np.sin(time * 0.05) + 900 * np.sin(time * 0.31 + 1)
    return np.rint(tones + rng.normal(0, 20, (count, channels))).astype(np.int64)


def spectrum(values: list[int], gain: int = 20) -> Spectrum:
    return Spectrum(np.array(values)[:, None], np.array([gain]))


def steps(order: Order, count: int) -> list[tuple[int, int]]:
    return [(rank, rank + 1) for rank in range(order.ranks((count,)))]


def test_the_covariance_of_a_first_order_process_is_a_power() -> None:
    k = SINES[32] / (1 << 30)
    found = covariances(spectrum([32]), 9)[:, 0]
    variance = (GAINS[20] / 64) ** 2 / (1 - k * k)
    np.testing.assert_allclose(found, variance * k ** np.arange(10), rtol=1e-12)


@given(sines)
def test_covariances_are_those_of_a_process(values: list[int]) -> None:
    """Any k within +-1 gives a positive definite matrix, whose last innovation has the gain's deviation."""
    found = covariances(spectrum(values), 20)[:, 0]
    places = np.arange(21)
    matrix = found[abs(places[:, None] - places)] / found[0]
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
    order = len(values)
    past = np.linalg.solve(matrix[:order, :order] + 1e-13 * np.eye(order), matrix[order, :order])
    left = (1 - past @ matrix[order, :order]) * found[0]
    if left > 1e-6 * found[0]:
        assert left == pytest.approx((GAINS[20] / 64) ** 2, rel=1e-3)


@given(sines, st.sets(st.integers(-20, 20).filter(bool), max_size=12))
def test_predictions_solve_the_normal_equations(values: list[int], offsets: set[int]) -> None:
    places = np.array(sorted(offsets), np.int64)
    covariance = covariances(spectrum([v // 2 for v in values]), 40)
    found = solve(covariance, places)
    every = np.append(places, 0)
    matrix = covariance[abs(every[:, None] - every), 0]
    matrix[np.diag_indices(len(every))] += FLOOR
    taps = np.linalg.solve(matrix[:-1, :-1], matrix[:-1, -1])
    np.testing.assert_allclose(found.taps[:, 0] / (1 << TAP_BITS), taps, atol=1e-4)
    variance = matrix[-1, -1] - taps @ matrix[:-1, -1]
    assert found.sigma[0] / (1 << SIGMA_BITS) == pytest.approx(np.sqrt(variance), rel=1e-3, abs=1 / 64)


def test_rounding_a_spectrum_costs_little() -> None:
    samples = tune(4096)[:, 0]
    fine, coarse = (analyse(samples, 1024, 24, coarseness) for coarseness in (1, 4))
    sizes = [np.log2(np.abs(residual(samples, s, 1024)).mean()) for s in (fine, coarse)]
    assert sizes[1] - sizes[0] < 0.3
    assert sizes[0] < np.log2(np.abs(samples).mean()) - 4  # the tones are predictable


@pytest.mark.parametrize("order", [CAUSAL, SPREAD], ids=["causal", "spread"])
def test_a_step_knows_only_the_ranks_before_it(order: Order) -> None:
    """Predictions, links and inputs do not change with samples of its own and later ranks: a decoder lacks them."""
    count, features = 700, WaveFeatures(CONFIG)
    samples = apply_transform(tune(count, 2), SIDE_MIDDLE)
    whole = derive_wave(samples.copy(), order, steps(order, count), Setting(256, 12, 4))
    for first, stop in steps(order, count)[3::7]:
        unknown = order.rank_map((count,)) >= first
        other = Wave(np.where(unknown[:, None], 9999, samples), order, whole.analysis)
        for name in ("innovations", "remainders"):
            getattr(other, name)[:] = np.where(unknown[:, None], -1234, getattr(whole, name))
        reference = Wave(samples, order, whole.analysis)
        reference.innovations[:], reference.remainders[:] = whole.innovations, whole.remainders
        for cluster in clusters(order, count, first, stop):
            for wave in (other, reference):
                wave.predict(cluster)
            other.innovations[cluster.times, 0] = reference.innovations[cluster.times, 0]  # coded by then
            for channel in (0, 1):
                np.testing.assert_array_equal(other.refine(cluster, channel), reference.refine(cluster, channel))
            other.innovations[cluster.times, 0] = -1234
            for a, b in zip(features(other, cluster), features(reference, cluster), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", [CAUSAL, SPREAD], ids=["causal", "spread"])
def test_predictions_are_good_in_every_order(order: Order) -> None:
    samples = tune(3000)
    wave = derive_wave(samples, order, steps(order, 3000), Setting(512, 16, 6))
    sigma = wave.sigmas[500:, 0] / (1 << SIGMA_BITS)
    error = np.abs(wave.innovations[500:, 0] / (1 << INNOVATION_BITS)) * sigma
    assert np.log2(error.mean()) < np.log2(np.abs(samples).mean()) - 4


def test_predicting_clusters_together_changes_nothing() -> None:
    samples, order = tune(2000, 2), make_order("causal", axes=1, period=128)
    waves = []
    for predicted in (1, 300, 1 << 14):
        wave = derive_wave(samples, order, steps(order, 2000), Setting(256, 12, 4), predicted=predicted)
        waves.append(wave)
    for name in ("centres", "sigmas", "innovations", "remainders"):
        for other in waves[1:]:
            np.testing.assert_array_equal(getattr(waves[0], name), getattr(other, name))


def test_inputs_are_bounded_integers() -> None:
    rng = np.random.default_rng(0)
    samples = np.where(rng.random((600, 2)) < 0.01, 1 << 23, rng.integers(-2, 3, (600, 2)))
    wave = derive_wave(samples, CAUSAL, steps(CAUSAL, 600), Setting(128, 8, 11))
    for step in steps(CAUSAL, 600):
        for cluster in clusters(CAUSAL, 600, *step):
            inputs, bucket, scale = WaveFeatures(CONFIG)(wave, cluster)
            assert inputs.shape == (len(cluster.positions), CONFIG.inputs)
            assert np.abs(inputs).max() <= CLIP
            assert (inputs == np.rint(inputs)).all()
            assert 0 <= bucket.min() <= bucket.max() <= len(CONFIG.scale_thresholds)
            assert scale.min() >= 16


def test_links_find_an_echo_in_the_other_channel() -> None:
    noise = np.random.default_rng(4).integers(-500, 500, 4100)
    samples = np.stack([noise[7:4007], noise[:4000]], 1)  # the second is the first, 7 samples later
    order = make_order("causal", axes=1, period=512)
    wave = derive_wave(samples, order, steps(order, 4000), Setting(1024, 24, 4))
    assert (wave.analysis.links[1, 0].argmax(0)[:3] == 7).all()
    first, second = np.abs(wave.remainders).mean(0)
    assert second < first / 8


def test_pitches_are_found_and_noise_has_none() -> None:
    rng = np.random.default_rng(5)
    pulses = np.zeros(4096)
    pulses[::131] = 8
    voiced = np.rint((pulses + rng.normal(0, 0.3, 4096)) * (1 << INNOVATION_BITS)).astype(np.int64)
    assert not (find_pitches(voiced, 512)[1:] % 131).any()
    assert find_pitches(voiced, 512)[1:].all()
    assert not find_pitches(rng.normal(0, 64, 4096).astype(np.int64), 512).any()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-(2**24), 2**24), st.integers(-(2**24), 2**24)), min_size=1))
def test_transforms_are_reversible(pairs: list[tuple[int, int]]) -> None:
    samples = np.array(pairs)
    np.testing.assert_array_equal(undo_transform(apply_transform(samples, SIDE_MIDDLE), SIDE_MIDDLE), samples)


@pytest.mark.parametrize("count", [1, 2, 100, 300, 5000])
def test_every_length_has_a_setting(count: int) -> None:
    transform, setting = choose(tune(count, 2))
    assert setting in SETTINGS
    assert len(spectra_of(apply_transform(tune(count, 2), transform), setting)) == 2


def test_a_stretch_beyond_the_end_is_refused(sound_model: Model) -> None:
    samples = np.full((1200, 1), 5)
    known = derive_wave(samples, CAUSAL, [(0, CAUSAL.ranks((1200,)))], SETTINGS[0]).analysis
    collected, stacks = Collected(), pushed_stacks(1)
    code_analysis(collected, sound_model.network, known, 1200, 1)
    collected.push_to(stacks)
    with pytest.raises(FormatError, match="beyond"):
        code_analysis(Popped(*stacks.to_bytes()), sound_model.network, None, 1199, 1)


@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans()), min_size=1, max_size=6), st.integers(1, 2))
def test_stretches_are_all_that_stays_the_same(runs: list[tuple[int, bool]], channels: int) -> None:
    rng = np.random.default_rng(1)
    parts = [np.full((n, channels), n) if same else rng.integers(-9, 9, (n, channels)) for n, same in runs]
    samples = np.concatenate(parts)
    found = find_stretches(samples)
    for stretch in found:
        assert (samples[stretch.start : stretch.stop] == stretch.values).all()
        assert stretch.start == 0 or (samples[stretch.start - 1] != stretch.values).any()
    assert len(found) >= len({n for n, same in runs if same and n >= 1024})  # neighbours that are equal are one
