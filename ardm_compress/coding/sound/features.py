"""What the network sees of a position of sound: integer inputs, local scales. NumPy only.

docs/format.md section 13.5 is normative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.coding.sound.prediction import SIGMA_BITS
from ardm_compress.coding.sound.spectrum import GAINS
from ardm_compress.coding.sound.wave import INNOVATION_BITS, Cluster, Wave
from ardm_compress.inference.config import CLIP, INPUT_STEP, SAMPLE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.config import NetworkConfig

USUAL_INNOVATION: Final = 51  # its mean magnitude where nothing is known, times 2**INNOVATION_BITS
USUAL_WEIGHT: Final = 96  # of that in the local scale
SHORT_REACH: Final = 4  # positions to each side, of the shortest mean magnitude
WINDOW_REACH: Final = 24  # of the window, in positions
SINES_SHOWN: Final = 12  # of a channel's spectrum that the network is told
PITCH_OFFSETS: Final = np.arange(-2, 3)  # around a pitch before and after
SUMMARY_INPUTS: Final = 7 + SINES_SHOWN + 2 * (len(PITCH_OFFSETS) + 1)  # inputs of a channel beside its window
ONE: Final = 1 << SAMPLE_BITS


def weights(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the weights of innovations in the local scale: 64 / (1 + 0.15 d), rounded."""
    distance = np.abs(offsets)
    found: NDArray[np.int64] = (2 * 6400 + 100 + 15 * distance) // (2 * (100 + 15 * distance))
    return found


class WaveFeatures:
    """Turns clusters into network inputs; holds the configuration's constants."""

    def __init__(self, config: NetworkConfig) -> None:
        self.config = config
        self.offsets = config.offsets[:, 0]
        self.weights = weights(self.offsets)

    def buckets(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count thirds of octaves above ONE, shape of ``values``."""
        return np.searchsorted(self.config.scale_thresholds, values, side="right")

    def __call__(self, wave: Wave, cluster: Cluster) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs (n, config.inputs), rows of the scale embedding (n,), local scales (n, channels) times ONE."""
        channels, count = wave.samples.shape[1], len(cluster.positions)
        known = wave.known(cluster, self.offsets)
        near, length = known & (np.abs(self.offsets) <= SHORT_REACH), -(-len(wave.samples) >> cluster.level)
        index = cluster.positions[:, None] + self.offsets
        mask = known & (index >= 0) & (index < length)
        window = wave.window(wave.remainders, cluster, self.offsets) * mask[..., None]
        size = np.abs(window)
        total = (mask * self.weights).sum(1, keepdims=True) + USUAL_WEIGHT
        local = ((size * self.weights[:, None]).sum(1) + USUAL_INNOVATION * USUAL_WEIGHT) // total  # (n, channels)
        short = (size[:, near].sum(1) + USUAL_INNOVATION) // (mask[:, near].sum(1, keepdims=True) + 1)
        sigma = wave.sigmas[cluster.times]
        scale = np.maximum(ONE, sigma * local >> INNOVATION_BITS + SIGMA_BITS - SAMPLE_BITS)
        inputs = np.zeros((count, self.config.inputs), np.float32)
        parts = inputs[:, : window[0].size // channels * self.config.channels].reshape(count, len(known), -1)
        parts[..., :channels] = np.rint(window * np.float32(self.config.gain) / local[:, None].astype(np.float32))
        at = parts[0].size
        inputs[:, at : at + len(known)] = mask * INPUT_STEP
        at += len(known)
        frame, within = np.divmod(cluster.times, wave.analysis.frame)
        buckets = self.buckets(scale)
        for channel, spectrum in enumerate(wave.analysis.spectra):
            gain, last = spectrum.gains, len(spectrum.gains) - 1
            level = self.buckets(local[:, channel] * 16)
            summary = [
                8 * (self.buckets(sigma[:, channel]) - self.buckets(GAINS[gain[frame]])),
                4 * (gain[np.maximum(frame - 1, 0)] - gain[frame]),
                4 * (gain[np.minimum(frame + 1, last)] - gain[frame]),
                8 * (self.buckets(short[:, channel] * 16) - level),
                8 * (level - 18),  # 18 thirds: innovations as large as expected
                4 * (buckets[:, channel] - buckets[:, 0]),
                within * (2 * CLIP + 1) // wave.analysis.frame - CLIP,
                *(2 * sines[frame] for sines in spectrum.sines[:SINES_SHOWN]),
                *(np.zeros_like(frame) for _ in range(SINES_SHOWN - len(spectrum.sines))),
            ]
            periodic = self.periodic(wave, cluster, channel, local[:, channel])
            inputs[:, at : at + SUMMARY_INPUTS] = np.concatenate([np.stack(summary, 1), periodic], 1)
            at += SUMMARY_INPUTS
        scales = np.broadcast_to(scale[:, :1], (count, self.config.channels)).copy()
        scales[:, :channels] = scale
        return inputs.clip(-CLIP, CLIP).astype(np.int8), buckets[:, 0], scales

    def periodic(self, wave: Wave, cluster: Cluster, channel: int, local: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return innovations a pitch before and after, and whether any is known, (n, 2 * (PITCH_OFFSETS + 1))."""
        found = np.zeros((len(cluster.positions), 2, len(PITCH_OFFSETS) + 1), np.float32)
        pitch = wave.analysis.pitches[channel, cluster.times // wave.analysis.frame]
        rows = np.flatnonzero(pitch) if cluster.level == 0 else np.zeros(0, np.int64)
        if not len(rows):
            return found.reshape(len(found), -1)
        index = cluster.positions[rows, None] + np.array([-1, 1])[:, None, None] * pitch[rows, None] + PITCH_OFFSETS
        inside = (index >= 0) & (index < len(wave.samples))
        known = inside & wave.known_at(cluster, index)
        values = np.where(known, wave.remainders[np.where(inside, index, 0), channel], 0)
        scaled = np.rint(values * np.float32(self.config.gain) / local[rows, None].astype(np.float32))
        found[rows] = np.concatenate([scaled, known.any(2, keepdims=True) * INPUT_STEP], 2).swapaxes(0, 1)
        return found.reshape(len(found), -1)
