"""Upscaling: a value is coded as a few digits, coarse to fine, from one distribution over the values. NumPy only.

Stage s = 1..S codes which child interval of its parent interval a value lies in. Stage 0 has one interval, all values;
at stage S an interval is a value. Intervals of a stage have equal width and are numbered from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Upscaling:
    """Digits of ``branching`` children each; ``branching >= values`` is one stage, the plain OA-ARDM.

    If the bits of a value are no multiple of a digit's, the first stage has fewer children, so that the widths (hence
    the table look-ups) of the later stages do not depend on the bit depth: 2**5 values by 16 are 2, then 16 children.

    Raises:
        ValueError: values or branching is no power of two of at least 2.

    Source: Hoogeboom et al. 2022, sections 3.2 and 4, with the distribution parametrised by that of the finest values.
    """

    values: int  # size of the alphabet, a power of two: 2**8 for 8-bit samples
    branching: int  # most children of an interval, a power of two: 2 codes bit by bit

    def __post_init__(self) -> None:
        for name, number in (("values", self.values), ("branching", self.branching)):
            if number < 2 or number & (number - 1):
                raise ValueError(f"{name} must be a power of two of at least 2, got {number}")

    def stages(self) -> int:
        """Count the stages, which are the digits of a value."""
        return -(-(self.values.bit_length() - 1) // (self.branching.bit_length() - 1))

    def width(self, stage: int) -> int:
        """Values in an interval of ``stage``, 0..S: ``values`` at stage 0, 1 at stage S.

        Raises:
            ValueError: stage outside 0..S.
        """
        _check_stage(stage, 0, self.stages())
        return self.branching ** (self.stages() - stage) if stage else self.values

    def children(self, stage: int) -> int:
        """Digits that ``stage``, 1..S, chooses from.

        Raises:
            ValueError: stage outside 1..S.
        """
        _check_stage(stage, 1, self.stages())
        return self.width(stage - 1) // self.width(stage)

    def digits(self, x: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Child index of every value at every stage, coarsest first.

        Args:
            x: values, any shape, each in 0..values - 1.

        Returns:
            Shape ``(S,) + x.shape``; ``digits[s - 1]`` is in 0..children(s) - 1.

        Raises:
            ValueError: a value is outside 0..values - 1.
        """
        if x.size and (int(x.min()) < 0 or int(x.max()) >= self.values):
            raise ValueError(f"values must be in 0..{self.values - 1}, got {x.min()}..{x.max()}")
        wide = x.astype(np.int64)
        return np.stack([wide // self.width(s) % self.children(s) for s in self._coded()])

    def _coded(self) -> range:
        """List the stages that have a digit, coarsest first."""
        return range(1, self.stages() + 1)


def _check_stage(stage: int, lowest: int, highest: int) -> None:
    if not lowest <= stage <= highest:
        raise ValueError(f"stage must be in {lowest}..{highest}, got {stage}")
