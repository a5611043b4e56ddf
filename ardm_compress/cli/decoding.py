"""``decode`` and ``test``."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ardm_compress.cli.group import (
    FILE,
    FORCE,
    OUTPUT,
    REMOVE,
    SUFFIX,
    check_output,
    check_removable,
    coding_arguments,
    coding_options,
    is_packed_sound,
    is_stored,
    limits_of,
    main,
    progress_bar,
    remove_input,
)
from ardm_compress.data import Data, opened
from ardm_compress.errors import ChecksumError
from ardm_compress.files import write_atomically
from ardm_compress.image.tiling import COARSEST
from ardm_compress.limits import Limits

if TYPE_CHECKING:
    from ardm_compress.boxes import Region
    from ardm_compress.image.picture import Picture, Wrapper


def _parse_region(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Region | None:
    if value is None:
        return None
    numbers = value.split(",")
    if len(numbers) != 4 or not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter("four numbers are needed, such as 0,0,256,256")
    left, top, width, height = map(int, numbers)
    return left, top, width, height


class Part(NamedTuple):
    """What of a file to decode; by default all of it."""

    region: Region | None
    level: int
    salvage: bool
    start: float
    duration: float | None

    @property
    def is_all(self) -> bool:
        """Whether it is all of the file, exact."""
        return not (self.of_image or self.of_sound or self.salvage)

    @property
    def of_image(self) -> bool:
        """Whether it is a part of an image."""
        return self.region is not None or self.level > 0

    @property
    def of_sound(self) -> bool:
        """Whether it is a part of sound."""
        return bool(self.start) or self.duration is not None


@main.command()
@FILE
@OUTPUT
@FORCE
@REMOVE
@click.option("--region", metavar="LEFT,TOP,WIDTH,HEIGHT", callback=_parse_region, help="Of images: pixels to decode.")
@click.option(
    "--preview",
    "level",
    metavar="LEVEL",
    type=click.IntRange(0, COARSEST),
    default=0,
    help=f"Of images: every 2nd, 4th, 8th or 16th row and column (1 to {COARSEST}); the beginning of a file "
    "is enough where the model has coded all of it.",
)
@click.option("--salvage", is_flag=True, help="Decode what a damaged file, or the beginning of one, still holds.")
@click.option("--start", type=click.FloatRange(min=0), default=0.0, help="Of sound: seconds to leave out.")
@click.option("--duration", type=click.FloatRange(min=0), help="Of sound: seconds to decode.")
@coding_options
def decode(
    file: Path, output: Path | None, force: bool, remove: bool, region: Region | None, level: int, salvage: bool,
    start: float, duration: float | None, **coding: int,
) -> None:  # fmt: skip
    """Restore the image or sound from FILE.

    The output is FILE without .ardm; for images its suffix is added if that is missing. Everything comes back as the
    kind of file that it was, or with -o as another: images as .png and others, sound as .wav or .flac. Parts of sound,
    and what is converted, have no tags.

    With --salvage, tiles of an image that are not all there are completed by what the model expects, or gray; tiles
    of sound are silent. The exit code is 3 if there are any. Small files, up to 128 x 128 pixels or some seconds, are
    one tile with one checksum, of which nothing is salvaged.
    """
    part = Part(region, level, salvage, start, duration)
    if remove:
        check_removable(file)
        if output or not part.is_all:
            raise click.UsageError("--rm is only for what is decoded as a whole, to its own kind of file: without -o")
    if (part.of_image or part.of_sound) and salvage:
        raise click.UsageError("--salvage decodes all of a file")
    if (part.of_image or part.of_sound) and output is None:
        raise click.UsageError("name the part with -o")
    with opened(file) as data:
        if part.of_image and is_packed_sound(data):
            raise click.UsageError("--region and --preview are for images of which samples are coded; this is none")
        if part.of_sound and (is_stored(data) or not is_packed_sound(data)):
            raise click.UsageError("--start and --duration are for sound that the model has coded; this file is none")
        if is_stored(data):
            written = _decode_stored(file, data, output, force)
        elif is_packed_sound(data):
            written = _decode_sound(file, data, output, force, part, limits_of(coding))
        else:
            written = _decode_image(file, data, output, force, part, coding)
    if remove:
        remove_input(file, written)


@main.command()
@FILE
@coding_options
def test(file: Path, **coding: int) -> None:
    """Decode FILE in memory and check every checksum."""
    with opened(file) as data:
        if is_packed_sound(data):
            with progress_bar("test") as progress:
                from ardm_compress import api

                deque(api.decoded_sound(data, limits=limits_of(coding), progress=progress), maxlen=0)
        else:
            decoded_image(data, "test", coding)
    click.echo(f"{file}: ok")


def decoded_image(data: Data, label: str, coding: dict[str, int], **part: Any) -> Picture:
    """The image of a file, with a bar of that label; ``coding`` is what ``coding_options`` gave."""
    from ardm_compress.image.codec import decode_image  # without torch, unless the model has coded it

    with progress_bar(label) as progress:
        return decode_image(data, progress=progress, **coding_arguments(coding), **part)


def _without_suffix(file: Path) -> Path:
    return file.with_suffix("") if file.suffix == SUFFIX else file


def _original_name(file: Path) -> Path:
    """FILE without .ardm, or another name than FILE."""
    return _without_suffix(file) if file.suffix == SUFFIX else file.with_name(file.name + ".out")


def _decoded_name(file: Path, wrapper: Wrapper) -> Path:
    """FILE without .ardm, with a suffix that is right."""
    from ardm_compress.image.files import own_suffixes
    from ardm_compress.image.png import plain as plain_wrapper
    from ardm_compress.media import WRITERS

    name, own = _without_suffix(file), own_suffixes(wrapper)
    anything = wrapper == plain_wrapper(wrapper.channels) and wrapper.channels in (1, 3)
    known = name.suffix.lower() in (WRITERS if anything else own)
    return name if known else name.with_name(name.name + own[0])


def _decode_image(file: Path, data: Data, output: Path | None, force: bool, part: Part, coding: dict[str, int]) -> Path:
    from ardm_compress.image.codec import wrapper_of
    from ardm_compress.image.files import check_suffix, part_wrapper, written_as

    wrapper = wrapper_of(data, limits_of(coding))
    output = output or _decoded_name(file, wrapper)
    check_output(output, force)
    check_suffix(part_wrapper(wrapper) if part.of_image else wrapper, output.suffix.lower())
    note = ""
    if part.salvage:
        picture, note = _salvaged(data, coding)
    else:
        picture = decoded_image(data, "decode", coding, region=part.region, level=part.level)
    like = file if part.is_all else None
    write_atomically(output, written_as(picture, output.suffix.lower()), force=force, like=like)
    _report(file, output, note)
    return output


def _salvaged(data: Data, coding: dict[str, int]) -> tuple[Picture, str]:
    """The image of a damaged file, and what is not exact."""
    from ardm_compress.image.codec import salvage_image

    with progress_bar("salvage") as progress:
        found = salvage_image(data, limits=limits_of(coding), progress=progress)
    return found.picture, f"{len(found.inexact)} of {found.tiles} tiles" if found.inexact else ""


def _report(file: Path, output: Path, inexact: str) -> None:
    """Raise ChecksumError if something that was written is not exact."""
    if inexact:
        raise ChecksumError(f"{file} is damaged or cut short: {inexact} of {output} are not exact")


def _decode_stored(file: Path, data: Data, output: Path | None, force: bool) -> Path:
    from ardm_compress.restoring import decoded_file

    parts = decoded_file(data, suffix=output.suffix.lower() if output else None)
    output = output or _original_name(file)
    check_output(output, force)
    write_atomically(output, parts, force=force, like=file)
    return output


def _decode_sound(file: Path, data: Data, output: Path | None, force: bool, part: Part, limits: Limits) -> Path:
    from ardm_compress.audio.container import read_file
    from ardm_compress.models import model_of_file

    header, _ = read_file(data, limits, whole=not part.salvage)
    model_of_file(header.model_id)  # what is refused is so before anything large is imported
    from ardm_compress import api

    suffix, damaged = output.suffix.lower() if output else None, list[int]()
    output = output or _original_name(file)
    check_output(output, force)
    with progress_bar("decode") as progress:
        parts = api.decoded_sound(
            data, suffix=suffix, start=part.start, duration=part.duration,
            damaged=damaged if part.salvage else None, limits=limits, progress=progress,
        )  # fmt: skip
        write_atomically(output, parts, force=force, like=file if part.is_all else None)
    _report(file, output, f"tiles {', '.join(map(str, sorted(set(damaged))))}" if damaged else "")
    return output
