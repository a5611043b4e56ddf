"""Encode a file, decode it again, compare, and only then write. Imports the model once it codes."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from ardm_compress.batch.decoding import restores
from ardm_compress.batch.settings import SUFFIX, Bar, Encoding, Outcome, check_output, finish, no_bar
from ardm_compress.container import Kind
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, OptionError, UnsupportedError
from ardm_compress.files import blocks
from ardm_compress.files import locations as storage
from ardm_compress.inference import candidates
from ardm_compress.options import AUTO

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ardm_compress.batch.inputs import Job
    from ardm_compress.files import Data
    from ardm_compress.tasks import Progress

NOT_VERIFIED: Final = "verification failed, nothing was written: decoding gives something else"


def check_target(job: Job, how: Encoding) -> str:
    """Return where the compressed file goes, once it is known that it can, and the source be removed if it is to be."""
    target = job.target or job.place + SUFFIX
    check_output(job.source, target, how, is_complete=_is_whole)
    if how.remove:
        storage.check_removable(job.source)
        if not how.verify:
            raise OptionError("--rm is only for what is verified")
    return target


def _is_whole(location: str) -> bool:
    """Whether a file is a compressed one and, as far as its header tells, whole."""
    from ardm_compress.container import UNLIMITED, parse

    try:
        with storage.opened(location) as data:
            file = parse(data, UNLIMITED)
            if file.kind not in (Kind.STORED, Kind.JPEG, Kind.TEXT):
                file.payloads.check_whole()
    except (ArdmError, OSError):
        return False
    return True


def encode_file(job: Job, how: Encoding, bar: Bar = no_bar) -> Outcome:
    """Encode a file of any kind.

    Raises:
        ArdmError, OSError: as the functions of ``ardm_compress.codec``; then nothing was written.
    """
    target, start, state = check_target(job, how), time.perf_counter(), storage.state(job.source)
    with storage.opened(job.source) as original, ExitStack() as stack:
        check_exact(job.source, original, how)
        if is_named_text(job.source, original):
            how = replace(how, any_kind=True)
        if how.dry:
            _check(original, how)
            return Outcome(source=job.source, target=target, before=len(original))
        with bar("encode") as progress:
            coded = stack.enter_context(_encode(original, how, progress))
        if how.verify:
            with bar("verify") as progress:
                _verify(coded, original, how, progress)
        seconds = time.perf_counter() - start
        outcome = write_encoded(job, how, target, original, coded)
    return finish(replace(outcome, seconds=seconds, state=state), how)


def check_exact(source: str, original: Data, how: Encoding) -> None:
    """Raise OptionError if only the content of a file would come back, and that is not enough."""
    from ardm_compress.formats import IMAGE, kind_of

    kind = kind_of(original)
    is_exact = not how.exact or not (kind.is_repacked or (how.force_pixels and kind.medium == IMAGE))
    if how.exact and kind.plug == "tiff":
        from ardm_compress.formats.catalogue import read_media
        from ardm_compress.formats.contents import Picture

        media = read_media(original, any_kind=True, limits=how.limits)
        is_exact = is_exact and not (isinstance(media, Picture) and media.wrapper.is_named)
    if not is_exact:
        message = f"of {kind.name} files like it the content comes back, not always the same bytes"
        raise OptionError(f"{source} is kept: {message}; --rm-inexact removes such files too")


def is_named_text(source: str, data: Data) -> bool:
    """Tell whether a file is text by its bytes, and its name does not say that it should be an image or sound."""
    from ardm_compress.formats import OTHER, is_text, kind_of, kinds_with

    named = kinds_with(PurePosixPath(storage.name(source)).suffix.lower())
    return all(kind.medium == OTHER for kind in (kind_of(data), *named)) and is_text(data)


def _check(data: Data, how: Encoding) -> None:
    """Raise what encoding would, as far as that can be told without the model."""
    from ardm_compress.formats import SOUND, kind_of
    from ardm_compress.formats.catalogue import read_media
    from ardm_compress.formats.contents import Sound

    medium, axes = ("sound", 1) if kind_of(data).medium == SOUND else ("images", 2)
    if how.model not in (None, AUTO, *candidates(axes, channels=1)):
        raise UnsupportedError(f"{how.model} is not a model of {medium}")
    media = read_media(data, strip=how.strip, force_pixels=how.force_pixels, any_kind=how.any_kind, limits=how.limits)
    if isinstance(media, Sound):
        how.limits.check_samples(*media.samples.shape)


def _encode(original: Data, how: Encoding, progress: Progress | None) -> AbstractContextManager[Data]:
    """Return a context in which the compressed file is there."""
    from ardm_compress.formats import SOUND, kind_of

    if kind_of(original).medium == SOUND:
        from ardm_compress.codec.sounds import encoded_sound

        return encoded_sound(original, how.of_medium("sound"), progress=progress)
    from ardm_compress.codec.images import encode_image

    return nullcontext(encode_image(original[:], how.of_medium("image"), progress=progress))


def _verify(coded: Data, original: Data, how: Encoding, progress: Progress | None) -> None:
    """Raise ChecksumError unless a compressed file restores what is to be kept of the original."""
    from ardm_compress.container import parse

    try:
        file = parse(coded, how.limits)
        # the codec has decoded and compared JPEG files
        same = file.kind is Kind.JPEG or restores(file, original, how, progress)
    except FormatError as error:
        raise ChecksumError(f"verification failed, nothing was written: {error}") from error
    if not same:
        raise ChecksumError(NOT_VERIFIED)


def write_encoded(job: Job, how: Encoding, target: str, original: Data, data: Data) -> Outcome:
    """Write the compressed file of an original."""
    from ardm_compress.container import UNLIMITED, parse
    from ardm_compress.formats.contents import Original

    facts, digest = parse(data, UNLIMITED).facts, Original.of(original).sha256.hex()
    after = storage.write(target, blocks(data), force=how.force, again=how.again, like=job.source, parents=how.parents)
    return Outcome(source=job.source, target=target, before=len(original), after=after, sha256=digest,
                   note=_note(facts, original, how), comes_back=str(facts["comes_back"]))  # fmt: skip


def _note(facts: dict[str, object], original: Data, how: Encoding) -> str:
    """Say how a file is coded."""
    if facts["kind"] == "stored file":
        from ardm_compress.formats.catalogue import why_stored

        return f"stored as it is: {why_stored(original, how.limits)}"
    if facts["kind"] == "text":
        return f"{facts['bits_per_byte']:.3f} bits per byte"
    if facts["kind"] == "JPEG file":
        return f"{facts['method']}"
    unit = "subpixel" if facts["kind"] == "image" else "sample"
    coder = f"{facts['calls']} calls" if "calls" in facts else facts["methods"]
    lost = how.model not in (None, AUTO) and "calls" not in facts and "model" not in str(coder)
    return f"{facts['bits_per_sample']:.3f} bits per {unit}, {coder}" + (f", smaller than {how.model}" if lost else "")
