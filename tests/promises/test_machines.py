"""Every machine writes the same file, and reads that of another; one that computes anything else is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path as FilePath

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Samples
from sounds import wave

import ardm_compress
from ardm_compress.ardm import make_sound_order
from ardm_compress.ardm.schedule import tile_steps
from ardm_compress.codec import images, sounds
from ardm_compress.coding.loop import BATCH_POSITIONS
from ardm_compress.coding.models import load_model
from ardm_compress.coding.sound import wave as waves
from ardm_compress.coding.sound.analysis import choose, derive_wave
from ardm_compress.coding.sound.prediction import Predictor
from ardm_compress.coding.sound.transform import apply_transform
from ardm_compress.errors import ModelError
from ardm_compress.inference import find_model
from ardm_compress.inference.instructions import Kernel, available

CHILD = """
import hashlib, json, sys
import numpy as np
from ardm_compress.coding import loop

batch = int(sys.argv[3])
loop.BATCH_POSITIONS = batch or loop.BATCH_POSITIONS  # before others import it

from ardm_compress.ardm import make_sound_order
from ardm_compress.ardm.schedule import tile_steps
from ardm_compress.codec import images, sounds
from ardm_compress.coding import models as reading
from ardm_compress.inference.fused import FusedNetwork
from ardm_compress.inference.network import ExactNetwork
from ardm_compress.inference.instructions import Kernel
from ardm_compress.inference import find_model
from ardm_compress.computing import threads

folder, kernel = sys.argv[1], Kernel(sys.argv[2])
models = {name: reading.load_model(find_model(name), kernel=kernel) for name in ("photo", "sound")}
reading.loaded = lambda entry: models[entry.name]
largest = [0, 0]  # positions evaluated at once, of images and of sound

def count(network_type):
    hidden = network_type.hidden

    def counted(network, features, *rest):
        kind = int(network.config.axes == 1)
        largest[kind] = max(largest[kind], len(features.inputs))
        return hidden(network, features, *rest)

    network_type.hidden = counted

count(ExactNetwork)
count(FusedNetwork)
def file(name):
    with open(folder + "/" + name + ".wav", "rb") as opened:
        return opened.read()

digests = []
for name, encode, decode in (
    (
        "photo",
        lambda: images.encode_samples(np.load(folder + "/photo.npy"), budget=12),
        lambda data: images.decode_samples(data).tobytes(),
    ),
    ("speech", lambda: sounds.encode_sound(file("speech"), budget=16, model="sound"), sounds.decode_sound),
    ("music", lambda: sounds.encode_sound(file("music"), budget=16, model="sound"), sounds.decode_sound),
    ("learning", lambda: sounds.encode_sound(file("music")), sounds.decode_sound),
):
    with open(folder + "/" + name + ".ardm", "rb") as coded:
        digests += [hashlib.sha256(each).hexdigest() for each in (encode(), decode(coded.read()))]
facts = {
    "digests": digests,
    "kernels": sorted({model.network.kernel.value for model in models.values()}),
    "largest": largest,
    "threads": threads(),
    "numpy": np.show_config(mode="dicts")["SIMD Extensions"].get("found", []),
}
print(json.dumps(facts), flush=True)
"""

LARGEST = (255, 100)  # positions that steps of the photograph and of speech have at least
FEWEST = "none"  # of NumPy's and Numba's instruction sets beside those that all processors have; OpenBLAS's of 2008

# NumPy's and Numba's instruction sets, threads, kernel, batch (0: default)
MACHINES = [
    (FEWEST, 1, Kernel.PORTABLE, 0),
    (FEWEST, 2, Kernel.SSE2, 50),
    (None, 1, Kernel.SSSE3, 100),
    (None, 2, Kernel.AVX2, 7),
    (None, 2, Kernel.AVX_VNNI, 33),
    (None, 1, Kernel.AVX512_VNNI, 0),
    (FEWEST, 1, Kernel.REFERENCE, 100),
]


def speech() -> NDArray[np.int64]:
    """Pulses through two resonances, and noise: a voice's pitch and vowel, a fifth of a second at 8 kHz."""
    noise, length = np.random.default_rng(1), 1600
    driven = np.where(np.arange(length) % 73 == 0, 900.0, 0) + noise.normal(0, 6, length)
    for frequency, radius in ((0.45, 0.97), (1.2, 0.93)):
        found = np.zeros(length + 2)
        for at in range(length):
            found[at] = driven[at] + 2 * radius * np.cos(frequency) * found[at - 1] - radius**2 * found[at - 2]
        driven = found[:length]
    return np.rint(driven).astype(np.int64)[:, None]


def music() -> NDArray[np.int64]:
    """A chord in stereo that decays, one channel a little later and fainter than the other."""
    noise, time = np.random.default_rng(2), np.arange(1200)
    chord = np.exp(-time / 900) * sum(2000 * np.sin(0.0627 * pitch * time) for pitch in (1, 1.26, 1.5, 2.0))
    left = chord + np.cumsum(noise.normal(0, 30, len(time)))
    return np.rint(np.stack([left, 0.7 * np.roll(left, 5) + noise.normal(0, 3, len(time))], 1)).astype(np.int64)


def test_the_clips_have_what_clips_have() -> None:
    """Spectra, pitches, links between channels: whatever the encoder finds is in the files below."""
    for samples, has_pitches, has_links in ((speech(), True, False), (music(), False, True)):
        order, (transform, setting) = make_sound_order(4), choose(samples)
        steps = tile_steps(None, order, (len(samples),), samples.shape[:1])
        analysis = derive_wave(apply_transform(samples, transform), order, steps, setting).analysis
        assert all(spectrum.sines.any() for spectrum in analysis.spectra)
        assert analysis.pitches.any() or not has_pitches
        assert analysis.links.any() or not has_links


@pytest.fixture(scope="module")
def shared_files(tmp_path_factory: pytest.TempPathFactory, photo: Samples) -> tuple[FilePath, list[str]]:
    """A folder with a photograph, speech and music, and files of them; what every machine must print."""
    folder = tmp_path_factory.mktemp("shared")
    small = photo[:24, :40]
    np.save(folder / "photo.npy", small)
    sources, data = {"photo": small.tobytes()}, {"photo": images.encode_samples(small, budget=12)}
    for name, samples, rate in (("speech", speech(), 8000), ("music", music(), 44100)):
        sources[name] = wave(samples.astype("<i2").tobytes(), channels=samples.shape[1], rate=rate)
        (folder / f"{name}.wav").write_bytes(sources[name])
        data[name] = sounds.encode_sound(sources[name], budget=16, model="sound")
    sources["learning"], data["learning"] = sources["music"], sounds.encode_sound(sources["music"])
    for name in sources:
        (folder / f"{name}.ardm").write_bytes(data[name])
    return folder, [hashlib.sha256(each).hexdigest() for name in sources for each in (data[name], sources[name])]


def dispatched() -> str:
    """The instruction sets that NumPy takes on this machine and can do without."""
    return " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))


@pytest.mark.parametrize(("simd", "threads", "kernel", "batch"), MACHINES)
def test_every_machine_writes_the_same_file_and_reads_that_of_another(
    shared_files: tuple[FilePath, list[str]], simd: str | None, threads: int, kernel: Kernel, batch: int
) -> None:
    if kernel not in available():
        pytest.skip(f"there is no {kernel.value} here")
    folder, expected = shared_files
    changes = {
        "NPY_DISABLE_CPU_FEATURES": simd and dispatched(),
        "OPENBLAS_CORETYPE": simd and "Nehalem",
        "NUMBA_CPU_NAME": simd and "generic",
        "OMP_NUM_THREADS": str(threads),
    }
    kept = {k: v for k, v in os.environ.items() if k not in changes}
    kept["PYTHONPATH"] = str(FilePath(ardm_compress.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), kernel.value, str(batch)],
        env=kept | {k: v for k, v in changes.items() if v is not None},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["digests"] == expected
    assert facts["kernels"] == [kernel.value]
    assert facts["threads"] == threads
    assert not (simd and facts["numpy"])
    for largest, most in zip(facts["largest"], LARGEST, strict=True):
        assert min(batch or BATCH_POSITIONS, most) <= largest <= (batch or BATCH_POSITIONS)


def test_one_changed_tap_of_linear_prediction_is_found_by_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound is predicted by floating-point operations first."""
    right = waves.solve

    def wrong(covariance: NDArray[np.float64], offsets: NDArray[np.int64]) -> Predictor:
        found = right(covariance, offsets)
        found.taps[:1] += 1 << 10  # a thousandth
        return found

    monkeypatch.setattr(waves, "solve", wrong)
    with pytest.raises(ModelError, match="other integers"):
        load_model(find_model("sound"))
