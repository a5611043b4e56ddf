"""Training: it learns, it continues where it stopped, and it masks what a decoder will not know."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from sounds import wave

from ardm_compress.ardm import level_shape, make_order
from ardm_compress.ardm.tiles import COSITED, REPEATED
from ardm_compress.errors import UnsupportedError
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.training import styles
from ardm_compress.training.data import HOLD_OUT, ImageFolder, Sampler, Sampling, held_out
from ardm_compress.training.defaults import is_sound_folder, sound_network
from ardm_compress.training.model import Bend, Clamp, GridLinear, Network
from ardm_compress.training.muon import Muon, orthogonalise
from ardm_compress.training.sound import SoundPositions
from ardm_compress.training.train import TrainConfig, Trainer, schedule, train

TINY = NetworkConfig(
    axes=2,
    channels=3,
    bit_depth=8,
    radius_sq=5,
    hidden=16,
    expand=24,
    blocks=1,
    head=8,
    mixture=2,
    levels=3,
    period=4,
    normalise=True,
    smooth=True,
    styles=4,
    latents=3,
)
CONFIG = TrainConfig(network=TINY, steps=60, decay=30, batch=256, muon_lr=0.05, adam_lr=0.02, warmup=5)
PLAIN = Sampling(random_masks=0, early_start=0, coarse_start=0, varied=False, gray=0)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two smooth images, of different sizes."""
    folder, files = tmp_path_factory.mktemp("images"), []
    for number, (height, width) in enumerate([(48, 64), (70, 40)]):
        rows, columns, bands = np.mgrid[:height, :width, :3]
        wave = 128 + 60 * np.sin(rows / 9 + bands / 3) + 50 * np.cos(columns / 7 + number)
        noise = np.random.default_rng(number).normal(0, 2, wave.shape)
        files.append(folder / f"{number}.png")
        Image.fromarray((wave + noise).clip(0, 255).astype(np.uint8)).save(files[-1])
    return files


def test_a_few_steps_reduce_the_loss(images: list[Path], tmp_path: Path) -> None:
    trainer = Trainer(CONFIG, images, tmp_path)
    losses = [trainer.train_step() for _ in range(CONFIG.steps)]
    first, last = np.mean(losses[:5]), np.mean(losses[-5:])
    assert 4 < first < 8  # bits per sample: about what a flat distribution over nearby values costs
    assert last < first - 0.4  # of batches that differ by less than 0.1
    rounded = [module for module in trainer.network.modules() if hasattr(module, "rounding")]
    assert {type(module) for module in rounded} == {GridLinear, Clamp, Bend, Network}
    assert all(module.rounding for module in rounded)


@pytest.mark.filterwarnings("default")  # torch.compile's own
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a compiler")
def test_fast_steps_are_nearly_those_of_others(images: list[Path], tmp_path: Path) -> None:
    config = replace(CONFIG, steps=8, decay=4)
    slow, fast = (Trainer(replace(config, fast=fast), images, tmp_path) for fast in (False, True))
    losses = [(slow.train_step(), fast.train_step()) for _ in range(8)]
    assert losses == [(pytest.approx(of_fast, rel=0.01), of_fast) for _, of_fast in losses]


@pytest.mark.parametrize("before", [3, 29], ids=["early", "when rounding begins"])
def test_a_checkpoint_continues_the_run(images: list[Path], tmp_path: Path, before: int) -> None:
    trainer = Trainer(CONFIG, images, tmp_path)
    for _ in range(before):
        trainer.train_step()
    trainer.save()
    expected = [trainer.train_step() for _ in range(3)]
    again = Trainer(CONFIG, images, tmp_path)
    for weights in again.network.parameters():
        torch.nn.init.zeros_(weights)  # so that nothing comes from the seed
    again.load(tmp_path / "checkpoint.safetensors")
    assert again.step == before
    assert [again.train_step() for _ in range(3)] == pytest.approx(expected, abs=1e-6)
    for name, value in trainer.average.items():
        torch.testing.assert_close(again.average[name], value, atol=1e-6, rtol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_pictures_learn_latents_that_a_run_on_other_images_does_not_take_over(
    images: list[Path], tmp_path: Path
) -> None:
    trainer = Trainer(CONFIG, images, tmp_path)
    for _ in range(5):
        trainer.train_step()
    latents = trainer.pictures.latents.weight.detach()
    assert not latents[0].any()  # those of no picture
    assert latents[1:].abs().amax(1).min() > 0
    trainer.save()
    for files, expected in ((images, latents), (images[1:], torch.zeros(len(latents) - 2, latents.shape[1]))):
        again = Trainer(CONFIG, files, tmp_path)
        again.load(tmp_path / "checkpoint.safetensors")
        torch.testing.assert_close(again.pictures.latents.weight.detach(), expected, rtol=0, atol=0)
        again.train_step()


def test_positions_of_sound_are_what_the_codec_sees(tmp_path: Path) -> None:
    """Mono has one channel in the loss, stereo two; silence is left out; the same seed draws the same."""
    rng = np.random.default_rng(0)
    for name, channels in (("mono", 1), ("stereo", 2)):
        samples = np.cumsum(rng.integers(-40, 41, (2500, channels)), 0).astype("<i2")
        (tmp_path / f"{name}.wav").write_bytes(wave(samples.tobytes(), channels=channels))
    (tmp_path / "silence.wav").write_bytes(wave(bytes(9000)))
    config = sound_network(16, 1)
    source = SoundPositions(sorted(tmp_path.iterdir()), config, memory=1 << 24)
    assert 4900 <= len(source.arrays["bucket"]) <= 5000  # not the root of the spread order
    drawn = []
    for _ in range(2):
        source.seed(3)
        drawn.append(source.example(500, torch.device("cpu")))
    for a, b in zip(drawn[0], drawn[1], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    example = drawn[0]
    assert example.features.inputs.shape == (500, config.inputs)
    assert set(example.style.tolist()) == {0, 1}
    assert example.share[example.style == 0].tolist() == [[1, 0]] * int((example.style == 0).sum())
    assert example.share[example.style == 1].tolist() == [[0.5, 0.5]] * int((example.style == 1).sum())
    assert example.target[:, 0].abs().median() < 60
    few = SoundPositions(sorted(tmp_path.iterdir()), config, memory=1 << 17)
    assert len(few.arrays["bucket"]) < 800


def test_a_run_saves_its_end(images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(CONFIG, steps=3, decay=1, batch=32)
    Trainer(config, images, tmp_path).run()
    again = Trainer(config, images, tmp_path)
    again.load(tmp_path / "checkpoint.safetensors")
    assert again.step == 3
    again.load(tmp_path / "stable.safetensors")  # from which a longer run continues
    assert again.step == 2
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("step 1/3 ")
    assert "left" in said.out
    rows = list(csv.reader((tmp_path / "losses.csv").read_text().splitlines()))
    assert [row[0] for row in rows] == ["step", "1"]
    assert 0 < float(rows[1][1]) < 20


def test_a_longer_run_goes_on_from_before_the_decay(images: list[Path], tmp_path: Path) -> None:
    short = replace(CONFIG, steps=6, decay=2, batch=32)
    train(short, images[0].parent, tmp_path)
    before = (tmp_path / "stable.safetensors").read_bytes()
    train(short, images[0].parent, tmp_path)  # nothing is left to do
    assert (tmp_path / "stable.safetensors").read_bytes() == before
    train(replace(short, steps=9), images[0].parent, tmp_path)
    straight = tmp_path / "straight"
    train(replace(short, steps=9), images[0].parent, straight)
    ends = [load_file(folder / "checkpoint.safetensors") for folder in (tmp_path, straight)]
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, atol=1e-6, rtol=0)


def test_a_run_of_another_network_is_not_continued(images: list[Path], tmp_path: Path) -> None:
    short = replace(CONFIG, steps=2, decay=1, batch=32)
    train(short, images[0].parent, tmp_path)
    with pytest.raises(UnsupportedError, match="another network"):
        train(replace(short, network=replace(TINY, hidden=24)), images[0].parent, tmp_path)


def test_held_out_images_are_measured_at_the_same_positions(images: list[Path], tmp_path: Path) -> None:
    trainer = Trainer(replace(CONFIG, sampling=PLAIN), images[1:], tmp_path, held=images[:1])
    untrained = trainer.measure(1)
    assert trainer.measure(1) == untrained
    for _ in range(CONFIG.steps):
        trainer.train_step()
    assert trainer.measure(1) < untrained - 0.4


def test_the_average_follows_the_weights(images: list[Path], tmp_path: Path) -> None:
    trainer = Trainer(CONFIG, images, tmp_path)
    start = {k: v.clone() for k, v in trainer.average.items()}
    for _ in range(4):
        trainer.train_step()
    weights = trainer.network.state_dict()
    moved = [float((trainer.average[k] - start[k]).norm() / (weights[k] - start[k]).norm()) for k in ("input.weight",)]
    assert all(0.1 < share < 1.0 for share in moved)


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    factors = [schedule(step, CONFIG) for step in range(CONFIG.steps + 1)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5:31] == [1.0] * 26
    assert factors[30:] == pytest.approx(np.linspace(1, 0, 31))


def test_one_file_in_many_is_held_out(tmp_path: Path) -> None:
    for number in range(2 * HOLD_OUT + 1):
        (tmp_path / f"{number:03}.png").touch()
    (tmp_path / "notes.txt").touch()
    train, held = held_out(tmp_path)
    assert [int(p.stem) for p in held] == [0, HOLD_OUT, 2 * HOLD_OUT]
    assert sorted(train + held) == sorted(tmp_path.glob("*.png"))


def test_folders_of_folders_and_jpeg_files_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "notes.txt").touch()
    Image.new("RGB", (60, 50), "teal").save(tmp_path / "a" / "b" / "1.JPG", "JPEG")
    Image.new("L", (30, 20), 77).save(tmp_path / "a" / "2.png")
    train, held = held_out(tmp_path)
    assert [p.name for p in train + held] == ["1.JPG", "2.png"]
    images = ImageFolder(train + held)
    assert images.shapes.tolist() == [[25, 30], [20, 30]]  # what compression left is hardly seen at half the size
    assert not is_sound_folder(tmp_path)


# Masks


@settings(max_examples=60)
@given(st.data(), st.sampled_from([1, 2]), st.sampled_from([2, 4, 8]))
def test_training_knows_what_the_rank_map_says_a_decoder_knows(data: st.DataObject, axes: int, period: int) -> None:
    """known_before never sees a tile, only a cell; the codec asks the rank map of the tile. They must agree."""
    order = make_order("spread", axes=axes, period=period)
    shape = data.draw(st.tuples(*[st.integers(2, 40)] * axes))
    levels = order.levels(shape)
    level = data.draw(st.integers(0, levels - 1))
    up = data.draw(st.integers(0, levels - 1 - level))
    start = data.draw(st.integers(0, order.ranks_per_level - 1))
    config = NetworkConfig(axes=axes, channels=1, bit_depth=8, radius_sq=5)
    lattice = level_shape(shape, level)
    positions = np.stack(np.meshgrid(*map(np.arange, lattice), indexing="ij"), -1).reshape(-1, axes)
    around = positions[:, None] + config.offsets
    known = order.known_before(around, np.full(len(around), up), np.full(len(around), start))
    inside = ((around >= 0) & (around < lattice)).all(2)
    rank = (levels - 1 - level - up) * order.ranks_per_level + start  # of the tile, where the step starts
    expected = order.rank_map(shape)[tuple(np.moveaxis(around[inside] << level, -1, 0))] < rank
    np.testing.assert_array_equal(known[inside], expected)


def coordinates(height: int, width: int, number: int) -> NDArray[np.uint8]:
    """An image whose samples say where they are."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = *np.indices((height, width)), number
    return image


SIZES = [(48, 64), (33, 90)]


@pytest.fixture(scope="module")
def map_folder(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    folder = tmp_path_factory.mktemp("maps")
    for number, size in enumerate(SIZES):
        Image.fromarray(coordinates(*size, number)).save(folder / f"{number}.png")
    return ImageFolder(sorted(folder.iterdir()))


def sampler_of(folder: ImageFolder, sampling: Sampling) -> Sampler:
    sampler = Sampler(folder, TINY, make_order("spread", axes=2, period=TINY.period), sampling)
    sampler.seed(4)
    return sampler


def test_a_batch_shows_each_position_the_neighbours_coded_before_it(map_folder: ImageFolder) -> None:
    sampler = sampler_of(map_folder, PLAIN)
    batch = sampler.draw(800)
    targets = batch.target.numpy().astype(np.int64)
    known = batch.known.numpy()
    for number, size in enumerate(SIZES):
        ranks = sampler.order.rank_map(size)
        for i in np.flatnonzero(targets[:, 2] == number):
            here, step = targets[i, :2], 1 << int(batch.level[i])
            assert (here % step == 0).all()
            around = here + TINY.offsets * step
            inside = ((around >= 0) & (around < size)).all(1)
            np.testing.assert_array_equal(batch.values[i].numpy()[inside], [(*a, number) for a in around[inside]])
            expected = np.zeros(len(around), bool)
            expected[inside] = ranks[tuple(around[inside].T)] < ranks[tuple(here)]
            np.testing.assert_array_equal(known[i], expected)
    shares = np.bincount(targets[:, 2]) / len(targets)
    assert shares == pytest.approx(np.prod(SIZES, axis=1) / np.prod(SIZES, axis=1).sum(), abs=0.08)
    assert np.bincount(batch.level.numpy())[1] / np.bincount(batch.level.numpy())[0] == pytest.approx(0.3, abs=0.1)


def test_flips_mirror_the_neighbours_with_the_position(map_folder: ImageFolder) -> None:
    batch = sampler_of(map_folder, replace(PLAIN, varied=True)).draw(300)
    moved = batch.values.numpy().astype(np.int64)[..., :2] - batch.target.numpy().astype(np.int64)[:, None, :2]
    seen = set()
    for i in range(300):
        expected = TINY.offsets << int(batch.level[i])
        known = batch.known[i].numpy()
        signs = [s for s in ((1, 1), (1, -1), (-1, 1), (-1, -1)) if (moved[i] == expected * s)[known].all()]
        assert signs
        if len(signs) == 1:
            seen.add(signs[0])
    assert len(seen) == 4


def test_transposes_swap_rows_and_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(styles, "SHARES", (1, 0, 0, 0))
    monkeypatch.setattr(styles, "NOISY", 0)
    monkeypatch.setattr(styles, "JPEG", 0)
    files = []
    for number, size in enumerate(SIZES):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(coordinates(*size, number)).save(files[-1])
    folder = ImageFolder(files, varied=True)
    halves = [(-(-h // 2), -(-w // 2)) for h, w in SIZES]
    one_way = [size for pair in zip(SIZES, halves, strict=True) for size in pair]
    assert folder.shapes.tolist() == [list(s) for s in one_way] + [[w, h] for h, w in one_way]
    batch = sampler_of(folder, PLAIN).draw(400)
    moved = batch.values.numpy().astype(np.int64)[..., :2] - batch.target.numpy().astype(np.int64)[:, None, :2]
    ways = [0, 0]
    for i in range(400):
        expected = TINY.offsets << int(batch.level[i])
        known = batch.known[i].numpy()
        for turned in (0, 1):
            ways[turned] += (moved[i] == (expected[:, ::-1] if turned else expected))[known].all() and known.sum() > 2
    assert min(ways) > 100


@pytest.mark.parametrize("style", range(1, styles.STYLES))
def test_styles_have_coarse_colour(style: int) -> None:
    colours = Image.fromarray(np.random.default_rng(0).integers(60, 196, (63, 64, 3), dtype=np.uint8))
    tried = (styles.developed(colours, np.random.default_rng(seed)) for seed in range(100))
    pixels = next(pixels for pixels, given in tried if given == style)
    assert all(side % 2 == (style == COSITED) for side in pixels.shape[:2])
    (luma, *chroma), (luma_after, *chroma_after) = (
        [np.asarray(band).std() for band in image.convert("YCbCr").split()]
        for image in (colours, Image.fromarray(pixels))
    )
    assert luma_after == pytest.approx(luma, rel=0.1)
    assert max(after / before for before, after in zip(chroma, chroma_after, strict=True)) < 0.6
    mirrored = Image.fromarray(np.ascontiguousarray(pixels[::-1, ::-1])).convert("YCbCr")
    for band in mirrored.split()[1:]:  # so that a mirror image is of the same style
        samples = np.asarray(band).astype(float)
        inner = samples[2:-2, 2:-2]
        if style == REPEATED:
            assert np.abs(samples[::2] - samples[1::2]).mean() < 1
        if style == COSITED:
            assert np.abs(inner[1::2] - (inner[:-1:2] + inner[2::2]) / 2).mean() < 1


def test_a_large_folder_is_cropped_to_the_memory_given(images: list[Path]) -> None:
    whole, part = ImageFolder(images), ImageFolder(images, memory=3000)
    assert 1500 < part.samples.nbytes <= 3000 < whole.samples.nbytes
    assert len(part.shapes) == len(whole.shapes)
    assert ImageFolder(images, memory=3000, varied=True).samples.nbytes <= 3000


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "16 bits"])
def test_images_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "odd.png"
    if content is None:
        Image.fromarray(np.zeros((4, 4), np.uint16)).save(file)
    else:
        file.write_bytes(content)
    with pytest.raises(UnsupportedError, match=r"odd\.png"):
        ImageFolder([file])


def test_a_folder_of_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="0 files"):
        held_out(tmp_path)


def test_gray_batches_repeat_the_second_channel(map_folder: ImageFolder) -> None:
    batch = sampler_of(map_folder, replace(PLAIN, gray=1)).draw(50)
    colour = sampler_of(map_folder, PLAIN).draw(50)
    for gray, full in ((batch.target, colour.target), (batch.values, colour.values)):
        assert torch.equal(gray, full[..., 1:2].expand_as(gray))


def test_random_masks_know_any_share_of_the_window(map_folder: ImageFolder) -> None:
    """The paper's objective: as many known as not, from none to all."""
    batch = sampler_of(map_folder, replace(PLAIN, random_masks=1.0)).draw(2000)
    targets = batch.target.numpy().astype(np.int64)
    middle = (np.abs(targets[:, :2] - [16, 30]) < 8).all(1) & (batch.level.numpy() == 0)  # away from all borders
    shares = batch.known.numpy()[middle].mean(1)
    assert middle.sum() > 60
    assert np.quantile(shares, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.15)


def test_earlier_starts_know_less(map_folder: ImageFolder) -> None:
    shares = [
        float(sampler_of(map_folder, replace(PLAIN, **change)).draw(500).known.float().mean())
        for change in ({}, {"early_start": 1.0}, {"coarse_start": 1.0})
    ]
    assert shares[0] > shares[1] > shares[2] > 0


# Muon


@pytest.mark.parametrize("shape", [(24, 10), (10, 24), (3, 40, 16), (2, 16, 40)])
def test_muon_makes_singular_values_near_one(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    update = 1e-3 * u @ torch.diag(torch.logspace(0, -2, u.shape[-1])) @ v
    result = orthogonalise(update)
    assert result.shape == update.shape
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6
    assert values.max() < 1.3
    inside = u.mT @ result @ v.mT  # diagonal: only the singular values have changed
    assert (inside - torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1))).abs().max() < 1e-3


def test_muon_treats_the_matrices_of_a_shape_alone() -> None:
    torch.manual_seed(1)
    pair = torch.randn(2, 8, 20)
    torch.testing.assert_close(orthogonalise(pair)[1], orthogonalise(pair[1]), atol=1e-5, rtol=0)


def test_muon_descends() -> None:
    torch.manual_seed(2)
    weight, goal = torch.nn.Parameter(torch.zeros(12, 6)), torch.randn(12, 6)
    optimiser = Muon([weight], lr=0.05, weight_decay=0.0)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (weight - goal).square().sum()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.1 * float(goal.square().sum())
