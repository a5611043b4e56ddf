"""Files that are measured <-> what every coder gets: a PNG file of the very samples, a WAV file, or the JPEG file."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ardm_compress.errors import UnsupportedError
from ardm_compress.files import read_chunks, write_chunks
from ardm_compress.formats import FOLDER_SUFFIXES, IMAGE, SOUND, kinds_with, png
from ardm_compress.formats.catalogue import converted, file_bytes, read_media, shows_samples
from ardm_compress.formats.contents import PNG, Coefficients, ImageWrapper, Picture, Sound, Stored

JPEG: Final = "JPEG file"  # as IMAGE and SOUND are kinds
SUFFIXES: Final = {
    suffix: JPEG if kind.name == "JPEG" else kind.medium
    for suffix in sorted(FOLDER_SUFFIXES)
    for kind in kinds_with(suffix)
    if kind.plug
}  # of files that are taken from folders
SHOWN_BY: Final = (b"PLTE", b"tRNS")  # chunks without which samples are no colours


@dataclass(frozen=True)
class Input:
    """A file as every coder gets it, without metadata."""

    folder: str  # whose table it is in
    name: str  # of the file in it
    kind: str  # IMAGE, SOUND or JPEG
    path: Path  # of the PNG, WAV or JPEG file
    found: int  # bytes of the file as it was found
    samples: int  # of all channels
    units: int  # in which speeds are told: pixels or samples
    depth: int  # bits of a sample
    checksum: int  # of the file at ``path``


class Found(NamedTuple):
    """A file to measure."""

    folder: str  # that was asked for
    file: Path

    @property
    def name(self) -> str:
        """Of the file, in its folder."""
        return self.file.name if self._is_alone else self.file.relative_to(self.folder).as_posix()

    @property
    def table(self) -> str:
        """The folder whose table it is in: files named one by one are in one table."""
        return str(self.file.parent) if self._is_alone else self.folder

    @property
    def _is_alone(self) -> bool:
        return self.file == Path(self.folder)


def found_in(folders: Iterable[str], *, every: int = 1, most: int | None = None) -> list[Found]:
    """Of each folder every so-manieth file, by name, up to so many of them; a file itself.

    Raises: UnsupportedError, FileNotFoundError: see ``files_of``.
    """
    return [Found(folder, file) for folder in folders for file in files_of(folder, every=every, most=most)]


def kinds_of(files: Iterable[Found]) -> set[str]:
    """Tell what the files' names promise: IMAGE, SOUND, JPEG, or all of them where one says nothing."""
    named = {SUFFIXES.get(found.file.suffix.lower()) for found in files}
    return {IMAGE, SOUND, JPEG} if None in named else {kind for kind in named if kind}


def files_of(folder: str, *, every: int, most: int | None) -> list[Path]:
    """Every so-manieth file below a folder, by name, up to so many of them; a file itself.

    Raises:
        UnsupportedError: there is none; FileNotFoundError: no such folder.
    """
    top = Path(folder)
    if not top.is_dir():
        os.stat(top)
        return [top]
    found = sorted(path for path in top.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UnsupportedError(f"{folder} has no images and no sound ({', '.join(sorted(SUFFIXES))})")
    return found[::every][:most]


def prepared(found: Found, target: Path) -> Input:
    """Write what the coders get of a file to ``target``, which gets a suffix.

    Raises:
        UnsupportedError, FormatError, LimitError: it cannot be taken apart.
    """
    data = found.file.read_bytes()
    media = read_media(data)
    if isinstance(media, Sound):
        sound = converted(media, ".wav")
        made, kind, samples = file_bytes(sound), SOUND, sound.samples.shape[0] * sound.samples.shape[1]
        units, depth, path = samples, 8 * sound.wrapper.width, target.with_suffix(".wav")
    elif isinstance(media, Coefficients):
        frame = media.pictures[0].frame
        made, kind, units, depth = data, JPEG, frame.height * frame.width, frame.bits
        samples, path = units * len(frame.components), target.with_suffix(".jpg")
    else:
        picture = _bare(media)
        made, kind, samples = file_bytes(picture), IMAGE, picture.samples.size
        units, depth = samples // picture.wrapper.channels, picture.wrapper.depth
        path = target.with_suffix(".png")
    path.write_bytes(made)
    return Input(found.table, found.name, kind, path, len(data), samples, units, depth, zlib.crc32(made))


def _bare(picture: Picture | Stored) -> Picture:
    """Keep the samples, and of all else only palette and transparency, as a PNG file has them."""
    if isinstance(picture, Stored):
        raise UnsupportedError(f"it is stored as it is, so there is nothing to compare: {picture.reason}")
    wrapper = picture.wrapper
    if wrapper.kind == PNG:
        chunks = [chunk for chunk in read_chunks(wrapper.head) if chunk[0] in SHOWN_BY]
        return Picture(picture.samples, ImageWrapper(PNG, wrapper.depth, wrapper.channels, wrapper.form,
                                                write_chunks(chunks)))  # fmt: skip
    if not shows_samples(wrapper):
        raise UnsupportedError("samples that a PNG file would not show as they are")
    return Picture(picture.samples, png.plain(wrapper.channels, wrapper.depth))
