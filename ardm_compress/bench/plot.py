"""Size against network calls, and against time. Imports matplotlib, which the extra ``bench`` installs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ardm_compress.bench.totals import Group, Total
from ardm_compress.errors import UnsupportedError
from ardm_compress.files.atomic import write_atomically
from ardm_compress.files.locations import check_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES: Final = (".png", ".svg", ".pdf")
SHOWN: Final = 1.35  # times the smallest size: larger ones are drawn at the edge, where they do not flatten the rest
EDGE: Final = 0.08  # of the range of sizes, from the largest that is shown to those that are larger still
APART: Final = 0.048  # of the range of sizes, between labels
LABELS: Final = 1.12  # where labels begin, in widths of the diagram that they are right of
OURS: Final = "#c1440e"
COLOURS: Final = ("#0072b2", "#009e73", "#aa4499", "#56b4e9", "#e69f00", "#4a5a6a", "#332288", "#8c6d31")
MARKS: Final = "sD^vP*X<>"
SALT: Final = "ardm-compress"  # of the names inside SVG files, which are the same for the same figures then


def check_plot(file: Path) -> None:
    """Say before minutes of work that a plot could not be written.

    Raises:
        UnsupportedError: no such kind of plot, or no matplotlib; OSError: no such folder.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UnsupportedError(f"cannot write {file.name}: a plot's suffix must be one of {' '.join(SUFFIXES)}")
    try:
        import matplotlib as matplotlib
    except ImportError as error:
        raise UnsupportedError("plots need matplotlib: pip install matplotlib") from error
    check_output(str(file), force=True)


class Line(NamedTuple):
    """Another coder's size, as it is drawn in both diagrams."""

    total: Total
    level: float  # its bits, or the edge of what is shown
    colour: str
    mark: str  # none where it was not timed


def write_plot(groups: Sequence[Group], file: Path, *, force: bool) -> None:
    """Two diagrams for each folder and kind of file, with the labels of both between them.

    Raises:
        OutputExistsError: the file exists and ``force`` is not set.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with rc_context({"svg.hashsalt": SALT, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(12.5, 5 * len(groups)), layout="constrained")
        for group, (left, right) in zip(groups, figure.subplots(len(groups), 2, squeeze=False), strict=True):
            lines, (low, high) = _lines(group), _range(group)
            _against_calls(left, group, lines, APART * (high - low))
            _against_time(right, group, lines)
            for axes in (left, right):
                axes.set_ylim(low - EDGE * (high - low), high + 2 * EDGE * (high - low))
        kind = file.suffix.lower()[1:]
        figure.savefig(out, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(file, out.getvalue(), force=force)


def _range(group: Group) -> tuple[float, float]:
    """Return the smallest size, and the largest that the plot has room for."""
    least = min(total.bits for total in group.totals)
    high = max(total.bits for total in group.totals if total.bits <= SHOWN * least)
    return least, max(high, 1.01 * least)


def _lines(group: Group) -> list[Line]:
    """All that make no calls, each with a look of its own."""
    low, high = _range(group)
    others = [total for total in group.totals if not total.calls]
    edge = high + EDGE * (high - low)
    return [
        Line(total, min(total.bits, edge), COLOURS[number % len(COLOURS)],
             MARKS[number % len(MARKS)] if total.encode_speed else "")
        for number, total in enumerate(others)
    ]  # fmt: skip


def _against_calls(axes: Axes, group: Group, lines: list[Line], apart: float) -> None:
    """Ours by their calls; others, which make none, as horizontal lines that lead to their labels."""
    ours = sorted((total.calls, total.bits) for total in group.totals if total.calls)
    axes.plot([calls for calls, _ in ours], [bits for _, bits in ours], "o-", color=OURS)
    if ours:
        axes.annotate("ardm-compress", ours[0], (6, 6), textcoords="offset points", color=OURS)
        axes.set_xscale("log", base=2)
        axes.set_xticks([calls for calls, _ in ours], [f"{calls:.0f}" for calls, _ in ours], minor=False)
    across = axes.get_yaxis_transform()
    for line, place in zip(lines, _apart([line.level for line in lines], apart), strict=True):
        if line.level == line.total.bits:
            axes.axhline(line.level, color=line.colour, linewidth=0.8, linestyle="-" if line.total.size else "--")
        axes.plot([1, LABELS - 0.04], [line.level, place], color=line.colour, linewidth=0.5, transform=across,
                  clip_on=False)  # fmt: skip
        axes.plot([LABELS], [place], line.mark, color=line.colour, transform=across, clip_on=False)
        axes.text(LABELS + 0.03, place, f"{line.total.coder}  {line.total.bits:.2f}", va="center", color=line.colour,
                  transform=across)  # fmt: skip
    axes.set(xlabel="network calls", ylabel=f"{group.unit}, whole files", title=f"{group.name}, {group.files} files")


def _apart(values: list[float], least: float) -> list[float]:
    """Places for labels, in the order of their values, at least so far from each other, and as near as that allows."""
    ranked = sorted(range(len(values)), key=values.__getitem__)
    runs = list[tuple[float, int]]()  # the mean of labels that touch, each less its rank's distance, and their number
    for rank, index in enumerate(ranked):
        mean, count = values[index] - rank * least, 1
        while runs and runs[-1][0] > mean:
            above, more = runs.pop()
            mean, count = (mean * count + above * more) / (count + more), count + more
        runs.append((mean, count))
    means = [mean for mean, count in runs for _ in range(count)]
    places = {index: mean + rank * least for rank, (index, mean) in enumerate(zip(ranked, means, strict=True))}
    return [places[index] for index in range(len(values))]


def _against_time(axes: Axes, group: Group, lines: list[Line]) -> None:
    """Seconds to encode a million pixels or samples, of all that were timed."""
    axes.set_xscale("log")
    for line in lines:
        if not line.total.encode_speed:
            continue
        place = 1 / line.total.encode_speed, line.level
        axes.plot(*place, line.mark, color=line.colour)
        if line.level < line.total.bits:
            axes.annotate(f"{line.total.bits:.2f} \N{UPWARDS ARROW}", place, (0, 7), textcoords="offset points",
                          ha="center", color=line.colour)  # fmt: skip
    ours = sorted((t.calls, 1 / t.encode_speed, t.bits) for t in group.totals if t.calls and t.encode_speed)
    axes.plot([seconds for _, seconds, _ in ours], [bits for *_, bits in ours], "o-", color=OURS)
    for calls, seconds, bits in ours[:1] + ours[1:][-1:]:
        axes.annotate(f"{calls:.0f} calls", (seconds, bits), (-7, 0), textcoords="offset points", ha="right",
                      va="center", color=OURS)  # fmt: skip
    axes.set(xlabel=f"seconds to encode a M{group.speed[1:].split('/')[0]}", ylabel=f"{group.unit}, whole files")
