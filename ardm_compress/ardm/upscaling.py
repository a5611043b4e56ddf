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
        """Number of stages S, which is the number of digits of a value."""
        return -(-(self.values.bit_length() - 1) // (self.branching.bit_length() - 1))

    def width(self, stage: int) -> int:
        """Values in an interval of ``stage``, 0..S: ``values`` at stage 0, 1 at stage S.

        Raises:
            ValueError: stage outside 0..S.
        """
        _check_stage(stage, 0, self.stages())
        return self.branching ** (self.stages() - stage) if stage else self.values

    def intervals(self, stage: int) -> int:
        """Number of intervals of ``stage``, 0..S: 1 at stage 0, ``values`` at stage S.

        Raises:
            ValueError: stage outside 0..S.
        """
        return self.values // self.width(stage)

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

    def value(self, digits: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Inverse of :meth:`digits`.

        Args:
            digits: shape (S, ...).

        Returns:
            The values, shape (...).

        Raises:
            ValueError: the first axis does not have S entries.
        """
        if len(digits) != self.stages():
            raise ValueError(f"expected {self.stages()} digits, got {len(digits)}")
        widths = np.array([self.width(s) for s in self._coded()], np.int64)
        return np.tensordot(widths, digits.astype(np.int64), axes=1)

    def transition(self, stage: int) -> NDArray[np.float64]:
        """The paper's P^(s), ``x^(s-1) = P^(s) x^(s)`` for one-hot columns; for tests and small alphabets.

        Returns:
            (intervals(stage - 1), intervals(stage)): entry [p, c] is 1 where p is the parent of c. The paper keeps
            every stage's vectors as long as the finest; the unused rows and columns are left out here.

        Raises:
            ValueError: stage outside 1..S.
        """
        children = self.children(stage)
        return np.repeat(np.eye(self.intervals(stage - 1)), children, axis=1)

    def cumulative(self, stage: int) -> NDArray[np.float64]:
        r"""The paper's \bar{P}, from finest values to ``stage``, 0..S: ``P^(stage+1) ... P^(S)``, the identity at S.

        Returns:
            (intervals(stage), values): entry [i, x] is 1 where x lies in interval i.

        Raises:
            ValueError: stage outside 0..S.
        """
        return np.repeat(np.eye(self.intervals(stage)), self.width(stage), axis=1)

    def distribution(
        self, stage: int, parent_onehot: NDArray[np.float64], finest_probabilities: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        r"""The paper's theta^(s), proportional to ``P^(s)T x^(s-1) * \bar{P} f``: f restricted to the parent.

        Args:
            stage: 1..S.
            parent_onehot: (..., intervals(stage - 1)), the x^(s-1).
            finest_probabilities: (..., values), the network's f; need not be normalised.

        Returns:
            (..., intervals(stage)), summing to 1 along the last axis and 0 outside the parent's children.

        Raises:
            ValueError: stage outside 1..S, or f gives a parent no probability.
        """
        inside = parent_onehot @ self.transition(stage)
        theta = inside * (finest_probabilities @ self.cumulative(stage).T)
        total = theta.sum(axis=-1, keepdims=True)
        if not (total > 0).all():
            raise ValueError("a parent interval has no probability")
        return np.asarray(theta / total, np.float64)

    def _coded(self) -> range:
        """The stages that have a digit, coarsest first."""
        return range(1, self.stages() + 1)


def _check_stage(stage: int, lowest: int, highest: int) -> None:
    if not lowest <= stage <= highest:
        raise ValueError(f"stage must be in {lowest}..{highest}, got {stage}")
