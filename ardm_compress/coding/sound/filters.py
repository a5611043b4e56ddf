"""Predict samples by filters that learn from them while they are coded (docs/format.md section 13.9).

Every operation is one of IEEE binary64, in a fixed order. Numba compiles without ``fastmath``: nothing is reordered
or fused, and sums that are to be fast are taken in eight lanes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.computing import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN: Final = 32  # inputs of least squares from the channel's own past
OTHERS: Final = 32  # and from other channels, its partners, together
SHORT_OWN: Final = 16  # of these, what short least squares see
SHORT_OTHERS: Final = 8  # of the first partner
WIDE_OTHERS: Final = 16  # inputs of wide least squares from other channels, together
HISTORY: Final = 112  # times before the first, of the most inputs of a kind
PARTNERS: Final = 2  # at most
SOLUTIONS: Final = 3  # of least squares: long, short and agile, short with the sums of the long one
FIRST_SOLVED: Final = 64  # times solved one by one at the start
SOLVE_TIMES: Final = 8
RESCALE_TIMES: Final = 512
RIDGE: Final = 0.01
SMALL: Final = 2.0**-100  # sums below this become 0, so that none is ever subnormal
LARGEST_PREDICTION: Final = 2.0**26
MIX_RATE: Final = 0.003
CENTRES: Final = 4  # predictions kept: mixed, cascade's, agile, long; and wide with what follows it


class Wide(NamedTuple):
    """Settings of least squares of many inputs and long memory, which have filters in series of their own."""

    own: int = 0  # inputs from the channel's own past, a multiple of 8; 0: there are no such least squares
    stages: int = 0  # the last ones in series take what wide least squares leave
    forget: float = 0.5
    solve_times: int = 1


class Profile(NamedTuple):
    """Settings of the filters."""

    taps: NDArray[np.int64]  # (stages,) of the filters in series, multiples of 8
    rates: NDArray[np.float64]  # (stages,)
    forget: float  # of long least squares
    agile_forget: float
    wide: Wide
    memory: float  # of the weights of the distributions
    counts_zeros: bool  # low bits that are 0 in a whole tile are left out

    @property
    def centres(self) -> int:
        """Number of predictions kept."""
        return CENTRES + (self.wide.own > 0)


_NOT_WIDE: Final = Wide()


def _profile(
    *stages: tuple[int, float], forget: float, agile_forget: float, wide: Wide = _NOT_WIDE, memory: float = 0.995,
    counts_zeros: bool = True,
) -> Profile:  # fmt: skip
    taps, rates = zip(*stages, strict=True)
    both = np.array(taps, np.int64), np.array(rates, np.float64)
    return Profile(*both, forget, agile_forget, wide, memory, counts_zeros)


_SPEECH: Final = (256, 0.2), (32, 0.2), (16, 0.1)
_MUSIC: Final = (1024, 0.01), (256, 0.05), (32, 0.06), (16, 0.06)
_LOUD: Final = (1024, 0.03), (512, 0.01), (256, 0.05), (32, 0.06), (16, 0.06), (256, 0.02), (32, 0.02)

PROFILES: Final = (
    # as first written; files keep them
    _profile(*_SPEECH, forget=0.996, agile_forget=0.98, counts_zeros=False),
    _profile(*_MUSIC, forget=0.998, agile_forget=0.99, counts_zeros=False),
    _profile(*_MUSIC, forget=0.9995, agile_forget=0.998, counts_zeros=False),
    _profile(*_SPEECH, forget=0.996, agile_forget=0.98, wide=Wide(32, 0, 0.9995, 8)),  # speech
    _profile(*_LOUD, forget=0.998, agile_forget=0.99, wide=Wide(112, 2, 0.9998, 64), memory=0.998),  # music
    _profile(*_LOUD, forget=0.9995, agile_forget=0.998, wide=Wide(112, 2, 0.99995, 64), memory=0.998),  # steady noise
)
FIRST_WRITTEN: Final = 3  # number of the first profile that the encoder writes


class Filters(NamedTuple):
    """What is known and learnt of a tile; the first axis of all is the channel."""

    known: NDArray[np.float64]  # (channels, HISTORY + times): samples behind HISTORY zeros
    partners: NDArray[np.int64]  # (channels, 0..PARTNERS)
    inputs: NDArray[np.float64]  # (channels, n) of least squares, those of the short ones first
    sums: NDArray[np.float64]  # (channels, n + 1, n): products of inputs, weighted; last, of inputs and samples
    agile_sums: NDArray[np.float64]  # (channels, short + 1, short)
    solutions: NDArray[np.float64]  # (channels, SOLUTIONS, n)
    wide_inputs: NDArray[np.float64]  # (channels, wide): own, then partners'
    wide_sums: NDArray[np.float64]  # (channels, wide + 1, wide)
    wide_solution: NDArray[np.float64]  # (channels, wide)
    sizes: NDArray[np.float64]  # (channels, 6): errors of long, agile, wide; by what their new products are to grow
    weights: NDArray[np.float64]  # (channels, stages, most taps)
    past: NDArray[np.float64]  # (channels, stages, 2 * most taps): what a stage was given, latest first
    begins: NDArray[np.int64]  # (channels, stages): where that begins
    parts: NDArray[np.float64]  # (channels, stages + 2 or 3): what is mixed
    mix: NDArray[np.float64]  # (channels, 4, stages + 2 or 3): two mixers, and how large their gradients were
    centres: NDArray[np.float64]  # (channels, centres)
    work: NDArray[np.float64]  # (most inputs + 1, most inputs)
    emphasis: NDArray[np.float64]  # (stages, most taps): what past counts in a stage's energy


def make_filters(channels: int, times: int, profile: Profile) -> Filters:
    """Return filters that know nothing yet."""
    others = min(channels - 1, PARTNERS)
    n, short = OWN + OTHERS * (others > 0), SHORT_OWN + SHORT_OTHERS * (others > 0)
    stages, most = len(profile.taps), int(profile.taps.max())
    zeros = np.zeros
    wide = profile.wide.own and profile.wide.own + WIDE_OTHERS * (others > 0)
    parts, largest = stages + 2 + (wide > 0), max(n, wide)
    mix, emphasis = zeros((channels, 4, parts)), zeros((stages, most))
    mix[:, :2, : stages - profile.wide.stages] = 1
    for stage, taps in enumerate(profile.taps):
        falling, total = 4 / (4 + np.arange(taps)), 0.0
        for value in falling:
            total += float(value)
        emphasis[stage, :taps] = falling * (float(taps) / total)
    partners = [[(channel - 1 - i) % channels for i in range(others)] for channel in range(channels)]
    return Filters(
        known=zeros((channels, HISTORY + times)), partners=np.array(partners, np.int64).reshape(channels, others),
        inputs=zeros((channels, n)), sums=zeros((channels, n + 1, n)), agile_sums=zeros((channels, short + 1, short)),
        solutions=zeros((channels, SOLUTIONS, n)), wide_inputs=zeros((channels, wide)),
        wide_sums=zeros((channels, wide + 1, wide)), wide_solution=zeros((channels, wide)),
        sizes=np.ones((channels, 6)), weights=zeros((channels, stages, most)),
        past=zeros((channels, stages, 2 * most)), begins=np.tile(profile.taps, (channels, 1)),
        parts=zeros((channels, parts)), mix=mix,
        centres=zeros((channels, profile.centres)), work=zeros((largest + 1, largest)), emphasis=emphasis,
    )  # fmt: skip


# Numba looks for negative indices unless they are unsigned, and then does not vectorise
_U: Final = np.uint64
_0, _1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(i) for i in range(9))


@compiled
def _product(a: Any, b: Any, n: int) -> float:
    """Return the sum of a[i] b[i] over n places, a multiple of 8, in eight lanes."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for i in range(_0, _U(n), _8):
        s0 += a[i] * b[i]
        s1 += a[i + _1] * b[i + _1]
        s2 += a[i + _2] * b[i + _2]
        s3 += a[i + _3] * b[i + _3]
        s4 += a[i + _4] * b[i + _4]
        s5 += a[i + _5] * b[i + _5]
        s6 += a[i + _6] * b[i + _6]
        s7 += a[i + _7] * b[i + _7]
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


@compiled
def _energy(a: Any, emphasis: Any, n: int) -> float:
    """Return the sum of emphasis[i] a[i]^2, as ``_product`` takes it."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for i in range(_0, _U(n), _8):
        s0 += emphasis[i] * (a[i] * a[i])
        s1 += emphasis[i + _1] * (a[i + _1] * a[i + _1])
        s2 += emphasis[i + _2] * (a[i + _2] * a[i + _2])
        s3 += emphasis[i + _3] * (a[i + _3] * a[i + _3])
        s4 += emphasis[i + _4] * (a[i + _4] * a[i + _4])
        s5 += emphasis[i + _5] * (a[i + _5] * a[i + _5])
        s6 += emphasis[i + _6] * (a[i + _6] * a[i + _6])
        s7 += emphasis[i + _7] * (a[i + _7] * a[i + _7])
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


@compiled
def _solve(u: Any, ridge: float, n: int, solution: Any) -> None:
    """Solve a system, unless it is not positive; ``solution`` stays then.

    Four rows at a time: each element still has one row after the other taken from it.

    Args:
        u: (n + 1, n), the upper triangle, to whose diagonal ``ridge`` is added; last the right side. Overwritten.
        ridge: see there.
        n: a multiple of 4.
        solution: (n,).
    """
    right, end = u[n], _U(n)
    for i in range(0, n, 4):
        for p in range(i, i + 4):
            row = u[p]
            for q in range(i, p):
                other, f = u[q], u[q, p]
                for m in range(_U(i), end):
                    row[m] -= f * other[m]
                right[p] -= f * right[q]
            pivot = row[p] + ridge
            if not pivot > 0.5 * ridge:
                return
            scale = 1.0 / math.sqrt(pivot)
            for m in range(_U(i), end):
                row[m] *= scale
            right[p] *= scale
            row[p] = scale
        r0, r1, r2, r3 = u[i], u[i + 1], u[i + 2], u[i + 3]
        for j in range(i + 4, n):
            f0, f1, f2, f3, row = r0[j], r1[j], r2[j], r3[j], u[j]
            for m in range(_U(j & -4), end):
                row[m] = (((row[m] - f0 * r0[m]) - f1 * r1[m]) - f2 * r2[m]) - f3 * r3[m]
        f0, f1, f2, f3 = right[i], right[i + 1], right[i + 2], right[i + 3]
        for m in range(_U(i + 4), end):
            right[m] = (((right[m] - f0 * r0[m]) - f1 * r1[m]) - f2 * r2[m]) - f3 * r3[m]
    for i in range(n - 1, -1, -1):
        f = right[i] * u[i, i]
        right[i] = f
        for j in range(_0, _U(i)):
            right[j] -= u[j, i] * f
    for i in range(n):
        solution[i] = right[i]


@compiled
def _add_products(sums: Any, inputs: Any, gain: float, value: float, n: int) -> None:
    end = _U(n)
    for i in range(n):
        g, row = gain * inputs[i], sums[i]
        for j in range(_U(i & -8), end):
            row[j] += g * inputs[j]
    g, row = gain * value, sums[n]
    for j in range(_0, end):
        row[j] += g * inputs[j]


@compiled
def _rescale(sums: Any, growth: float) -> None:
    for i in range(sums.shape[0]):
        row = sums[i]
        for j in range(sums.shape[1]):
            less = row[j] / growth
            row[j] = less if abs(less) > SMALL else 0.0


@compiled
def _refresh(sums: Any, ridge: float, size: int, solution: Any, u: Any) -> None:
    """Solve for the first ``size`` inputs."""
    end = _U(size)
    for i in range(size + 1):
        row, to = sums[i if i < size else sums.shape[0] - 1], u[i]
        for j in range(_U(i & -4) if i < size else _0, end):
            to[j] = row[j]
    _solve(u, ridge, size, solution)


@compiled
def _gather(f: Filters, c: int, t: int) -> None:
    """Set the inputs of least squares: short own, short partner's, long own, long partners'."""
    inputs, own, now = f.inputs[c], f.known[c], HISTORY + t
    for i in range(SHORT_OWN):
        inputs[i] = own[now - 1 - i]
    short = f.agile_sums.shape[2]
    at = short - SHORT_OWN
    for i in range(SHORT_OWN, OWN):
        inputs[at + i] = own[now - 1 - i]
    at += OWN
    count = f.partners.shape[1]
    for number in range(count):
        e = f.partners[c, number]
        other, latest, first = f.known[e], now if e < c else now - 1, 0
        if number == 0:
            first = SHORT_OTHERS
            for i in range(SHORT_OTHERS):
                inputs[SHORT_OWN + i] = other[latest - i]
        for i in range(first, OTHERS // count):
            inputs[at] = other[latest - i]
            at += 1
    wide, at = f.wide_inputs[c], f.wide_inputs.shape[1]
    if at == 0:
        return
    at -= WIDE_OTHERS * (count > 0)
    for i in range(at):
        wide[i] = own[now - 1 - i]
    for number in range(count):
        e = f.partners[c, number]
        other, latest = f.known[e], now if e < c else now - 1
        for i in range(WIDE_OTHERS // count):
            wide[at] = other[latest - i]
            at += 1


@compiled
def _sane(prediction: float, otherwise: float) -> float:
    return prediction if abs(prediction) < LARGEST_PREDICTION else otherwise


@compiled
def predict(f: Filters, profile: Profile, c: int, t: int) -> None:
    """Set the centres of channel c at time t; the channels before it are known at t."""
    _gather(f, c, t)
    inputs, n, short = f.inputs[c], f.inputs.shape[1], f.agile_sums.shape[2]
    long = _sane(_product(f.solutions[c, 0], inputs, n), 0.0)
    agile = _sane(_product(f.solutions[c, 1], inputs, short), 0.0)
    steady = _sane(_product(f.solutions[c, 2], inputs, short), 0.0)
    stages, parts, mix, centres = len(profile.taps), f.parts[c], f.mix[c], f.centres[c]
    for s in range(stages):
        parts[s] = _product(f.weights[c, s], f.past[c, s, f.begins[c, s] :], profile.taps[s])
    narrow = stages - profile.wide.stages
    cascade = long
    for s in range(narrow):
        cascade += parts[s]
    parts[stages] = agile - long
    parts[stages + 1] = steady - long
    if profile.wide.own > 0:
        wide = _sane(_product(f.wide_solution[c], f.wide_inputs[c], f.wide_inputs.shape[1]), 0.0)
        parts[stages + 2] = wide - long
        for s in range(narrow, stages):
            wide += parts[s]
        centres[4] = _sane(wide, long)
    mixed = 0.0
    for s in range(len(parts)):
        mixed += (mix[0, s] + mix[1, s]) * parts[s]
    centres[0] = _sane(long + 0.5 * mixed, long)
    centres[1] = _sane(cascade, long)
    centres[2] = agile
    centres[3] = long


@compiled
def _learn_cascade(f: Filters, profile: Profile, c: int, rest: float, wide_rest: float) -> None:
    narrow = len(profile.taps) - profile.wide.stages
    for s in range(len(profile.taps)):
        if s == narrow:
            rest = wide_rest
        taps, begin, weights, past = profile.taps[s], f.begins[c, s], f.weights[c, s], f.past[c, s]
        given, part = past[begin:], f.parts[c, s]
        step = profile.rates[s] * (rest - part) / (_energy(given, f.emphasis[s], taps) + taps)
        for i in range(_0, _U(taps)):
            weights[i] += step * given[i]
        begin -= 1
        if begin < 0:
            for i in range(taps - 1):
                past[taps + 1 + i] = past[i]
            begin = taps
        past[begin] = rest
        f.begins[c, s] = begin
        rest -= part


@compiled
def _learn_mix(f: Filters, c: int, error: float) -> None:
    parts, mix = f.parts[c], f.mix[c]
    sign = 1.0 if error > 0 else (-1.0 if error < 0 else 0.0)
    for m in range(2):
        by = error if m == 0 else sign
        for s in range(len(parts)):
            slope = by * parts[s]
            size = (0.95 * mix[2 + m, s] + 0.05 * (slope * slope)) + 1e-9
            mix[2 + m, s] = size
            mix[m, s] += MIX_RATE * slope / (math.sqrt(size) + 1e-3)


@compiled
def learn(f: Filters, profile: Profile, c: int, t: int, value: float) -> None:
    """Let channel c be ``value`` at time t, at which it has been predicted."""
    f.known[c, HISTORY + t] = value
    inputs, n, short, sizes, centres = f.inputs[c], f.inputs.shape[1], f.agile_sums.shape[2], f.sizes[c], f.centres[c]
    sums, agile_sums, wide_sums, wide_n = f.sums[c], f.agile_sums[c], f.wide_sums[c], f.wide_inputs.shape[1]
    wide_rest = value - centres[3] - f.parts[c, len(profile.taps) + 2] if wide_n > 0 else 0.0
    _learn_mix(f, c, value - centres[0])
    _learn_cascade(f, profile, c, value - centres[3], wide_rest)
    sizes[0] = 0.8 * sizes[0] + 0.2 * (abs(value - centres[3]) + 2.0)
    sizes[1] = 0.8 * sizes[1] + 0.2 * (abs(value - centres[2]) + 2.0)
    _add_products(sums, inputs, sizes[3] / math.sqrt(sizes[0]), value, n)
    _add_products(agile_sums, inputs, sizes[4] / math.sqrt(sizes[1]), value, short)
    sizes[3] /= profile.forget
    sizes[4] /= profile.agile_forget
    if wide_n > 0:
        sizes[2] = 0.8 * sizes[2] + 0.2 * (abs(wide_rest) + 2.0)
        _add_products(wide_sums, f.wide_inputs[c], sizes[5] / math.sqrt(sizes[2]), value, wide_n)
        sizes[5] /= profile.wide.forget
    if (t + 1) % RESCALE_TIMES == 0:
        _rescale(sums, sizes[3])
        _rescale(agile_sums, sizes[4])
        _rescale(wide_sums, sizes[5])
        sizes[3] = sizes[4] = sizes[5] = 1.0
    if t < FIRST_SOLVED or t % SOLVE_TIMES == 0:
        ridge = RIDGE / (1.0 - profile.forget) * sizes[3]
        agile_ridge = RIDGE / (1.0 - profile.agile_forget) * sizes[4]
        _refresh(sums, ridge, n, f.solutions[c, 0], f.work)
        _refresh(agile_sums, agile_ridge, short, f.solutions[c, 1], f.work)
        _refresh(sums, ridge, short, f.solutions[c, 2], f.work)
    if wide_n > 0 and t % profile.wide.solve_times == 0:
        ridge = RIDGE / (1.0 - profile.wide.forget) * sizes[5]
        _refresh(wide_sums, ridge, wide_n, f.wide_solution[c], f.work)
