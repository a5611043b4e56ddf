"""The command line. At import only click and the standard library: help and ``info`` must answer at once."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeAlias

import click

from ardm_compress.data import Data, blocks, opened
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, ModelError, UnsupportedError
from ardm_compress.files import refuse_existing, write_atomically

if TYPE_CHECKING:
    from ardm_compress.api import PlanRow
    from ardm_compress.container import Region
    from ardm_compress.image.picture import Picture

ProgressCallback: TypeAlias = Callable[[int, int], None]

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


def _parse_region(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Region | None:
    if value is None:
        return None
    numbers = value.split(",")
    if len(numbers) != 4 or not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter("four numbers are needed, such as 0,0,256,256")
    left, top, width, height = map(int, numbers)
    return left, top, width, height


FILE = click.argument("file", type=click.Path(path_type=Path))
OUTPUT = click.option("-o", "--output", type=click.Path(path_type=Path), help="Output file.")
FORCE = click.option("-f", "--force", is_flag=True, help="Overwrite an existing output file.")
MODEL = click.option("--model", default="photo", show_default=True, help="Name of the model.")
MODELS = click.option("--model", help="Name of the model: by default photo or sound; auto tries all.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version.")
def main() -> None:
    """Lossless compression of photographs and sound with learned models."""


@main.command()
@FILE
@OUTPUT
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    help="Network calls, that is steps; a tiled image's tiles share them. More: smaller.",
)
@MODELS
@click.option("--verify/--no-verify", default=True, show_default=True, help="Decode and compare before writing.")
@click.option("--strip", is_flag=True, help="Of images: leave out metadata.")
@click.option("--force-pixels", is_flag=True, help="Of lossy images: code their pixels, as of a PNG file.")
@FORCE
def encode(
    file: Path, output: Path | None, budget: int | None, model: str | None, verify: bool, strip: bool,
    force_pixels: bool, force: bool,
) -> None:  # fmt: skip
    """Compress the image or sound FILE to FILE.ardm."""
    output = output or file.with_name(file.name + SUFFIX)
    _check_output(output, force)
    options: dict[str, Any] = {"budget": budget} | ({"model": model} if model else {})
    with opened(file) as original:
        sound = _is_sound(original)
        if sound and (strip or force_pixels):
            raise click.UsageError("--strip and --force-pixels are for images; this file is sound")
        options |= {} if sound else {"strip": strip, "force_pixels": force_pixels}
        with (_encode_sound if sound else _encode_image)(original, options) as encoded:
            if verify and not _restores(encoded.restores):
                raise ChecksumError("verification failed, nothing was written: decoding gives something else")
            write_atomically(output, blocks(encoded.data), force=force)
            click.echo(_summary(file, len(original), encoded), err=True)


@main.command()
@FILE
@OUTPUT
@FORCE
@click.option("--region", metavar="LEFT,TOP,WIDTH,HEIGHT", callback=_parse_region, help="Of images: pixels to decode.")
@click.option("--start", type=click.FloatRange(min=0), default=0.0, help="Of sound: seconds to leave out.")
@click.option("--duration", type=click.FloatRange(min=0), help="Of sound: seconds to decode.")
def decode(
    file: Path, output: Path | None, force: bool, region: Region | None, start: float,
    duration: float | None,
) -> None:  # fmt: skip
    """Restore the image or sound from FILE.

    The output is FILE without .ardm; for images its suffix is added if that is missing. Everything comes back as the
    kind of file that it was, or with -o as another: images as .png and others, sound as .wav or .flac. Parts of sound,
    and what is converted, have no tags.
    """
    with opened(file) as data:
        if region and _is_packed_sound(data):
            raise click.UsageError("--region is for images of which samples are coded; this file is none")
        if _is_stored(data) and not (start or duration is not None):
            _decode_stored(file, data, output, force)
        elif _is_packed_sound(data):
            _decode_sound(file, data, output, force, start, duration)
        elif start or duration is not None:
            raise click.UsageError("--start and --duration are for sound; this file is an image")
        else:
            _decode_image(file, data, output, force, region)


@main.command()
@FILE
def test(file: Path) -> None:
    """Decode FILE in memory and check every checksum."""
    with opened(file) as data:
        if _is_packed_sound(data):
            with _sound(data, "test") as parts:
                deque(parts, maxlen=0)
        else:
            _image(data, "test")
    click.echo(f"{file}: ok")


@main.command()
@FILE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(file: Path, as_json: bool) -> None:
    """Describe FILE without decoding it."""
    from ardm_compress.layout import describe

    with opened(file) as data:
        facts = describe(data)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        shown = f"{value:.3f}" if isinstance(value, float) else value
        click.echo(f"{name.replace('_', ' '):<{width}}  {shown}")


@main.command()
@MODEL
@click.option("--width", type=click.IntRange(min=1), default=768, show_default=True, help="Columns of the image.")
@click.option("--height", type=click.IntRange(min=1), default=512, show_default=True, help="Rows of the image.")
def plan(model: str, width: int, height: int) -> None:
    """Print what a budget of network calls is expected to buy."""
    from rich.console import Console
    from rich.table import Table

    from ardm_compress import api

    table = Table(title=f"{model}, {width} x {height}")
    table.add_column("network calls", justify="right")
    table.add_column("bits per subpixel", justify="right")
    table.add_column("steps per level, coarsest first")
    for row in _doubling(api.plan(model, (height, width))):
        table.add_row(str(row.budget), f"{row.bits_per_sample:.3f}", " ".join(map(str, row.steps_per_level)))
    Console().print(table)


@main.command()
def models() -> None:
    """List the models, and check that their files are whole."""
    from ardm_compress.models import facts

    rows = facts()
    titles = ("model", "id", "network", "MMAC/pixel", "bytes", "state", "file")
    lines = [titles, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    if any(row.state != "ok" for row in rows):
        raise ModelError("a model is damaged or missing; reinstall ardm-compress")


@main.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="own", show_default=True, help="Name of the model, as for encode --model.")
@click.option("--steps", type=click.IntRange(min=4), default=12000, show_default=True, help="Training steps in all.")
@click.option("--batch", type=click.IntRange(min=1), default=4096, show_default=True, help="Positions per step.")
@click.option("--hidden", type=click.IntRange(min=16), default=192, show_default=True, help="Width of the network.")
@click.option("--blocks", type=click.IntRange(min=1), default=4, show_default=True, help="Residual blocks.")
@click.option("--memory", type=click.IntRange(min=1), default=1024, show_default=True, help="MiB of samples held.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all random choices.")
@click.option("--device", default="auto", show_default=True, help="A torch device; auto is a GPU if there is one.")
def train(
    data: Path, run: Path, name: str, steps: int, batch: int, hidden: int, blocks: int, memory: int, seed: int,
    device: str,
) -> None:  # fmt: skip
    """Fit a model to the folder DATA of images or of sound; checkpoints and the model are kept in the folder RUN.

    The same command continues what RUN holds, and with more steps goes on from before the learning rate fell. Under
    torchrun (-m ardm_compress train ...) every process takes its share. docs/training.md has an example.
    """
    from ardm_compress.network.defaults import image_network, is_sound_folder, sound_network
    from ardm_compress.network.fit import fit
    from ardm_compress.network.train import TrainConfig

    network = sound_network(hidden, blocks) if is_sound_folder(data) else image_network(hidden, blocks)
    config = TrainConfig(network=network, steps=steps, decay=steps // 4, batch=batch, memory=memory << 20, seed=seed)
    file = fit(config, data, run, name=name, device=device)
    click.echo(f"{file}: set ARDM_COMPRESS_MODELS={run} to encode and decode with --model {name}")


def _check_output(output: Path, force: bool) -> None:
    """Say at once, not after minutes of work, that the output could not be written."""
    if not force:
        refuse_existing(output)
    if not output.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(output.parent))


def _without_suffix(file: Path) -> Path:
    return file.with_suffix("") if file.suffix == SUFFIX else file


def _original_name(file: Path) -> Path:
    """FILE without .ardm, or another name than FILE."""
    return _without_suffix(file) if file.suffix == SUFFIX else file.with_name(file.name + ".out")


def _decoded_name(file: Path, picture: Picture) -> Path:
    """FILE without .ardm, with a suffix that is right."""
    from ardm_compress.image.files import own_suffixes
    from ardm_compress.image.png import plain as plain_wrapper
    from ardm_compress.media import WRITERS

    name, own = _without_suffix(file), own_suffixes(picture)
    anything = picture.wrapper == plain_wrapper(picture.wrapper.channels) and picture.wrapper.channels in (1, 3)
    known = name.suffix.lower() in (WRITERS if anything else own)
    return name if known else name.with_name(name.name + own[0])


def _is_sound(data: Data) -> bool:
    from ardm_compress.sound.files import is_sound

    return is_sound(data)


def _is_stored(data: Data) -> bool:
    from ardm_compress.audio.container import is_sound, is_stored

    return is_sound(data) and is_stored(data)


def _is_packed_sound(data: Data) -> bool:
    from ardm_compress.audio.container import is_sound

    return is_sound(data)


class Encoded(NamedTuple):
    """What ``encode`` has made."""

    data: Data
    seconds: float
    restores: Callable[[], bool]  # decodes it and compares


@contextmanager
def _encode_image(data: Data, options: dict[str, Any]) -> Iterator[Encoded]:
    """A compressed image; it restores the same samples and metadata, or the same bytes."""
    from ardm_compress import api
    from ardm_compress.image.files import same_image

    original, start = data[:], time.perf_counter()
    with _progress("encode") as progress:
        coded = api.encode_image(original, progress=progress, **options)
    changes = {name: options[name] for name in ("strip", "force_pixels")}

    def restores() -> bool:
        if _is_stored(coded):
            return b"".join(api.decoded_file(coded)) == original
        return same_image(_image(coded, "verify"), original, **changes)

    yield Encoded(coded, time.perf_counter() - start, restores)


@contextmanager
def _encode_sound(original: Data, options: dict[str, Any]) -> Iterator[Encoded]:
    """A compressed sound file; it restores the same bytes, or for FLAC the same samples and tags."""
    from ardm_compress import api
    from ardm_compress.sound.files import same_file

    start = time.perf_counter()
    with ExitStack() as stack:
        with _progress("encode") as progress:
            data = stack.enter_context(api.encoded_sound(original, progress=progress, **options))

        def restores() -> bool:
            with _sound(data, "verify") as parts:
                return same_file(parts, original)

        yield Encoded(data, time.perf_counter() - start, restores)


def _restores(restores: Callable[[], bool]) -> bool:
    try:
        return restores()
    except FormatError as error:
        raise ChecksumError(f"verification failed, nothing was written: {error}") from error


def _image(data: Data, label: str, **options: Any) -> Picture:
    from ardm_compress import api

    with _progress(label) as progress:
        return api.decode_image(data, progress=progress, **options)


@contextmanager
def _sound(data: Data, label: str, **options: Any) -> Iterator[Iterator[bytes]]:
    """The parts of a file of sound, which are decoded while they are taken."""
    from ardm_compress import api

    with _progress(label) as progress:
        yield api.decoded_sound(data, progress=progress, **options)


def _decode_image(file: Path, data: Data, output: Path | None, force: bool, region: Region | None) -> None:
    from ardm_compress.image.files import written_as

    if region and output is None:
        raise click.UsageError("name the part with -o")
    if output:
        _check_output(output, force)
    picture = _image(data, "decode", region=region)
    output = output or _decoded_name(file, picture)
    _check_output(output, force)
    write_atomically(output, written_as(picture, output.suffix.lower()), force=force)


def _decode_stored(file: Path, data: Data, output: Path | None, force: bool) -> None:
    from ardm_compress import api

    parts = api.decoded_file(data, suffix=output.suffix.lower() if output else None)
    output = output or _original_name(file)
    _check_output(output, force)
    write_atomically(output, parts, force=force)


def _decode_sound(
    file: Path, data: Data, output: Path | None, force: bool, start: float, duration: float | None
) -> None:
    if (start or duration is not None) and output is None:
        raise click.UsageError("name the part with -o")
    suffix = output.suffix.lower() if output else None
    output = output or _original_name(file)
    _check_output(output, force)
    with _sound(data, "decode", suffix=suffix, start=start, duration=duration) as parts:
        write_atomically(output, parts, force=force)


def _summary(file: Path, before: int, encoded: Encoded) -> str:
    from ardm_compress.layout import describe

    after, facts = len(encoded.data), describe(encoded.data)
    size = f"{file}: {before} -> {after} bytes ({100 * after / max(1, before):.1f}%)"
    if facts["kind"] == "stored file":
        return f"{size}, stored as it is"
    unit = "subpixel" if facts["kind"] == "image" else "sample"
    how = f"{facts['calls']} calls" if "calls" in facts else facts["methods"]
    return f"{size}, {facts['bits_per_sample']:.3f} bits per {unit}, {how}, {encoded.seconds:.1f} s"


def _doubling(rows: list[PlanRow]) -> list[PlanRow]:
    """Pick the budgets 4, 8, 16, ... and the largest."""
    return [row for row in rows[:-1] if row.budget >= 4 and row.budget.bit_count() == 1] + rows[-1:]


@contextmanager
def _progress(label: str) -> Iterator[ProgressCallback | None]:
    """A bar in network calls on stderr; nothing where stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
