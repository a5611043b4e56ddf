"""The self-test of models of sound: from integers like samples to frequencies, all on the way included."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

import numpy as np

from ardm_compress.ardm import make_order
from ardm_compress.coding.sound.features import WaveFeatures
from ardm_compress.coding.sound.side import USUAL_SINES
from ardm_compress.coding.sound.spectrum import Spectrum
from ardm_compress.coding.sound.wave import CENTRE_BITS, Analysis, Cluster, Wave, clusters, link_mask, no_links
from ardm_compress.inference.features import Features
from ardm_compress.inference.network import Children

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.network import Channels, ExactNetwork, Parameters

LENGTH, FRAME, PERIOD, RANK_STRIDE = 512, 128, 64, 3
SINES, GAIN = 24, 24


def known_answer(network: ExactNetwork) -> int:
    """Return the CRC-32 of the frequencies and innovations of a fixed pseudo-random stereo tile."""
    config, features, check = network.config, WaveFeatures(network.config), 0
    wave = _wave()
    for rank in range(PERIOD):
        for cluster in clusters(wave.order, LENGTH, rank, rank + 1):
            wave.predict(cluster)
            for channel in range(2):
                wave.observe(cluster, channel, wave.refine(cluster, channel))
    check = zlib.crc32(wave.remainders.astype("<i4").tobytes(), check)
    for number, rank in enumerate(range(0, PERIOD, RANK_STRIDE)):
        (cluster,) = clusters(wave.order, LENGTH, rank, rank + 1)
        inputs, bucket, scales = features(wave, cluster)
        scale, conditioning = scales.astype(np.float32), network.conditioning(number % config.styles, ())
        state = network.hidden(Features(inputs, bucket, scale, scale), number % config.levels, conditioning)
        for rows in _frequencies(network, network.start(state, scale), wave, cluster):
            check = zlib.crc32(rows.astype("<i4").tobytes(), check)
    return check


def _frequencies(
    network: ExactNetwork, channels: Channels, wave: Wave, cluster: Cluster
) -> list[NDArray[np.float32]]:  # fmt: skip
    """Return the frequencies of all cells of the remainders of a cluster, of each channel."""
    children, found = Children(np.zeros(1, np.int64), 1, 256, 256, 128, 8), []
    centres = [wave.refine(cluster, channel) for channel in range(2)]

    def reference(channel: int) -> NDArray[np.float32]:
        return (centres[channel] % (1 << CENTRE_BITS)).astype(np.float32)

    def code(channel: int, mixtures: Parameters) -> NDArray[np.int64]:
        found.append(network.frequencies(mixtures, children))
        remainders: NDArray[np.int64] = wave.samples[cluster.times, channel] - (centres[channel] >> CENTRE_BITS)
        return remainders

    channels.code(2, reference, code)
    return found


def _wave() -> Wave:
    """Make two random walks, with spectra and links near the usual ones."""
    noise = np.frombuffer(hashlib.shake_256(b"ardm-compress sound").digest(16 * LENGTH), "<u2").astype(np.int64)
    walks = np.cumsum(noise[: 2 * LENGTH].reshape(LENGTH, 2) % 129 - 64, 0)
    frames, rest = LENGTH // FRAME, noise[2 * LENGTH :]
    spectra = []
    for channel in range(2):
        part = rest[channel * SINES * frames :][: SINES * frames].reshape(SINES, frames)
        spectra.append(Spectrum(USUAL_SINES[:SINES, None] // 16 + part % 9 - 4, GAIN + part[0] % 5))
    pitches = rest[: 2 * frames].reshape(2, frames) % 80
    analysis = Analysis(FRAME, tuple(spectra), no_links(2, frames), 1, pitches)
    for channel in range(2):
        used = link_mask(2, channel)
        count = used.sum() * frames
        analysis.links[channel][used] = rest[-(channel + 1) * count :][:count].reshape(-1, frames) % 5 - 2
    return Wave(walks, make_order("causal", axes=1, period=PERIOD), analysis)
