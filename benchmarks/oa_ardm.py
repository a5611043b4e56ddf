"""A faithful small OA-ARDM of 32x32 pictures (Hoogeboom et al. 2022), and its files beside PNG, WebP and JPEG XL.

    python benchmarks/oa_ardm.py train PHOTOS RUN [--steps 14000]
    python benchmarks/oa_ardm.py export RUN -o WEIGHTS
    python benchmarks/oa_ardm.py losses PHOTOS TEST [-o LOSSES.json]
    python benchmarks/oa_ardm.py files PHOTOS TEST
    python benchmarks/oa_ardm.py orders PHOTOS TEST [-o ORDERS.json]
    python benchmarks/oa_ardm.py sample PICTURE

PHOTOS is the folder of training photographs, whose held-out files are measured on as well; TEST another, say Kodak.
Pictures are the photographs reduced 16 times (their middles, with all that a photograph shows) and 8 times (pieces).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from oa.codec import Coder, dimension_order, sample
from oa.data import SIDE, Pictures, pieces
from oa.files import installed, sizes
from oa.losses import GROUPS, components, loss_of_all_times, plan_random, table, times
from oa.network import CHANNELS, DIMENSIONS
from oa.schedules import even_schedule
from oa.training import PICTURES, TARGETS, Trainer, read_weights, write_weights
from photographs import images

from ardm_compress.ardm.schedule import plan_all
from ardm_compress.formats.pixels import write_pixels
from ardm_compress.training.data import held_out

WEIGHTS = Path(__file__).parent / "oa" / "weights.safetensors"
BUDGETS = (8, 16, 20, 32, 50, 64, 128, 256, DIMENSIONS)
FACTORS = (16, 8)  # of the reductions that are measured
PLANNED = 256  # training pictures that schedules are planned on
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
JSON_FILE = click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file, for the plots.")
NETWORK = click.option("--weights", default=WEIGHTS, type=click.Path(path_type=Path), help="Of the network.")


def measured_sets(photos: Path, test: Path, factors: tuple[int, ...]) -> dict[str, NDArray[np.uint8]]:
    """Make the pictures to measure on, none of a photograph that was trained on."""
    folders = {test.name.capitalize(): images(test), "held out": held_out(photos)[1]}
    return {f"{name}, 1/{factor}": pieces(files, factor) for factor in factors for name, files in folders.items()}


def planning_pictures(photos: Path) -> NDArray[np.uint8]:
    """Training pictures, to plan on."""
    return pieces(held_out(photos)[0][:PLANNED], 16)


@click.group()
def main() -> None:
    """Train and measure a small OA-ARDM of 32x32 pictures."""
    torch.set_num_threads(1)


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--steps", default=14000, show_default=True, help=f"Of training, {PICTURES * TARGETS} dimensions each.")
def train(photos: Path, run: Path, steps: int) -> None:
    """Train on a folder of photographs, or continue from the checkpoint in RUN."""
    files, _ = held_out(photos)
    Trainer(Pictures(files), run, steps).run()


@main.command()
@click.argument("run", type=FOLDER)
@click.option("-o", "--output", default=WEIGHTS, type=click.Path(path_type=Path), help="Weights file.")
def export(run: Path, output: Path) -> None:
    """Write the averaged weights of a run in half precision."""
    write_weights(run / "checkpoint.safetensors", output)


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("test", type=FOLDER)
@NETWORK
@JSON_FILE
def losses(photos: Path, test: Path, weights: Path, output: Path | None) -> None:
    """Measure the loss components L_t, and what the best schedules of every budget cost by them."""
    network = read_weights(weights)
    plan = plan_random(components(network, planning_pictures(photos)), 64)
    sets = {name: components(network, pictures) for name, pictures in measured_sets(photos, test, FACTORS).items()}
    heads = " | ".join(f"{n} planned | {n} even" for n in (20, 50))
    click.echo(f"| pictures | all calls | {heads} |\n|---|---|---|---|---|---|")
    for name, measured in sets.items():
        loss = loss_of_all_times(measured)
        compared = [s for budget in (20, 50) for s in (plan.schedule(budget), even_schedule(DIMENSIONS, budget))]
        costs = [sum((stop - first) * loss[first] for first, stop in schedule) for schedule in compared]
        row = np.array([loss.sum(), *costs]) / DIMENSIONS
        click.echo(f"| {name} | {' | '.join(f'{bits:.3f}' for bits in row)} |")
    if output:
        found = {name: measured.round(5).tolist() for name, measured in sets.items()}
        starts = {budget: plan.schedule(budget).starts for budget in (20, 50)}
        output.write_text(json.dumps({"times": times().tolist(), "bits": found, "starts": starts}))


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("test", type=FOLDER)
@click.option("--slow", default=24, show_default=True, help="Sets of more pictures are not coded in all calls.")
@NETWORK
def files(photos: Path, test: Path, slow: int, weights: Path) -> None:
    """Bits per dimension of single files, each decoded again and compared, beside other coders' files."""
    network, order = read_weights(weights), dimension_order("random")
    plan = plan_random(components(network, planning_pictures(photos)), max(b for b in BUDGETS if b < DIMENSIONS))
    schedules = [plan.schedule(b) for b in BUDGETS[:-1]] + [even_schedule(DIMENSIONS, DIMENSIONS)]
    sets = measured_sets(photos, test, FACTORS)
    flat = np.full((1, SIDE, SIDE, CHANNELS), 77, np.uint8)
    click.echo(f"| coder | {' | '.join(f'{name} ({len(p)})' for name, p in sets.items())} | one colour, bytes |")
    click.echo("|---" * (len(sets) + 2) + "|")
    for name, command in installed().items():
        row = [f"{8 * sizes(command, pictures).mean() / DIMENSIONS:.3f}" for pictures in sets.values()]
        click.echo(f"| {name} | {' | '.join(row)} | {sizes(command, flat)[0]} |")
    print_ours(Coder(network, order, schedules), [*sets.values(), flat], slow)


def print_ours(coder: Coder, sets: list[NDArray[np.uint8]], slow: int) -> None:
    """Rows of the table of files, of sets of pictures and then one in bytes."""
    for number, budget in enumerate(BUDGETS):
        start, row, count = time.perf_counter(), [], 0
        for pictures in sets:
            coded = pictures if budget < DIMENSIONS or len(pictures) <= slow else []
            row.append([_file_bytes(coder, picture, number) for picture in coded])
            count += len(coded)
        cells = [f"{8 * np.mean(found) / DIMENSIONS:.3f}" if found else "" for found in row[:-1]]
        click.echo(f"| OA-ARDM, {budget} calls | {' | '.join(cells)} | {row[-1][0]} |")
        seconds = (time.perf_counter() - start) / count
        click.echo(f"{budget} calls: {seconds:.2f} s to encode and decode a picture", err=True)


def _file_bytes(coder: Coder, picture: NDArray[np.uint8], number: int) -> int:
    data = coder.encode(picture, number)
    if not np.array_equal(coder.decode(data), picture):
        raise SystemExit("a picture did not come back exactly")
    return len(data)


@main.command()
@click.argument("photos", type=FOLDER)
@click.argument("test", type=FOLDER)
@NETWORK
@JSON_FILE
def orders(photos: Path, test: Path, weights: Path, output: Path | None) -> None:
    """Bits per dimension of orders at budgets, by weights that were trained on the random order only."""
    network, planning = read_weights(weights), planning_pictures(photos)[:64]
    pictures = pieces(images(test), 16)
    budgets, found = [b for b in BUDGETS if b < GROUPS] + [GROUPS], {}
    click.echo(f"| order | steps | {' | '.join(map(str, budgets))} |\n|---|---{'|---' * len(budgets)}|")
    for name in ("random", "spread", "raster", "block"):
        order = dimension_order(name)
        plan, costs = plan_all(table(network, planning, order)), table(network, pictures, order)
        for kind in ("planned", "even"):
            row = []
            for budget in budgets:
                schedule = plan.schedule(budget) if kind == "planned" else even_schedule(GROUPS, budget)
                row.append(float(sum(costs[first, stop - 1] for first, stop in schedule) / DIMENSIONS))
            found[f"{name}, {kind}"] = row
            click.echo(f"| {name} | {kind} | {' | '.join(f'{bits:.3f}' for bits in row)} |")
    if output:
        output.write_text(json.dumps({"budgets": budgets, "bits": found}))


@main.command("sample")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True)
@NETWORK
def draw(picture: Path, seed: int, weights: Path) -> None:
    """Draw 32 pictures from the model, in all calls, and save them side by side."""
    network = read_weights(weights)
    drawn = sample(network, 32, dimension_order("random"), even_schedule(DIMENSIONS, DIMENSIONS), seed)
    grid = drawn.reshape(4, 8, SIDE, SIDE, CHANNELS).swapaxes(1, 2).reshape(4 * SIDE, 8 * SIDE, CHANNELS)
    picture.write_bytes(write_pixels(grid.repeat(3, 0).repeat(3, 1), ".png"))


if __name__ == "__main__":
    main()
