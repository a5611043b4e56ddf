"""The plots of docs/paper.md, from the JSON files of ``paper.py`` and ``oa_ardm.py``.

    python benchmarks/paper_plots.py FOLDER [--png]

FOLDER, docs/paper, has orders.json, losses.json and oa_orders.json, or some of them; the plots are written beside.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

COLOURS = {"spread": "#1b7837", "random": "#2166ac", "raster": "#b2182b", "block": "#e08214"}
DIMENSIONS = 3072

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "paper", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})


def axes_of_calls(axes: Axes, calls: list[int], unit: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(calls, map(str, calls))
    axes.minorticks_off()
    axes.set_xlabel("network calls")
    axes.set_ylabel(unit)
    axes.legend()


def orders(axes: Axes, found: dict[str, Any]) -> None:
    """Bits per subpixel of every order over the calls, by the shipped weights, on Kodak."""
    for name, result in found["orders"].items():
        for kind, line in (("planned", "-"), ("even", ":")):
            rows = [row for row in result["rows"] if row["schedule"] == kind]
            label = name if kind == "planned" else None
            axes.plot(
                [row["calls"] for row in rows], [row["Kodak"] for row in rows], f"o{line}", ms=3, color=COLOURS[name],
                label=label,
            )  # fmt: skip
    axes.set_title("The shipped model, Kodak; dotted: even steps")
    axes_of_calls(axes, [8, 16, 32, 64, 128, 256], "bits per subpixel")


def unknown(axes: Axes, found: dict[str, Any]) -> None:
    """Mean bits of all that is unknown, over what is known, by the shipped weights."""
    for name, result in found["orders"].items():
        bits = result["unknown"]
        known = np.arange(len(bits)) / len(bits)
        if name == "spread":
            known = 0.25 + 0.75 * known  # of the finest level, before which a quarter is known
        axes.plot(known, bits, color=COLOURS[name], label=name)
    axes.set_title("What is still unknown, given the first ranks of an order")
    axes.set_xlabel("share of the positions that is known")
    axes.set_ylabel("mean bits per unknown subpixel")
    axes.legend()


def losses(axes: Axes, found: dict[str, Any]) -> None:
    """Draw the loss components of the OA-ARDM, and what the best twenty steps pay."""
    sets = list(found["bits"])
    for name in sets:
        axes.plot(found["times"], found["bits"][name], label=name)
    starts = np.array(found["starts"]["20"])
    paid = np.interp(starts, found["times"], found["bits"][sets[0]])
    axes.stairs(paid, np.append(starts, DIMENSIONS), color="gray", baseline=None, label=f"20 planned steps, {sets[0]}")
    axes.set_title("Loss components of the OA-ARDM")
    axes.set_xlabel("dimensions that are known, t")
    axes.set_ylabel("L_t, bits of an unknown dimension")
    axes.legend()


def oa_orders(axes: Axes, found: dict[str, Any]) -> None:
    """Bits per dimension of every order over the calls, by weights trained on the random one only."""
    for key, bits in found["bits"].items():
        name, kind = key.split(", ")
        label = name if kind == "planned" else None
        style = "o-" if kind == "planned" else "o:"
        axes.plot(found["budgets"], bits, style, ms=3, color=COLOURS[name], label=label)
    axes.set_title("The OA-ARDM, 32x32 pictures of Kodak; dotted: even steps")
    axes_of_calls(axes, [8, 16, 32, 64, 128], "bits per dimension")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--png", is_flag=True, help="Write PNG files, to look at.")
def main(folder: Path, png: bool) -> None:
    """Draw the plots."""
    for draw, source in ((orders, "orders"), (unknown, "orders"), (losses, "losses"), (oa_orders, "oa_orders")):
        file = folder / f"{source}.json"
        if not file.exists():
            continue
        figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
        draw(axes, json.loads(file.read_text("utf-8")))
        target = folder / f"{draw.__name__}.{'png' if png else 'svg'}"
        figure.savefig(target, metadata={} if png else {"Date": None}, dpi=110)
        pyplot.close(figure)


if __name__ == "__main__":
    main()
