"""The command line's frame: find commands, turn errors into exit codes, show names and progress.

Imports only click at first: help and ``info`` must answer at once.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import click

from ardm_compress.batch.failing import EXPECTED, INTERRUPTED, explain
from ardm_compress.tasks.processes import terminable

if TYPE_CHECKING:
    from ardm_compress.tasks import Progress

MODULES: Final = {
    "bench": "bench", "decode": "decoding", "encode": "encoding", "info": "facts", "inpaint": "drawing",
    "models": "facts", "plan": "facts", "sample": "drawing", "test": "decoding", "thumbnail": "thumbnails",
    "train": "training",
}  # of this package, of every command  # fmt: skip
MOST_NAMES: Final = 4  # of files at work that are shown
ESCAPED: Final = {
    **{code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))},  # control characters
    **{0xDC00 + byte: f"\\x{byte:x}" for byte in range(128, 256)},  # bytes of names that are not UTF-8
}


class Imported(Mapping[str, click.Command]):
    """Commands by name, each of which is imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f"ardm_compress.cli.{MODULES[name]}"), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class Commands(click.Group):
    """A group whose commands end in one line on stderr and an exit code, never in a traceback, on expected errors."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see the table of exit codes in docs/cli.md."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is escaped
        if sys.stderr.isatty():  # so that nobody wonders why a first run takes longer
            logging.basicConfig(format="ardm-compress: %(message)s")
            logging.getLogger("ardm_compress").setLevel(logging.INFO)
        try:
            with terminable():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            _fail(ctx, "interrupted", INTERRUPTED)
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except EXPECTED as error:
            _fail(ctx, *explain(error))


def _fail(ctx: click.Context, message: str, code: int) -> NoReturn:
    complain(message)
    ctx.exit(code)


def complain(message: str) -> None:
    """Print a line on standard error."""
    click.echo(f"ardm-compress: {printable(message)}", err=True)


def printable(name: str) -> str:
    """Escape a name or a message, so that any terminal can show it in one line."""
    return name.translate(ESCAPED)


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """Of the program, the format and the models."""
    if not value:
        return
    from importlib.metadata import PackageNotFoundError, version

    from ardm_compress.container import VERSION
    from ardm_compress.inference import manifest

    try:
        number = version("ardm-compress")
    except PackageNotFoundError:
        number = "(not installed)"
    click.echo(f"ardm-compress {number}, format {VERSION}")
    try:
        for model in manifest():
            click.echo(f"{model.name} {model.model_id.hex()} ({model.file.name})")
    except EXPECTED as error:
        _fail(ctx, *explain(error))
    ctx.exit()


@click.group(
    cls=Commands,
    commands=cast("MutableMapping[str, click.Command]", Imported()),
    short_help="Lossless compression with learned models.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version.")
def main() -> None:
    """Lossless compression of photographs and sound with learned models."""


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """Show a bar of network calls on standard error, unless that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    with _bars(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _bars(*columns: Any) -> Any:
    from rich.console import Console
    from rich.progress import Progress as Bars

    return Bars(*columns, console=Console(stderr=True), transient=True)


class FilesBar:
    """Shows of many files the bytes done, the time left and those at work, unless standard error is no terminal."""

    def __init__(self, label: str, sizes: Mapping[str, int], *, shown: bool) -> None:
        """Take the bytes of each file."""
        self._label, self._sizes, self._shown = label, sizes, shown and sys.stderr.isatty()
        self._at_work: list[str] = []

    def __enter__(self) -> FilesBar:
        if self._shown:
            from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._bars = _bars(*columns).__enter__()
            self._all = self._bars.add_task(self._label, total=sum(self._sizes.values()))
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown:
            self._bars.__exit__(*error)

    def begin(self, names: Sequence[str]) -> None:
        """Show those names too."""
        self._at_work += names
        self._show()

    def end(self, name: str) -> None:
        """Count a file."""
        if name in self._at_work:
            self._at_work.remove(name)
        if self._shown:
            self._bars.advance(self._all, self._sizes.get(name, 0))
        self._show()

    def _show(self) -> None:
        if self._shown:
            from rich.markup import escape

            names = ", ".join(printable(name.rpartition("/")[2]) for name in self._at_work[:MOST_NAMES])
            more = " ..." if len(self._at_work) > MOST_NAMES else ""
            self._bars.update(self._all, description=f"{self._label} {escape(names)}{more}")
