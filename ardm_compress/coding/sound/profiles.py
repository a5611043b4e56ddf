"""Choose the profile of the filters that learn, by coding parts of a recording with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.coding.sound.adaptive import encode_tile
from ardm_compress.coding.sound.filters import FIRST_WRITTEN, PROFILES
from ardm_compress.computing import mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.formats.contents import Samples

PART_FRAMES: Final = 1 << 14
PARTS: Final = 2
CHANNELS: Final = 2  # that are tried


def _ignored() -> None:
    """Take no notice of progress."""


def choose_profile(samples: Samples, *, quickly: bool) -> int:
    """Return the number of the profile that makes parts of samples (frames, channels) smallest, or of the quickest."""
    if quickly:
        return FIRST_WRITTEN
    last = max(0, samples.shape[0] - PART_FRAMES)
    starts = sorted({last * (2 * place + 1) // (2 * PARTS) for place in range(PARTS)})
    parts: list[NDArray[np.integer[Any]]] = [samples[start : start + PART_FRAMES] for start in starts]
    tried = [np.ascontiguousarray(part[:, :CHANNELS], np.int64) for part in parts]

    def size(profile: int) -> int:
        return sum(len(encode_tile(part, profile, _ignored)) for part in tried)

    written = range(FIRST_WRITTEN, len(PROFILES))
    return min(zip(mapped(size, written), written, strict=True))[1]
