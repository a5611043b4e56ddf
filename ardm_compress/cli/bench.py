"""``bench``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ardm_compress.cli.group import progress_bar
from ardm_compress.computing import processors
from ardm_compress.errors import ChecksumError, UnsupportedError

if TYPE_CHECKING:
    from ardm_compress.bench.base import Coder
    from ardm_compress.bench.measure import LeftOut, Result

IMAGES: Final = (16, 32, 96, None)  # network calls; None: all that there are
SOUNDS: Final = (16, 64, 512)


def _budgets(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[int | None] | None:
    if value is None:
        return None
    words = [word.strip() for word in value.split(",")]
    if not all(word == "max" or (word.isdecimal() and int(word)) for word in words):
        raise click.BadParameter("numbers of network calls are needed, such as 16,64,max")
    return [None if word == "max" else int(word) for word in words]


def _published(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, float]]:
    figures = []
    for value in values:
        name, _, bits = value.rpartition("=")
        if not name or not bits.replace(".", "", 1).isdecimal():
            raise click.BadParameter("a name and bits are needed, such as L3C=3.26")
        figures.append((name, float(bits)))
    return figures


@click.command(short_help="Compare with other coders.")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--budgets",
    metavar="N,...",
    callback=_budgets,
    help="Network calls; max is all. Default: 16,32,96,max for images and 16,64,512 for sound.",
)
@click.option("--files", "most", type=click.IntRange(min=1), metavar="N", help="Take N files of each DIR.")
@click.option("--every", type=click.IntRange(min=1), default=1, metavar="N", help="Take every Nth file, by name.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "csv", "json"]),
    default="table",
    show_default=True,
    help="Of what is printed.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option("--sizes", is_flag=True, help="Print sizes only: times say little where something else runs.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw sizes against network calls and time (.png, .svg, .pdf), instead of what FILE has.",
)
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Keep what each file took there, and do not measure again what it has.",
)
@click.option(
    "--published",
    multiple=True,
    metavar="NAME=BITS",
    callback=_published,
    help="Show a figure from elsewhere, in bits per subpixel or sample, marked as published.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=processors(),
    show_default="processors",
    help="Processes for the tiles of large images.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, whose workers measure: docs/scale.md.")
def bench(
    folders: tuple[str, ...], budgets: list[int | None] | None, most: int | None, every: int, form: str, sizes: bool,
    plot: Path | None, results: Path | None, published: list[tuple[str, float]], jobs: int,
    scheduler: str | None,
) -> None:  # fmt: skip
    """Compare sizes and speeds with other coders, on the images and the sound below each DIR.

    Each coder gets the same PNG or WAV file, without metadata, or the JPEG file, and everything is decoded again and
    compared. Coders of JPEG files are those that give them back: JPEG XL by transcoding, and Lepton. Programs
    are timed with reading and writing files; this package and libraries are in one process, the model loaded. MiB is
    the peak of a program's memory, and of this process for ardm-compress. What is not installed is named, and so are
    files that a coder cannot take.
    """
    from ardm_compress.bench.inputs import found_in, kinds_of
    from ardm_compress.bench.ledger import Ledger
    from ardm_compress.bench.machine import machine
    from ardm_compress.bench.measure import Result, usable
    from ardm_compress.bench.plot import check_plot, write_plot
    from ardm_compress.bench.report import FORMATS
    from ardm_compress.bench.totals import reported

    if plot:
        check_plot(plot)
    ledger, files = Ledger(results), found_in(folders, every=every, most=most)
    coders = usable(_coders(budgets, 1 if scheduler else jobs), kinds_of(files), _tell)
    with _measuring(scheduler) as measured, progress_bar("bench") as progress:
        found = measured(files, coders, ledger, _tell, progress=progress)
    measurements = [each for each in found if isinstance(each, Result)]
    if not measurements:
        raise UnsupportedError("nothing was measured: no file could be taken; see above")
    report = reported(found, published, machine())
    click.echo(FORMATS[form](report, sizes))
    if plot:
        write_plot(report.groups, plot, force=True)
    if any(result.is_ours_damaged for result in measurements):
        raise ChecksumError("ardm-compress has not given back what it was given; see above")


@contextmanager
def _measuring(scheduler: str | None) -> Iterator[Callable[..., list[Result | LeftOut]]]:
    """Yield the function that measures folders, here or on a cluster."""
    if scheduler is None:
        from ardm_compress.bench.measure import measured

        yield measured
        return
    from ardm_compress.bench.remote import measured_by
    from ardm_compress.tasks.cluster.workers import connected

    with connected(scheduler, _tell) as workers:
        yield partial(measured_by, workers)


def _tell(message: str) -> None:
    click.echo(f"ardm-compress: {message}", err=True)


def _coders(budgets: list[int | None] | None, jobs: int) -> list[Coder]:
    from ardm_compress.bench.commands import COMMANDS
    from ardm_compress.bench.inputs import JPEG
    from ardm_compress.bench.libraries import libraries
    from ardm_compress.bench.ours import ALL, Ours
    from ardm_compress.formats import IMAGE, SOUND

    images = [Ours(IMAGE, budget or ALL, jobs) for budget in budgets or IMAGES]
    sounds = [Ours(SOUND, budget or ALL, jobs) for budget in budgets or SOUNDS]
    return [*COMMANDS, *libraries(), *images, *sounds, Ours(JPEG, ALL, jobs)]
