"""Upscaling: a value is coded as a few digits, coarse to fine, from one distribution over the values.

Stage s = 1..S codes which child interval of its parent interval a value lies in. Stage 0 has one interval, all values;
at stage S an interval is a value. Intervals of a stage have equal width and are numbered from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
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

    @cached_property
    def splits(self) -> tuple[tuple[int, int], ...]:
        """Width and children of every stage that has a digit, coarsest first."""
        return tuple((self.width(stage), self.children(stage)) for stage in range(1, self.stages() + 1))


def _check_stage(stage: int, lowest: int, highest: int) -> None:
    if not lowest <= stage <= highest:
        raise ValueError(f"stage must be in {lowest}..{highest}, got {stage}")
