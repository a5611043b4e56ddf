"""Foreign files of every kind <-> media: what the command line, the doors and the benchmarks ask.

The table of kinds is ``ardm_compress.formats``; each kind's own module is imported when a file needs it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import chain
from typing import Final, Protocol, cast

import numpy as np

from ardm_compress.errors import AlreadyCompressedError, FormatError, UnsupportedError
from ardm_compress.files import Data, OnDisk, blocks, spool
from ardm_compress.formats import BY_NAME, OTHER, OURS, SOUND, UNKNOWN, Kind, kind_of, kinds_with
from ardm_compress.formats.contents import (
    FLAC,
    FLAC_RATE,
    FORCED,
    LOSSY,
    LOSSY_SOUND,
    MADE_ANEW,
    MOST_SOUND_CHANNELS,
    MOST_SURROUNDINGS,
    PNG,
    RASTER,
    UNSIGNED,
    Coefficients,
    ImageWrapper,
    Media,
    Picture,
    Sound,
    Stored,
    same_picture,
)
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, Limits

DAMAGE: Final = (FormatError, struct.error, ValueError, OSError, RuntimeError, SyntaxError,
                 LookupError, TypeError, OverflowError)  # fmt: skip


class Plug(Protocol):
    """The module of a kind of files; see ``ardm_compress.formats``."""

    def read(self, data: Data, limits: Limits) -> Media:
        """Take a file apart."""

    def parts(self, media: Media) -> Iterator[bytes]:
        """Make the file again."""


class ImagePlug(Plug, Protocol):
    """The module of a kind of image files."""

    def check(self, wrapper: ImageWrapper) -> None:
        """Raise FormatError unless there are such files."""

    def stripped(self, wrapper: ImageWrapper) -> ImageWrapper:
        """Leave out metadata."""

    def shows_samples(self, wrapper: ImageWrapper) -> bool:
        """Whether nothing but the samples says how they look."""


def plug_of(kind: Kind) -> Plug:
    """Import the module that takes files of a kind apart."""
    return cast("Plug", import_module(f"ardm_compress.formats.{kind.plug or 'raster'}"))


def _image_plug(wrapper: ImageWrapper) -> ImagePlug:
    return cast("ImagePlug", plug_of(wrapper.file_kind))


def read_media(
    data: Data, *, strip: bool = False, force_pixels: bool = False, any_kind: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Media:  # fmt: skip
    """Take a file of any kind apart.

    Args:
        data: the whole file. Samples of sound are read when they are asked for, but have been read once to know their
            range; so the file must stay open.
        strip: leave out metadata of files that do not come back byte for byte.
        force_pixels: of lossy images, and of others that would be stored, take the pixels as those of a PNG file.
        any_kind: take what is refused otherwise, unless it is too large, as a file to be stored.
        limits: over which a file is refused.

    Raises:
        UnsupportedError: neither image nor sound, or compressed by this program already; FormatError: a damaged image;
        LimitError: too large.
    """
    kind = kind_of(data)
    try:
        media = _taken_apart(data, kind, limits)
    except (UnsupportedError, FormatError) as error:
        if not any_kind:
            raise
        media = Stored(data, kind, str(error))
    if force_pixels and isinstance(media, Stored | Coefficients) and kind.medium != SOUND:
        from ardm_compress.formats.pixels import read_pixels

        media = read_pixels(data[:], limits)
    return stripped(media) if strip else media


def why_stored(data: Data, limits: Limits = DEFAULT_LIMITS) -> str:
    """Say why a file is stored as it is."""
    media = read_media(data, any_kind=True, limits=limits)
    return media.reason if isinstance(media, Stored) else "nothing makes it smaller"


def read_picture(data: Data, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Take an image file apart.

    Raises:
        As ``read_media``; UnsupportedError: it is another kind of file, or one that is stored as it is.
    """
    media = read_media(data, limits=limits)
    if not isinstance(media, Picture):
        if isinstance(media, Coefficients):
            raise UnsupportedError(LOSSY.format("JPEG"))
        raise UnsupportedError(media.reason if isinstance(media, Stored) else "this is sound, and no image")
    return media


def read_sound(data: Data, limits: Limits = DEFAULT_LIMITS) -> Sound:
    """Take a sound file apart.

    Raises:
        UnsupportedError: it is another kind of file, or one that is stored as it is.
    """
    kind = kind_of(data)
    media = _taken_apart(data, kind, limits) if kind.medium == SOUND else Stored(data, kind, "this is no sound file")
    if not isinstance(media, Sound):
        raise UnsupportedError(media.reason if isinstance(media, Stored) else "this is no sound file")
    return media


def file_parts(media: Media) -> Iterator[bytes]:
    """Make the file again, some bytes at a time: byte for byte what it was, or of PNG, WebP and FLAC an equivalent one.

    Raises:
        FormatError: there is no such image file; UnsupportedError: no such sound file.
    """
    if isinstance(media, Stored):
        yield from blocks(media.data)
    elif isinstance(media, Coefficients):
        yield from plug_of(BY_NAME["JPEG"]).parts(media)
    elif isinstance(media, Sound):
        yield from plug_of(media.wrapper.file_kind).parts(media)
    else:
        plug = _image_plug(media.wrapper)
        plug.check(media.wrapper)
        try:
            yield from plug.parts(media)
        except (struct.error, ValueError, OSError, RuntimeError) as error:
            raise FormatError(f"the image file cannot be made again: {error}") from error


def file_bytes(media: Media) -> bytes:
    """Make the file again, in memory; see ``file_parts``."""
    return b"".join(file_parts(media))


def same_image(
    picture: Picture, original: bytes, *, strip: bool, force_pixels: bool, limits: Limits = DEFAULT_LIMITS
) -> bool:
    """Whether a picture is what was to be kept of a file, and still is when its own file is made and read again."""
    expected = read_media(original, strip=strip, force_pixels=force_pixels, limits=limits)
    if not isinstance(expected, Picture) or not same_picture(picture, expected):
        return False
    del expected  # of large images two at a time are enough
    again = read_media(file_bytes(picture), limits=limits)
    if picture.wrapper.kind == FORCED:
        picture = replace(picture, wrapper=replace(picture.wrapper, kind=PNG))
    if picture.wrapper.kind == RASTER:
        picture = replace(picture, wrapper=replace(picture.wrapper, form=picture.wrapper.form & ~MADE_ANEW))
    return isinstance(again, Picture) and same_picture(picture, again)


def same_file(parts: Iterable[bytes], original: Data) -> bool:
    """Whether a file's parts are the same byte for byte, or are a FLAC file of the same samples and metadata."""
    if kind_of(original).plug != "flac":
        return _same_bytes(parts, original)
    with spool(parts) as file:
        again = OnDisk(file)
        if _same_bytes(blocks(again), original):
            return True
        try:
            return _same_sound(read_sound(again), read_sound(original))
        except UnsupportedError:
            return False


def stored_as(parts: Iterator[bytes], suffix: str | None) -> Iterator[bytes]:
    """Give the parts of a stored file, once it is known that a suffix is not that of another kind.

    Raises:
        UnsupportedError: it is.
    """
    start = next(parts, b"")
    kind = kind_of(start)
    if kind != UNKNOWN and is_foreign(suffix, kind):
        raise UnsupportedError(f"this {kind.name} file is stored as it was, so it can only be decoded as what it was")
    return chain((start,), parts)


def is_foreign(suffix: str | None, kind: Kind) -> bool:
    """Whether a suffix is that of files of other kinds, and not of this one or of none that is known."""
    return bool(suffix) and suffix not in kind.suffixes and bool(kinds_with(suffix or ""))


def check_suffix(wrapper: ImageWrapper, suffix: str | None) -> None:
    """Raise UnsupportedError if a suffix is that of files of another kind, which cannot hold such samples."""
    if is_foreign(suffix, wrapper.file_kind):
        from ardm_compress.formats.pixels import WRITERS

        simple = suffix in WRITERS and wrapper.depth == 8 and wrapper.channels in (1, 3)
        if not (shows_samples(wrapper) and (suffix == ".png" or simple)):
            own = " or ".join(wrapper.file_kind.suffixes)
            raise UnsupportedError(f"cannot write this image as {suffix}; choose {own}")


def preview_suffixes(preview: int) -> Collection[str]:
    """Return the suffixes of files that may hold previews, and lossily so."""
    if not preview:
        return ()
    from ardm_compress.formats.pixels import PREVIEW_WRITERS

    return PREVIEW_WRITERS


def written_as(picture: Picture, suffix: str | None, *, preview: int = 0) -> bytes:
    """Make a file of its own kind, or of that of a suffix, without metadata then; previews as JPEG files as well.

    Raises:
        UnsupportedError: files of that kind cannot hold these samples.
    """
    wrapper, samples = picture.wrapper, picture.samples
    if suffix in preview_suffixes(preview):
        from ardm_compress.formats.pixels import write_preview

        return write_preview(picture, suffix or "")
    check_suffix(wrapper, suffix)
    if suffix is None or not is_foreign(suffix, wrapper.file_kind):
        return file_bytes(picture)
    if suffix == ".png":
        return file_bytes(Picture(samples, plain_wrapper(wrapper.channels, wrapper.depth)))
    from ardm_compress.formats.pixels import write_pixels

    return write_pixels(samples, suffix)


def converted(sound: Sound, suffix: str) -> Sound:
    """Put the samples into a file of another kind, without tags and chunks.

    Raises:
        UnsupportedError: no such kind.
    """
    plugs = {kind.plug for kind in kinds_with(suffix)}
    if not plugs & {"wav", "flac"}:
        raise UnsupportedError(f"cannot write sound as {suffix}: choose .wav or .flac")
    if "flac" in plugs:
        _check_flac(sound)
    kind = FLAC if "flac" in plugs else UNSIGNED if sound.wrapper.width == 1 else 0
    return replace(sound, wrapper=replace(sound.wrapper, kind=kind, head=b"", tail=b""))


def stripped(media: Media) -> Media:
    """Leave out metadata of images; of kinds that come back byte for byte nothing is left out."""
    if not isinstance(media, Picture):
        return media
    return Picture(media.samples, _image_plug(media.wrapper).stripped(media.wrapper))


def shows_samples(wrapper: ImageWrapper) -> bool:
    """Whether samples are gray or colour from black to full scale, transparency last, and nothing else says more."""
    return _image_plug(wrapper).shows_samples(wrapper)


def part_wrapper(wrapper: ImageWrapper) -> ImageWrapper:
    """Of an image that is a part of another, without metadata.

    Raises:
        UnsupportedError: its samples would not look the same without the file that they are from.
    """
    if wrapper.file_kind.plug == "png":
        return _image_plug(wrapper).stripped(wrapper)
    if not shows_samples(wrapper):
        raise UnsupportedError("parts of this kind of file cannot be decoded; decode all of it")
    return plain_wrapper(wrapper.channels, wrapper.depth)


def plain_wrapper(channels: int, depth: int = 8) -> ImageWrapper:
    """Of a PNG file of gray or colour samples, 2 and 4 channels with transparency, and nothing else."""
    from ardm_compress.formats.png import plain

    return plain(channels, depth)


def _taken_apart(data: Data, kind: Kind, limits: Limits) -> Media:
    if kind == OURS:
        raise AlreadyCompressedError("this file is compressed by this program already")
    if kind.is_lossy:
        return Stored(data, kind, LOSSY_SOUND.format(kind.name))
    if kind.medium == OTHER and kind != UNKNOWN:
        raise UnsupportedError(f"the kind of this file is {kind.name}; this program takes images and sound")
    if not kind.plug:
        if kind.is_checked:
            _check_readable(data, kind, limits)
        return Stored(data, kind, f"{kind.name or 'such'} files are not taken apart")
    try:
        if kind.medium == SOUND:
            return _checked_sound(plug_of(kind).read(data, limits), data)
        return _checked_picture(plug_of(kind).read(data, limits))
    except UnsupportedError as error:
        return Stored(data, kind, str(error))
    except DAMAGE as error:
        if kind.is_checked:
            _check_readable(data, kind, limits)  # damaged images are refused, all else is stored
        elif kind.medium != SOUND:
            raise FormatError(f"this {kind.name} file is damaged or cut short: {error}") from error
        return Stored(data, kind, str(error))


def _check_readable(data: Data, kind: Kind, limits: Limits) -> None:
    """Raise FormatError unless Pillow reads an image; UnsupportedError if it does not know what it is either."""
    from ardm_compress.formats.pixels import check_readable

    check_readable(data[:], limits, kind.name)


def _checked_picture(media: Media) -> Media:
    """Raise UnsupportedError if a file has what cannot be coded."""
    if isinstance(media, Picture):
        wrapper = media.wrapper
        _image_plug(wrapper).check(wrapper)
        if max(media.samples.shape[:2]) > MAX_SIDE:
            raise UnsupportedError("an image of longer sides than can be coded")
        _check_surroundings(wrapper.head, wrapper.tail)
    return media


def _checked_sound(media: Media, data: Data) -> Media:
    if isinstance(media, Sound):
        if media.samples.shape[1] > MOST_SOUND_CHANNELS:
            raise UnsupportedError(f"more than {MOST_SOUND_CHANNELS} channels")
        _check_surroundings(media.wrapper.head, media.wrapper.tail)
        if not media.wrapper.kind & FLAC and not _same_bytes(file_parts(media), data):
            raise UnsupportedError("a sound file that would not come back byte for byte")
    return media


def _check_surroundings(head: bytes, tail: bytes) -> None:
    if len(head) + len(tail) > MOST_SURROUNDINGS - 8:
        raise UnsupportedError(f"more than {MOST_SURROUNDINGS} bytes that are not samples")


def _check_flac(sound: Sound) -> None:
    from ardm_compress.formats.flac import CHANNELS, WIDTHS

    if sound.wrapper.width > max(WIDTHS.values()):
        raise UnsupportedError("FLAC files cannot hold samples of 32 bits here; choose .wav")
    frames, channels = sound.samples.shape
    if not (frames and channels <= CHANNELS and 0 < sound.wrapper.rate <= FLAC_RATE):
        raise UnsupportedError(f"FLAC files have samples, up to {CHANNELS} channels and {FLAC_RATE} Hz; choose .wav")


def _same_bytes(parts: Iterable[bytes], original: Data) -> bool:
    at = 0
    for part in parts:
        if original[at : at + len(part)] != part:
            return False
        at += len(part)
    return at == len(original)


def _same_sound(one: Sound, other: Sound) -> bool:
    wrappers = one.wrapper, other.wrapper
    if one.wrapper.kind & FLAC:
        from ardm_compress.formats.flac import without_points

        wrappers = tuple(replace(each, head=without_points(each.head)) for each in wrappers)  # type: ignore[assignment]
    if wrappers[0] != wrappers[1] or one.samples.shape != other.samples.shape:
        return False
    from ardm_compress.formats.pcm import spans

    return all(np.array_equal(one.samples[span], other.samples[span]) for span in spans(one.samples.shape[0]))
