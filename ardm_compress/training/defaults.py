"""The networks that users train, which are those that ship. Standard library and the configuration only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ardm_compress.inference.config import NetworkConfig

if TYPE_CHECKING:
    from ardm_compress.training.data import Sampling

LATENTS = 32  # of a picture
SOUND_SUFFIXES = {".wav", ".flac", ".aif", ".aiff"}


def image_network(hidden: int, blocks: int) -> NetworkConfig:
    """Configure a network of RGB images."""
    from ardm_compress.training.styles import STYLES

    return NetworkConfig(
        axes=2, channels=3, bit_depth=8, hidden=hidden, expand=2 * hidden, blocks=blocks, styles=STYLES,
        latents=LATENTS, normalise=True, smooth=True,
    )  # fmt: skip


def small_network() -> NetworkConfig:
    """Configure the network of photo-fast: RGB images, an eighth of the usual products, 28 neighbours."""
    return replace(image_network(hidden=128, blocks=2), expand=128, radius_sq=9)


def small_sampling() -> Sampling:
    """Say how its positions are drawn: with few calls, steps start long before most of their positions."""
    from ardm_compress.training.data import Sampling

    return Sampling(random_masks=0.02, early_start=0.4, coarse_start=0.1, gray=0.1)


def sound_network(hidden: int, blocks: int) -> NetworkConfig:
    """Configure a network of sound, mono (style 0) and stereo (style 1)."""
    from ardm_compress.coding.sound.features import SUMMARY_INPUTS, WINDOW_REACH

    return NetworkConfig(
        axes=1, channels=2, bit_depth=24, radius_sq=WINDOW_REACH**2, hidden=hidden, expand=2 * hidden, blocks=blocks,
        levels=6, styles=2, summary=SUMMARY_INPUTS, order="causal", period=256, normalise=True, smooth=True,
    )  # fmt: skip


def is_sound_folder(folder: Path) -> bool:
    """Whether a folder is for training a network of sound: most of its files are."""
    suffixes = [file.suffix.lower() for file in folder.rglob("*") if file.is_file()]
    return 2 * sum(suffix in SOUND_SUFFIXES for suffix in suffixes) > len(suffixes)
