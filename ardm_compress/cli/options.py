"""Options that commands share. Imports only click at first."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ardm_compress.computing import processors, use_processors
from ardm_compress.inference import DEVICE, DEVICES
from ardm_compress.options import DEFAULT_LIMITS, MIB, Limits

Function = TypeVar("Function", bound=Callable[..., Any])

LOCATION: Final = click.Path(allow_dash=True)  # or a URL
FILES: Final = click.argument("files", metavar="FILE...", nargs=-1, type=LOCATION)
FORCE: Final = click.option("-f", "--force", is_flag=True, help="Overwrite existing output files.")
MODEL: Final = click.option("--model", default="photo", show_default=True, help="Name of the model.")
BUDGET: Final = click.option(
    "--budget",
    type=click.IntRange(min=1),
    help="Network calls, that is steps; a tiled image's tiles share them. More: smaller.",
)
SELECTION: Final = (
    click.option("-r", "--recursive", is_flag=True, help="Take the files below folders, by their suffixes."),
    click.option("--files-from", type=LOCATION, help="Take the files that LIST names as well, one a line; - is stdin."),
)
OUTPUTS: Final = (
    click.option("-o", "--output", type=LOCATION, help="Output of a single FILE; - is stdout."),
    click.option("-c", "--stdout", is_flag=True, help="The same as -o -."),
    click.option("--output-dir", type=click.Path(), metavar="FOLDER",
                 help="Folder for the outputs, with the tree of the folders they come from; default: beside FILE."),
    FORCE,
    click.option("--rm/--keep", " /-k", "remove", default=False, show_default="--keep",
                 help="Remove each FILE once its output is written, and of encode verified; or keep it."),
    click.option("--dry-run", "dry", is_flag=True, help="Print what would be written, and write nothing."),
)  # fmt: skip
GROUPS: Final = {
    "Which files": ("recursive", "files_from", "takes_all", "include", "exclude", "against"),
    "What is written, and where": ("output", "stdout", "output_dir", "force", "remove", "remove_inexact", "manifest",
                                   "dry"),
    "How small, how fast": ("preset", "budget", "model", "verify", "strip", "force_pixels", "strict"),
    "Parts, previews, damage": ("region", "preview", "salvage", "start", "end", "duration"),
    "What it says": ("quiet", "verbose", "log", "as_json"),
    "What it may take": ("jobs", "device", "scheduler", "max_pixels", "max_memory", "max_samples"),
}  # of options, by the names of their parameters  # fmt: skip
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
TALK: Final = (
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("-v", "--verbose", count=True, help="Say what comes of each file; -vv: also when work on it begins."),
    click.option("--log", type=click.Path(dir_okay=False), help="Add to this file, with the time, all that -vv says."),
    JSON,
)
WORK: Final = (
    click.option("-j", "--jobs", type=click.IntRange(min=1), default=processors(), show_default="processors",
                 help="Processors to use: in several processes for many files and for the tiles of images."),
    click.option("--device", type=click.Choice(DEVICES), help="Where the network runs; default: cpu."),
    click.option("--scheduler", metavar="ADDRESS",
                 help="Of a Dask cluster, which works instead of this machine: docs/scale.md."),
    click.option("--max-pixels", type=click.IntRange(min=1), default=DEFAULT_LIMITS.pixels, show_default=True,
                 help="Of images: pixels that one may have."),
    click.option("--max-memory", type=click.IntRange(min=1), default=DEFAULT_LIMITS.memory // MIB, show_default=True,
                 metavar="MIB", help="Of images: memory that coding one may take, about."),
    click.option("--max-samples", type=click.IntRange(min=1), default=DEFAULT_LIMITS.samples, show_default=True,
                 help="Of sound: samples, of all channels, that it may have."),
)  # fmt: skip


class Grouped(click.Command):
    """A command whose help has the options in groups, as docs/cli.md has them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below titles; those of no group last."""
        left = [param for param in self.get_params(ctx) if param.get_help_record(ctx)]
        for title, names in (*GROUPS.items(), ("Options", ())):
            chosen = [param for param in left if param.name in names or not names]
            left = [param for param in left if param not in chosen]
            if chosen:
                with formatter.section(title):
                    formatter.write_dl([record for param in chosen if (record := param.get_help_record(ctx))])


def options(*chosen: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several options at once, in that order."""

    def add(command: Function) -> Function:
        for option in reversed(chosen):
            command = option(command)
        return command

    return add


def work_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options of ``WORK`` out of what was given, as settings of ``batch``; the device is for all processes."""
    device, scheduler = given.pop("device"), given.pop("scheduler")
    if device and scheduler:
        raise click.UsageError(f"the workers of a cluster use the device that {DEVICE} names where they run")
    if device:
        os.environ[DEVICE] = device
    jobs = given.pop("jobs")
    use_processors(jobs)
    limits = Limits(
        pixels=given.pop("max_pixels"), memory=given.pop("max_memory") * MIB, samples=given.pop("max_samples")
    )
    return {"jobs": jobs, "limits": limits, "scheduler": scheduler}
