"""What ``info`` tells of a file, from its header alone. NumPy; no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

from ardm_compress.ardm.order import make_order, make_sound_order
from ardm_compress.ardm.plans import call_count, tile_steps
from ardm_compress.container import picture as picture_container
from ardm_compress.container import sound as sound_container
from ardm_compress.container.image import CRC_BYTES, MAX_SIDE, VERSION, Payloads, read_header
from ardm_compress.container.picture import method_name
from ardm_compress.container.sound import MAX_CHANNELS, MAX_FRAMES, is_sound, is_stored
from ardm_compress.container.stored import stored_size
from ardm_compress.files.data import Data
from ardm_compress.formats.picture import KIND_NAMES
from ardm_compress.formats.picture import read_wrapper as read_picture_wrapper
from ardm_compress.formats.sound_wrapper import read_wrapper
from ardm_compress.inference.registry import model_of_file
from ardm_compress.limits import Limits

DESCRIBED = Limits(pixels=MAX_SIDE**2, samples=MAX_FRAMES * MAX_CHANNELS)  # nothing is decoded


def describe(data: Data) -> dict[str, object]:
    """What ``info`` shows, from the header alone.

    Raises:
        FormatError, UnsupportedError: as ``read_header``; UnsupportedError also for an unknown model.
    """
    if is_sound(data):
        return _describe_stored(data) if is_stored(data) else _describe_sound(data)
    if picture_container.is_picture(data):
        return _describe_picture(data)
    if picture_container.is_wrapped(data):
        wrapper, file = picture_container.read_wrapped(data)
        kind = KIND_NAMES[read_picture_wrapper(wrapper).kind]
        return _describe_samples(file, len(data)) | {"file": kind}
    return _describe_samples(data, len(data))


def _describe_samples(data: Data, size: int) -> dict[str, object]:
    """Of a file of the model, which is the end of one of so many bytes."""
    header, offset = read_header(data, DESCRIBED)
    model = model_of_file(header.model_id)
    order = make_order(model.order, axes=2, period=model.period)
    return {
        "format": VERSION,
        "kind": "image",
        "width": header.shape[1],
        "height": header.shape[0],
        "channels": header.channels,
        "bit_depth": 8,
        "model": model.name,
        "model_id": header.model_id.hex(),
        "calls": call_count(header.runs, order, header.tile),
        "tiles": prod(header.grid),
        "sections": header.sections,
        "progressive": header.progressive,
        "style": header.style,
        "mirror": header.mirror,
        "latents": max(map(len, header.latents), default=0),
    } | _sizes(size, size - len(data) + offset, header.lengths, prod(header.shape) * header.channels)


def _describe_picture(data: Data) -> dict[str, object]:
    header, offset = picture_container.read_header(data, DESCRIBED)
    wrapper, payloads = read_picture_wrapper(header.wrapper), Payloads(data, offset, header.lengths, whole=False)
    methods = Counter(method_name(payloads.first(index)) for index in range(len(payloads)))
    return {
        "format": VERSION,
        "kind": "image",
        "width": header.shape[1],
        "height": header.shape[0],
        "channels": wrapper.channels,
        "bit_depth": wrapper.depth,
        "file": KIND_NAMES[wrapper.kind],
        "tiles": prod(header.grid),
        "methods": ", ".join(f"{name} {count}" for name, count in sorted(methods.items())),
    } | _sizes(len(data), offset, header.lengths, prod(header.shape) * wrapper.channels)


def _describe_sound(data: Data) -> dict[str, object]:
    header, offset = sound_container.read_header(data, DESCRIBED)
    wrapper = read_wrapper(header.wrapper)
    model, order = model_of_file(header.model_id), make_sound_order(header.period_bits)
    return {
        "format": VERSION,
        "kind": "sound",
        "seconds": header.frames / max(1, wrapper.rate),
        "samples": header.frames,
        "channels": header.channels,
        "rate": wrapper.rate,
        "bit_depth": 8 * wrapper.width,
        "file": wrapper.suffix[1:],
        "model": model.name,
        "model_id": header.model_id.hex(),
        "order": order.name,
        "calls": len(tile_steps(None, order, (header.tile,), (header.tile,))),
        "tiles": header.tiles,
    } | _sizes(len(data), offset, header.lengths, header.frames * header.channels)


def _sizes(size: int, offset: int, lengths: Sequence[int], samples: int) -> dict[str, object]:
    """What every description ends with: ``lengths`` of the streams behind a header of ``offset`` bytes."""
    return {
        "bytes": size,
        "payload_bytes": sum(lengths) - CRC_BYTES * len(lengths),
        "header_bytes": offset,
        "bits_per_sample": 8 * size / max(1, samples),
    }


def _describe_stored(data: Data) -> dict[str, object]:
    return {"format": VERSION, "kind": "stored file", "stored_bytes": stored_size(data), "bytes": len(data)}
