"""The best linear prediction from any set of known samples, given the spectrum. NumPy only.

A position's sample and those known around it are jointly Gaussian with the spectrum's covariances, so its conditional
mean and deviation follow from one Cholesky factorisation, whatever the order: every order codes a Gaussian process
equally well. Single IEEE binary64 operations in a fixed order; docs/format.md section 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ardm_compress.coding.sound.spectrum import FLOOR
from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAP_BITS: Final = 20
TAP_LIMIT: Final = 1 << 27
SIGMA_BITS: Final = 6
SIGMA_LIMIT: Final = 1 << 40


class Predictor(NamedTuple):
    """Taps and deviation for one pattern of known samples, in every frame of a channel."""

    taps: NDArray[np.int64]  # (taps, frames) times 2**TAP_BITS, within +-TAP_LIMIT
    sigma: NDArray[np.int64]  # (frames,) expected deviation times 2**SIGMA_BITS, at least 1


def solve(covariance: NDArray[np.float64], offsets: NDArray[np.int64]) -> Predictor:
    """Predict a sample from others of its channel.

    Args:
        covariance: (lags + 1, frames) as ``spectrum.covariances`` gives.
        offsets: (taps,) of the others from the sample.

    Raises:
        FormatError: the covariances are out of the range of numbers.
    """
    with np.errstate(all="ignore"):
        row, variance = _conditional(covariance, offsets)
        taps, sigma = np.rint(row * (1 << TAP_BITS)), np.rint(np.sqrt(np.maximum(variance, 0)) * (1 << SIGMA_BITS))
    if not (np.isfinite(taps).all() and (sigma <= SIGMA_LIMIT).all()):  # which NaN is not
        raise FormatError("a tile's spectrum is not that of any sound", section="payload")
    return Predictor(taps.clip(-TAP_LIMIT, TAP_LIMIT).astype(np.int64), np.maximum(1, sigma.astype(np.int64)))


def _conditional(
    covariance: NDArray[np.float64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights (taps, frames) and variance (frames,) of a sample given others."""
    places = np.append(offsets, 0)
    known = len(offsets)
    factor = covariance[np.abs(places[:, None] - places)]  # (known + 1, known + 1, frames); its lower half is used
    diagonal = np.arange(known + 1)
    factor[diagonal, diagonal] = factor[diagonal, diagonal] * (1 + 2.0**-30) + FLOOR
    for i in range(known):
        pivot = np.sqrt(np.maximum(factor[i, i], FLOOR / 2))
        factor[i, i] = pivot
        column = factor[i + 1 :, i]
        column /= pivot
        factor[i + 1 :, i + 1 :] -= column[:, None] * column
    row = factor[known, :known]
    for i in range(known - 1, -1, -1):
        row[i] /= factor[i, i]
        row[:i] -= row[i] * factor[i, :i]
    return row, factor[known, known]
