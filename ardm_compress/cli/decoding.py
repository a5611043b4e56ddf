"""``decode`` and ``test``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from ardm_compress.ardm.tiles import COARSEST
from ardm_compress.batch.inputs import Choice
from ardm_compress.batch.settings import SUFFIX, Decoding
from ardm_compress.cli.batch import (
    dry_run_teller,
    name_output,
    output_folder,
    output_settings,
    run,
    select_jobs,
    talk_settings,
)
from ardm_compress.cli.group import printable
from ardm_compress.cli.options import FILES, OUTPUTS, SELECTION, TALK, WORK, Grouped, options, work_settings
from ardm_compress.options import SampleNumber

if TYPE_CHECKING:
    from ardm_compress.ardm.tiles import Region
    from ardm_compress.batch.inputs import Job
    from ardm_compress.batch.settings import Outcome


SECONDS: Final = re.compile(r"(?:\d+:)?(?:\d+:)?\d*\.?\d+|\d+\.", re.ASCII)
SAMPLES: Final = re.compile(r"\d{1,15}samples", re.ASCII)


def _parse_region(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Region | None:
    if value is None:
        return None
    numbers = value.split(",")
    if len(numbers) != 4 or not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter("four numbers are needed, such as 0,0,256,256")
    left, top, width, height = map(int, numbers)
    return left, top, width, height


def _parse_time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | SampleNumber | None:
    if value is None:
        return None
    if SAMPLES.fullmatch(value):
        return SampleNumber(value.removesuffix("samples"))
    if not SECONDS.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no time: 12.5, 1:30 or 1:02:03.5 seconds, or 16000samples")
    return sum(float(part) * 60.0**place for place, part in enumerate(reversed(value.split(":"))))


PARTS = (
    click.option("--region", metavar="LEFT,TOP,WIDTH,HEIGHT", callback=_parse_region, help="Of an image: pixels."),
    click.option("--preview", metavar="LEVEL", type=click.IntRange(0, COARSEST), default=0,
                 help=f"Of an image: every 2nd, 4th, 8th or 16th row and column (1 to {COARSEST}); the beginning of a "
                 "file is enough where the model has coded all of it."),
    click.option("--salvage", is_flag=True, help="Decode what a damaged file, or the beginning of one, still holds."),
    click.option("--start", metavar="TIME", callback=_parse_time, default="0",
                 help="Of sound: where to begin, as 12.5 or 1:02:03.5 seconds or 16000samples."),
    click.option("--end", metavar="TIME", callback=_parse_time, help="Of sound: where to stop, as for --start."),
    click.option("--duration", metavar="TIME", callback=_parse_time,
                 help="Of sound: how much to decode, as for --start; instead of --end."),
)  # fmt: skip


AGAINST = click.option(
    "--against", type=click.Path(), metavar="FOLDER", help="Compare each with the file in this folder that it was."
)


@click.command(cls=Grouped, short_help="Restore what was compressed.")
@FILES
@options(*SELECTION, *OUTPUTS, *PARTS, *TALK, *WORK)
def decode(files: tuple[str, ...], **given: Any) -> None:
    """Restore the image or sound from each FILE.

    The output is FILE without .ardm; for images its suffix is added if that is missing. Everything comes back as the
    kind of file that it was, or with -o as another: images as .png and others, sound as .wav or .flac. Parts of sound,
    and what is converted, have no tags. FILE may be -, which is standard input; its output is then standard output.

    With --salvage, tiles of an image that are not all there are completed by what the model expects, or gray; tiles
    of sound are silent. The exit code is 3 if there are any. What is coded in one piece, as images up to 128 x 128
    pixels and sound of some seconds are, has one checksum, and nothing of it is salvaged.
    """
    from ardm_compress.batch.run import decode_group

    talk = talk_settings(given)
    jobs = name_output(select_jobs(files, given, Choice({SUFFIX}, keeps_tree=True), output_folder(given)), given)
    how = Decoding(**output_settings(given), **work_settings(given), **given)
    _check(how, jobs)
    together = how.is_all and all(job.target is None for job in jobs)
    run(decode_group, how, jobs, talk, label="decode", together=together, each=dry_run_teller(how))


def _check(how: Decoding, jobs: list[Job]) -> None:
    """Raise UsageError or OptionError for options, or files, that do not go together."""
    if how.remove and not (how.is_all and all(job.target is None for job in jobs)):
        raise click.UsageError("--rm is only for what is decoded as a whole, to its own kind of file: without -o")
    if how.is_part_of_image or how.is_part_of_sound:
        if how.salvage:
            raise click.UsageError("--salvage decodes all of a file")
        if not how.parents and any(job.target is None for job in jobs):
            raise click.UsageError("name the part, or a folder for it, with -o")


@click.command(cls=Grouped, short_help="Decode in memory and check every checksum.")
@FILES
@options(*SELECTION, AGAINST, *TALK, *WORK)
def test(files: tuple[str, ...], against: str | None, **given: Any) -> None:
    """Decode each FILE in memory and check every checksum."""
    from ardm_compress.batch.run import check_group

    talk, jobs = talk_settings(given), select_jobs(files, given, Choice({SUFFIX}), against)
    how = Decoding(**work_settings(given), against=against is not None)

    def tell(outcome: Outcome) -> None:
        click.echo(f"{printable(outcome.source)}: ok")

    run(check_group, how, jobs, talk, label="test", together=False, each=None if talk.quiet else tell)
