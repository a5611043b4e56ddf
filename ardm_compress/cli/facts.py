"""``info``, ``plan`` and ``models``: what there is, and what to expect."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ardm_compress.batch.estimates import MEASURED, Rates
from ardm_compress.batch.failing import failure
from ardm_compress.batch.inputs import Choice
from ardm_compress.batch.settings import SUFFIX
from ardm_compress.cli.batch import exit_code, print_json, select_jobs
from ardm_compress.cli.group import complain, printable
from ardm_compress.cli.options import FILES, JSON, MODEL, SELECTION, Grouped, options
from ardm_compress.errors import ModelError
from ardm_compress.formats import FILE

if TYPE_CHECKING:
    from ardm_compress.ardm.schedule import PlanRow


@click.command(cls=Grouped, short_help="Describe compressed files.")
@FILES
@options(*SELECTION)
@JSON
def info(files: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Describe each FILE without decoding it: one in all detail, several as a table."""
    sources = [job.source for job in select_jobs(files, given, Choice({SUFFIX}), None)]
    told: list[dict[str, Any]] = []
    failures = [found for source in sources if (found := failure(source, partial(_describe, source, told)))]
    if as_json:
        print_json(told, several=len(sources) > 1)
    elif told:
        click.echo(_table(told) if len(sources) > 1 else _list(told[0]))
    for failed in failures:
        complain(failed.error)
    click.get_current_context().exit(exit_code(failures))


def _describe(source: str, told: list[dict[str, object]]) -> None:
    from ardm_compress.container import UNLIMITED, parse
    from ardm_compress.files import locations as storage

    with storage.opened(source) as data:
        told.append({"source": source, **parse(data, UNLIMITED).facts})


def _list(facts: dict[str, object]) -> str:
    return _aligned((name.replace("_", " "), _shown(value)) for name, value in facts.items())


def _table(told: list[dict[str, Any]]) -> str:
    rows = [("bytes", "original", "ratio", "bits/sample", "kind", "extent", "coded by", "comes back", "file")]
    for facts in told:
        bits = _shown(facts["bits_per_sample"]) if "bits_per_sample" in facts else ""
        how = f"{facts['model']}, {facts['calls']} calls" if "calls" in facts else facts.get("methods", "")
        back = "exactly" if facts["comes_back"] == FILE else str(facts["comes_back"])
        sizes = str(facts["bytes"]), str(facts.get("original_bytes", "")), _ratio([facts])
        rows.append((*sizes, bits, str(facts["kind"]), _extent(facts), str(how), back, _shown(facts["source"])))
    return f"{_aligned(rows)}\n{_total(told)}" if len(told) > 1 else _aligned(rows)


def _total(told: list[dict[str, Any]]) -> str:
    from rich.filesize import decimal

    known = [facts for facts in told if "original_bytes" in facts]
    sizes = f"{len(told)} files: {decimal(sum(facts['bytes'] for facts in told))}"
    if not known:
        return sizes
    others = f"; that of {len(told) - len(known)} is not known" if len(known) < len(told) else ""
    return f"{sizes}, originals {decimal(sum(facts['original_bytes'] for facts in known))} ({_ratio(known)}){others}"


def _ratio(known: list[dict[str, Any]]) -> str:
    """Return the size of compressed files beside that of the originals, where that is known."""
    before = sum(facts.get("original_bytes", 0) for facts in known)
    return f"{100 * sum(facts['bytes'] for facts in known) / before:.1f}%" if before else ""


def _extent(facts: dict[str, object]) -> str:
    if facts["kind"] == "image":
        return f"{facts['width']} x {facts['height']} x {facts['channels']}"
    return f"{_shown(facts['seconds'])} s x {facts['channels']}" if facts["kind"] == "sound" else ""


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


def _aligned(rows: Iterable[tuple[str, ...]]) -> str:
    """Lines with columns below each other."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


@click.command(short_help="Print what network calls buy.")
@MODEL
@click.option("--width", type=click.IntRange(min=1), default=768, show_default=True, help="Columns of the image.")
@click.option("--height", type=click.IntRange(min=1), default=512, show_default=True, help="Rows of the image.")
@JSON
def plan(model: str, width: int, height: int, as_json: bool) -> None:
    """Print what a budget of network calls is expected to buy."""
    from rich.console import Console
    from rich.table import Table

    from ardm_compress.codec import drawing

    rows, rates = _doubling(drawing.plan(model, (height, width))), Rates()
    commands = ("encode", "decode") if model == MEASURED else ()
    seconds = [round(rates.megapixel(command), 1) for command in commands]
    if as_json:
        timed = {f"{name}_seconds_per_megapixel": value for name, value in zip(commands, seconds, strict=True)}
        print_json([row._asdict() | timed for row in rows], several=True)
        return
    took = "with any budget about {} s a megapixel to encode and verify, {} s to decode, on one processor"
    took = took.format(*seconds) if seconds else ""
    table = Table(title=f"{model}, {width} x {height}", caption=took)
    table.add_column("network calls", justify="right")
    table.add_column("bits per subpixel", justify="right")
    table.add_column("steps per level, coarsest first")
    for row in rows:
        table.add_row(str(row.budget), f"{row.bits_per_sample:.3f}", " ".join(map(str, row.steps_per_level)))
    Console().print(table)


@click.command(short_help="List the models and check them.")
@JSON
def models(as_json: bool) -> None:
    """List the models, and check that their files are whole."""
    from ardm_compress.inference import facts

    rows = facts()
    titles = ("model", "id", "network", "MMAC/pixel", "bytes", "state", "file")
    if as_json:
        print_json([row._asdict() | {"file": str(row.file)} for row in rows], several=True)
    else:
        click.echo(_aligned([titles, *(tuple(map(str, row)) for row in rows)]))
    if any(row.state != "ok" for row in rows):
        raise ModelError("a model is damaged or missing; reinstall ardm-compress")


def _doubling(rows: list[PlanRow]) -> list[PlanRow]:
    """Pick the budgets 4, 8, 16, ... and the largest."""
    return [row for row in rows[:-1] if row.budget >= 4 and row.budget.bit_count() == 1] + rows[-1:]
