"""A tile of sound as the codec sees it: what is known predicts the rest linearly; what remains is for the network.

Stage 1 predicts a channel from its own known samples by its spectrum. Stage 2 adds what the known innovations of all
channels tell. All that leaves either is an integer. docs/format.md section 13 is normative. NumPy only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.coding.sound.prediction import SIGMA_BITS, TAP_BITS, Predictor, solve
from ardm_compress.coding.sound.spectrum import Spectrum, covariances
from ardm_compress.coding.sound.stretches import Stretch, in_stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm import Order

TAPS_LIMIT: Final = 32  # of stage 1, the nearest known samples
TAP_REACH: Final = 32  # how far they may be, in positions of the level
PAST_TAPS: Final = 64  # taps where the whole past so far is known and nothing else
LAG_LIMIT: Final = 2048  # longest lag of a covariance, in samples: coarse levels see less far
LINKS: Final = 16  # lags of stage 2
LINK_BITS: Final = 4  # fraction bits of its weights
CENTRE_BITS: Final = 4  # fraction bits of predictions, in sample units
CENTRE_LIMIT: Final = 1 << 34
INNOVATION_BITS: Final = 6  # fraction bits of innovations, in expected deviations
INNOVATION_LIMIT: Final = 2047


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the file says of a tile before its samples."""

    frame: int  # samples
    spectra: tuple[Spectrum, ...]  # of every channel
    links: NDArray[np.int64]  # (channels, channels, LINKS + 1, frames): [of, from, lag], times 2**LINK_BITS
    coarseness: int  # of which all sines are multiples
    pitches: NDArray[np.int64]  # (channels, frames) samples after which innovations resemble themselves; 0: none
    stretches: tuple[Stretch, ...] = ()  # in which no sample is coded


def no_links(channels: int, frames: int) -> NDArray[np.int64]:
    """Return links that do nothing."""
    return np.zeros((channels, channels, LINKS + 1, frames), np.int64)


def link_mask(channels: int, channel: int) -> NDArray[np.bool_]:
    """Tell which (channel, lag) a channel is linked to: the past of all, and the present of those before it."""
    used = np.ones((channels, LINKS + 1), np.bool_)
    used[channel:, 0] = False
    return used


@dataclass(frozen=True, slots=True)
class Cluster:
    """Positions of one rank in a step."""

    level: int
    positions: NDArray[np.int64]  # (n,) the level's coordinates
    up: int  # levels from there to the one that the step starts on
    start: int  # rank on that level at which it starts

    @property
    def times(self) -> NDArray[np.int64]:
        """Return them in the tile's coordinates."""
        return self.positions << self.level


def clusters(order: Order, length: int, first: int, stop: int) -> Iterator[Cluster]:
    """Yield what the step that codes ranks first..stop-1 of a tile codes, rank by rank; empty ones left out."""
    levels = order.levels((length,))
    start = order.lattice(first, levels).level, first % order.ranks_per_level
    for rank in range(first, stop):
        lattice = order.lattice(rank, levels)
        positions = np.arange(lattice.start[0], -(-length >> lattice.level), lattice.period)
        if len(positions):
            yield Cluster(lattice.level, positions, start[0] - lattice.level, start[1])


class Wave:
    """Samples of a tile, all or those decoded so far, their predictions and their innovations; all (n, channels)."""

    def __init__(self, samples: NDArray[np.int64], order: Order, analysis: Analysis) -> None:
        """Args: samples (n, channels), written to while decoding."""
        self.samples, self.order, self.analysis = samples, order, analysis
        for stretch in analysis.stretches:
            samples[stretch.start : stretch.stop] = stretch.values
        self._given = in_stretches(analysis.stretches, len(samples))
        self.centres = np.zeros_like(samples)  # times 2**CENTRE_BITS
        self.sigmas = np.ones_like(samples)  # times 2**SIGMA_BITS
        self.innovations = np.zeros_like(samples)  # after stage 1, times 2**INNOVATION_BITS
        self.remainders = np.zeros_like(samples)  # after stage 2
        self._solved: dict[tuple[int, bytes], list[Predictor]] = {}

    @cached_property
    def _covariances(self) -> list[NDArray[np.float64]]:
        return [covariances(spectrum, LAG_LIMIT) for spectrum in self.analysis.spectra]

    def clusters(self, first: int, stop: int) -> Iterator[Cluster]:
        """Yield what the step that codes ranks first..stop-1 codes: clusters without the samples of stretches."""
        for cluster in clusters(self.order, len(self.samples), first, stop):
            left = cluster.positions[~self._given[cluster.times]]
            if len(left):
                yield replace(cluster, positions=left)

    def known(self, cluster: Cluster, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which offsets from a cluster's positions are known to it, the tile's ends aside."""
        return self.known_at(cluster, cluster.positions[0] + offsets)

    def known_at(self, cluster: Cluster, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which positions, any shape, of its level are known to a cluster, the tile's ends aside."""
        around = index.reshape(1, -1, 1)
        known = self.order.known_before(around, np.array([cluster.up]), np.array([cluster.start]))
        return known.reshape(index.shape)

    def window(self, values: NDArray[np.int64], cluster: Cluster, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Gather values (n, window, channels) around a cluster's positions; 0 beyond the tile's ends."""
        lattice = values[:: 1 << cluster.level]
        index = cluster.positions[:, None] + offsets
        around: NDArray[np.int64] = lattice.take(index, 0, mode="clip")
        if index.size and not 0 <= index.min() <= index.max() < len(lattice):
            around[(index < 0) | (index >= len(lattice))] = 0
        return around

    def predict(self, cluster: Cluster) -> None:
        """Predict a cluster's samples from known ones of their channel: stage 1."""
        offsets = self._taps(cluster)
        key = cluster.level, offsets.tobytes()
        if key not in self._solved:
            self._solved[key] = [solve(c[:: 1 << cluster.level], offsets) for c in self._covariances]
        frame, shift = cluster.times // self.analysis.frame, TAP_BITS - CENTRE_BITS
        around = self.window(self.samples, cluster, offsets)
        for channel, predictor in enumerate(self._solved[key]):
            sums = (around[..., channel] * predictor.taps.T[frame]).sum(1)
            self.centres[cluster.times, channel] = sums + (1 << shift - 1) >> shift
            self.sigmas[cluster.times, channel] = predictor.sigma[frame]

    def pattern(self, cluster: Cluster) -> tuple[int, bytes, bytes]:
        """Return what is known to a cluster: both stages can take clusters of the same pattern together."""
        return cluster.level, self._taps(cluster).tobytes(), self._lags(cluster).tobytes()

    def _lags(self, cluster: Cluster) -> NDArray[np.int64]:
        """Return lags of stage 2 at which innovations are known; at lag 0 they are for the channels before."""
        lags: NDArray[np.int64] = np.arange(1 if self.order.dyadic else LINKS + 1)
        known: NDArray[np.int64] = lags[self.known(cluster, -lags) | (lags == 0)]
        return known

    def _taps(self, cluster: Cluster) -> NDArray[np.int64]:
        """Return offsets of the samples that predict a cluster: the nearest known."""
        past, reach = -np.arange(1, PAST_TAPS + 1), min(TAP_REACH, LAG_LIMIT >> cluster.level + 1)
        near = np.array([o for d in range(1, reach + 1) for o in (-d, d)], np.int64)
        if not reach:
            return near
        known = self.known(cluster, near)
        if cluster.level == 0 and not known[1::2].any() and self.known(cluster, past).all():
            return past
        return near[known][:TAPS_LIMIT]

    def refine(self, cluster: Cluster, channel: int) -> NDArray[np.int64]:
        """Predict a channel of a cluster, (n,), given the innovations around and of channels before it: stage 2."""
        centre: NDArray[np.int64] = self.centres[cluster.times, channel]
        sigma: NDArray[np.int64] = self.sigmas[cluster.times, channel]
        links = self.analysis.links[channel]
        if not links.any():
            return centre.clip(-CENTRE_LIMIT, CENTRE_LIMIT)
        lags = self._lags(cluster)
        past = self.window(self.innovations, cluster, -lags)
        weights = links[:, lags][..., cluster.times // self.analysis.frame]
        total: NDArray[np.int64] = np.einsum("nlc,cln->n", past, weights) * sigma
        shift = INNOVATION_BITS + LINK_BITS + SIGMA_BITS - CENTRE_BITS
        return (centre + (total + (1 << shift - 1) >> shift)).clip(-CENTRE_LIMIT, CENTRE_LIMIT)

    def observe(self, cluster: Cluster, channel: int, refined: NDArray[np.int64]) -> None:
        """Derive the innovations of a channel of a cluster from its samples, which are known now."""
        times = cluster.times
        samples, sigma = self.samples[times, channel] << CENTRE_BITS, self.sigmas[times, channel]
        self.innovations[times, channel] = innovation(samples - self.centres[times, channel], sigma)
        self.remainders[times, channel] = innovation(samples - refined, sigma)


def innovation(deviation: NDArray[np.int64], sigma: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return deviations in units of those expected, times 2**INNOVATION_BITS: one division, one rounding."""
    factor = float(1 << INNOVATION_BITS + SIGMA_BITS - CENTRE_BITS)
    return np.rint(deviation * factor / sigma).clip(-INNOVATION_LIMIT, INNOVATION_LIMIT).astype(np.int64)
