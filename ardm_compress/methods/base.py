"""What a way to code tiles must offer; docs/format.md section 15.2 names them by a stream's first byte. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.formats.contents import DEPTHS, sample_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape: TypeAlias = tuple[int, int, int]  # rows, columns, channels


class Method:
    """A way to code a tile as the body of a stream, which is what follows the first byte."""

    depths: tuple[int, ...] = DEPTHS  # bits of the samples, and
    channels: tuple[int, ...] = (1, 2, 3, 4)  # of the tiles for which the format defines it

    def decode(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any]:
        """Decode a tile: samples (rows, columns, channels).

        Raises:
            FormatError: the body is damaged, or not of such samples; LimitError, UnsupportedError: see ``codec``.
        """
        raise NotImplementedError

    def decode_tiles(self, bodies: Sequence[bytes], shape: Shape, depth: int) -> list[NDArray[Any]]:
        """Decode tiles of one shape, which the model does in lockstep."""
        return [self.decode(body, shape, depth) for body in bodies]

    def salvage(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any] | None:
        """Decode what a body still holds that may be damaged or cut short; None if that is nothing."""
        try:
            return self.decode(body, shape, depth)
        except (FormatError, UnsupportedError, LimitError):
            return None


def check_shape(found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise FormatError unless a tile has the sides, or the sides and channels, that its file says."""
    if found != shape:
        raise FormatError("a tile has other sides than its file says", section="payload")


def check_depth(samples: NDArray[Any], depth: int) -> None:
    """Raise FormatError unless samples are of ``depth`` bits, in the type of array that holds these."""
    if samples.dtype != sample_type(depth) or int(samples.max(initial=0)) >> depth:
        raise FormatError("a tile has other samples than its file says", section="payload")
