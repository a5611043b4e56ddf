"""What is known before a byte of a text, as hashes of contexts. Numba, NumPy.

docs/format.md section 17 is normative.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ardm_compress.computing import compiled, inlined

u32, u64 = np.uint32, np.uint64
CONTEXTS: Final = 8  # orders 1 to 6, the word so far, and that with the word before it
SPREAD: Final = u32(0x9E3779B1)
WORD: Final = u32(0x2F0B4C47)
NIBBLE: Final = u32(0x3D4D51CB)


@inlined
def next_words(word: Any, last: Any, byte: Any) -> Any:
    """Return the hashes of the word so far and of the one before, behind another byte; capitals are as small ones."""
    own = u32(byte)
    if u32(65) <= own and own <= u32(90):
        own += u32(32)
    if (u32(97) <= own and own <= u32(122)) or (u32(48) <= own and own <= u32(57)) or own >= u32(128):
        return u32((word + own) * WORD + u32(1)), last
    if word:
        return u32(0), word
    return word, last


@inlined
def spread(value: Any) -> Any:
    """Hash a number of up to 64 bits to one of 32."""
    value = u64(value)
    mixed = u64(u32((value ^ (value >> u64(15))) * u64(SPREAD)))
    return u32((mixed ^ (mixed >> u64(13))) * u64(WORD))


@compiled
def hash_contexts(past: Any, word: Any, last: Any, found: Any) -> None:
    """Write the hashes of the contexts behind 8 bytes, of which the last is the lowest: (CONTEXTS,) uint32."""
    four, far = u32(past & u64(0xFFFFFFFF)), u32(past >> u64(32))
    one = four & u32(255)
    found[0] = one
    found[1] = four & u32(0xFFFF)
    found[2] = four & u32(0xFFFFFF)
    found[3] = four
    found[4] = four + (far & u32(255)) * WORD
    found[5] = four + (far & u32(0xFFFF)) * WORD
    single = word if word else one
    found[6] = single
    found[7] = single + (last ^ (last >> u32(16))) * SPREAD
    for k in range(CONTEXTS):
        found[k] = spread(u64(found[k]) + u64(k) * u64(WORD))


@inlined
def nibble_hash(context: Any, prefix: Any) -> Any:
    """Return the hash of a context's half of a byte: ``prefix`` is 0 for the first, 16 and that one for the other."""
    return spread(u64(context) + u64(prefix) * u64(NIBBLE))
