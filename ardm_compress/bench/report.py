"""Figures as a table, CSV, JSON or Markdown. Standard library only; rich for the table."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final

from ardm_compress.bench.totals import Group, Total

WIDTH: Final = 160  # columns, where no terminal says how many there are


def titles(group: Group, sizes: bool) -> list[str]:
    """Of the columns, those of times last."""
    times = [f"encode {group.speed}", f"decode {group.speed}", "MiB"]
    return ["coder", "files", "bytes", group.unit, "calls", *([] if sizes else times)]


def cells(total: Total, group: Group, sizes: bool) -> list[str]:
    """Of a row; empty where there is no figure."""
    published = total.size is None
    return [
        total.coder,
        "" if published else f"{total.files}" if total.files == group.files else f"{total.files} of {group.files}",
        "" if total.size is None else f"{total.size:,}",
        f"{total.bits:.3f}",
        _shown(total.calls, "{:.0f}"),
        *([] if sizes else _times(total)),
    ]


def _times(total: Total) -> list[str]:
    speeds = [_shown(total.encode_speed, "{:.3g}"), _shown(total.decode_speed, "{:.3g}")]
    return [*speeds, _shown(total.memory, "{:.0f}")]


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def heading(group: Group) -> str:
    """What was measured."""
    count = f"{group.files} {'image' if group.kind == 'image' else 'sound file'}{'s' if group.files != 1 else ''}"
    return f"{group.name}: {count}, {group.units / 1e6:.2f} million {group.speed[1:].split('/')[0]}s"


def as_table(groups: Sequence[Group], facts: dict[str, str], sizes: bool) -> str:
    """For people, at a terminal; ``sizes`` leaves out times, of all that are not for programs to read."""
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out, width=None if sys.stdout.isatty() else WIDTH)
    for group in groups:
        table = Table(title=heading(group))
        for number, title in enumerate(titles(group, sizes)):
            table.add_column(title, justify="right" if number else "left")
        for total in group.totals:
            table.add_row(*cells(total, group, sizes))
        console.print(table)
    console.print(_line(facts), soft_wrap=True, highlight=False, markup=False)
    return out.getvalue().rstrip("\n")


def as_markdown(groups: Sequence[Group], facts: dict[str, str], sizes: bool) -> str:
    """For documentation; of several folders, all bytes in one table as well."""
    parts = [_overview(groups)] if len(groups) > 1 else []
    for group in groups:
        lines = [heading(group) + ".", ""]
        lines += _markdown(titles(group, sizes), [cells(total, group, sizes) for total in group.totals])
        parts.append("\n".join([*lines, *(["", *_notes(group)] if group.reasons else [])]))
    return "\n\n".join([*parts, _line(facts)])


def _markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _overview(groups: Sequence[Group]) -> str:
    """Bytes by coder and folder; none of coders that did not take all files of a folder."""
    coders = dict.fromkeys(total.coder for group in groups for total in group.totals if total.size is not None)
    rows = [[coder, *(_bytes(coder, group) for group in groups)] for coder in coders]
    head = ["bytes", *(f"{group.name} ({group.files})" for group in groups)]
    return "\n".join(_markdown(head, rows))


def _bytes(coder: str, group: Group) -> str:
    found = [total.size for total in group.totals if total.coder == coder and total.files == group.files]
    return f"{found[0]:,}" if found else ""


def _notes(group: Group) -> list[str]:
    return ["Not taken:", "", *(f"- {reason}" for reason in group.reasons)]


def _line(facts: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in facts.items())


def as_csv(groups: Sequence[Group], _facts: dict[str, str], _sizes: bool) -> str:
    """One line for each coder, folder and kind."""
    out = io.StringIO()
    fields = ["folder", "kind", *Total.__dataclass_fields__]
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    for group in groups:
        writer.writerows({"folder": group.folder, "kind": group.kind, **asdict(total)} for total in group.totals)
    return out.getvalue().rstrip("\n")


def as_json(groups: Sequence[Group], facts: dict[str, str], _sizes: bool) -> str:
    """Everything but single files."""
    return json.dumps({"machine": facts, "groups": [asdict(group) for group in groups]}, indent=2)


FORMATS: Final[dict[str, Callable[[Sequence[Group], dict[str, str], bool], str]]] = {
    "table": as_table, "markdown": as_markdown, "csv": as_csv, "json": as_json,
}  # fmt: skip
