"""Many image files <-> compressed files, small ones through the network together. Imports torch only for those.

What the model makes of small tiles is made beforehand, for many files at once; then each file takes the way it takes by
itself, and finds that part of its work done. Where there is anything wrong with a file, it is not, and the error is the
file's own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from ardm_compress.codec.picture import decode_image, decode_tiles, encode_image, encode_picture, not_larger, unwrapped
from ardm_compress.container.picture import is_picture, read_file
from ardm_compress.errors import ArdmError
from ardm_compress.formats.catalogue import read_media
from ardm_compress.formats.contents import Picture
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.methods.choice import Settings, files_of_model, key_of, parts_for_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data

Result = TypeVar("Result")
File = TypeVar("File", bound="Data")

WINDOW_FILES: Final = 256  # that are looked at together
WINDOW_BYTES: Final = 1 << 24  # of such files
SMALL_BYTES: Final = 1 << 17  # of a file that may hold a small image


def encode_images(
    files: Iterable[bytes],
    *,
    budget: int | None = None,
    model: str = "photo",
    describe: bool = True,
    strip: bool = False,
    force_pixels: bool = False,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[bytes | ArdmError]:
    """Compress image files, small ones of one shape together: many times faster than one by one, and the same bytes.

    Args:
        files: whole files; some dozens to hundreds are taken at a time.
        budget: as for ``encode_image``, of each file; so are the other options.
        model: see there.
        describe: see there.
        strip: see there.
        force_pixels: see there.
        jobs: see there.
        limits: see there.

    Returns:
        What ``encode_image`` gives for each file, in their order, or the error that it raises.

    Raises:
        ValueError: budget below 1.
    """
    options: dict[str, Any] = {"budget": budget, "model": model, "describe": describe}
    changes: dict[str, Any] = {"strip": strip, "force_pixels": force_pixels, "limits": limits}
    for window in _windows(files):
        pictures = [_small_picture(data, changes) for data in window]
        settings = Settings(**options, made=_made(pictures, options))
        for data, picture in zip(window, pictures, strict=True):
            if picture is None:
                yield _or_error(partial(encode_image, data, jobs=jobs, **options, **changes))
            else:
                coded = _or_error(partial(encode_picture, picture, settings, limits=limits))
                if isinstance(coded, bytes) and not (strip or force_pixels):
                    coded = not_larger(coded, data)
                yield coded


def decode_images(
    files: Iterable[Data], *, jobs: int = 1, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Picture | ArdmError]:
    """Inverse of ``encode_images``: what ``decode_image`` gives for each file, in their order, or the error it raises.

    Args:
        files: whole compressed files.
        jobs: as for ``decode_image``.
        limits: as for ``decode_image``.
    """
    for window in _windows(files):
        known = _known(window, limits)
        for data in window:
            yield _or_error(partial(_decoded, data, known, jobs, limits))


def _windows(files: Iterable[File]) -> Iterator[list[File]]:
    """Files in lists of bounded size."""
    window: list[Any] = []
    size = 0
    for data in files:
        window.append(data)
        size += len(data)
        if len(window) == WINDOW_FILES or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    if window:
        yield window


def _or_error(work: Callable[[], Result]) -> Result | ArdmError:
    try:
        return work()
    except ArdmError as error:
        return error


def _small_picture(data: bytes, changes: dict[str, Any]) -> Picture | None:
    """The picture of a file, if it is one that the model may code together with others."""
    from ardm_compress.codec.together import is_small

    if len(data) <= SMALL_BYTES:
        with suppress(ArdmError):
            picture = read_media(data, **changes)
            if isinstance(picture, Picture) and is_small(picture.samples.shape[:2]):
                return picture
    return None


def _made(pictures: Sequence[Picture | None], options: dict[str, Any]) -> dict[bytes, bytes]:
    """What the model makes of all parts of small pictures that have company of the same shape."""
    from ardm_compress.codec.together import batches, encode_together

    alike: dict[Hashable, list[NDArray[np.uint8]]] = {}
    pixels: dict[Hashable, int] = {}
    parts = [part for each in pictures if each for part in parts_for_model(each.samples, each.wrapper.depth)]
    for part in {key_of(part): part for part in parts}.values():
        alike.setdefault(part.shape, []).append(part)
        pixels[part.shape] = prod(part.shape[:2])
    made: dict[bytes, bytes] = {}
    for batch in batches(alike, pixels):
        with suppress(ArdmError):
            coded = encode_together(np.stack(batch), **options)
            made.update({key_of(part): file for part, file in zip(batch, coded, strict=True)})
    return made


def _known(files: Sequence[Data], limits: Limits) -> dict[bytes, NDArray[np.uint8]]:
    """The samples of all files of the model that are, or are in, files of small images."""
    from ardm_compress.codec.together import decode_together

    found: dict[bytes, None] = {}
    for data in files:
        with suppress(ArdmError):
            found.update(dict.fromkeys(_files_of_model(data, limits)))
    decoded = decode_together(list(found), limits)
    return {file: decoded[number] for number, file in enumerate(found) if number in decoded}


def _files_of_model(data: Data, limits: Limits) -> list[bytes]:
    if len(data) > SMALL_BYTES:
        return []
    if not is_picture(data):
        return [unwrapped(data, limits, whole=True)[1][:]]
    header, payloads = read_file(data, limits)
    return files_of_model(payloads[0]) if header.grid == (1, 1) else []


def _decoded(data: Data, known: dict[bytes, NDArray[np.uint8]], jobs: int, limits: Limits) -> Picture:
    if is_picture(data):
        small = known if len(data) <= SMALL_BYTES else None
        return decode_tiles(data, jobs=jobs, limits=limits, known=small)
    if len(data) <= SMALL_BYTES:
        wrapper, file = unwrapped(data, limits, whole=True)
        if (samples := known.get(file[:])) is not None:
            return Picture(samples, wrapper)
    return decode_image(data, jobs=jobs, limits=limits)
