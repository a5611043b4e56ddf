"""Kinds of picture that a model tells apart by a number in the file, and how training pictures are made into them.

Most photographs have been through a camera, a scanner or a JPEG file that kept colour at half resolution. Where its
samples lie is the same all over a picture but hard to see in a window, so the encoder tries the styles and the file
names one. Imports NumPy and Pillow.
"""

from __future__ import annotations

import io
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ardm_compress.ardm.tiles import CENTRED, COSITED, FULL_COLOUR

Pixels: TypeAlias = tuple[NDArray[np.uint8], int]  # (rows, columns, 3) and their style

STYLES = 4
SHARES = (0.5, 0.16, 0.18, 0.16)
NOISY = 0.07  # share of plain pictures with noise added, half of it the same in all channels
JPEG = 0.07  # share of plain pictures, and of those with colour between, that come from a JPEG file at their full size
QUALITIES = (75, 98)  # of those files


def developed(image: Image.Image, rng: np.random.Generator) -> Pixels:
    """Give an RGB image a random style; add noise to half of those with coarse colour; take some through JPEG.

    Its sides become even, or odd where colour lies on even positions, so that the mirror image is of the same style.
    """
    style = int(rng.choice(STYLES, p=SHARES))
    if style == FULL_COLOUR or min(image.size) < 4:
        return np.asarray(_worn(image, rng)), FULL_COLOUR
    width, height = (side - (side + (style == COSITED)) % 2 for side in image.size)
    noise = rng.normal(0, rng.choice([0, rng.uniform(0.5, 4)]), (height, width, 1))
    noisy = _added(image.crop((0, 0, width, height)), noise)
    if style == CENTRED and rng.random() < JPEG:
        return np.asarray(_from_jpeg(noisy, "4:2:0", rng)), style
    luma, *chroma = noisy.convert("YCbCr").split()
    coarse = [_coarse(band, style, rng) for band in chroma]
    return np.asarray(Image.merge("YCbCr", [luma, *coarse]).convert("RGB")), style


def _worn(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return an image as it is, with noise, or through a JPEG file of full colour."""
    kind = rng.random()
    if kind < NOISY:
        noise = rng.normal(0, rng.uniform(0.3, 3), (image.height, image.width, 4))
        return _added(image, noise[..., :3] + noise[..., 3:])
    return _from_jpeg(image, "4:4:4", rng) if kind < NOISY + JPEG else image


def _added(image: Image.Image, noise: NDArray[np.float64]) -> Image.Image:
    """Add noise (rows, columns, 1 or 3) to an image."""
    return Image.fromarray((np.asarray(image) + noise).round().clip(0, 255).astype(np.uint8))


def _from_jpeg(image: Image.Image, subsampling: str, rng: np.random.Generator) -> Image.Image:
    """Take an image through a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(*QUALITIES)), subsampling=subsampling)
    return Image.open(file).convert("RGB")


def _coarse(band: Image.Image, style: int, rng: np.random.Generator) -> Image.Image:
    """Reduce a band to half its resolution, and enlarge it again."""
    if style == COSITED:
        return _cosited(band)
    smooth = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC][rng.integers(2)]
    return band.reduce(2).resize(band.size, smooth if style == CENTRED else Image.Resampling.NEAREST)


def _cosited(band: Image.Image) -> Image.Image:
    """Every second sample of a band of odd sides, and the means of its neighbours between."""
    full = np.asarray(band).astype(np.float64)
    for axis in (0, 1):
        ends = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.moveaxis(np.pad(full, ends, mode="edge"), axis, 0)
        smooth = ((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)[::2]
        filled = np.empty((2 * len(smooth) - 1, smooth.shape[1]))
        filled[::2], filled[1::2] = smooth, (smooth[:-1] + smooth[1:]) / 2
        full = np.moveaxis(filled, 0, axis)
    return Image.fromarray(full.round().astype(np.uint8))
