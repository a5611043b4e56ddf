"""Photographs -> 32x32 pictures: box-filtered reductions, whole or in pieces. Imports NumPy and Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
# Reductions to train on with their shares: 16 shows a whole photograph of 512x512, 4 one piece in sixteen of it.
SHARES = {16: 0.3, 12: 0.2, 10: 0.15, 8: 0.2, 6: 0.1, 4: 0.05}


def reduced(file: Path, factor: int) -> NDArray[np.uint8]:
    """Average every factor x factor pixels of a photograph, (rows, columns, 3); cut incomplete boxes off."""
    with Image.open(file) as image:
        whole = image.convert("RGB")
    width, height = whole.width // factor * factor, whole.height // factor * factor
    return np.asarray(whole.crop((0, 0, width, height)).reduce(factor))


def pieces(files: list[Path], factor: int) -> NDArray[np.uint8]:
    """All whole 32x32 pieces, side by side around the middle, of photographs reduced by a factor, (n, 32, 32, 3)."""
    found = []
    for file in files:
        picture = reduced(file, factor)
        rows, columns = (size // SIDE for size in picture.shape[:2])
        top, left = (size % SIDE // 2 for size in picture.shape[:2])
        inner = picture[top : top + rows * SIDE, left : left + columns * SIDE]
        found.append(inner.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3))
    return np.concatenate(found)


class Pictures:
    """Random 32x32 windows of the training photographs' reductions, turned and mirrored."""

    def __init__(self, files: list[Path]) -> None:
        self._reduced = {
            factor: [p for p in (reduced(file, factor) for file in files) if min(p.shape[:2]) >= SIDE]
            for factor in SHARES
        }
        self._factors = [factor for factor in SHARES if self._reduced[factor]]
        shares = np.array([SHARES[factor] for factor in self._factors])
        self._shares = shares / shares.sum()

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """(count, 32, 32, 3)."""
        return np.stack([self._window(factor, rng) for factor in rng.choice(self._factors, count, p=self._shares)])

    def _window(self, factor: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        pictures = self._reduced[factor]
        picture = pictures[rng.integers(len(pictures))]
        top, left = (rng.integers(size - SIDE + 1) for size in picture.shape[:2])
        window = picture[top : top + SIDE, left : left + SIDE]
        if rng.random() < 0.5:
            window = window.swapaxes(0, 1)
        return window[:: rng.choice([1, -1]), :: rng.choice([1, -1])]
