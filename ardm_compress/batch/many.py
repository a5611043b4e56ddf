"""Many small images at once: they go through the network together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from ardm_compress.batch import failing
from ardm_compress.batch.decoding import (
    decode_file,
    image_target,
    is_same_image,
    restores,
    what_came_back,
    write_decoded,
)
from ardm_compress.batch.encoding import (
    NOT_VERIFIED,
    check_exact,
    check_target,
    encode_file,
    is_named_text,
    write_encoded,
)
from ardm_compress.batch.settings import Decoding, Encoding, Outcome, finish
from ardm_compress.container import Kind
from ardm_compress.errors import ArdmError, ChecksumError
from ardm_compress.files import locations as storage

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Job
    from ardm_compress.formats.contents import Picture

SMALL: Final = 1 << 16  # bytes of files that are worked on together
GROUP: Final = 64  # files at most; they are written once all are coded, so that an interruption loses a group
GROUP_BYTES: Final = 1 << 18  # with so many a group is large enough

Content = TypeVar("Content")


class Read(NamedTuple):
    """A small file in memory."""

    job: Job
    data: bytes
    state: storage.State | None  # of the file, when it was read
    target: str
    suffix: str | None  # of the kind of file to write, if it is not its own


def group_jobs(jobs: Sequence[Job], processes: int, *, together: bool = True) -> Iterator[list[Job]]:
    """Jobs, in order, in groups to be worked on by one process: small files together, larger ones alone.

    Args:
        jobs: all.
        processes: how many there are, each of which should get some groups.
        together: whether small files may be.
    """
    most = min(GROUP, max(1, len(jobs) // (4 * processes))) if processes > 1 else GROUP
    group: list[Job] = []
    held = 0
    for job in jobs:
        size = storage.size(job.source) if together else None
        if size is None or size > SMALL:
            yield [job]
            continue
        group.append(job)
        held += size
        if len(group) == most or held >= GROUP_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def encode_files(jobs: Sequence[Job], how: Encoding) -> list[Outcome]:
    """``encode_file`` of many, of which those that fail do not stop the others; outcomes in the order of the jobs."""
    from ardm_compress.codec.images import encode_images
    from ardm_compress.formats import SOUND, kind_of

    def target(job: Job, data: bytes) -> tuple[str, str] | None:
        check_exact(job.source, data, how)
        other = kind_of(data).medium == SOUND or is_named_text(job.source, data)
        return None if other else (check_target(job, how), "")

    images, outcomes = _read(jobs, target)
    start = time.perf_counter()
    coded = list(encode_images((image.data for image in images), how.of_medium("image")))
    seconds = (time.perf_counter() - start) / max(1, len(images))
    if how.verify:
        coded = _verify(images, coded, how)

    def write(image: Read, data: bytes) -> Outcome:
        outcome = write_encoded(image.job, how, image.target, image.data, data)
        return finish(replace(outcome, seconds=seconds, state=image.state), how)

    outcomes |= _write_all(images, coded, write)
    return [outcomes.get(job) or failing.attempt(job, partial(encode_file, job, how)) for job in jobs]


def decode_files(jobs: Sequence[Job], how: Decoding) -> list[Outcome]:
    """``decode_file`` of many, all of each; as ``encode_files``."""
    from ardm_compress.codec.images import decode_images
    from ardm_compress.container import parse
    from ardm_compress.formats.catalogue import written_as

    def target(job: Job, data: bytes) -> tuple[str, str | None] | None:
        file = parse(data, how.limits)
        if file.kind is Kind.MODEL or file.kind is Kind.PICTURE:
            return image_target(job, file.wrapper, how)
        return None

    images, outcomes = _read(jobs, target)
    pictures = decode_images((image.data for image in images), how)  # one at a time

    def write(image: Read, picture: Picture) -> Outcome:
        content = written_as(picture, image.suffix)
        back = what_came_back(picture.wrapper, content)  # these files have names of their own kind
        outcome = write_decoded(image.job, how, image.target, [content], len(image.data), back)
        return finish(replace(outcome, state=image.state), how)

    outcomes |= _write_all(images, pictures, write)
    return [outcomes.get(job) or failing.attempt(job, partial(decode_file, job, how)) for job in jobs]


def _read(
    jobs: Sequence[Job], target: Callable[[Job, bytes], tuple[str, str | None] | None]
) -> tuple[list[Read], dict[Job, Outcome]]:
    """Read the images among files; return them, and a failure for each that cannot be read or written.

    Args:
        jobs: which files.
        target: gives where an image goes and the suffix of the kind of file to write; None for other kinds of files.
    """
    images: list[Read] = []
    outcomes: dict[Job, Outcome] = {}

    def read(job: Job) -> None:
        state = storage.state(job.source)
        with storage.opened(job.source) as data:
            content = data[:]
        if found := target(job, content):
            images.append(Read(job, content, state, *found))

    for job in jobs:
        if failure := failing.failure(job.source, partial(read, job)):
            outcomes[job] = failure
    return images, outcomes


def _verify(images: Sequence[Read], coded: Sequence[bytes | ArdmError], how: Encoding) -> list[bytes | ArdmError]:
    """Return the compressed files, or an error instead of those that do not restore what they were made from."""
    from ardm_compress.codec.images import decode_images
    from ardm_compress.codec.pictures import CodedImage
    from ardm_compress.container import parse

    files = [data if isinstance(data, ArdmError) else parse(data, how.limits) for data in coded]
    pictures = decode_images((file for file in files if isinstance(file, CodedImage)), jobs=how.jobs, limits=how.limits)
    checked: list[bytes | ArdmError] = []
    for image, data, file in zip(images, coded, files, strict=True):
        if isinstance(file, CodedImage):
            same = _is_image(next(pictures), image, how)
        elif isinstance(file, ArdmError) or file.kind is Kind.JPEG:
            same = True  # the codec has decoded and compared JPEG files
        else:
            same = restores(file, image.data, how, None)
        checked.append(data if same else ChecksumError(NOT_VERIFIED))
    return checked


def _is_image(picture: Picture | ArdmError, image: Read, how: Encoding) -> bool:
    try:
        return not isinstance(picture, ArdmError) and is_same_image(picture, image.data, how)
    except ArdmError:
        return False


def _write_all(
    images: Sequence[Read], contents: Iterable[Content | ArdmError], write: Callable[[Read, Content], Outcome]
) -> dict[Job, Outcome]:
    outcomes = {}
    for image, content in zip(images, contents, strict=True):
        if isinstance(content, ArdmError):
            outcomes[image.job] = failing.failed_outcome(image.job.source, content)
        else:
            outcomes[image.job] = failing.attempt(image.job, partial(write, image, content))
    return outcomes
