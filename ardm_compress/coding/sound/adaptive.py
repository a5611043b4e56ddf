"""A tile of sound <-> the payload of its stream, by filters that learn (docs/format.md section 13.9).

The loop is compiled as a whole: predict a sample, code it, learn from it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.coding.ans import CompiledPushed, Intervals, Stack, check_payload, peek, pop, read_stacks
from ardm_compress.coding.sound.filters import PROFILES, Filters, Profile, learn, make_filters, predict
from ardm_compress.computing import compiled
from ardm_compress.errors import FormatError
from ardm_compress.inference.config import FREQUENCY_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.loop import Progress


CELLS: Final = 256
CHILDREN: Final = 16  # of a cell's digits
CELL_SCALE_BITS: Final = 4  # a local size is 8 to 16 cells
MOST_FINE: Final = 20  # bits of a cell
ESCAPE_BITS: Final = 16  # of each half of what lies outside
LARGEST: Final = 1 << 24  # magnitude of samples
SHIFT_BITS: Final = 5  # of a number of low bits
MOST_SYMBOLS: Final = 4  # of a sample

SPEEDS: Final = (0.06, 0.014, 0.002)  # at which local sizes follow the errors
FIRST_SIZE: Final = 32.0
SILENCE: Final = 2.0**-8  # is added to errors
SIZE_WEIGHTS: Final = (0.5, 0.3, 0.2)  # of the local size that the cells follow
SPREAD: Final = 0.72  # of a logistic, times the local size
LEAST_SPREAD: Final = 0.05
LEAST_FIT: Final = 1e-6

CDF_BITS: Final = 20
NODE_BITS: Final = 14  # fraction bits of a logistic's argument between nodes of the table
T_LIMIT: Final = 1 << 22  # of the argument in fixed point, 16
CDF_ONE: Final = 2.0**CDF_BITS
WEIGHT_ONE: Final = 2.0**16  # of integer weights
T_ONE: Final = 2.0**18  # of arguments in fixed point
HALVING: Final = float.fromhex("0x1.e0fabfbc702a4p-1")  # exp(-1/16)

# logistics of the mixture: about which centre, with the local size of which speed, times what
COMPONENTS: Final = tuple((0, speed, factor) for speed in range(3) for factor in (0.5, 1.0, 2.0)) + tuple(
    (centre, speed, 1.0) for centre in range(1, 5) for speed in range(3)
)  # those about centres that a profile lacks are left out
_CENTRE: Final = np.array([centre for centre, _, _ in COMPONENTS])
_SPEED: Final = np.array([speed for _, speed, _ in COMPONENTS])
_FACTOR: Final = np.array([factor for _, _, factor in COMPONENTS])
CHUNK: Final = 1 << 14  # times between calls of ``progress``


def _logistic() -> NDArray[np.int64]:
    """Return 2**CDF_BITS / (1 + exp(-x)) for x = -16, -16 + 1/16, ... 16 and once more, by multiplications alone."""
    table, power = np.zeros(514, np.int64), 1.0
    for i in range(257):
        table[256 + i] = round((1 << CDF_BITS) / (1.0 + power))
        table[256 - i] = (1 << CDF_BITS) - table[256 + i]
        power *= HALVING
    table[513] = table[512]
    return table


class Mixture(NamedTuple):
    """The distribution of the next sample; the first axis of all but the table is the channel."""

    sizes: NDArray[np.float64]  # (channels, centres, speeds)
    weights: NDArray[np.float64]  # (channels, components)
    whole: NDArray[np.int64]  # (components,) weights of the next sample
    middle: NDArray[np.float64]  # (components,) centres of it, less the integer below the first
    inverse: NDArray[np.float64]  # (components,)
    edges: NDArray[np.int64]  # (2, components) distribution functions at both ends of the cell
    table: NDArray[np.int64]


def _make_mixture(channels: int, profile: Profile) -> Mixture:
    count = int((profile.centres > _CENTRE).sum())
    return Mixture(
        sizes=np.full((channels, profile.centres, len(SPEEDS)), FIRST_SIZE),
        weights=np.full((channels, count), 1 / count), whole=np.zeros(count, np.int64),
        middle=np.zeros(count), inverse=np.zeros(count), edges=np.zeros((2, count), np.int64), table=_logistic(),
    )  # fmt: skip


@compiled
def _prepare(m: Mixture, centres: Any, c: int) -> tuple[int, int]:
    """Set the mixture of channel c; return the integer below the first centre, and the bits of a cell."""
    below = math.floor(centres[0])
    for k in range(len(m.whole)):
        centre = _CENTRE[k]
        m.whole[k] = int(m.weights[c, k] * WEIGHT_ONE) + 1
        m.middle[k] = centres[centre] - below
        m.inverse[k] = T_ONE / ((SPREAD * m.sizes[c, centre, _SPEED[k]] + LEAST_SPREAD) * _FACTOR[k])
    sizes = m.sizes[c, 0]
    size = int((SIZE_WEIGHTS[0] * sizes[0] + SIZE_WEIGHTS[1] * sizes[1]) + SIZE_WEIGHTS[2] * sizes[2])
    bits = -CELL_SCALE_BITS
    while size > 0:
        size >>= 1
        bits += 1
    return int(below), min(max(bits, 0), MOST_FINE)


@compiled
def _mass_below(m: Mixture, cell: int, fine: int, kept: int) -> int:
    """Return the mixture's mass below a cell, keeping the components' in ``edges``."""
    edges, total = m.edges[kept], 0
    if cell == 0:
        for k in range(len(m.whole)):
            edges[k] = 0
        return 0
    if cell == CELLS:
        for k in range(len(m.whole)):
            edges[k] = 1 << CDF_BITS
            total += m.whole[k] << CDF_BITS
        return total
    edge = float((cell - CELLS // 2) << fine) - 0.5
    for k in range(len(m.whole)):
        t = np.rint((edge - m.middle[k]) * m.inverse[k])
        at = int(min(max(t, float(-T_LIMIT)), float(T_LIMIT))) + T_LIMIT
        node = at >> NODE_BITS
        low = m.table[node]
        edges[k] = low + (((m.table[node + 1] - low) * (at & ((1 << NODE_BITS) - 1))) >> NODE_BITS)
        total += m.whole[k] * edges[k]
    return total


@compiled
def _left(mass: int, whole: int, child: int) -> int:
    """Return where the interval of a child begins that has so much of the mass before it."""
    if whole == 0:
        return (child * ((1 << FREQUENCY_BITS) - CHILDREN)) // CHILDREN + child
    return (mass * ((1 << FREQUENCY_BITS) - CHILDREN)) // whole + child


@compiled
def _code_digit(
    m: Mixture, fine: int, first: int, step: int, low: int, high: int, stack: Stack, symbols: Any, count: int,
    known: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Code which of the children a value is in.

    Args:
        m: the mixture.
        fine: bits of a cell.
        first: cell at which the first child begins.
        step: cells of a child.
        low: mass below the first child.
        high: mass below the end of the last.
        stack: to pop from.
        symbols: (2, n) takes intervals when encoding.
        count: of those taken already.
        known: the child when encoding; -1 when decoding.

    Returns:
        The child, and the masses at its ends.
    """
    whole = high - low
    if known >= 0:
        child = known
        below = _mass_below(m, first + child * step, fine, 0) if child else low
        above = _mass_below(m, first + (child + 1) * step, fine, 1) if child < CHILDREN - 1 else high
        left = _left(below - low, whole, child)
        symbols[0, count] = left
        symbols[1, count] = _left(above - low, whole, child + 1) - left
        return child, below, above
    at = peek(stack)
    child, end, below, above, left, right = 0, CHILDREN, low, high, 0, 1 << FREQUENCY_BITS
    while end - child > 1:
        half = (child + end) >> 1
        mass = _mass_below(m, first + half * step, fine, 0)
        edge = _left(mass - low, whole, half)
        if edge <= at:
            child, below, left = half, mass, edge
        else:
            end, above, right = half, mass, edge
    pop(stack, left, right - left)
    return child, below, above


@compiled
def _code_bits(bits: int, stack: Stack, symbols: Any, count: int, known: int) -> int:
    """Code a number of so many bits, all equally likely; ``known`` is -1 when decoding."""
    shift = FREQUENCY_BITS - bits
    value = known if known >= 0 else peek(stack) >> shift
    if known >= 0:
        symbols[0, count] = value << shift
        symbols[1, count] = 1 << shift
    else:
        pop(stack, value << shift, 1 << shift)
    return value


@compiled
def _code_sample(
    m: Mixture, centres: Any, memory: float, c: int, stack: Stack, symbols: Any, count: int, known: int, encoding: bool
) -> tuple[int, int]:  # fmt: skip
    """Code a sample of channel c; the sample, and the new count of symbols."""
    below, fine = _prepare(m, centres, c)
    rest = known - below
    cell = min(max((rest >> fine) + CELLS // 2, 0), CELLS - 1) if encoding else -1
    total = _mass_below(m, CELLS, fine, 1)
    high, low_mass, high_mass = _code_digit(
        m, fine, 0, CHILDREN, 0, total, stack, symbols, count, cell // CHILDREN if encoding else -1
    )
    low, _, _ = _code_digit(
        m, fine, high * CHILDREN, 1, low_mass, high_mass, stack, symbols, count + 1,
        cell % CHILDREN if encoding else -1,
    )  # fmt: skip
    count += 2
    cell = high * CHILDREN + low
    if cell == 0 or cell == CELLS - 1:
        shifted = rest + (1 << 2 * ESCAPE_BITS - 1)
        upper = _code_bits(ESCAPE_BITS, stack, symbols, count, shifted >> ESCAPE_BITS if encoding else -1)
        lower = _code_bits(
            ESCAPE_BITS, stack, symbols, count + 1, shifted & ((1 << ESCAPE_BITS) - 1) if encoding else -1
        )
        count += 2
        rest = (upper << ESCAPE_BITS) + lower - (1 << 2 * ESCAPE_BITS - 1)
    elif fine > 0:
        rest = (cell - CELLS // 2) << fine
        rest += _code_bits(fine, stack, symbols, count, (known - below) & ((1 << fine) - 1) if encoding else -1)
        count += 1
    else:
        rest = cell - CELLS // 2
    _mass_below(m, cell, fine, 0)
    _mass_below(m, cell + 1, fine, 1)
    _learn_mixture(m, centres, memory, c, float(below + rest))
    return below + rest, count


@compiled
def _learn_mixture(m: Mixture, centres: Any, memory: float, c: int, value: float) -> None:
    """Weigh components by how well they knew the cell, whose ``edges`` are set, and let local sizes follow."""
    weights, total = m.weights[c], 0.0
    for k in range(len(m.whole)):
        weights[k] *= max(float(m.edges[1, k] - m.edges[0, k]) / CDF_ONE, LEAST_FIT)
        total += weights[k]
    for k in range(len(m.whole)):
        weights[k] = memory * weights[k] / total + (1.0 - memory) / len(m.whole)
    for i in range(centres.shape[0]):
        error, sizes = abs(value - centres[i]) + SILENCE, m.sizes[c, i]
        for speed in range(3):
            sizes[speed] += SPEEDS[speed] * (error - sizes[speed])


@compiled
def _code(
    f: Filters, profile: Profile, m: Mixture, samples: Any, shifts: Any, start: int, stop: int, stack: Stack,
    symbols: Any, count: int, encoding: bool,
) -> int:  # fmt: skip
    """Code times start .. stop - 1 of samples (times, channels), without so many low bits of each channel.

    Returns:
        The new count of symbols, or -1 if damaged.
    """
    if start == 0 and profile.counts_zeros:
        for c in range(samples.shape[1]):
            shifts[c] = _code_bits(SHIFT_BITS, stack, symbols, count, shifts[c] if encoding else -1)
            count += 1
    for t in range(start, stop):
        for c in range(samples.shape[1]):
            predict(f, profile, c, t)
            value, count = _code_sample(
                m, f.centres[c], profile.memory, c, stack, symbols, count, samples[t, c] >> shifts[c], encoding
            )
            if abs(value) > LARGEST >> shifts[c]:
                return -1
            samples[t, c] = value << shifts[c]
            learn(f, profile, c, t, float(value))
    return count


def _read_stack(payload: bytes) -> Stack:
    check_payload(payload)
    words, state = read_stacks([payload])
    return Stack(words[0], state[0])


def _low_zeros(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many low bits are 0 in all samples of a channel (times, channels); 0 where all are."""
    used = np.bitwise_or.reduce(samples, axis=0)
    return np.array([max(int(bits & -bits).bit_length() - 1, 0) for bits in used], np.int64)


def encode_tile(samples: NDArray[np.int64], profile: int, progress: Progress) -> bytes:
    """Entropy-code samples (times, channels); ``progress`` is called after every CHUNK of times."""
    (times, channels), how = samples.shape, PROFILES[profile]
    f, m = make_filters(channels, times, how), _make_mixture(channels, how)
    symbols, empty = np.zeros((2, MOST_SYMBOLS * samples.size + channels), np.uint32), _read_stack(b"")
    count, samples = 0, np.ascontiguousarray(samples)
    shifts = _low_zeros(samples) if how.counts_zeros else np.zeros(channels, np.int64)
    for start in range(0, times, CHUNK):
        count = _code(f, how, m, samples, shifts, start, min(start + CHUNK, times), empty, symbols, count, True)
        progress()
    pushed = CompiledPushed(1)
    pushed.push(Intervals(symbols[0, :count], symbols[1, :count]))
    return pushed.to_bytes()[0]


def decode_tile(shape: tuple[int, int], profile: int, payload: bytes, progress: Progress) -> NDArray[np.int64]:
    """Inverse of ``encode_tile``; ``shape`` (times, channels).

    Raises:
        FormatError: the payload holds more or other than its samples, as far as that shows.
    """
    (times, channels), how = shape, PROFILES[profile]
    f, m = make_filters(channels, times, how), _make_mixture(channels, how)
    stack, samples, shifts = _read_stack(payload), np.zeros(shape, np.int64), np.zeros(channels, np.int64)
    for start in range(0, times, CHUNK):
        none = np.zeros((2, 1), np.uint32)
        if _code(f, how, m, samples, shifts, start, min(start + CHUNK, times), stack, none, 0, False) < 0:
            raise FormatError("a payload has samples of more than 24 bits: the file is damaged", section="payload")
        progress()
    if stack.state.any():
        raise FormatError("a payload holds more than its samples: the file is damaged", section="payload")
    return samples
