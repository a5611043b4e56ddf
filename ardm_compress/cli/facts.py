"""``info``, ``plan`` and ``models``: what there is, and what to expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ardm_compress.cli.group import FILE, MODEL, main
from ardm_compress.data import opened
from ardm_compress.errors import ModelError

if TYPE_CHECKING:
    from ardm_compress.image.array import PlanRow


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


def _doubling(rows: list[PlanRow]) -> list[PlanRow]:
    """Pick the budgets 4, 8, 16, ... and the largest."""
    return [row for row in rows[:-1] if row.budget >= 4 and row.budget.bit_count() == 1] + rows[-1:]
