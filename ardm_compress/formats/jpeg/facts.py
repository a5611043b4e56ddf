"""What people want to know of a JPEG picture: its sampling and quality. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ardm_compress.formats.jpeg.markers import Frame, Picture

_STANDARD_SUM: Final = 3688  # of the steps of the luma table of ITU-T T.81, K.1


def sampling_of(frame: Frame) -> str:
    """Name the sampling as people do: 4:2:0 ..., or by the factors of all components, across and down."""
    factors = [(c.across, c.down) for c in frame.components]
    most = max(across for across, _ in factors), max(down for _, down in factors)
    names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
    if len(factors) == 1:
        return "4:0:0"
    if factors[0] == most and set(factors[1:]) == {(1, 1)} and most in names:
        return names[most]
    return ", ".join(f"{across}x{down}" for across, down in factors)


def quality_of(picture: Picture) -> int:
    """Find the quality, 1 to 100, at which libjpeg's luma table would have the same sum."""
    share = int(picture.steps_of(picture.frame.components[0]).sum()) / _STANDARD_SUM
    quality = 100 - 50 * share if share <= 1 else 50 / share
    return max(1, min(100, round(quality)))
