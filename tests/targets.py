"""What fuzzing runs: functions of bytes from which only named errors may come, and those they swallow."""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch
from damage import decode, files, with_checksums
from golden import GOLDEN_JPEGS
from pictures import TEXT, png_file
from PIL import Image
from sounds import LIST, wave

from ardm_compress import methods
from ardm_compress.ardm import make_order
from ardm_compress.codec import images, sounds
from ardm_compress.container import image as image_container
from ardm_compress.container import parse
from ardm_compress.container import picture as picture_container
from ardm_compress.container import sound as sound_container
from ardm_compress.container.wrappers import (
    read_image_wrapper,
    read_sound_wrapper,
    write_image_wrapper,
    write_sound_wrapper,
)
from ardm_compress.errors import ArdmError
from ardm_compress.formats.catalogue import file_bytes, read_media, read_sound
from ardm_compress.formats.contents import Picture, same_picture, sample_type
from ardm_compress.formats.jpeg.files import put_together, take_apart
from ardm_compress.formats.jpeg.rest import pack, unpack
from ardm_compress.inference import MANIFEST
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.methods import choice, contexts, raw
from ardm_compress.options import EncodeOptions, Limits
from ardm_compress.training.export import export, save_model
from ardm_compress.training.model import Network

SMALL = Limits(pixels=1 << 10)
TINY = NetworkConfig(axes=2, channels=3, bit_depth=8, radius_sq=4, hidden=16, expand=16, blocks=1, head=16, mixture=2,
                     levels=3)  # fmt: skip
SIDES = 9  # of the largest image of the round trip


def header(data: bytes) -> None:
    """Every parser of a header, and what ``info`` makes of it."""
    for read in (
        lambda file: parse(file).facts,
        image_container.read_wrapped,
        sound_container.read_header,
        picture_container.read_header,
    ):
        with suppress(ArdmError):
            read(b"ARDM\1" + data)


def metadata(data: bytes) -> None:
    """What surrounds samples."""
    with suppress(ArdmError):
        image = read_image_wrapper(data)
        again = read_image_wrapper(write_image_wrapper(image))
        assert (again, again.original) == (image, image.original)
    with suppress(ArdmError):
        sound = read_sound_wrapper(data)
        read = read_sound_wrapper(write_sound_wrapper(sound))
        assert (read, read.original) == (sound, sound.original)


def payload(data: bytes) -> None:
    """A tile of a picture, coded in every way."""
    if len(data) < 2:
        return
    depth, channels = (1, 2, 4, 8, 16)[data[0] % 5], data[1] % 4 + 1
    shape = 4, 5, channels
    methods.salvage_tile(data[2:], shape, depth)
    with suppress(ArdmError):
        methods.decode_tiles([data[2:]], shape, depth)


def write_tiny(folder: Path) -> None:
    """Write a model that has not learned anything, to be named in ARDM_COMPRESS_MODELS."""
    torch.manual_seed(1)
    ranks = make_order(TINY.order, axes=2, period=TINY.period).ranks_per_level
    costs = {
        "costs.same": np.ones((TINY.levels, ranks, ranks), np.float32),
        "costs.coarser": np.ones((TINY.levels, 2, ranks, ranks), np.float32),
    }
    sha256 = save_model(folder / "tiny.safetensors", TINY, {**export(Network(TINY)), **costs})
    entry = {"name": "tiny", "file": "tiny.safetensors", "sha256": sha256, "order": TINY.order, "period": TINY.period}
    (folder / MANIFEST).write_text(json.dumps([entry]))


@cache
def originals() -> list[bytes]:
    """Small files of all kinds, some of them of the tiny model."""
    samples = np.arange(9 * 8 * 3, dtype=np.uint8).reshape(9, 8, 3)
    return [*files().values(), images.encode_samples(samples, model="tiny", budget=3)]


def whole(data: bytes) -> None:
    """A file that is damaged as the bytes say, with right checksums."""
    if len(data) < 2:
        return
    original = originals()[data[0] % len(originals())]
    damaged = bytearray(original)
    for place, value in zip(data[1::3], data[2::3], strict=False):
        damaged[5 + place * (len(original) - 5) // 256] ^= value
    with suppress(ArdmError):
        decode(with_checksums(bytes(damaged), original), SMALL)


def round_trip(data: bytes) -> None:
    """An image of these bytes, and sound of them."""
    if len(data) < 4:
        return
    rows, columns, channels, budget = data[0] % SIDES + 1, data[1] % SIDES + 1, 1 + 2 * (data[2] & 1), data[3] % 9 + 1
    samples = np.resize(np.frombuffer(data, np.uint8), (rows, columns, channels))
    assert np.array_equal(images.decode_samples(images.encode_samples(samples, model="tiny", budget=budget)), samples)
    original = wave(data[4:][: len(data[4:]) & ~1], rate=8000)
    assert sounds.decode_sound(sounds.encode_sound(original, budget=max(2, budget))) == original


def image(data: bytes) -> None:
    """An image file to encode: what is taken apart is made again."""
    with suppress(ArdmError):
        found = read_media(data, limits=SMALL)
        if isinstance(found, Picture):
            again = read_media(file_bytes(found), limits=SMALL)
            assert isinstance(again, Picture)
            assert same_picture(found, again)


def sound(data: bytes) -> None:
    """A sound file to encode."""
    with suppress(ArdmError):
        found = read_sound(data)
        if data[:4] != b"fLaC":
            assert file_bytes(found) == data
        else:
            deque((found.samples[:],), maxlen=0)


def jpeg(data: bytes) -> None:
    """A JPEG file to encode: what is taken apart is put together again."""
    with suppress(ArdmError):
        pictures, rest = take_apart(data)
        assert put_together(pictures, unpack(pack(rest), len(data))) == data
    with suppress(ArdmError):
        unpack(data, 1 << 12).describe()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (header, metadata, payload, whole, round_trip, image, sound, jpeg)
}


def seeds(name: str) -> list[bytes]:
    """Inputs to begin with."""
    samples = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    found: dict[str, list[bytes]] = {
        "header": [data[5:] for data in files().values()],
        "metadata": [bytes([0b01001100, 2]), bytes([0, 2, 0, 0x40])],
        "payload": [bytes([at, channels - 1]) + stream for at, channels, stream in _streams()],
        "image": [png_file(samples, 8, 2, TEXT), png_file(samples[..., :1] % 4, 2, 0), *_saved(samples)],
        "jpeg": list(GOLDEN_JPEGS.values()),
        "sound": [wave(bytes(60)), wave(bytes(60), channels=2, before=LIST), wave(bytes(60), width=3)],
    }
    return found.get(name, [bytes(range(40))])


def _streams() -> list[tuple[int, int, bytes]]:
    """Of tiles of 4 x 5 samples: the place of their depth, their channels, and they themselves, coded in every way."""
    found = []
    for place, depth, channels in ((0, 1, 1), (3, 8, 1), (3, 8, 2), (3, 8, 3), (3, 8, 4), (4, 16, 3)):
        kind = sample_type(depth)
        samples = (np.arange(20 * channels).reshape(4, 5, channels) * 7919 % (1 << depth)).astype(kind)
        mixed = contexts.encode(samples, depth)
        ways = [
            bytes([0]) + raw.encode(samples, depth),
            *choice._others(samples, depth, 1 << 20),
            bytes([5]) + (mixed or b""),
        ]
        ways += choice.encode_apart([samples], depth, EncodeOptions(budget=2)) if channels in (2, 4) else []
        found += [(place, channels, way) for way in ways]
    return found


def _saved(samples: np.ndarray) -> list[bytes]:
    found = []
    for kind in ("BMP", "TIFF", "PPM", "WEBP", "GIF"):
        out = io.BytesIO()
        Image.fromarray(samples).save(out, kind, lossless=True)
        found.append(out.getvalue())
    return found
