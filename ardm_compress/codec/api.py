"""Files and arrays <-> compressed files. Imports torch; the command line imports this module only when it codes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ardm_compress.codec import sound as files
from ardm_compress.codec.array import decode, encode, plan
from ardm_compress.codec.drawing import inpaint, sample
from ardm_compress.codec.many import decode_images, encode_images
from ardm_compress.codec.picture import decode_image, encode_image, salvage_image
from ardm_compress.container import sound as container
from ardm_compress.container.parse import parse
from ardm_compress.container.stored import ParsedStored, write_stored
from ardm_compress.errors import UnsupportedError
from ardm_compress.files.data import Data, spool
from ardm_compress.formats.catalogue import converted, file_parts, read_sound, stored_as
from ardm_compress.formats.contents import Sound
from ardm_compress.inference.loading import model_of
from ardm_compress.inference.registry import AUTO, candidates, find_model, model_of_file
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.progress import Progress

if TYPE_CHECKING:
    from ardm_compress.inference.model import Model

__all__ = [
    "decode",
    "decode_image",
    "decode_images",
    "decode_sound",
    "decoded_sound",
    "encode",
    "encode_image",
    "encode_images",
    "encode_sound",
    "encoded_sound",
    "inpaint",
    "plan",
    "salvage_image",
    "sample",
]

TRIED_FRAMES = 1 << 15  # of each part of a sound by which a model is chosen
TRIED_PLACES = 4  # these parts are at quarters of the sound


def encode_sound(
    data: Data, *, budget: int | None = None, model: str = "sound", limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> bytes:  # fmt: skip
    """Compress a WAV, AIFF or FLAC file; what no model can code is stored as it is, packed.

    Args:
        data: the whole file.
        budget: network calls of a tile and pair of channels, at least 2; more make a smaller file.
        model: name of a model of sound; ``auto`` is the one that makes a few seconds smallest.
        limits: over which sound is refused.
        progress: called with the network calls done and their total.

    Raises:
        UnsupportedError: no such model, or a budget below 2; LimitError: too large.
    """
    with encoded_sound(data, budget=budget, model=model, limits=limits, progress=progress) as file:
        return file[:]


@contextmanager
def encoded_sound(
    data: Data, *, budget: int | None = None, model: str = "sound", limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Iterator[Data]:  # fmt: skip
    """As ``encode_sound``, for files larger than memory: gives the compressed file, which goes with the context."""
    if budget is not None and budget < files.LEAST_BUDGET:
        raise UnsupportedError(f"sound takes at least {files.LEAST_BUDGET} network calls")
    sound = _readable(data)
    if model == AUTO:
        model = _sound_model(sound, budget)
    coder = model_of(find_model(model), 1)
    with spool() as collected:
        if sound:
            yield files.encode_sound(sound, coder, collected, budget=budget, limits=limits, progress=progress)
        else:
            yield write_stored(data, collected)


def _sound_model(sound: Sound | None, budget: int | None) -> str:
    """The name of the model that makes a few parts of a sound smallest."""
    names = candidates(1, container.PAIR)
    if not sound or len(names) == 1:
        return names[0]
    last = max(0, sound.samples.shape[0] - TRIED_FRAMES)
    starts = sorted({last * place // TRIED_PLACES for place in range(1, TRIED_PLACES)})
    parts = [sound.samples[start : start + TRIED_FRAMES] for start in starts]
    tried = replace(sound, samples=np.concatenate(parts))

    def size(name: str) -> int:
        with spool() as collected:
            return len(files.encode_sound(tried, model_of(find_model(name), 1), collected, budget=budget))

    return min(names, key=size)


def _readable(data: Data) -> Sound | None:
    try:
        return read_sound(data)
    except UnsupportedError:
        return None


def decode_sound(
    data: Data,
    *,
    suffix: str | None = None,
    start: float = 0,
    duration: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> bytes:
    """Inverse of ``encode_sound``: the file's bytes; of FLAC files, another with the same samples and metadata.

    Args:
        data: a whole compressed file.
        suffix: of the kind of file to make, ``.wav`` or ``.flac``; by default the one that was compressed.
        start: seconds to leave out at the beginning; parts of a file have none of its chunks and tags.
        duration: seconds to decode; by default to the end.
        limits: as for ``encode_sound``.
        progress: as for ``encode_sound``.

    Raises:
        FormatError, ChecksumError: damaged; UnsupportedError: it needs another version or model, or it is a stored
        file and a part or another kind of it is asked for; LimitError: too large.
    """
    return b"".join(
        decoded_sound(data, suffix=suffix, start=start, duration=duration, limits=limits, progress=progress)
    )


def decoded_sound(
    data: Data,
    *,
    suffix: str | None = None,
    start: float = 0,
    duration: float | None = None,
    damaged: list[int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Iterator[bytes]:
    """As ``decode_sound``, for files larger than memory: gives the file in parts, decoding as they are asked for.

    ``damaged`` takes the numbers of damaged tiles, of some seconds each, which are silent then.
    """
    whole = start == 0 and duration is None
    if not all(math.isfinite(seconds) and seconds >= 0 for seconds in (start, duration or 0)):
        raise UnsupportedError("start and duration must be finite and not negative")
    if isinstance(file := parse(data, limits), ParsedStored):
        if not whole:
            raise UnsupportedError("this file is stored as it was, so only all of it can be decoded")
        return stored_as(file.parts(), suffix)
    sound = files.decode_sound(
        data, _coder_of_sound, start=start, duration=duration, damaged=damaged, limits=limits, progress=progress
    )
    kind = sound.wrapper.file_kind
    if not whole or (suffix and suffix not in kind.suffixes):
        sound = converted(sound, suffix or (".flac" if kind.plug == "flac" else ".wav"))
    return file_parts(sound)


def _coder_of_sound(model_id: bytes) -> Model:
    return model_of(model_of_file(model_id), 1)
