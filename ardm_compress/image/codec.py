"""Pictures <-> compressed files, tile by tile."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.container import Region, box_shape, check_samples, paste, region_box, sample_checksum, shared
from ardm_compress.image import png
from ardm_compress.image.container import PictureHeader, read_file, write_file
from ardm_compress.image.files import cut_out
from ardm_compress.image.methods import CLEAR, MODEL_CHANNELS, Coder, compared, decode_tile, encode_tile, of_model
from ardm_compress.image.picture import Picture, read_wrapper, sample_type, write_wrapper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.data import Data

TILE: Final = 1024  # largest side of a tile


def encode_picture(picture: Picture, coder: Coder) -> bytes:
    """Compress. What a PNG file of nothing but a gray or RGB photograph holds is left to the model alone."""
    samples, wrapper = picture.samples, picture.wrapper
    bare = wrapper == png.plain(wrapper.channels) and wrapper.channels in MODEL_CHANNELS
    if bare and compared(np.asarray(samples, np.uint8), coder) < CLEAR:
        return coder.encode(np.asarray(samples, np.uint8))
    rows, columns = samples.shape[:2]
    tile = ceil(rows / ceil(rows / TILE)), ceil(columns / ceil(columns / TILE))
    header = PictureHeader(shape=(rows, columns), tile=tile, wrapper=write_wrapper(wrapper), checksums=(), lengths=())
    payloads, checksums = [], []
    for index in range(prod(header.grid)):
        part = np.ascontiguousarray(samples[header.tile_box(index)])
        payloads.append(encode_tile(part, wrapper.depth, coder))
        checksums.append(sample_checksum(_serialised(part)))
    if bare and len(payloads) == 1 and (alone := of_model(payloads[0])):
        return alone
    return write_file(replace(header, checksums=tuple(checksums)), payloads)


def decode_picture(data: Data, coder: Coder, region: Region | None = None) -> Picture:
    """Inverse of ``encode_picture``, unless that left it to the model.

    Args:
        data: a whole file.
        coder: of the parts that the model has coded.
        region: left, top, width and height of the part to decode, which has no metadata.

    Raises:
        FormatError, ChecksumError: damaged; LimitError: too large.
    """
    header, payloads = read_file(data)
    wrapper = read_wrapper(header.wrapper)
    wanted = region_box(region, header.shape)
    samples = np.empty((*box_shape(wanted), wrapper.channels), sample_type(wrapper.depth))
    for index in range(prod(header.grid)):
        box = header.tile_box(index)
        if not shared(box, wanted):
            continue
        rows, columns = box_shape(box)
        part = decode_tile(payloads[index], (rows, columns, wrapper.channels), wrapper.depth, coder)
        check_samples(_serialised(part), header.checksums[index], index)
        paste(part, box, samples, wanted)
    return Picture(samples, wrapper) if region is None else cut_out(samples, wrapper)


def _serialised(samples: NDArray[Any]) -> bytes:
    """As checksums are taken over them."""
    return samples.astype("<u2" if samples.dtype == np.uint16 else "u1").tobytes()
