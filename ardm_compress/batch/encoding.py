"""A file -> a compressed file: encoded, decoded again, compared, and only then written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ardm_compress.batch.presets import DEFAULT, PRESETS
from ardm_compress.batch.settings import SUFFIX, Bar, Encoding, Outcome, cleared, no_bar
from ardm_compress.errors import ChecksumError, FormatError, OptionError, UnsupportedError
from ardm_compress.files import locations as storage
from ardm_compress.files.data import Data, blocks
from ardm_compress.inference.registry import AUTO, candidates

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job
    from ardm_compress.formats.contents import Picture


NOT_VERIFIED: Final = "verification failed, nothing was written: decoding gives something else"


class Encoded(NamedTuple):
    """A compressed file that is not written yet."""

    data: Data
    restores: Callable[[], bool]  # decodes it and compares


def target_of(job: Job) -> str:
    """Where the compressed file goes."""
    return job.target or job.place + SUFFIX


def check_target(job: Job, how: Encoding) -> str:
    """``target_of``, once it is known that it can be written and the source, if asked for, removed."""
    target = target_of(job)
    storage.check_output(target, force=how.force or how.again, parents=how.parents)
    if how.remove:
        storage.check_removable(job.source)
        if not how.verify:
            raise OptionError("--rm is only for what is verified")
    return target


def encode_file(job: Job, how: Encoding, bar: Bar = no_bar) -> Outcome:
    """Encode a file of any kind.

    Raises:
        ArdmError, OSError: as the functions of ``ardm_compress.codec``; then nothing was written.
    """
    target, start = check_target(job, how), time.perf_counter()
    from ardm_compress.formats.kinds import SOUND, kind_of

    with storage.opened(job.source) as original:
        sound = kind_of(original).medium == SOUND
        if how.dry:
            (_check_sound if sound else _check_image)(original, how)
            return Outcome(source=job.source, target=target, before=len(original))
        encoding = _encoded_sound if sound else _encoded_image
        with encoding(original, how, bar) as encoded:
            seconds = time.perf_counter() - start
            if how.verify and not _restores(encoded.restores):
                raise ChecksumError(NOT_VERIFIED)
            outcome = write_encoded(job, how, target, len(original), encoded.data)
    return cleared(replace(outcome, seconds=seconds), how)


def _check_image(data: Data, how: Encoding) -> None:
    """Raise what encoding an image would, as far as that can be told without the model."""
    from ardm_compress.formats.catalogue import read_media

    _check_model(how, "images", axes=2)
    read_media(data, strip=how.strip, force_pixels=how.force_pixels, limits=how.limits)


def _check_sound(data: Data, how: Encoding) -> None:
    """As ``_check_image``."""
    from ardm_compress.formats.catalogue import read_sound

    _check_model(how, "sound", axes=1)
    with suppress(UnsupportedError):  # what cannot be coded is stored
        how.limits.check_samples(*read_sound(data).samples.shape)


def _check_model(how: Encoding, kind: str, axes: int) -> None:
    if how.model not in (None, AUTO, *candidates(axes, channels=1)):
        raise UnsupportedError(f"{how.model} is not a model of {kind}")


def write_encoded(job: Job, how: Encoding, target: str, before: int, data: Data) -> Outcome:
    """Write what was encoded from so many bytes."""
    note = _note(data)
    after = storage.write(target, blocks(data), force=how.force, again=how.again, like=job.source, parents=how.parents)
    return Outcome(source=job.source, target=target, before=before, after=after, note=note)


def image_options(how: Encoding) -> dict[str, Any]:
    """Return the keywords of the functions that encode images."""
    changes = {"strip": how.strip, "force_pixels": how.force_pixels, "limits": how.limits}
    return _model_options(how, "image") | changes


def _model_options(how: Encoding, kind: str) -> dict[str, Any]:
    preset = PRESETS[how.preset or DEFAULT]
    budget = how.budget or (getattr(preset, kind) if how.preset else None)
    model = how.model or preset.model
    return {"budget": budget} | ({"model": model} if model else {})


@contextmanager
def _encoded_image(data: Data, how: Encoding, bar: Bar) -> Iterator[Encoded]:
    """Compress an image, to restore the same samples and metadata, or the same bytes."""
    from ardm_compress.codec.images import decode_image, encode_image
    from ardm_compress.container.parse import parse
    from ardm_compress.container.stored import ParsedStored

    original = data[:]
    with bar("encode") as progress:
        coded = encode_image(original, how, progress=progress, **image_options(how))

    def restores() -> bool:
        if isinstance(file := parse(coded, how.limits), ParsedStored):
            return b"".join(file.parts()) == original
        with bar("verify") as progress:
            picture = decode_image(coded, jobs=how.jobs, limits=how.limits, progress=progress)
        return is_same_image(picture, original, how)

    yield Encoded(coded, restores)


def is_same_image(picture: Picture, original: bytes, how: Encoding) -> bool:
    """Whether a picture is what was to be kept of a file."""
    from ardm_compress.formats.catalogue import same_image

    return same_image(picture, original, strip=how.strip, force_pixels=how.force_pixels, limits=how.limits)


@contextmanager
def _encoded_sound(original: Data, how: Encoding, bar: Bar) -> Iterator[Encoded]:
    """Compress a sound file, to restore the same bytes, or for FLAC the same samples and tags."""
    from ardm_compress.codec.sounds import decoded_sound, encoded_sound
    from ardm_compress.formats.catalogue import same_file

    limits, options = how.limits, _model_options(how, "sound")
    with ExitStack() as stack:
        with bar("encode") as progress:
            data = stack.enter_context(encoded_sound(original, how, progress=progress, **options))

        def restores() -> bool:
            with bar("verify") as progress:
                return same_file(decoded_sound(data, limits=limits, progress=progress), original)

        yield Encoded(data, restores)


def _restores(restores: Callable[[], bool]) -> bool:
    try:
        return restores()
    except FormatError as error:
        raise ChecksumError(f"verification failed, nothing was written: {error}") from error


def _note(data: Data) -> str:
    """How a file is coded."""
    from ardm_compress.container.parse import UNLIMITED, parse

    facts = parse(data, UNLIMITED).facts
    if facts["kind"] == "stored file":
        return "stored as it is"
    unit = "subpixel" if facts["kind"] == "image" else "sample"
    how = f"{facts['calls']} calls" if "calls" in facts else facts["methods"]
    return f"{facts['bits_per_sample']:.3f} bits per {unit}, {how}"
