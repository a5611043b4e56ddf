"""Which methods are worth trying on a tile, and which of those makes it smallest. NumPy; the model when it is tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.computing import mapped
from ardm_compress.container.picture import APART, CONTEXTS, JPEG_XL, MODEL, RAW, WEBP
from ardm_compress.formats import webp
from ardm_compress.methods import jpegxl
from ardm_compress.options import EncodeOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL_CHANNELS: Final = (1, 3)
MODEL_DEPTH: Final = 8
PART_PIXELS: Final = 96  # side of the parts by which the model is compared with the others
PART_PLACES: Final = (0.25, 0.75)  # of an axis, where they are
SMALL: Final = len(PART_PLACES) ** 2 * PART_PIXELS**2  # pixels up to which the model is tried on all of a tile
HOPEFUL: Final = 1.25  # the model is tried on all of a tile unless its estimate, 10 % too high, is more than that
SIMPLE: Final = 32  # of what others make so many times smaller, the model takes more
CLEAR: Final = 1.0  # the others are not tried if the model is estimated to take less than that
NATURAL: Final = 0.4  # of raw samples, which WebP takes at first try of what is no drawing; slower ways gain little
QUICK: Final = 7  # effort of JPEG XL at first
EFFORTS: Final = (9, 10)  # those of which one is the smallest: 10 on drawings by far, but not on all there is
SLOW: Final = 1 << 19  # pixels from which they take too long
NEAR: Final = 1.25  # times the smallest, from where they may reach it


def is_for_model(depth: int, channels: int) -> bool:
    """Tell whether the model codes samples of that kind."""
    return depth == MODEL_DEPTH and channels in MODEL_CHANNELS


def model_share(samples: NDArray[Any], depth: int, options: EncodeOptions) -> float:
    """Estimate the bytes that the model takes of a tile as a share of what others take, by parts of the tile.

    It is HOPEFUL for small tiles, CLEAR for those that are not for the model, and infinite for simple drawings.
    """
    rows, columns, channels = samples.shape
    if not is_for_model(depth, channels):
        return CLEAR
    if rows * columns <= SMALL:
        return HOPEFUL
    parts = []
    for y in PART_PLACES:
        for x in PART_PLACES:
            top, left = (max(0, round(side * at) - PART_PIXELS // 2) for side, at in ((rows, y), (columns, x)))
            parts.append(np.asarray(samples[top : top + PART_PIXELS, left : left + PART_PIXELS], np.uint8))
    others = sum(mapped(lambda part: min(len(webp.pack(part, quick=True)), len(jpegxl.encode(part))), parts))
    if others * SIMPLE < sum(part.size for part in parts):
        return math.inf
    from ardm_compress.methods.model import estimate

    return estimate(parts, options) / others


def encode_tiles(
    tiles: Sequence[NDArray[Any]], depth: int, options: EncodeOptions, shares: Sequence[float] | None = None
) -> list[bytes]:
    """Encode tiles of one shape, each as the shortest stream; what the model codes goes through it in lockstep.

    Args:
        tiles: samples (rows, columns, channels).
        depth: bits of a sample.
        options: of the model.
        shares: what ``model_share`` gives for each, if that is known.
    """
    if shares is None:
        shares = [model_share(samples, depth, options) for samples in tiles]
    from ardm_compress.methods import contexts, raw  # photographs that the model codes as a whole need neither

    by_model = _by_model(tiles, depth, options, shares)
    found = []
    for samples, share, stream in zip(tiles, shares, by_model, strict=True):
        streams = [bytes([RAW]) + raw.encode(samples, depth), *([stream] if stream else [])]
        best = min(map(len, streams))
        small = samples.shape[0] * samples.shape[1] <= SMALL
        if share >= CLEAR and not (small and stream and _is_settled(samples, best)):
            streams += _others(samples, depth, best)
            mixed = contexts.encode(samples, depth)
            streams += [] if mixed is None else [bytes([CONTEXTS]) + mixed]
        found.append(min(streams, key=len))
    if tiles[0].shape[2] % 2 == 0:  # the last channel is transparency
        parted = encode_apart(tiles, depth, options)
        found = [min(streams, key=len) for streams in zip(found, parted, strict=True)]
    return found


def encode_apart(tiles: Sequence[NDArray[Any]], depth: int, options: EncodeOptions) -> list[bytes]:
    """Encode tiles of one shape as two streams each, of colour and of transparency."""
    from ardm_compress.methods import apart

    parts = [encode_tiles([samples[..., channels] for samples in tiles], depth, options) for channels in apart.PARTS]
    return [bytes([APART]) + apart.join(*streams) for streams in zip(*parts, strict=True)]


def _by_model(
    tiles: Sequence[NDArray[Any]], depth: int, options: EncodeOptions, shares: Sequence[float]
) -> list[bytes | None]:
    """Let the model code those tiles on which it is worth trying."""
    hopeful = [is_for_model(depth, tiles[0].shape[2]) and share <= HOPEFUL for share in shares]
    if not any(hopeful):
        return [None] * len(tiles)
    from ardm_compress.methods.model import METHOD

    bodies = iter(METHOD.encode_tiles([tile for tile, tried in zip(tiles, hopeful, strict=True) if tried], options))
    return [bytes([MODEL]) + next(bodies) if tried else None for tried in hopeful]


def _is_settled(samples: NDArray[Any], best: int) -> bool:
    """Whether a tile of 8 bits is no drawing, and others hardly make it smaller than it is at best so far."""
    quick = len(webp.pack(np.asarray(samples, np.uint8), quick=True))
    return best < quick and quick > NATURAL * samples.size and best < len(jpegxl.encode(samples))


def _others(samples: NDArray[Any], depth: int, best: int) -> list[bytes]:
    """Streams of whole images' coders; the slowest only if they may be below ``best`` bytes and what others take."""
    found = []
    if depth <= 8 and max(samples.shape[:2]) <= webp.MAX_SIDE:
        found.append(bytes([WEBP]) + webp.pack(np.asarray(samples, np.uint8)))
    if depth >= 8:
        quick = jpegxl.encode(samples, QUICK)
        near = len(quick) < NEAR * min([best, *map(len, found)])
        efforts = EFFORTS if near and samples.shape[0] * samples.shape[1] <= SLOW else ()
        found += [bytes([JPEG_XL]) + each for each in (quick, *(jpegxl.encode(samples, n) for n in efforts))]
    return found
