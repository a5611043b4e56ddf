"""The paper's experiments: the small OA-ARDM codes what it is given, and what the tables compare is what files cost."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oa import codec, data, losses, training
from oa.network import CONFIG, DIMENSIONS, DimensionNetwork
from oa.rows import SymbolEncoder
from oa.schedules import even_schedule
from order_costs import Measured, even_positions, order_of
from page import replaced
from pictures import PHOTO, Samples, read_image
from PIL import Image
from upscaling import Net
from upscaling_images import Middles, nearness

from ardm_compress.ardm import Upscaling
from ardm_compress.ardm.tiles import PLAIN
from ardm_compress.coding.image import encode_tiles
from ardm_compress.errors import FormatError
from ardm_compress.inference.network import Model
from ardm_compress.training.model import Mixture

ROOT = PHOTO.parents[1]
ORDERS = ("random", "raster", "block", "spread")
TINY = replace(CONFIG, hidden=16, expand=24, blocks=1, head=8)


@pytest.fixture(scope="module")
def network() -> DimensionNetwork:
    """A tiny network that nobody has trained."""
    torch.manual_seed(3)
    return DimensionNetwork(TINY).requires_grad_(False)


def pictures() -> list[NDArray[np.uint8]]:
    photo, random = read_image(PHOTO)[200:232, 300:332], np.random.default_rng(2)
    noise = random.integers(0, 256, photo.shape, np.uint8)
    return [photo, noise, np.full_like(photo, 255), random.choice(np.array([0, 255], np.uint8), photo.shape)]


# Files of the OA-ARDM


@pytest.mark.parametrize("name", ORDERS)
def test_every_order_is_a_permutation_and_round_trips(network: DimensionNetwork, name: str) -> None:
    order = codec.dimension_order(name)
    assert (np.sort(order) == np.arange(DIMENSIONS)).all()
    coder = codec.Coder(network, order, [even_schedule(DIMENSIONS, budget) for budget in (1, 7, 40)])
    for number, picture in enumerate([*pictures()[:2], pictures()[3]]):
        np.testing.assert_array_equal(coder.decode(coder.encode(picture, number)), picture)


def test_a_file_is_as_large_as_the_objective_says(network: DimensionNetwork) -> None:
    order, schedule = codec.dimension_order("random"), even_schedule(DIMENSIONS, 9)
    for picture in pictures():
        bits, tensor = 0.0, torch.from_numpy(picture)[None]
        for first, stop in schedule:
            known = torch.zeros(DIMENSIONS, dtype=torch.bool)
            known[order[:first]] = True
            dimensions = torch.from_numpy(order[None, first:stop])
            bits += float(training.dimension_bits(network, tensor, known.view_as(tensor), dimensions).sum())
        size = len(codec.Coder(network, order, [schedule]).encode(picture, 0))
        assert abs(8 * size - bits) < 0.002 * bits + 64


def test_a_file_that_holds_more_than_its_picture_is_refused(network: DimensionNetwork) -> None:
    coder = codec.Coder(network, codec.dimension_order("random"), [even_schedule(DIMENSIONS, 2)])
    with pytest.raises(FormatError):
        coder.decode(coder.encode(pictures()[0], 0) + b"more")


def test_what_is_unknown_changes_nothing(network: DimensionNetwork) -> None:
    """The position's other channels count as soon as they are known, and not before."""
    photo = torch.from_numpy(pictures()[0].copy())[None]
    known = torch.from_numpy(np.random.default_rng(4).random(photo.shape) < 0.5)
    dimensions = torch.arange(0, DIMENSIONS, 5)[None]
    other = torch.where(known, photo, 255 - photo)
    before, after = network(photo, known, dimensions), network(other, known, dimensions)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    centre = torch.zeros_like(known)
    centre[0, 16, 16, 2] = True  # blue; red of the same position is asked
    asked = torch.tensor([[(16 * 32 + 16) * 3]])
    assert not torch.equal(network(photo, centre, asked).means, network(255 - photo, centre, asked).means)


def test_a_step_of_the_spread_order_is_all_over_the_picture() -> None:
    """Of any eighth, one channel at a time is coded, and in a block order all of a corner."""
    for name, all_over in (("spread", True), ("block", False)):
        part = codec.dimension_order(name)[-DIMENSIONS // 8 :] // 3
        rows = part // 32 // 8
        assert (len(np.unique(rows)) == 4) == all_over


def test_frequencies_add_up_whatever_the_mixture() -> None:
    random = torch.Generator().manual_seed(1)
    shape = (300, 3)
    wild = Mixture(
        20 * torch.randn(shape, generator=random),
        500 * torch.randn(shape, generator=random),
        30 * torch.rand(shape, generator=random) - 15,
    )
    rows = codec.frequencies(wild)
    assert (rows >= 0).all()
    assert (rows.sum(1, dtype=np.float64) == codec.TOTAL).all()
    symbols = np.random.default_rng(1).integers(0, 256, len(rows), np.int32)
    SymbolEncoder().push(symbols, rows)  # which any frequencies but these would make the coder refuse


def test_samples_are_drawn_step_by_step(network: DimensionNetwork) -> None:
    order, schedule = codec.dimension_order("random"), even_schedule(DIMENSIONS, 3)
    drawn = [codec.sample(network, 2, order, schedule, seed) for seed in (1, 1, 2)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()
    assert drawn[0].shape == (2, 32, 32, 3)


# Its training


def test_times_are_even_and_targets_unknown() -> None:
    batch = training.draw(np.zeros((64, 32, 32, 3), np.uint8), 16, np.random.default_rng(0))
    counts = batch.known.flatten(1).sum(1).numpy()
    edges = np.arange(65) * DIMENSIONS / 64
    assert ((counts > edges[:-1] - 120) & (counts < edges[1:] + 120)).all()  # four standard deviations
    unknown = ~batch.known.flatten(1).gather(1, batch.dimensions)
    assert torch.equal(unknown.float(), batch.missing)
    assert batch.missing[:-1].all()
    assert all(len(set(row.tolist())) == 16 for row in batch.dimensions)


def test_the_objective_is_the_mean_over_pictures_of_the_mean_over_unknown_dimensions(network: DimensionNetwork) -> None:
    random = np.random.default_rng(0)
    batch = training.draw(np.stack(pictures()), 3000, random)  # more than most pictures lack
    means = []
    for picture, known, dimensions, missing in zip(*batch, strict=True):
        bits = training.dimension_bits(network, picture[None], known[None], dimensions[None])[0]
        if missing.any():
            means.append(bits[missing > 0].mean())
    assert not batch.missing.all()
    assert float(training.objective(network, batch)) == pytest.approx(float(torch.stack(means).mean()), rel=1e-5)


def test_training_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "PICTURES", 4)
    monkeypatch.setattr(training, "REPORT", 1)
    monkeypatch.setattr(training, "DimensionNetwork", lambda: DimensionNetwork(TINY))
    Image.fromarray(read_image(PHOTO)).crop((0, 0, 512, 400)).save(tmp_path / "a.png")
    photos = data.Pictures([tmp_path / "a.png"])
    whole = training.Trainer(photos, tmp_path / "whole", 6)
    whole.run()
    stopped = training.Trainer(photos, tmp_path / "stopped", 6)
    for _ in range(3):
        stopped.train_step()
    (tmp_path / "stopped").mkdir()
    stopped.save(tmp_path / "stopped" / "checkpoint.safetensors")
    again = training.Trainer(photos, tmp_path / "stopped", 6)
    again.run()
    assert again.step == whole.step == 6
    assert all(torch.equal(whole.average[name], again.average[name]) for name in whole.average)
    assert len(capsys.readouterr().out.splitlines()) == 6 + 3
    training.write_weights(tmp_path / "stopped" / "checkpoint.safetensors", tmp_path / "weights.safetensors")
    read = training.read_weights(tmp_path / "weights.safetensors")
    assert all(torch.equal(v.half().float(), read.state_dict()[k]) for k, v in again.average.items())


def test_pieces_are_the_means_of_boxes(tmp_path: Path) -> None:
    large = np.random.default_rng(1).integers(0, 256, (300, 530, 3), np.uint8)
    Image.fromarray(large).save(tmp_path / "a.png")
    found = data.pieces([tmp_path / "a.png"], 8)
    assert found.shape == (2, 32, 32, 3)  # of 37 x 66
    box = large[2 * 8 : 3 * 8, 1 * 8 : 2 * 8].reshape(-1, 3).mean(0)
    assert np.abs(found[0, 0, 0] - box).max() <= 0.5
    assert data.pieces([tmp_path / "a.png"], 4).shape[0] == 2 * 4


# Plans


def test_planned_steps_are_cheaper_than_as_many_even_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "DIMENSIONS", 400)
    measured = 3 + 4 * np.exp(-losses.times() / 30)  # as of photographs
    loss, plan = losses.loss_of_all_times(measured), losses.plan_random(measured, 20)
    costs = [
        sum((stop - first) * loss[first] for first, stop in schedule) / 400
        for schedule in (plan.schedule(20), even_schedule(400, 20))
    ]
    assert costs[0] == pytest.approx(plan.cost(20) / 400)
    assert loss.mean() < costs[0] < costs[1] - 0.05
    sizes = [stop - first for first, stop in plan.schedule(20)]
    assert sizes == sorted(sizes)  # small steps while little is known


def test_the_table_of_an_order_is_what_its_files_cost(
    monkeypatch: pytest.MonkeyPatch, network: DimensionNetwork
) -> None:
    monkeypatch.setattr(losses, "GROUPS", 6)
    monkeypatch.setattr(losses, "SAMPLED", DIMENSIONS // 6)
    order, some = codec.dimension_order("spread"), np.stack(pictures()[:2])
    costs, schedule = losses.table(network, some, order), even_schedule(6, 3)
    steps = even_schedule(DIMENSIONS, 3)
    sizes = [len(codec.Coder(network, order, [steps]).encode(picture, 0)) for picture in some]
    expected = sum(costs[first, stop - 1] for first, stop in schedule)
    assert 8 * np.mean(sizes) == pytest.approx(expected, rel=0.005)


def test_even_steps_hold_equally_many_positions() -> None:
    assert even_positions(np.full(64, 9), 16) == even_schedule(64, 16)
    assert even_positions(np.array([1, 1, 2, 4, 8, 16]), 2).starts == (0, 5)
    assert len(even_positions(np.array([1, 1, 2, 4, 8, 16]), 5)) < 5


@pytest.mark.parametrize("name", ["spread", "block"])
def test_costs_of_schedules_are_those_of_files(model: Model, photo: Samples, name: str) -> None:
    order, picture = order_of(name), photo[:24, :24]
    schedule = even_schedule(order.ranks((24, 24)), 5)
    cost = Measured(model, [picture], 24 * 24 - 1).cost(order, [schedule])[0]
    coder = replace(model, order=order)
    ((payload,),) = encode_tiles(coder, picture[None], list(schedule), 1, lambda: None, [PLAIN])
    expected = cost * (picture.size - 3) + 24  # the first position is not measured, and not predicted
    assert 8 * len(payload) == pytest.approx(expected, rel=0.002, abs=64)


# Upscaling of pictures


@pytest.mark.parametrize("branching", [2, 16, 256])
def test_children_of_an_interval_have_its_whole_probability(photo: Samples, branching: int) -> None:
    upscaling = Upscaling(256, branching)
    large = np.tile(photo, (7, 5, 1))[None, :256, :256]
    batch = Middles(large, upscaling).draw(40, np.random.default_rng(0))
    torch.manual_seed(0)
    net, total = Net(upscaling, nearness(), 16, 1), torch.zeros(40)
    children = ((batch.parent[:, 1] - batch.parent[:, 0]) / (batch.child[:, 1] - batch.child[:, 0])).long()
    assert (batch.parent[:, 0] <= batch.child[:, 0]).all()
    assert (batch.child[:, 1] <= batch.parent[:, 1]).all()
    assert (children == branching).all()
    width = batch.child[:, 1] - batch.child[:, 0]
    for child in range(branching):
        low = batch.parent[:, 0] + child * width
        total += torch.exp2(-net.bits(batch._replace(child=torch.stack([low, low + width], 1)))).detach()
    assert torch.allclose(total, torch.ones(40), atol=1e-3)


# The page


def test_tables_that_make_writes_have_their_places() -> None:
    names = re.findall(r"^\t\$\(call table,(\w+),", (ROOT / "Makefile").read_text("utf-8"), re.M)
    page = (ROOT / "docs" / "paper.md").read_text("utf-8")
    assert len(names) == page.count("<!-- /") == 6
    for name in names:
        assert "a table\n" in replaced(page, name, "a table")
