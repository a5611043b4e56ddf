"""A tile's analysis <-> symbols: spectra and links, each number predicted by that of the frame before.

docs/format.md section 13.3 is normative. NumPy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.ardm import Upscaling
from ardm_compress.coding.ans import Cells
from ardm_compress.coding.sound.spectrum import FIRST_GAIN, GAINS, SINE_LIMIT, Spectrum
from ardm_compress.coding.sound.stretches import Stretch, quiet_frames
from ardm_compress.coding.sound.wave import Analysis, link_mask, no_links
from ardm_compress.errors import FormatError
from ardm_compress.inference.config import NODE_BITS, STEP_BITS, VALUE_BITS
from ardm_compress.inference.network import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.loop import Symbols
    from ardm_compress.inference.network import ExactNetwork

NUMBERS: Final = Cells(Upscaling(128, 16))
ZERO: Final = NUMBERS.upscaling.values // 2  # the cell that stands for 0
FRAME_BITS: Final = range(7, 16)  # log2 of the frame's length that a file can say
SPECTRUM_ORDERS: Final = range(0, 65, 4)  # of spectra
SETTING_BITS: Final = (4, 5, 4)
STRETCHED: Final = 0  # a coarseness that says that stretches follow, and then the coarseness
DIGIT_BITS: Final = 16  # most of a number whose values are all equally likely
COUNT_BITS: Final = 16  # of the number of stretches
PLACE_BITS: Final = 21  # of where a stretch starts, behind the one before, and of its length
STRETCH_VALUE_BITS: Final = 32
VALUE_BIAS: Final = 1 << STRETCH_VALUE_BITS - 1
PITCH_BITS: Final = 10
SHORTEST_PITCH: Final = 25  # samples
MIXTURE: Final = ((384, 9), (128, 30))  # integer weights, and scales in sixteenths of the spread

# In sixteenths: usual values of sines and how much of a deviation from them carries over to the next frame, and how
# far off that is on average. Measured on the training sounds, speech and music.
USUAL_SINES: Final = np.array(
    [781, -354, 167, -127, 82, -82, 35, -86, 32, -69, 31, -46, 35, -31, 30, -31, 19, -34, 11, -29, 9, -25, 7, -24, 6,
     -22, 2, -20, -1, -18, -2, -20, *16 * (0, -16)])  # fmt: skip
SINE_CARRY: Final = np.array([14, 15, 14, 14, 13, 13, 13, 13, 13, 12, 13, 12, 13, 12, 12, 11, 12, 11, 11, *45 * (10,)])
SINE_SPREAD: Final = np.array(
    [60, 84, 76, 71, 63, 56, 52, 49, 46, 42, 40, 40, 39, 37, 37, 35, 35, 32, 32, 29, 30, 29, 28, 28, 26, 26, 26, 25, 26,
     25, 25, 24, *32 * (22,)])  # fmt: skip
FIRST_FRAME_SPREAD: Final = 3  # times the spread: nothing is known before it
LINK_SPREAD: Final = np.array([44, 38, 28, 23, 20, 17, 14, 13, 12, 12, 12, 12, 11, 10, 10, 10, 10])
LINK_CARRY: Final = 8
GAIN_SPREAD: Final = 16


def _code(
    symbols: Symbols, network: ExactNetwork, known: NDArray[np.int64], mean: NDArray[np.int64],
    spread: NDArray[np.int64],
) -> NDArray[np.int64]:  # fmt: skip
    """Code numbers (n,) within +-SINE_LIMIT, given what is expected, (n,) in 64ths and in sixteenths."""
    weights = np.tile(np.array([weight for weight, _ in MIXTURE], np.int32), (len(mean), 1))
    scales = np.stack([np.maximum(1, spread * factor // 16) for _, factor in MIXTURE], 1).astype(np.float32)
    unit = np.float32(1 << NODE_BITS + STEP_BITS - VALUE_BITS + 4)
    means = np.repeat((mean + (ZERO << VALUE_BITS)).astype(np.float32)[:, None], len(MIXTURE), 1)
    return symbols.cells(network, Parameters(weights, means, unit / scales), NUMBERS, known + ZERO) - ZERO


def _expected(
    before: NDArray[np.int64] | None, usual: NDArray[np.int64], carry: NDArray[np.int64], coarseness: int
) -> NDArray[np.int64]:
    """Return what numbers are expected to be, in 64ths of ``coarseness``, given those of the frame before."""
    if before is None:
        return 4 * usual // coarseness
    return (usual * (16 - carry) + 16 * carry * before) // (4 * coarseness)


def code_analysis(
    symbols: Symbols, network: ExactNetwork, known: Analysis | None, length: int, channels: int
) -> Analysis:  # fmt: skip
    """Code the analysis of a tile.

    Args:
        symbols: takes or gives it.
        network: computes frequencies.
        known: when encoding.
        length: samples of the tile.
        channels: of the tile.

    Raises:
        FormatError: it is not one that the format defines.
    """
    given = _settings(known) if known else np.zeros(3, np.int64)
    size, order, coarseness = symbols.bits(np.array(SETTING_BITS), given).tolist()
    stretches: tuple[Stretch, ...] = ()
    if coarseness == STRETCHED:
        stretches = _code_stretches(symbols, known.stretches if known else None, length, channels)
        given = np.array([known.coarseness if known else 0])
        (coarseness,) = symbols.bits(np.array(SETTING_BITS[2:]), given).tolist()
    if size >= len(FRAME_BITS) or order >= len(SPECTRUM_ORDERS) or not coarseness:
        raise FormatError("a tile's analysis is not one that version 1 defines", section="payload")
    frame, lags = 1 << FRAME_BITS[size], SPECTRUM_ORDERS[order]
    frames = -(-length // frame)
    sines, gains = np.zeros((channels, lags, frames), np.int64), np.zeros((channels, frames), np.int64)
    links, pitches = no_links(channels, frames), np.zeros((channels, frames), np.int64)
    if known:
        sines = np.stack([spectrum.sines for spectrum in known.spectra])
        gains = np.stack([spectrum.gains for spectrum in known.spectra])
        links, pitches = known.links.copy(), known.pitches.copy()
    for index, quiet in enumerate(quiet_frames(stretches, length, frame).tolist()):
        for channel in range(channels):
            if quiet:
                sines[channel, :, index] = sines[channel, :, index - 1] if index else 0
                gains[channel, index] = gains[channel, index - 1] if index else FIRST_GAIN
                continue
            first = index == 0
            before = sines[channel, :, index - 1]
            mean = _expected(None if first else before, USUAL_SINES[:lags], SINE_CARRY[:lags], coarseness)
            spread = SINE_SPREAD[:lags] * (FIRST_FRAME_SPREAD if first else 1) // coarseness
            expected_gain = FIRST_GAIN if first else gains[channel, index - 1]
            mean = np.append(mean, (expected_gain - ZERO // 2) << VALUE_BITS)
            spread = np.append(spread, GAIN_SPREAD * (FIRST_FRAME_SPREAD if first else 1))
            wanted = np.append(sines[channel, :, index] // coarseness, gains[channel, index] - ZERO // 2)
            found = _code(symbols, network, wanted, mean, spread)
            sines[channel, :, index], gains[channel, index] = found[:-1] * coarseness, found[-1] + ZERO // 2
            pitches[channel, index] = _code_pitch(symbols, int(pitches[channel, index]))
            if channels > 1:
                _code_links(symbols, network, links, channel, index)
    if np.abs(sines).max(initial=0) > SINE_LIMIT or not 0 <= gains.min() <= gains.max() < len(GAINS):
        raise FormatError("a tile's spectrum is out of range", section="payload")
    spectra = tuple(Spectrum(s, g) for s, g in zip(sines, gains, strict=True))
    return Analysis(frame, spectra, links, coarseness, pitches, stretches)


def _code_stretches(
    symbols: Symbols, known: tuple[Stretch, ...] | None, length: int, channels: int
) -> tuple[Stretch, ...]:
    """Code how many there are, and where they are and what they hold."""
    (count,) = symbols.uniform(COUNT_BITS, DIGIT_BITS, np.array([len(known or ())])).tolist()
    found: list[Stretch] = []
    at = 0
    for index in range(count):
        stretch = known[index] if known else Stretch(0, 0, (0,) * channels)
        place = np.array([stretch.start - at, stretch.stop - stretch.start])
        start, size = symbols.uniform(PLACE_BITS, DIGIT_BITS, place).tolist()
        values = symbols.uniform(STRETCH_VALUE_BITS, DIGIT_BITS, np.array(stretch.values) + VALUE_BIAS)
        found.append(Stretch(at + start, at + start + size, tuple((values - VALUE_BIAS).tolist())))
        at = found[-1].stop
        if at > length:
            raise FormatError("a tile has a stretch beyond its end", section="payload")
    return tuple(found)


def _code_pitch(symbols: Symbols, pitch: int) -> int:
    """Code a pitch, if there is one."""
    (any_,) = symbols.bits(np.ones(1, np.int64), np.array([int(pitch > 0)])).tolist()
    if not any_:
        return 0
    return int(symbols.bits(np.array([PITCH_BITS]), np.array([pitch - SHORTEST_PITCH]))[0]) + SHORTEST_PITCH


def _settings(analysis: Analysis) -> NDArray[np.int64]:
    size, order = (
        FRAME_BITS.index(analysis.frame.bit_length() - 1),
        SPECTRUM_ORDERS.index(len(analysis.spectra[0].sines)),
    )
    return np.array([size, order, STRETCHED if analysis.stretches else analysis.coarseness])


def _code_links(
    symbols: Symbols, network: ExactNetwork, links: NDArray[np.int64], channel: int, index: int
) -> None:  # fmt: skip
    """Code the links of a channel in a frame: whether it has any, then all of them."""
    used = link_mask(len(links), channel)
    now = links[channel, ..., index]
    (any_,) = symbols.bits(np.ones(1, np.int64), np.array([int(now.any())]))
    if not any_:
        return
    before = links[channel, ..., index - 1][used] if index else np.zeros(used.sum(), np.int64)
    spread = np.broadcast_to(LINK_SPREAD, used.shape)[used]
    now[used] = _code(symbols, network, now[used], LINK_CARRY * before << VALUE_BITS - 4, spread)
