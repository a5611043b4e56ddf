"""The spectra of a recording's frames, estimated from its samples. NumPy only.

Every operation is a single one of IEEE binary64 in a fixed order, or its sums are of integers that binary64 holds:
every machine writes the same file.

Source: Itakura and Saito 1971; Gray and Markel 1976 (arcsines of partial correlations).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.coding.sound.spectrum import (
    FIRST_GAIN,
    FLOOR,
    GAINS,
    SINE_LIMIT,
    SINE_STEPS,
    Spectrum,
    correlations,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAIN_EDGES: Final = 2.0 ** np.arange(len(GAINS) - 1) * np.sqrt(2.0) / 64**2  # variances between neighbouring gains
WINDOW_BITS: Final = 20  # of the window, and of samples under it: sums of 2**13 of their products are exact
FRAMES_AT_ONCE: Final = 32  # few enough for the processor's caches


@cache
def _window(size: int) -> NDArray[np.float64]:
    """Return the square root of half a period of a sine (size,), in WINDOW_BITS."""
    one = 1 << WINDOW_BITS
    window: NDArray[np.float64] = np.rint(one * np.sqrt(np.sin(np.pi * (np.arange(size) + 0.5) / size))) / one
    return window


@cache
def _sine_edges(coarseness: int) -> NDArray[np.float64]:
    """Return the magnitudes of k between neighbouring multiples of ``coarseness``."""
    halves = (np.arange(SINE_LIMIT // coarseness) + 0.5) * coarseness
    edges: NDArray[np.float64] = np.rint(2.0**30 * np.sin(halves * np.pi / 2 / SINE_STEPS)) / 2.0**30
    return edges


def analyse(samples: NDArray[np.int64], frame: int, order: int, coarseness: int) -> Spectrum:
    """Estimate the spectra of the frames of a channel's samples (n,), their sines multiples of ``coarseness``.

    Source: Levinson 1947, Durbin 1960, with a window that reaches half a frame beyond each frame.
    """
    count, reach = len(samples), frame // 2
    frames = -(-count // frame)
    padded = np.pad(samples.astype(np.float64), (reach, reach + frames * frame - count))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, frame + 2 * reach)[::frame]
    found = np.concatenate(
        [_autocorrelation(pieces[i : i + FRAMES_AT_ONCE], order) for i in range(0, frames, FRAMES_AT_ONCE)], 1
    )
    found[0] = found[0] * (1 + 2.0**-30) + FLOOR
    sines, variance = _rounded_lattice(found, coarseness)
    return Spectrum(sines, np.searchsorted(GAIN_EDGES, variance))


def _autocorrelation(pieces: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return the autocorrelation of pieces (frames, n) under the window at lags 0..``order``, (order + 1, frames)."""
    window = _window(pieces.shape[1])
    windowed = pieces * window
    exponent = np.frexp(np.abs(windowed).max(1))[1] - WINDOW_BITS
    rounded = np.rint(np.ldexp(windowed, -exponent[:, None]))
    sums = [np.einsum("fn,fn->f", rounded[:, lag:], rounded[:, : rounded.shape[1] - lag]) for lag in range(order + 1)]
    found: NDArray[np.float64] = np.ldexp(np.stack(sums), 2 * exponent) / (window * window).sum()
    return found


def _rounded_lattice(found: NDArray[np.float64], coarseness: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return sines (order, frames) and the variance that they leave, given covariances (order + 1, frames).

    Each k is the best after those before it have been rounded, so it makes up for their errors: without that, pure
    tones, whose k are close to 1, would not be predicted well. With forward and backward errors f and g, kept are
    their correlations with the samples j places before, for j = -order..order + 1.
    """
    order, frames = len(found) - 1, found.shape[1]
    places = np.arange(-order, order + 1)
    f = np.concatenate([found[np.abs(places)], np.zeros((1, frames))])
    g, zero = f.copy(), order
    predictor, sines = np.zeros((0, frames)), np.zeros((order, frames), np.int64)
    variance = found[0]
    for lag in range(1, order + 1):
        backward = np.concatenate([-predictor[::-1], np.ones((1, frames))])  # on samples 0.. places before
        both = np.cumsum(backward * f[zero + 1 : zero + 1 + lag], 0)[-1]
        size = np.maximum(np.cumsum(backward * g[zero : zero + lag], 0)[-1], FLOOR)
        steps = np.searchsorted(_sine_edges(coarseness), np.abs(both / size))
        sines[lag - 1] = np.where(both < 0, -steps, steps) * coarseness
        k = correlations(sines[lag - 1])
        later = np.concatenate([np.zeros((1, frames)), g[:-1]])
        f, g = f - k * later, later - k * f
        predictor = np.concatenate([predictor - k * predictor[::-1], k[None]])
        variance = np.maximum((1 + k * k) * size - 2 * k * both, FLOOR)
    return sines, variance


def hold_quiet(spectrum: Spectrum, quiet: NDArray[np.bool_]) -> Spectrum:
    """Let every quiet frame (frames,) be as the one before it; before all others, without any correlation."""
    sines, gains = np.pad(spectrum.sines, ((0, 0), (1, 0))), np.pad(spectrum.gains, (1, 0), constant_values=FIRST_GAIN)
    source = np.maximum.accumulate(np.where(quiet, 0, np.arange(1, len(quiet) + 1)))
    return Spectrum(sines[:, source], gains[source])


def residual(samples: NDArray[np.int64], spectrum: Spectrum, frame: int) -> NDArray[np.float64]:
    """Return what linear prediction from the past leaves of a channel's samples (n,), for the encoder's choices."""
    predictor = np.zeros((0, spectrum.sines.shape[1]))
    for k in correlations(spectrum.sines):
        predictor = np.concatenate([predictor - k * predictor[::-1], k[None]])
    order, frames = predictor.shape
    padded = np.pad(samples.astype(np.float64), (order, frames * frame - len(samples)))
    errors = padded[order:].reshape(frames, frame)
    for lag, weight in enumerate(predictor, 1):
        errors = errors - padded[order - lag : len(padded) - lag].reshape(frames, frame) * weight[:, None]
    return errors.ravel()[: len(samples)]
