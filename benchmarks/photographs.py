"""Folders of photographs, and the middles of those that are large enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ardm_compress.formats.catalogue import read_picture
from ardm_compress.training.data import IMAGE_SUFFIXES


def images(folder: Path) -> list[Path]:
    """List the image files of a folder, by name."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def middles(files: list[Path], side: int) -> list[NDArray[np.uint8]]:
    """Crop the middles of files that are large enough, (side, side, 3)."""
    found = []
    for file in files:
        picture = read_picture(file.read_bytes()).samples
        top, left = ((size - side) // 2 for size in picture.shape[:2])
        if min(top, left) >= 0:
            found.append(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return found
