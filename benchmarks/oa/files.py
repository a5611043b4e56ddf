"""Bytes of other coders' files of 32x32 pictures. Imports Pillow; runs optipng, cwebp and cjxl."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CODERS = {
    "PNG, optipng -o7": ["optipng", "-quiet", "-o7", "-strip", "all", "{source}", "-out", "{target}"],
    "WebP lossless -z 9": ["cwebp", "-quiet", "-lossless", "-exact", "-z", "9", "{source}", "-o", "{target}"],
    "JPEG XL -e 9": ["cjxl", "--quiet", "-d", "0", "-e", "9", "{source}", "{target}"],
}
SUFFIXES = {"cwebp": ".webp", "cjxl": ".jxl"}


def sizes(command: list[str], pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bytes of a coder's file of every picture (n, 32, 32, 3)."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.png"
        for number, picture in enumerate(pictures):
            target = Path(folder) / f"{number}{SUFFIXES.get(command[0], '.png')}"
            Image.fromarray(picture).save(source)
            line = [part.format(source=source, target=target) for part in command]
            subprocess.run(line, check=True, capture_output=True)
            found.append(target.stat().st_size)
    return np.array(found)


def installed() -> dict[str, list[str]]:
    """Those of CODERS that are on PATH."""
    return {name: command for name, command in CODERS.items() if shutil.which(command[0])}
