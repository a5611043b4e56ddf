"""The spectrum of a frame, as few quantised numbers <-> covariances of its samples. NumPy only.

A frame of a channel is taken for an autoregressive Gaussian process, given by its partial correlations k, each within
+-1 and free of the others, and the deviation of its innovation. Every operation on the way to the covariances is a
single one of IEEE binary64 in a fixed order, so they are the same on every machine; docs/format.md section 13 is
normative.

Source: Itakura and Saito 1971; Gray and Markel 1976 (arcsines of partial correlations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SINE_STEPS: Final = 64  # of arcsin(k), on a right angle
SINE_LIMIT: Final = SINE_STEPS - 1  # magnitude of a rounded k
SINES: Final = np.round(2.0**30 * np.sin(np.arange(SINE_STEPS) * np.pi / 2 / SINE_STEPS)).astype(np.int64)
GAINS: Final = np.round(2.0 ** (np.arange(64) / 2)).astype(np.int64)  # of innovations, in 64ths of a sample's unit
FIRST_GAIN: Final = 20  # of a first frame, if nothing is known of it
FLOOR: Final = 1 / 16  # added to variances, about that of rounding samples to integers


class Spectrum(NamedTuple):
    """Quantised spectra of the frames of a channel."""

    sines: NDArray[np.int64]  # (order, frames), within +-SINE_LIMIT
    gains: NDArray[np.int64]  # (frames,) indices into GAINS


def correlations(sines: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the partial correlations that quantised arcsines stand for."""
    return np.sign(sines) * SINES[np.abs(sines)] / (1 << 30)


def _explained(predictor: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predict from values (order, frames), the nearest last, one addition after the other."""
    if not len(predictor):
        return np.zeros(before.shape[1:])
    total: NDArray[np.float64] = np.cumsum(predictor * before[::-1], 0)[-1]
    return total


def covariances(spectrum: Spectrum, lags: int) -> NDArray[np.float64]:
    """Return the covariances of a channel at lags 0..``lags``, (lags + 1, frames); not finite if no sound has them."""
    with np.errstate(all="ignore"):
        return _extended(spectrum, lags)


def _extended(spectrum: Spectrum, lags: int) -> NDArray[np.float64]:
    ks = correlations(spectrum.sines)
    deviation = GAINS[spectrum.gains] / 64.0
    variance = deviation * deviation
    for k in ks:
        variance = variance / (1 - k * k)
    covariance = np.empty((lags + 1, len(variance)))
    covariance[0], predictor = variance, np.zeros((0, len(variance)))
    for lag in range(1, lags + 1):
        covariance[lag] = _explained(predictor, covariance[lag - len(predictor) : lag])
        if lag <= len(ks):
            k = ks[lag - 1]
            covariance[lag] += k * variance
            variance = variance * (1 - k * k)
            predictor = np.concatenate([predictor - k * predictor[::-1], k[None]])
    return covariance
