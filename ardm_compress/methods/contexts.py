"""Small tiles of few colours, by mixing predictions from several contexts. NumPy; Numba when it codes.

Bit by bit, from each sample's most significant one: every context has an adaptive probability of its own, a small
network trained on the way mixes their logarithmic odds, and a binary arithmetic coder takes the result. For small
tiles only: what tells contexts apart is kept. docs/format.md section 15.4 is normative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.errors import FormatError
from ardm_compress.methods import Method, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PIXELS: Final = 1 << 14
MOST_COLOURS: Final = 256


def encode(samples: NDArray[Any], depth: int) -> bytes | None:
    """Encode samples (rows, columns, channels) of up to 8 bits; None if they are too many, or of too many colours."""
    rows, columns, channels = samples.shape
    if rows * columns > MOST_PIXELS or depth > 8:
        return None
    from ardm_compress.coding.mixing import Coder, code_palette, code_plane

    if channels == 1:
        coder = Coder(rows * columns * depth)
        code_plane(coder, samples[..., 0], depth)
        return coder.finish()
    colours, index = np.unique(samples.reshape(-1, channels), axis=0, return_inverse=True)
    if len(colours) > MOST_COLOURS:
        return None
    coder = Coder(8 * (colours.size + index.size))
    code_palette(coder, colours)
    code_plane(coder, index.reshape(rows, columns), (len(colours) - 1).bit_length())
    return bytes([len(colours) - 1]) + coder.finish()


class Contexts(Method):
    """See ``Method``."""

    def decode(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any]:
        """See ``Method``."""
        rows, columns, channels = shape
        if rows * columns > MOST_PIXELS or depth > 8 or (channels > 1 and not body):
            raise FormatError("a tile is coded in a way that is not for its size", section="payload")
        from ardm_compress.coding.mixing import Coder, code_palette, code_plane

        coder, unknown = Coder(data=body[channels > 1 :]), np.zeros((rows, columns), np.uint8)
        if channels == 1:
            found = code_plane(coder, unknown, depth)[..., None]
        else:
            colours = code_palette(coder, np.zeros((body[0] + 1, channels), np.uint8))
            index = code_plane(coder, unknown, body[0].bit_length())
            if index.max() > body[0]:
                raise FormatError("a tile has a colour that it does not define", section="payload")
            found = colours[index]
        if not coder.used_up:
            raise FormatError("a tile is followed by something", section="payload")
        return found


METHOD = Contexts()
