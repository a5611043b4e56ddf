"""Size against network calls, and against time. Imports matplotlib, which the extra ``bench`` installs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ardm_compress.bench.totals import Group
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES: Final = (".png", ".svg", ".pdf")
SHOWN: Final = 1.35  # times the smallest size: larger ones are left out beside network calls, where they say little
APART: Final = 0.045  # of the range of sizes beside network calls, between labels
OURS: Final = "#c1440e"
THEIRS: Final = "#4a5a6a"
OURS_NAME: Final = "ardm-compress, by calls"
MARKS: Final = "sD^vP*X<>"
SALT: Final = "ardm-compress"  # of the names inside SVG files, which are the same for the same figures then


def check_plot(file: Path) -> None:
    """Raise UnsupportedError unless a plot can be written, before minutes of work."""
    if file.suffix.lower() not in SUFFIXES:
        raise UnsupportedError(f"cannot write {file.name}: a plot's suffix must be one of {' '.join(SUFFIXES)}")
    try:
        import matplotlib as matplotlib
    except ImportError as error:
        raise UnsupportedError("plots need matplotlib: pip install 'ardm-compress[bench]'") from error


def write_plot(groups: Sequence[Group], file: Path, *, force: bool) -> None:
    """Two diagrams for each folder and kind of file.

    Raises:
        OutputExistsError: the file exists and ``force`` is not set.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with rc_context({"svg.hashsalt": SALT, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(12.5, 4.2 * len(groups)), layout="constrained")
        for group, (left, right) in zip(groups, figure.subplots(len(groups), 2, squeeze=False), strict=True):
            _against_calls(left, group)
            _against_time(right, group)
        kind = file.suffix.lower()[1:]
        figure.savefig(out, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(file, out.getvalue(), force=force)


def _against_calls(axes: Axes, group: Group) -> None:
    """Ours as a line, others, which make no calls, as horizontal ones."""
    ours = sorted((t.calls, t.bits) for t in group.totals if t.calls)
    axes.plot([calls for calls, _ in ours], [bits for _, bits in ours], "o-", color=OURS, label=OURS_NAME)
    least = min(total.bits for total in group.totals)
    others = [t for t in group.totals if not t.calls and t.bits < SHOWN * least]
    most = max((t.bits for t in others), default=least)
    for total, place in zip(others, _apart([t.bits for t in others], APART * (most - least)), strict=True):
        line = "--" if total.size is None else "-"
        axes.axhline(total.bits, color=THEIRS, linewidth=0.8, linestyle=line)
        axes.annotate(total.coder, (1, total.bits), (1.02, place), xycoords=("axes fraction", "data"),
                      textcoords=("axes fraction", "data"), va="center", fontsize=7, color=THEIRS)  # fmt: skip
    if ours:
        axes.set_xscale("log", base=2)
        axes.set_xticks([calls for calls, _ in ours], [f"{calls:.0f}" for calls, _ in ours], minor=False)
    axes.set(xlabel="network calls", ylabel=f"{group.unit}, whole files", title=f"{group.name}, {group.files} files")
    axes.legend(frameon=False, loc="best")


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


def _against_time(axes: Axes, group: Group) -> None:
    """Seconds to encode a million pixels or samples, of all that were timed."""
    timed = [(1 / total.encode_speed, total) for total in group.totals if total.encode_speed]
    others = [(seconds, total) for seconds, total in timed if not total.calls]
    for number, (seconds, total) in enumerate(others):
        mark = MARKS[number % len(MARKS)]
        axes.plot(seconds, total.bits, mark, color=f"C{number % 10}", markersize=6, label=total.coder)
    ours = sorted((total.calls, seconds, total.bits) for seconds, total in timed if total.calls)
    axes.plot([seconds for _, seconds, _ in ours], [bits for *_, bits in ours], "o-", color=OURS, label=OURS_NAME)
    for calls, seconds, bits in ours[:1] + ours[1:][-1:]:
        axes.annotate(f"{calls:.0f}", (seconds, bits), (6, 4), textcoords="offset points", fontsize=7, color=OURS)
    axes.set_xscale("log")
    axes.set(xlabel=f"seconds to encode a M{group.speed[1:].split('/')[0]}", ylabel=f"{group.unit}, whole files")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
