"""What adapts to a text: contexts, a match and a trained table, mixed bit by bit. Numba, NumPy; all in integers.

docs/format.md section 17 is normative.

Source: Mahoney 2005, Adaptive weighing of context models for lossless data compression (PAQ6 to lpaq1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.coding.ans import peek, pop
from ardm_compress.coding.text.hashing import CONTEXTS, WORD, hash_contexts, next_words, nibble_hash, spread, u32, u64
from ardm_compress.computing import compiled, inlined

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE: Final = 16  # slots of a context's half of a byte: 15 nodes, and the check in the first
ONE: Final = 1 << 24  # what frequencies add up to
MOST_LINE_BITS: Final = 18  # of a context
ODDS: Final = 2047  # largest logarithmic odds, in 256ths
SLOT_LIMIT: Final = 255  # observations from which a context no longer slows down
MAP_LIMIT: Final = 1023  # the same of maps
SEEN_CLASSES: Final = 12  # classes of how often a context was seen
ODDS_CLASSES: Final = 32
MATCH_BYTES: Final = 6  # that must agree
MATCH_CLASSES: Final = 32
INPUTS: Final = 23  # of a mixer
PLACES: Final = 24  # classes of how much is known
SETS: Final = 3
RATE: Final = 7  # of the mixers
FINAL_RATE: Final = 2  # of the one that mixes them
WEIGHT_LIMIT: Final = 1 << 24  # of a weight in 65536ths


class Pretrained(NamedTuple):
    """What a model file has, and what every tile starts from."""

    stretch: NDArray[np.int32]  # (4096,) logarithmic odds of a probability in 4096ths
    squash: NDArray[np.int32]  # (4096,) probability in 65536ths of logarithmic odds + 2048
    table: NDArray[np.int8]  # weights of all contexts, one after another, in 16ths of a nat
    sizes: NDArray[np.int64]  # (CONTEXTS,) log2 of how many each has
    starts: NDArray[np.int64]  # (CONTEXTS,) where they begin


class Learned(NamedTuple):
    """What is learned from text to text, and goes on being learned."""

    maps: NDArray[np.uint32]  # (CONTEXTS, SEEN_CLASSES, ODDS_CLASSES) probabilities of what slots say
    match_map: NDArray[np.uint32]  # (MATCH_CLASSES,) that a match's bit is right
    weights: tuple[NDArray[np.int32], ...]  # of the mixers' inputs: by place, by the bits before, by the byte before
    final: NDArray[np.int32]  # (PLACES, SETS)


class State(NamedTuple):
    """What is learned from this text only."""

    lines: NDArray[np.uint32]  # (CONTEXTS, lines, LINE)
    first: NDArray[np.uint32]  # (256,) slots of order 0
    matches: NDArray[np.int64]  # places by hash
    past: NDArray[np.uint64]  # (1,) the last 8 bytes
    words: NDArray[np.uint32]  # (2,) hashes of the word so far, and of the one before
    match: NDArray[np.int64]  # (2,) where the byte is that a match foretells, and how many before it agree


def new_state(size: int) -> State:
    """Make what knows nothing of a text of so many bytes."""
    bits = min(max(4, size.bit_length()), MOST_LINE_BITS)
    return State(
        np.zeros((CONTEXTS, 1 << bits, LINE), np.uint32), np.full(256, 1 << 31, np.uint32),
        np.zeros(1 << min(max(6, size.bit_length()), 20), np.int64), np.zeros(1, np.uint64),
        np.zeros(2, np.uint32), np.zeros(2, np.int64),
    )  # fmt: skip


SEEN_FROM: Final = (1, 2, 3, 4, 5, 7, 9, 12, 20, 44, 144)  # observations from which a class begins
SEEN_CLASS: Final = np.searchsorted(SEEN_FROM, np.arange(1024), side="right")
RECIPROCAL: Final = np.array([65536 * 2 // (2 * n + 3) for n in range(1024)])
TRUST: Final = np.array([256 * n // (n + 2) for n in range(1024)])


@inlined
def learn_slot(slot: Any, bit: Any, limit: Any) -> Any:
    """Return a slot, 22 bits of probability and 10 of how often it was seen, that has seen another bit."""
    seen, chance = np.int64(slot & u32(1023)), np.int64(slot >> u32(10))
    chance += (((bit << 22) - bit) - chance) * RECIPROCAL[seen] >> 16
    if seen < limit:
        seen += 1
    return u32(chance << 10 | seen)


@compiled
def find_line(lines: Any, k: int, found: Any) -> Any:
    """Return where a context's line is, or take the place of one that was seen less often."""
    last = lines.shape[1] - 1
    check = u32(found & u32(0x3FFF)) + u32(1)
    at = np.int64(found >> u32(14)) & last
    if lines[k, at, 0] == check:
        return at
    other = at ^ 1
    if lines[k, other, 0] == check:
        return other
    if (lines[k, other, 1] & u32(1023)) < (lines[k, at, 1] & u32(1023)):
        at = other
    lines[k, at, 0] = check
    for j in range(1, LINE):
        lines[k, at, j] = u32(1 << 31)
    return at


class Room(NamedTuple):
    """Room for what a byte needs."""

    contexts: NDArray[np.uint32]
    at: NDArray[np.int64]
    cells: NDArray[np.int64]
    inputs: NDArray[np.int32]
    classes: NDArray[np.int64]
    odds: NDArray[np.int64]


def new_room() -> Room:
    """Make it."""
    return Room(
        np.zeros(CONTEXTS, np.uint32), np.zeros(CONTEXTS, np.int64), np.zeros(CONTEXTS, np.int64),
        np.zeros(INPUTS, np.int32), np.zeros(CONTEXTS, np.int64), np.zeros(SETS, np.int64),
    )  # fmt: skip


@compiled
def code_byte(
    data: Any, at: int, pre: Any, learned: Any, state: Any, room: Any, stack: Any, symbols: Any, decoding: bool
) -> None:  # fmt: skip
    """Code a byte of a text: pop it off the stack, or write its symbols, each as its bit below the size for a 1."""
    x, stretch, squash = room.inputs, pre.stretch, pre.squash
    byte = np.int64(data[at])
    past, word, last = state.past[0], state.words[0], state.words[1]
    hash_contexts(past, word, last, room.contexts)
    before = np.int64(past & u64(255))
    place_class = 0
    while at >> place_class:
        place_class += 1
    expected, length = np.int64(-1), state.match[1]
    if length:
        expected = np.int64(data[state.match[0]]) | 256
    length_class = min(length, 15) if length < 16 else min(16 + (length - 16) // 4, MATCH_CLASSES - 1)
    whole, node = 1, 1
    x[INPUTS - 1] = 256
    for place in range(7, -1, -1):
        if place == 7 or place == 3:
            prefix = u32(0) if place == 7 else u32(whole)
            for k in range(CONTEXTS):
                found = nibble_hash(room.contexts[k], prefix)
                room.at[k] = find_line(state.lines, k, found)
                room.cells[k] = pre.starts[k] + (np.int64(found >> u32(36 - pre.sizes[k])) << 4)
            node = 1
        low = high = words = 0
        for k in range(CONTEXTS):
            slot = state.lines[k, room.at[k], node]
            seen = np.int64(slot & u32(1023))
            if seen:
                odds = stretch[slot >> u32(20)]
                chosen = SEEN_CLASS[seen] * ODDS_CLASSES + ((odds + 2048) >> 7)
                room.classes[k] = chosen
                x[2 * k] = stretch[learned.maps[k, chosen] >> u32(20)]
                x[2 * k + 1] = odds * TRUST[seen] >> 8
            else:
                room.classes[k] = -1
                x[2 * k] = x[2 * k + 1] = 0
            weight = np.int64(pre.table[room.cells[k] + node])
            if k < 3:
                low += weight
            elif k < 6:
                high += weight
            else:
                words += weight
        x[16] = stretch[state.first[whole] >> u32(20)]
        x[17] = min(max(low * 16, -ODDS), ODDS)
        x[18] = min(max(high * 16, -ODDS), ODDS)
        x[19] = min(max(words * 16, -ODDS), ODDS)
        total = min(max((low + high + words) * 16, -ODDS), ODDS)
        x[20] = squash[total + 2048] - 32768 >> 4
        foretold = np.int64(-1)
        if expected >= 0 and (expected >> (place + 1)) == whole:
            foretold = (expected >> place) & 1
            odds = stretch[learned.match_map[length_class] >> u32(20)]
            x[21] = odds if foretold else -odds
        else:
            x[21] = 0
        sets = (place_class, whole, before)
        final_total = np.int64(0)
        for m in range(SETS):
            weights = learned.weights[m][sets[m]]
            dot = np.int64(0)
            for j in range(INPUTS):
                dot += np.int64(weights[j]) * np.int64(x[j])
            room.odds[m] = min(max(dot >> 16, -ODDS), ODDS)
            final_total += room.odds[m] * learned.final[place_class, m]
        mixed = min(max(final_total >> 16, -ODDS), ODDS)
        chance = np.int64(squash[mixed + 2048])
        size = chance << 8
        if decoding:
            bit = np.int64(peek(stack) < size)
            pop(stack, 0 if bit else size, size if bit else ONE - size)
        else:
            bit = (byte >> place) & 1
            symbols[8 * at + 7 - place] = size << 1 | bit
        error = (bit << 16) - chance
        for m in range(SETS):
            weight = learned.final[place_class, m] + (room.odds[m] * error * FINAL_RATE + (1 << 19) >> 20)
            learned.final[place_class, m] = min(max(weight, -WEIGHT_LIMIT), WEIGHT_LIMIT)
            own = ((bit << 16) - np.int64(squash[room.odds[m] + 2048])) * RATE
            weights = learned.weights[m][sets[m]]
            for j in range(INPUTS):
                weight = weights[j] + (x[j] * own + (1 << 19) >> 20)
                weights[j] = min(max(weight, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        for k in range(CONTEXTS):
            slot = state.lines[k, room.at[k], node]
            state.lines[k, room.at[k], node] = learn_slot(slot, bit, SLOT_LIMIT)
            if room.classes[k] >= 0:
                learned.maps[k, room.classes[k]] = learn_slot(learned.maps[k, room.classes[k]], bit, MAP_LIMIT)
        state.first[whole] = learn_slot(state.first[whole], bit, SLOT_LIMIT)
        if foretold >= 0:
            right_one = np.int64(foretold == bit)
            learned.match_map[length_class] = learn_slot(learned.match_map[length_class], right_one, MAP_LIMIT)
        whole = 2 * whole + bit
        node = 2 * node + bit
    byte = whole & 255
    data[at] = byte
    past = (past << u64(8)) | u64(byte)
    state.past[0] = past
    state.words[0], state.words[1] = next_words(word, last, byte)
    if length and data[state.match[0]] == byte:
        state.match[0] += 1
        state.match[1] += 1
    else:
        state.match[1] = 0
    own = spread((past & u64(0xFFFFFFFF)) + ((past >> u64(32)) & u64(0xFFFF)) * u64(WORD))
    slot_at = np.int64(own >> u32(8)) & (len(state.matches) - 1)
    if state.match[1] == 0:
        found_at = state.matches[slot_at]
        if found_at:
            length = 0
            reach = min(48, min(found_at, at + 1))
            while length < reach and data[found_at - 1 - length] == data[at - length]:
                length += 1
            if length >= MATCH_BYTES:
                state.match[0], state.match[1] = found_at, length
    state.matches[slot_at] = at + 1


@compiled
def code_bytes(
    data: Any, start: int, stop: int, pre: Any, learned: Any, state: Any, room: Any, stack: Any, symbols: Any,
    decoding: bool,
) -> None:  # fmt: skip
    """Code some bytes of a text."""
    for at in range(start, stop):
        code_byte(data, at, pre, learned, state, room, stack, symbols, decoding)
