"""The paper's experiments with orders and schedules, by the shipped model: docs/paper.md.

    python benchmarks/paper.py orders PHOTOS TEST [--each 1000] [-o docs/paper/orders.json]
    python benchmarks/paper.py files PHOTOS TEST [--budget 16]

Of PHOTOS, the folder that the model was trained on, the files that were held out are used, to plan the orders that the
model has no cost table of, and to measure; TEST is another folder to measure on, say Kodak. All pictures are cropped to
512 x 512. Every order has the same weights, no style and no latents.
"""

from __future__ import annotations

import datetime
import json
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from order_costs import ORDERS, Measured, order_of, plans, schedules
from photographs import images, middles

from ardm_compress.ardm.tiles import PLAIN
from ardm_compress.bench.machine import machine
from ardm_compress.coding.image import decode_tiles, encode_tiles
from ardm_compress.coding.loop import Popped
from ardm_compress.coding.models import load_model
from ardm_compress.inference import find_model
from ardm_compress.inference.network import Model
from ardm_compress.training.data import held_out

SIDE = 512
BUDGETS = (8, 16, 20, 32, 64, 128, 1 << 20)
EACH_PLANNED = 600  # positions of a picture that cost tables are measured at
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


def measure_order(model: Model, name: str, planning: Measured, tests: dict[str, Measured]) -> dict[str, object]:
    """Measure what the schedules of an order cost, of every budget, on every set of pictures."""
    order, shape = order_of(name), (SIDE, SIDE)
    plan, ranks = plans(model, order, shape, planning)
    chosen = schedules(plan, ranks, order, shape, BUDGETS)
    costs = {test: measured.cost(order, list(chosen.values())) for test, measured in tests.items()}
    rows = [
        {"calls": budget, "schedule": kind, **{test: found[number] for test, found in costs.items()}}
        for number, (budget, kind) in enumerate(chosen)
    ]
    return {"ranks": len(ranks), "rows": rows}


def unknown_cost(model: Model, name: str, planning: Measured) -> list[float]:
    """Mean bits per subpixel of all that is unknown, given ranks below t of the finest level, for every t."""
    order = order_of(name)
    table = model.costs["same"][0].astype(np.float64) if order.dyadic else planning.table(order)
    n = order.ranks_per_level
    return [float(table[t, t:].mean() / model.config.channels) for t in range(n)]


def print_orders(results: dict[str, dict[str, object]], tests: list[str]) -> None:
    """As Markdown."""
    for test in tests:
        for kind in ("planned", "even"):
            click.echo(f"\n{test}, {kind} steps:\n\n| order | {' | '.join(map(str, BUDGETS[:-1]))} | all calls |")
            click.echo("|---" * (len(BUDGETS) + 1) + "|")
            for name, result in results.items():
                rows = {row["calls"]: row[test] for row in result["rows"] if row["schedule"] == kind}
                cells = [f"{rows[b]:.3f}" if b in rows else "" for b in BUDGETS[:-1]]
                most = f"{rows[result['ranks']]:.3f} ({result['ranks']})" if result["ranks"] in rows else ""
                click.echo(f"| {name} | {' | '.join(cells)} | {most} |")


@click.group()
def main() -> None:
    """Repeat the paper's experiments with orders and schedules."""
    torch.set_num_threads(1)


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("test", type=FOLDER)
@click.option("--each", default=1000, show_default=True, help="Positions of a picture that are measured.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file, for the plots.")
def orders(photos: Path, test: Path, each: int, output: Path | None) -> None:
    """Bits per subpixel of every order at every budget."""
    model = load_model(find_model("photo"))
    held = middles(held_out(photos)[1], SIDE)
    planning = Measured(model, held, EACH_PLANNED)
    tests = {"Kodak": Measured(model, middles(images(test), SIDE), each), "held out": Measured(model, held, each)}
    results: dict[str, dict[str, object]] = {}
    for name in ORDERS:
        start = time.perf_counter()
        results[name] = measure_order(model, name, planning, tests)
        results[name]["unknown"] = unknown_cost(model, name, planning)
        click.echo(f"{name}: {time.perf_counter() - start:.0f} s", err=True)
    print_orders(results, list(tests))
    if output:
        about = {"date": str(datetime.date.today()), "machine": machine()}
        pictures = {name: len(measured.pictures) for name, measured in tests.items()}
        output.write_text(json.dumps({**about, "each": each, "pictures": pictures, "orders": results}, indent=1))


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("test", type=FOLDER)
@click.option("--budget", default=16, show_default=True, help="Network calls.")
@click.option("--side", default=256, show_default=True, help="Of the middle of the first picture, which is coded.")
def files(photos: Path, test: Path, budget: int, side: int) -> None:
    """Code the middle of TEST's first picture in every order, decode it and compare."""
    model = load_model(find_model("photo"))
    planning = Measured(model, middles(held_out(photos)[1], SIDE), EACH_PLANNED)
    picture = middles(images(test)[:1], side)[0]
    whole = Measured(model, [picture], picture.shape[0] * picture.shape[1])
    click.echo("| order | bytes | bits per subpixel | cross entropy |\n|---|---|---|---|")
    for name in ORDERS:
        order = order_of(name)
        plan, ranks = plans(model, order, (side, side), planning)
        schedule = schedules(plan, ranks, order, (side, side), [budget])[budget, "planned"]
        coder, steps = replace(model, order=order), list(schedule)
        (payloads,) = encode_tiles(coder, picture[None], steps, 1, lambda: None, [PLAIN])
        (decoded,) = decode_tiles(coder, (side, side), 3, steps, [Popped(*payloads)], lambda: None, [PLAIN])
        if not np.array_equal(decoded, picture):
            raise SystemExit(f"{name} did not come back exactly")
        size, expected = sum(map(len, payloads)), whole.cost(order, [schedule])[0]
        click.echo(f"| {name} | {size:,} | {8 * size / picture.size:.4f} | {expected:.4f} |")


if __name__ == "__main__":
    main()
