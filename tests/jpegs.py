"""JPEG files to test with."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

SHAPES = {"gray": (21, 45), "rgb": (40, 33), "cmyk": (18, 19)}
MODES = {"gray": "L", "rgb": "RGB", "cmyk": "CMYK"}


def picture(mode: str, seed: int = 0) -> Image.Image:
    """A smooth picture with some noise."""
    rows, columns = SHAPES[mode]
    y, x = np.mgrid[:rows, :columns]
    channels = len(Image.new(MODES[mode], (1, 1)).getbands())
    noise = np.random.default_rng(seed).normal(0, 12, (rows, columns, channels))
    samples = (5 * y[..., None] + 3 * x[..., None] + 40 * np.arange(channels) + noise) % 256
    return Image.fromarray(samples.astype(np.uint8).squeeze(), MODES[mode])


def jpeg(mode: str = "rgb", **options: Any) -> bytes:
    out = io.BytesIO()
    picture(mode).save(out, "JPEG", **options)
    return out.getvalue()
