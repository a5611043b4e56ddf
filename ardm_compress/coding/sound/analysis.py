"""Analyse a tile of sound before it is coded: spectra, pitches, links between channels, stretches. NumPy only.

Sums are of integers below 2**53, which binary64 holds in whatever order they are summed, or in a fixed order, and what
differs between mathematical libraries is rounded into tables: every machine makes the same choices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ardm_compress.coding.sound.side import PITCH_BITS, SHORTEST_PITCH, SINE_SPREAD
from ardm_compress.coding.sound.spectra import analyse, hold_quiet, residual
from ardm_compress.coding.sound.spectrum import FIRST_GAIN, Spectrum
from ardm_compress.coding.sound.stretches import Stretch, in_stretches, quiet_frames
from ardm_compress.coding.sound.tile import SoundTile
from ardm_compress.coding.sound.transform import PLAIN, TRANSFORMS, apply_transform
from ardm_compress.coding.sound.wave import (
    INNOVATION_BITS,
    LINK_BITS,
    LINKS,
    Analysis,
    Cluster,
    Wave,
    link_mask,
    no_links,
)
from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm import Order
    from ardm_compress.ardm.schedule import Steps
    from ardm_compress.inference.network import Model

RIDGE_SAMPLES: Final = 8.0  # worth of no link
LINK_LIMIT: Final = 31  # magnitude of a link's weight
LINK_COST: Final = 4.0  # bits of a weight that is not 0
PREDICTED_POSITIONS: Final = 1 << 14  # at once; any number gives the same
SETTING_SAMPLES: Final = 1 << 17  # of a tile's middle, by which its setting is chosen
USUAL_FRAME: Final = 1024  # samples, by which the transform is chosen
SHORTEST_STRETCH: Final = 1024  # samples worth naming
RUN_SAMPLES: Final = 64  # samples over which the size of innovations hardly changes
PITCH_COST: Final = 20.0  # bits of a frame's pitch, and what the best of many lags seems to save by chance
LONGEST_PITCH: Final = SHORTEST_PITCH + (1 << PITCH_BITS) - 1
GAIN_COST: Final = 3.0  # bits of a frame's gain
LINKS_COST: Final = 150.0  # bits of a frame's links
INNOVATION_CLIP: Final = 8 << INNOVATION_BITS  # for links and pitches
SQUARED_DEVIATION: Final = 1 << 2 * INNOVATION_BITS  # of an expected deviation
ERROR_BITS: Final = 4  # fraction bits of what linear prediction leaves
LOG_BITS: Final = 16  # fraction bits of logarithms
LOG_TABLE_BITS: Final = 12
LOG_TABLE: Final = np.rint(
    np.log2(1 + (np.arange(1 << LOG_TABLE_BITS) + 0.5) / (1 << LOG_TABLE_BITS)) * (1 << LOG_BITS)
).astype(int)


class Setting(NamedTuple):
    """How a tile is analysed."""

    frame: int  # samples
    lags: int  # order of the spectra
    coarseness: int  # of their sines: coarser for shorter frames, which have fewer samples to pay for them


SETTINGS: Final = (
    Setting(128, 8, 11),
    Setting(256, 12, 8),
    Setting(512, 16, 6),
    Setting(1024, 24, 4),
    Setting(1024, 32, 4),
    Setting(2048, 32, 3),
    Setting(2048, 64, 4),
    Setting(4096, 32, 2),
    Setting(4096, 64, 3),
    Setting(4096, 0, 1),  # silence, and noise
)


def logarithms(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return about log2 of positive numbers, times 2**LOG_BITS."""
    mantissa, exponent = np.frexp(values.astype(np.float64))
    row = (mantissa * (2 << LOG_TABLE_BITS)).astype(np.int64) - (1 << LOG_TABLE_BITS)
    found: NDArray[np.int64] = LOG_TABLE[row] + (exponent.astype(np.int64) - 1 << LOG_BITS)
    return found


def expected_bits(samples: NDArray[np.int64], spectra: Sequence[Spectrum], setting: Setting) -> float:
    """Estimate the bits of a tile (n, channels) with these spectra, themselves included, up to a constant.

    The network follows the innovations' size by itself, so what counts is their mean logarithm over short runs.
    """
    spread, one = SINE_SPREAD[: setting.lags], 1 << LOG_BITS
    each = int(np.maximum(0, logarithms(spread) - logarithms(np.array(8 * setting.coarseness))).sum()) / one + GAIN_COST
    bits = 0.0
    for channel, spectrum in zip(samples.T, spectra, strict=True):
        errors = np.rint(np.abs(residual(channel, spectrum, setting.frame)) * (1 << ERROR_BITS)).astype(np.int64)
        runs = np.pad(errors, (0, -len(errors) % RUN_SAMPLES), mode="edge").reshape(-1, RUN_SAMPLES).sum(1)
        mean = 2 * runs + (RUN_SAMPLES << ERROR_BITS)  # and half a sample's unit; times 2 * RUN_SAMPLES << ERROR_BITS
        bits += int(logarithms(mean).sum()) / one * len(channel) / len(runs)
        changes = np.abs(np.diff(spectrum.sines, axis=1)).sum(1) / spread
        bits += 16 * math.fsum(changes) / math.log(2) + each * spectrum.sines.shape[1]
    frames = -(-len(samples) // setting.frame)
    return float(bits + LINKS_COST * (samples.shape[1] - 1) * frames)


def choose(samples: NDArray[np.int64]) -> tuple[int, Setting]:
    """Choose transform and setting with which a tile (n, channels), less its stretches, is expected to be smallest."""
    samples = samples[~in_stretches(find_stretches(samples), len(samples))]
    if not len(samples):
        return PLAIN, SETTINGS[-1]
    start = max(0, len(samples) - SETTING_SAMPLES) // 2
    part = samples[start : start + SETTING_SAMPLES]
    allowed = [setting for setting in SETTINGS if setting.frame <= max(SETTINGS[0].frame, len(part))]

    @cache
    def bits(transform: int, setting: Setting) -> float:
        changed = apply_transform(part, transform)
        return expected_bits(changed, spectra_of(changed, setting), setting)

    usual = min(allowed, key=lambda setting: abs(setting.frame - USUAL_FRAME))
    transform = min(TRANSFORMS[samples.shape[1]], key=lambda transform: bits(transform, usual))
    return transform, min(allowed, key=lambda setting: bits(transform, setting))


def analyse_tile(model: Model, samples: NDArray[np.int64], order: Order, steps: Steps) -> SoundTile:
    """Find out all that the file says of a tile before its samples, and return the tile, ready to be encoded.

    Args:
        model: of sound.
        samples: (n, 1 or 2).
        order: in which they are coded.
        steps: first and stop rank of every step.
    """
    transform, setting = choose(samples)
    changed = apply_transform(samples, transform)
    try:
        wave = derive_wave(changed, order, steps, setting)
    except FormatError:  # a spectrum at the edge of what numbers can hold
        wave = derive_wave(changed, order, steps, SETTINGS[-1])
    shape = samples.shape[0], samples.shape[1]
    return SoundTile(model, shape, order, transform=transform, observed=wave)


def spectra_of(samples: NDArray[np.int64], setting: Setting) -> tuple[Spectrum, ...]:
    """Estimate the spectra of every channel of a tile."""
    return tuple(analyse(channel, *setting) for channel in samples.T)


def derive_wave(
    samples: NDArray[np.int64], order: Order, steps: Steps, setting: Setting, *,
    predicted: int = PREDICTED_POSITIONS,
) -> Wave:  # fmt: skip
    """Analyse a tile and derive all its predictions and innovations.

    Args:
        samples: (n, channels), transformed.
        order: in which they are coded.
        steps: first and stop rank of every step.
        setting: how to analyse it.
        predicted: positions predicted at once.
    """
    frame, stretches, channels = setting.frame, find_stretches(samples), samples.shape[1]
    quiet = quiet_frames(stretches, len(samples), frame)
    flat = Spectrum(np.zeros((setting.lags, len(quiet)), np.int64), np.full(len(quiet), FIRST_GAIN))
    found = channels * (flat,) if quiet.all() else spectra_of(samples, setting)
    spectra = tuple(hold_quiet(spectrum, quiet) for spectrum in found)
    links, no_pitches = no_links(channels, len(quiet)), np.zeros((channels, len(quiet)), np.int64)
    wave = Wave(samples, order, Analysis(frame, spectra, links, setting.coarseness, no_pitches, stretches))
    if quiet.all():
        return wave
    every = _join(wave, [cluster for step in steps for cluster in wave.clusters(*step)], predicted)
    for cluster in every:
        wave.predict(cluster)
        _observe(wave, cluster)
    if channels > 1:
        wave.analysis = replace(wave.analysis, links=np.where(quiet, 0, _links(wave, frame)))
        for cluster in every:
            _observe(wave, cluster)
    pitches = np.where(quiet, 0, np.stack([find_pitches(remainders, frame) for remainders in wave.remainders.T]))
    wave.analysis = replace(wave.analysis, pitches=pitches)
    return wave


def find_stretches(samples: NDArray[np.int64]) -> tuple[Stretch, ...]:
    """Find all stretches of at least SHORTEST_STRETCH samples in a tile (n, channels)."""
    changes = np.flatnonzero((samples[1:] != samples[:-1]).any(1)) + 1
    edges = np.concatenate([[0], changes, [len(samples)]])
    starts, stops = edges[:-1], edges[1:]
    return tuple(
        Stretch(start, stop, tuple(samples[start].tolist()))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        if stop - start >= SHORTEST_STRETCH
    )


def find_pitches(remainders: NDArray[np.int64], frame: int) -> NDArray[np.int64]:
    """Find after how many samples the innovations (n,) of a channel resemble themselves, in each frame; 0: none."""
    clipped = remainders.clip(-INNOVATION_CLIP, INNOVATION_CLIP).astype(np.float64)
    frames, reach = -(-len(clipped) // frame), LONGEST_PITCH
    padded = np.pad(clipped, (reach, frames * frame - len(clipped)))
    before = np.lib.stride_tricks.sliding_window_view(padded, reach + frame)[::frame]  # each frame, and what precedes
    size = reach + 2 * frame
    found = np.rint(np.fft.irfft(np.fft.rfft(before, size) * np.fft.rfft(before[:, reach:], size).conj(), size))
    same = found[:, reach - 1 :: -1]  # lags 1, 2, ...
    energy = np.cumsum(np.pad(before**2, ((0, 0), (1, 0))), 1)
    ends = np.arange(reach - 1, -1, -1)
    earlier = energy[:, ends + frame] - energy[:, ends]
    own = energy[:, -1:] - energy[:, reach : reach + 1]
    explained = same**2 / ((earlier + RIDGE_SAMPLES * SQUARED_DEVIATION) * (own + RIDGE_SAMPLES * SQUARED_DEVIATION))
    explained[:, : SHORTEST_PITCH - 1] = 0
    best = explained.argmax(1)
    return np.where(1 - explained.max(1) < 2 ** (-2 * PITCH_COST / frame), best + 1, 0)


def _join(wave: Wave, every: Sequence[Cluster], most: int) -> list[Cluster]:
    """Return the positions of all clusters in fewer ones, for speed: all samples are known here."""
    batches: dict[tuple[int, bytes, bytes], list[list[Cluster]]] = {}
    for cluster in every:
        found = batches.setdefault(wave.pattern(cluster), [[]])
        if sum(len(other.positions) for other in found[-1]) > most:
            found.append([])
        found[-1].append(cluster)
    return [
        replace(batch[0], positions=np.concatenate([cluster.positions for cluster in batch]))
        for found in batches.values()
        for batch in found
    ]


def _observe(wave: Wave, cluster: Cluster) -> None:
    for channel in range(wave.samples.shape[1]):
        wave.observe(cluster, channel, wave.refine(cluster, channel))


def _links(wave: Wave, frame: int) -> NDArray[np.int64]:
    """Fit weights of the innovations around to each channel's, by least squares in every frame."""
    innovations = wave.innovations.clip(-INNOVATION_CLIP, INNOVATION_CLIP).astype(np.float64)
    count, channels = innovations.shape
    frames = -(-count // frame)
    links = no_links(channels, frames)
    padded = np.pad(innovations, [(LINKS, frames * frame - count), (0, 0)])
    lagged = np.stack([padded[LINKS - lag : len(padded) - lag] for lag in range(LINKS + 1)], 2)  # (n, channels, lags)
    for channel in range(channels):
        used = link_mask(channels, channel)
        parts = lagged.reshape(frames, frame, channels, LINKS + 1)
        links[channel, used] = np.stack(_regressions(parts[:, :, used], parts[:, :, channel, 0]), 1)
    return links


def _regressions(regressors: NDArray[np.float64], targets: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Fit rounded weights (m,) of regressors (frames, n, m) to targets (frames, n); 0 where they save too little."""
    gram = np.stack([part.T @ part for part in regressors], 2)
    right = np.stack([part.T @ target for part, target in zip(regressors, targets, strict=True)], 1)
    weights = solve_systems(gram + RIDGE_SAMPLES * SQUARED_DEVIATION * np.eye(len(gram))[..., None], right).T
    return [_worthwhile(*each) for each in zip(regressors, targets, weights, strict=True)]


def solve_systems(gram: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve positive definite equations (m, m, frames) by elimination in a fixed order; returns (m, frames)."""
    rows, size = np.concatenate([gram, right[:, None]], 1), len(gram)
    for i in range(size):
        rows[i, i:] = rows[i, i:] / rows[i, i]
        rows[i + 1 :, i:] -= rows[i + 1 :, i, None] * rows[i, i:]
    found = rows[:, size]
    for i in range(size - 1, 0, -1):
        found[:i] -= rows[:i, i] * found[i]
    return found


def _worthwhile(
    regressors: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Round weights (m,), or return zeros where they save less than they take."""
    weights = np.where(weights**2 * len(target) / (2 * math.log(2)) < LINK_COST, 0, weights)  # all nearly white
    rounded = np.rint(weights * (1 << LINK_BITS)).clip(-LINK_LIMIT, LINK_LIMIT)
    remainder = target * (1 << LINK_BITS) - regressors @ rounded
    left = float(remainder @ remainder) / (1 << 2 * LINK_BITS)
    saved = len(target) / 2 * math.log2((float(target @ target) + SQUARED_DEVIATION) / (left + SQUARED_DEVIATION))
    return rounded if saved > LINK_COST * np.count_nonzero(rounded) + len(rounded) else np.zeros_like(rounded)
