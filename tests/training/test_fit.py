"""``ardm-compress train``: from a folder of images to a model that codes, on one process and on two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pictures import Samples
from PIL import Image
from safetensors import safe_open
from sounds import wave

from ardm_compress.cli import main
from ardm_compress.codec.images import encode_samples
from ardm_compress.errors import ModelError
from ardm_compress.inference import find_model, manifest
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.training import fit
from ardm_compress.training.train import TrainConfig

SMALL = ["--steps", "6", "--batch", "64", "--hidden", "16", "--blocks", "1"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, photo: Samples) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, turned in enumerate([photo, photo[::-1], photo[:, ::-1]]):
        Image.fromarray(turned).save(folder / f"{number}.png")
    return folder


def run(
    *args: str | Path, models: Path | None = None, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ARDM_COMPRESS_MODELS": str(models or "")}
    command = [sys.executable, *launcher, "-m", "ardm_compress", *map(str, args)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("launcher", [(), ("-m", "torch.distributed.run", "--nproc-per-node", "2")], ids=["one", "two"])
def test_a_trained_model_codes(
    images: Path, tmp_path: Path, photo: Samples, launcher: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = run("train", images, tmp_path / "run", *SMALL, "--name", "mine", launcher=launcher)
    assert trained.returncode == 0, trained.stderr
    done = run("encode", images / "0.png", "-f", "--model", "mine", models=tmp_path / "run")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "mine.ardm"
    monkeypatch.setenv("ARDM_COMPRESS_MODELS", str(tmp_path / "run"))
    file.write_bytes(encode_samples(photo, budget=8, model="mine"))  # as a file, by something else: six steps are few
    monkeypatch.undo()
    assert run("decode", file, "-o", tmp_path / "back.png", models=tmp_path / "run").returncode == 0
    tried = run("encode", images / "0.png", "-o", tmp_path / "auto.ardm", "--model", "auto", models=tmp_path / "run")
    assert tried.returncode == 0, tried.stderr
    assert run("test", tmp_path / "auto.ardm").returncode == 0  # without the model that six steps have made
    assert np.array_equal(np.asarray(Image.open(tmp_path / "back.png")), photo)
    without = run("decode", file, "-o", tmp_path / "none.png")
    assert without.returncode == 4
    assert "ARDM_COMPRESS_MODELS" in without.stderr
    listed = run("models", models=tmp_path / "run")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["model", *(m.name for m in manifest()), "mine"]


def test_a_model_trained_on_sound_codes(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        samples = np.cumsum(rng.integers(-40, 41, (3000, 1 + number % 2)), 0).astype("<i2")
        (folder / f"{number}.wav").write_bytes(wave(samples.tobytes(), channels=samples.shape[1]))
    trained = run("train", folder, tmp_path / "run", *SMALL, "--name", "mine", "--memory", "1")
    assert trained.returncode == 0, trained.stderr
    again = run("train", folder, tmp_path / "run", *SMALL, "--name", "mine", "--memory", "1")
    assert "continuing from" in again.stdout, again.stderr
    file = tmp_path / "mine.ardm"
    encode = ("encode", folder / "1.wav", "-o", file, "--model", "mine", "--budget", "8")
    done = run(*encode, models=tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert run("decode", file, "-o", tmp_path / "back.wav", models=tmp_path / "run").returncode == 0
    assert (tmp_path / "back.wav").read_bytes() == (folder / "1.wav").read_bytes()
    tried = run("encode", folder / "1.wav", "--model", "auto", "--budget", "8", models=tmp_path / "run")
    assert tried.returncode == 0, tried.stderr
    assert (folder / "1.wav.ardm").stat().st_size <= file.stat().st_size


def test_the_training_state_that_ships_is_of_the_default_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was refused as another network: the command trained without styles."""
    given: list[TrainConfig] = []
    monkeypatch.setattr(fit, "fit", lambda config, *_, **__: given.append(config))
    result = CliRunner().invoke(main, ["train", str(tmp_path), str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    state = next((Path(__file__).parents[2] / "models" / "training").glob("photo-*.safetensors"))
    with safe_open(state, "pt") as file:
        assert NetworkConfig(**json.loads(file.metadata()["config"])["network"]) == given[0].network


def test_a_damaged_model_is_found(tmp_path: Path) -> None:
    shipped = find_model("photo")
    data = bytearray(shipped.file.read_bytes())
    data[-1] ^= 1
    (tmp_path / "other.safetensors").write_bytes(data)
    entry = {"name": "other", "file": "other.safetensors", "sha256": shipped.sha256, "order": "spread", "period": 8}
    (tmp_path / "manifest.json").write_text(json.dumps([entry, {**entry, "file": "gone.safetensors"}]))
    listed = run("models", models=tmp_path)
    assert listed.returncode == 1
    assert "damaged" in listed.stdout.splitlines()[-2]
    assert "No such file" in listed.stdout.splitlines()[-1]


def test_a_folder_without_a_manifest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARDM_COMPRESS_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=tmp_path.name):
        find_model("photo")
