"""Figures as a table, CSV, JSON or Markdown. Standard library only; rich for the table."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final

from ardm_compress.bench.totals import Group, Report, Total, folder_name
from ardm_compress.formats import SOUND

WIDTH: Final = 160  # columns, where no terminal says how many there are
TIMES: Final = ("encode_speed", "decode_speed", "memory")  # of a total, and what else is no size


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
    """Say what was measured."""
    count = f"{group.files} {'sound file' if group.kind == SOUND else group.kind}{'s' if group.files != 1 else ''}"
    return f"{group.name}: {count}, {group.units / 1e6:.2f} million {group.speed[1:].split('/')[0]}s"


def as_table(report: Report, sizes: bool) -> str:
    """For people, at a terminal; ``sizes`` leaves out times."""
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out, width=None if sys.stdout.isatty() else WIDTH)
    for group in report.groups:
        table = Table(title=heading(group))
        for number, title in enumerate(titles(group, sizes)):
            table.add_column(title, justify="right" if number else "left")
        for total in group.totals:
            table.add_row(*cells(total, group, sizes))
        console.print(table)
    refused = [f"not taken: {line}" for group in report.groups for line in _refused(group)]
    left_out = [f"left out: {line}" for line in _left_out(report)]
    for line in [*refused, *left_out, _line(report.facts)]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return out.getvalue().rstrip("\n")


def as_markdown(report: Report, sizes: bool) -> str:
    """For documentation; of several folders, all bytes in one table as well."""
    groups = report.groups
    parts = [_overview(groups)] if len(groups) > 1 else []
    for group in groups:
        table = _markdown(titles(group, sizes), [cells(total, group, sizes) for total in group.totals])
        parts += [heading(group) + ".", table, *_listed("Not taken", _refused(group))]
    return "\n\n".join([*parts, *_listed("Left out", _left_out(report)), _line(report.facts)])


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _overview(groups: Sequence[Group]) -> str:
    """Bytes by coder and folder; none of coders that did not take all files of a folder."""
    coders = dict.fromkeys(total.coder for group in groups for total in group.totals if total.size is not None)
    rows = [[coder, *(_bytes(coder, group) for group in groups)] for coder in coders]
    head = ["bytes", *(f"{group.name} ({group.files})" for group in groups)]
    return _markdown(head, rows)


def _bytes(coder: str, group: Group) -> str:
    found = [total.size for total in group.totals if total.coder == coder and total.files == group.files]
    return f"{found[0]:,}" if found else ""


def _listed(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", "\n".join(f"- {line}" for line in lines)] if lines else []


def _refused(group: Group) -> list[str]:
    return [f"{refusal.file}, {refusal.coder}: {refusal.reason}" for refusal in group.refusals]


def _left_out(report: Report) -> list[str]:
    return [f"{folder_name(left.folder)}/{left.file}: {left.reason}" for left in report.left_out]


def _line(facts: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in facts.items())


def as_csv(report: Report, sizes: bool) -> str:
    """Write a line for each coder, folder and kind, and one with a reason for each file that a coder refused."""
    out = io.StringIO()
    figures = [name for name in Total.__dataclass_fields__ if not (sizes and name in TIMES)]
    fields = ["folder", "kind", *figures, "file", "reason"]
    writer = csv.DictWriter(out, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for group in report.groups:
        about = {"folder": group.folder, "kind": group.kind}
        writer.writerows({**about, **asdict(total)} for total in group.totals)
        writer.writerows({**about, **refusal._asdict()} for refusal in group.refusals)
    writer.writerows(left._asdict() for left in report.left_out)
    return out.getvalue().rstrip("\n")


def as_json(report: Report, sizes: bool) -> str:
    """Everything but single files."""
    groups = [asdict(group) for group in report.groups]
    for group in groups:
        group["refusals"] = [refusal._asdict() for refusal in group["refusals"]]
        for total in group["totals"] if sizes else ():
            for name in TIMES:
                del total[name]
    left = [each._asdict() for each in report.left_out]
    return json.dumps({"measured": report.facts, "groups": groups, "left_out": left}, indent=2)


FORMATS: Final[dict[str, Callable[[Report, bool], str]]] = {
    "table": as_table, "markdown": as_markdown, "csv": as_csv, "json": as_json,
}  # fmt: skip
