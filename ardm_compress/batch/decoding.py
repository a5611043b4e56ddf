"""A compressed file -> the file that it was, or a part of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from ardm_compress.batch.settings import SUFFIX, Bar, Decoding, Encoding, Outcome, check_output, finish, no_bar
from ardm_compress.container import Kind
from ardm_compress.errors import ArdmError, ChecksumError, OptionError, UnsupportedError
from ardm_compress.files import locations as storage
from ardm_compress.formats import FILE

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job
    from ardm_compress.container import Parsed
    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.jpeg import ParsedJpeg
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.container.sound import ParsedSound
    from ardm_compress.container.stored import ParsedStored
    from ardm_compress.container.text import ParsedText
    from ardm_compress.files import Data
    from ardm_compress.formats.contents import ImageWrapper, Picture
    from ardm_compress.tasks import Progress


RGB: Final = 3  # channels
PNG: Final = ".png"


class Restored(NamedTuple):
    """What is to be written."""

    target: str
    parts: Iterable[bytes]
    inexact: list[str]  # what of it is not, known once the parts are taken
    comes_back: str = ""  # what of the file that was compressed; nothing is said of a part, or another kind of file


def decode_file(job: Job, how: Decoding, bar: Bar = no_bar) -> Outcome:
    """Restore a file, or the part of it that is asked for.

    Raises:
        ArdmError, OSError: as the functions of ``ardm_compress.codec``; then nothing was written, but by
        ``salvage``, whose output may not be exact.
    """
    start, state = time.perf_counter(), storage.state(job.source)
    if how.remove:
        storage.check_removable(job.source)
    with storage.opened(job.source) as data, bar("salvage" if how.salvage else "decode") as progress:
        restored = _restore(job, data, how, progress)
        if how.dry:
            return Outcome(source=job.source, target=restored.target, before=len(data))
        outcome = write_decoded(job, how, restored.target, restored.parts, len(data), restored.comes_back)
    if restored.inexact:
        what = ", ".join(restored.inexact)
        raise ChecksumError(f"{job.source} is damaged or cut short: {what} of {restored.target} are not exact")
    return finish(replace(outcome, seconds=time.perf_counter() - start, state=state), how)


def write_decoded(job: Job, how: Decoding, target: str, parts: Iterable[bytes], before: int, back: str) -> Outcome:
    """Write what was decoded from so many bytes, and is ``back`` of the file that was compressed."""
    like = job.source if how.is_all else None
    after = storage.write(target, parts, force=how.force, again=how.again, like=like, parents=how.parents)
    return Outcome(source=job.source, target=target, before=before, after=after, comes_back=back)


def check_file(job: Job, how: Decoding, bar: Bar = no_bar) -> Outcome:
    """Decode a file in memory and check every checksum; compare with the file that was compressed, if that is given.

    Raises:
        ChecksumError: that one is another; ArdmError, OSError: as ``decode_file``.
    """
    from ardm_compress.container import parse

    start, name = time.perf_counter(), _original_name(job.place)
    with ExitStack() as stack:
        original = stack.enter_context(storage.opened(name)) if how.against else None
        data = stack.enter_context(storage.opened(job.source))
        file = parse(data, how.limits)
        with bar("test") as progress:
            if not restores(file, original, how, progress):
                raise ChecksumError(f"{job.source} restores something else than {name}")
        seconds, back = time.perf_counter() - start, str(file.facts["comes_back"])
        return Outcome(source=job.source, before=len(data), after=len(data), seconds=seconds, comes_back=back)


def restores(file: Parsed, original: Data | None, how: Decoding | Encoding, progress: Progress | None) -> bool:
    """Decode a file and check every checksum.

    Args:
        file: the compressed file.
        original: the one that was compressed; None: nothing is compared.
        how: its processes and limits, and of an encoder what was to be kept.
        progress: of decoding.

    Returns:
        Whether it restores what was to be kept of the original.

    Raises:
        As ``decode_file``.
    """
    if file.kind is Kind.JPEG:
        from ardm_compress.codec.jpegs import decode_jpeg

        jpeg = decode_jpeg(file, progress=progress)
        return original is None or jpeg == original[:]
    if file.kind is Kind.TEXT:
        from ardm_compress.codec.texts import decode_text

        text = decode_text(file, jobs=how.jobs, progress=progress)
        return original is None or text == original[:]
    if file.kind is Kind.MODEL or file.kind is Kind.PICTURE:
        from ardm_compress.codec.images import decode_image

        picture = decode_image(file, jobs=how.jobs, limits=how.limits, progress=progress)
        return original is None or is_same_image(picture, original[:], how)
    from ardm_compress.codec.sounds import decoded_sound

    parts = decoded_sound(file, limits=how.limits, progress=progress)
    if original is None:
        deque(parts, maxlen=0)
        return True
    from ardm_compress.formats.catalogue import same_file

    return same_file(parts, original)


def is_same_image(picture: Picture, original: bytes, how: Decoding | Encoding) -> bool:
    """Whether a picture is what was to be kept of a file; of a decoder, also if it names that file as its own."""
    from ardm_compress.formats.catalogue import same_image
    from ardm_compress.formats.contents import FORCED, Original

    if isinstance(how, Encoding):
        return same_image(picture, original, strip=how.strip, force_pixels=how.force_pixels, limits=how.limits)
    if picture.wrapper.original == Original.of(original):
        return True
    forced = picture.wrapper.kind == FORCED
    with suppress(ArdmError):  # it is no image at all
        return any(same_image(picture, original, strip=strip, force_pixels=forced, limits=how.limits)
                   for strip in (False, True))  # fmt: skip
    return False


def _restore(job: Job, data: Data, how: Decoding, progress: Progress | None) -> Restored:
    from ardm_compress.container import parse

    file = parse(data, how.limits)
    if how.is_part_of_image and file.kind in (Kind.SOUND, Kind.TEXT):
        raise OptionError(f"--region and --preview are for images; this is {file.kind.value}")
    if how.region and file.kind in (Kind.JPEG, Kind.STORED):
        raise OptionError("--region is for images of which samples are coded; this file has --preview")
    if how.is_part_of_sound and file.kind is not Kind.SOUND:
        raise OptionError("--start, --end and --duration are for sound that the model has coded; this file is none")
    if file.kind is Kind.STORED:
        return _stored(job, file, how)
    if file.kind is Kind.TEXT:
        return _text(job, file, how, progress)
    if file.kind is Kind.SOUND:
        return _sound(job, file, how, progress)
    if file.kind is Kind.JPEG:
        return _jpeg(job, file, how, progress)
    return _image(job, file, how, progress)


def _stored(job: Job, file: ParsedStored, how: Decoding) -> Restored:
    from ardm_compress.formats.catalogue import stored_as

    if how.preview:
        return _preview(job, lambda: b"".join(file.parts()), how)
    parts = stored_as(file.parts(), _suffix(job.target))
    return Restored(_check_target(job, job.target or _original_name(job.place), how), parts, [], FILE)


def _text(job: Job, file: ParsedText, how: Decoding, progress: Progress | None) -> Restored:
    from ardm_compress.codec.texts import decode_text

    target = _check_target(job, job.target or _original_name(job.place), how)
    return Restored(target, () if how.dry else [decode_text(file, jobs=how.jobs, progress=progress)], [], FILE)


def _jpeg(job: Job, file: ParsedJpeg, how: Decoding, progress: Progress | None) -> Restored:
    """Restore the file; or its pixels, for a preview or if the output's name asks for another kind of image."""
    from ardm_compress.codec.jpegs import decode_jpeg
    from ardm_compress.formats import BY_NAME, kinds_with
    from ardm_compress.formats.catalogue import check_suffix, plain_wrapper, written_as
    from ardm_compress.formats.pixels import read_pixels

    if how.preview:
        return _preview(job, lambda: decode_jpeg(file, progress=progress), how)
    target = _check_target(job, job.target or _original_name(job.place), how)
    suffix = (_suffix(target) if job.target else None) or ""
    others = {name for kind in kinds_with(suffix) for name in kind.suffixes} - set(BY_NAME["JPEG"].suffixes)
    if others:
        check_suffix(plain_wrapper(RGB), suffix)
    if how.dry:
        return Restored(target, (), [])
    original = decode_jpeg(file, progress=progress)
    if not others:
        return Restored(target, [original], [], FILE)
    return Restored(target, [written_as(read_pixels(original, how.limits, only_first=True), suffix)], [])


def _preview(job: Job, original: Callable[[], bytes], how: Decoding) -> Restored:
    """Restore a preview of a file that comes back byte for byte, by what Pillow reads in it."""
    from ardm_compress.formats import IMAGE, kind_of
    from ardm_compress.formats.catalogue import preview_suffixes, written_as
    from ardm_compress.formats.pixels import WRITERS, read_pixels

    target = job.target or _original_name(job.place)
    suffix = _suffix(target) or PNG
    if suffix not in {*WRITERS, *preview_suffixes(how.preview)}:
        if job.target:
            raise OptionError(f"previews cannot be written as {suffix}; choose {PNG}, .jpg or .webp")
        target, suffix = target + PNG, PNG
    _check_target(job, target, how)
    if how.dry:
        return Restored(target, (), [])
    content = original()
    if kind_of(content).medium != IMAGE:
        raise OptionError("--preview is for images; this is none")
    pixels = read_pixels(content, how.limits, only_first=True, preview=how.preview)
    return Restored(target, [written_as(pixels, suffix, preview=how.preview)], [])


def _sound(job: Job, file: ParsedSound, how: Decoding, progress: Progress | None) -> Restored:
    if not how.salvage:
        file.payloads.check_whole()  # what is refused is so before anything large is imported
    target = _check_target(job, job.target or _original_name(job.place), how)
    if how.dry:
        return Restored(target, (), [])
    from ardm_compress.codec.sounds import decoded_sound
    from ardm_compress.formats.catalogue import is_foreign

    damaged = list[int]()
    known = damaged if how.salvage else None
    parts = decoded_sound(file, how, suffix=_suffix(job.target), damaged=known, progress=progress)
    inexact = list[str]()
    whole = how.is_all and not is_foreign(_suffix(job.target), file.wrapper.file_kind)
    back = file.wrapper.comes_back if whole else ""
    return Restored(target, _then_name(parts, damaged, inexact), inexact, back)


def what_came_back(wrapper: ImageWrapper, content: bytes) -> str:
    """Say what of the file that was compressed ``content`` is: another library may pack a TIFF file otherwise."""
    from ardm_compress.formats.contents import PIXELS_AND_METADATA, Original

    other = wrapper.is_exact and wrapper.original is not None and Original.of(content) != wrapper.original
    return PIXELS_AND_METADATA if other else wrapper.comes_back


def _then_name(parts: Iterable[bytes], damaged: list[int], inexact: list[str]) -> Iterable[bytes]:
    """Give the parts; behind the last one ``inexact`` names the tiles that are damaged."""
    yield from parts
    if damaged:
        inexact.append(f"tiles {', '.join(map(str, sorted(set(damaged))))}")


def image_target(job: Job, wrapper: ImageWrapper, how: Decoding) -> tuple[str, str | None]:
    """Where an image goes, and the suffix of the kind of file to write, once it is known that it can be.

    The suffix is None for a whole image under its own name: it is of its own kind, whatever the name says.

    Raises:
        As ``check_suffix`` and ``storage.check_output``.
    """
    from ardm_compress.formats.catalogue import check_suffix, part_wrapper, preview_suffixes
    from ardm_compress.formats.contents import FORCED

    name = _original_name(job.place)
    if wrapper.kind == FORCED and _suffix(name) not in wrapper.file_kind.suffixes:
        name += wrapper.file_kind.suffix  # for it is not the file of that name
    suffix = _suffix(job.target or name) if job.target or how.is_part_of_image else None
    try:
        shown = part_wrapper(wrapper) if how.is_part_of_image else wrapper
        if suffix not in preview_suffixes(how.preview):
            check_suffix(shown, suffix)
    except UnsupportedError:
        if job.target or not how.preview:
            raise
        part_wrapper(wrapper)
        name, suffix = name + PNG, PNG
    return _check_target(job, job.target or name, how), suffix


def _image(job: Job, file: ParsedImage | ParsedPicture, how: Decoding, progress: Progress | None) -> Restored:
    from ardm_compress.codec.images import salvage_image
    from ardm_compress.formats.catalogue import is_foreign, written_as

    target, suffix = image_target(job, file.wrapper, how)
    if how.dry:
        return Restored(target, (), [])
    if not how.salvage:
        content = written_as(_decode_image(file, how, progress), suffix, preview=how.preview)
        whole = how.is_all and not is_foreign(suffix, file.wrapper.file_kind)
        return Restored(target, [content], [], what_came_back(file.wrapper, content) if whole else "")
    found = salvage_image(file, how, progress=progress)
    inexact = [f"{len(found.inexact)} of {found.tiles} tiles"] if found.inexact else []
    return Restored(target, [written_as(found.picture, suffix)], inexact)


def _decode_image(file: ParsedImage | ParsedPicture, how: Decoding, progress: Progress | None) -> Picture:
    from ardm_compress.codec.images import decode_image

    return decode_image(file, how, progress=progress)


def _check_target(job: Job, target: str, how: Decoding) -> str:
    """Return an output, once it is known that it can be written."""
    check_output(job.source, target, how)
    return target


def _suffix(target: str | None) -> str | None:
    """In lower case; None where there is no name to tell a kind of file."""
    return None if target in (None, storage.STDIO) else PurePosixPath(target or "").suffix.lower()


def _without_suffix(place: str) -> str:
    name = place.removesuffix(SUFFIX)
    return f"./{name}" if name == storage.STDIO else name


def _original_name(place: str) -> str:
    """Without .ardm, or another name than it has."""
    return _without_suffix(place) if place.endswith(SUFFIX) else f"{place}.out"
