"""The command line's frame: errors into exit codes, and what commands share. Imports only click at first.

Help and ``info`` must answer at once.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from ardm_compress.errors import ArdmError, FormatError, LimitError, UnsupportedError
from ardm_compress.files import refuse_existing
from ardm_compress.limits import DEFAULT_LIMITS, MIB, Limits
from ardm_compress.parallel import processors

if TYPE_CHECKING:
    from ardm_compress.data import Data
    from ardm_compress.progress import Progress

Function = TypeVar("Function", bound=Callable[..., Any])

SUFFIX: Final = ".ardm"
EXIT_GENERAL: Final = 1
EXIT_CORRUPT: Final = 3
EXIT_UNSUPPORTED: Final = 4
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it


class Commands(click.Group):
    """A group whose commands end in one line on stderr and an exit code, never in a traceback, on expected errors."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see the table of exit codes in the README."""
        try:
            with _terminable():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            _fail(ctx, "interrupted", EXIT_INTERRUPTED)
        except FormatError as error:
            _fail(ctx, str(error), EXIT_CORRUPT)
        except (UnsupportedError, LimitError) as error:
            _fail(ctx, str(error), EXIT_UNSUPPORTED)
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(ctx, f"{where}{error.strerror or error}", EXIT_GENERAL)
        except (ArdmError, MemoryError) as error:
            _fail(ctx, str(error) or "not enough memory", EXIT_GENERAL)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, too, lets what is half written be removed."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, which alone is told of signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(ctx: click.Context, message: str, code: int) -> NoReturn:
    click.echo(f"ardm-compress: {message}", err=True)
    ctx.exit(code)


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"ardm-compress {version('ardm-compress')}")
    except PackageNotFoundError:
        click.echo("ardm-compress (not installed)")
    ctx.exit()


FILE = click.argument("file", type=click.Path(path_type=Path))
OUTPUT = click.option("-o", "--output", type=click.Path(path_type=Path), help="Output file.")
FORCE = click.option("-f", "--force", is_flag=True, help="Overwrite an existing output file.")
REMOVE = click.option("--rm", "remove", is_flag=True, help="Remove FILE once the output is verified and written.")
MODEL = click.option("--model", default="photo", show_default=True, help="Name of the model.")
BUDGET = click.option(
    "--budget",
    type=click.IntRange(min=1),
    help="Network calls, that is steps; a tiled image's tiles share them. More: smaller.",
)


def coding_options(command: Function) -> Function:
    """What coding may take: processes, pixels or samples, and memory."""
    for option in (
        click.option("--max-samples", type=click.IntRange(min=1), default=DEFAULT_LIMITS.samples,
                     show_default=True, help="Of sound: samples, of all channels, that it may have."),
        click.option("--max-memory", type=click.IntRange(min=1), default=DEFAULT_LIMITS.memory // MIB,
                     show_default=True, metavar="MIB", help="Of images: memory that coding one may take, about."),
        click.option("--max-pixels", type=click.IntRange(min=1), default=DEFAULT_LIMITS.pixels,
                     show_default=True, help="Of images: pixels that one may have."),
        click.option("-j", "--jobs", type=click.IntRange(min=1), default=processors(), show_default="processors",
                     help="Of images: processes for the tiles, as far as the memory allows."),
    ):  # fmt: skip
        command = option(command)
    return command


def coding_arguments(given: dict[str, int]) -> dict[str, Any]:
    """What ``coding_options`` gave, as arguments of functions that code images."""
    return {"jobs": given["jobs"], "limits": limits_of(given)}


def limits_of(given: dict[str, int]) -> Limits:
    """Those of ``coding_options``."""
    return Limits(pixels=given["max_pixels"], memory=given["max_memory"] * MIB, samples=given["max_samples"])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version.")
def main() -> None:
    """Lossless compression of photographs and sound with learned models."""


def check_output(output: Path, force: bool) -> None:
    """Say at once, not after minutes of work, that the output could not be written."""
    if not force:
        refuse_existing(output)
    if not output.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(output.parent))
    if output.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(output))


def check_removable(file: Path) -> None:
    """Raise UsageError unless ``--rm`` could remove a file."""
    if file.is_symlink() or not file.is_file():
        raise click.UsageError(f"--rm removes ordinary files only, and {file} is none")


def remove_input(file: Path, output: Path) -> None:
    """Remove a file of which ``output`` is now all that is left; not if that is no file, or the same one."""
    if output.is_file() and not output.samefile(file):
        file.unlink()


def is_sound(data: Data) -> bool:
    """Whether a file to encode is sound."""
    from ardm_compress.sound.files import is_sound

    return is_sound(data)


def is_stored(data: Data) -> bool:
    """Whether a compressed file holds another as it was."""
    from ardm_compress.audio.container import is_sound, is_stored

    return is_sound(data) and is_stored(data)


def is_packed_sound(data: Data) -> bool:
    """Whether a compressed file is one of sound, or holds another as it was."""
    from ardm_compress.audio.container import is_sound

    return is_sound(data)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """A bar in network calls on stderr; nothing where stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
