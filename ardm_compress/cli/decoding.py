"""``decode`` and ``test``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ardm_compress.ardm.tiles import COARSEST
from ardm_compress.batch.decoding import check_names
from ardm_compress.batch.settings import SUFFIX, Decoding
from ardm_compress.cli.batch import chosen, output_settings, run, told_dry, told_lines, with_outputs
from ardm_compress.cli.group import shown
from ardm_compress.cli.options import FILES, OUTPUTS, SELECTION, TALK, WORK, options, work_settings

if TYPE_CHECKING:
    from ardm_compress.ardm.tiles import Region
    from ardm_compress.batch.inputs import Job
    from ardm_compress.batch.settings import Outcome


def _parse_region(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Region | None:
    if value is None:
        return None
    numbers = value.split(",")
    if len(numbers) != 4 or not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter("four numbers are needed, such as 0,0,256,256")
    left, top, width, height = map(int, numbers)
    return left, top, width, height


PARTS = (
    click.option("--region", metavar="LEFT,TOP,WIDTH,HEIGHT", callback=_parse_region, help="Of an image: pixels."),
    click.option("--preview", metavar="LEVEL", type=click.IntRange(0, COARSEST), default=0,
                 help=f"Of an image: every 2nd, 4th, 8th or 16th row and column (1 to {COARSEST}); the beginning of a "
                 "file is enough where the model has coded all of it."),
    click.option("--salvage", is_flag=True, help="Decode what a damaged file, or the beginning of one, still holds."),
    click.option("--start", type=click.FloatRange(min=0), default=0.0, help="Of sound: seconds to leave out."),
    click.option("--duration", type=click.FloatRange(min=0), help="Of sound: seconds to decode."),
)  # fmt: skip


@click.command(short_help="Restore what was compressed.")
@FILES
@options(*SELECTION, *OUTPUTS, *PARTS, *TALK, *WORK)
def decode(files: tuple[str, ...], quiet: bool, verbose: bool, **given: Any) -> None:
    """Restore the image or sound from each FILE.

    The output is FILE without .ardm; for images its suffix is added if that is missing. Everything comes back as the
    kind of file that it was, or with -o as another: images as .png and others, sound as .wav or .flac. Parts of sound,
    and what is converted, have no tags. FILE may be -, which is standard input; its output is then standard output.

    With --salvage, tiles of an image that are not all there are completed by what the model expects, or gray; tiles
    of sound are silent. The exit code is 3 if there are any. What is coded in one piece, as images up to 128 x 128
    pixels and sound of some seconds are, has one checksum, and nothing of it is salvaged.
    """
    from ardm_compress.batch.run import decode_group

    jobs = with_outputs(chosen(files, given, {SUFFIX}, given["output_dir"]), given)
    how = Decoding(**output_settings(given), **work_settings(given), **given)
    _check(how, jobs)
    together = how.is_all and all(job.target is None for job in jobs)
    lines = told_lines(how, jobs, verbose)
    run(decode_group, how, jobs, label="decode", quiet=quiet, lines=lines, together=together, each=told_dry(how))


def _check(how: Decoding, jobs: list[Job]) -> None:
    """Raise UsageError or OptionError for options, or files, that do not go together."""
    check_names(jobs)
    if how.remove and not (how.is_all and all(job.target is None for job in jobs)):
        raise click.UsageError("--rm is only for what is decoded as a whole, to its own kind of file: without -o")
    if how.is_part_of_image or how.is_part_of_sound:
        if how.salvage:
            raise click.UsageError("--salvage decodes all of a file")
        if any(job.target is None for job in jobs):
            raise click.UsageError("name the part with -o")


@click.command(short_help="Decode in memory and check every checksum.")
@FILES
@options(*SELECTION, *TALK, *WORK)
def test(files: tuple[str, ...], quiet: bool, verbose: bool, **given: Any) -> None:
    """Decode each FILE in memory and check every checksum."""
    from ardm_compress.batch.run import check_group

    jobs = chosen(files, given, {SUFFIX}, None)
    how = Decoding(**work_settings(given))

    def tell(outcome: Outcome) -> None:
        click.echo(f"{shown(outcome.source)}: ok")

    each = None if quiet else tell
    run(check_group, how, jobs, label="test", quiet=quiet, lines=verbose, together=False, each=each)
