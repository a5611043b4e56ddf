"""Every machine writes the same file, and reads that of another."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path as FilePath

import numpy as np
import pytest
from golden import FOLDER, SOUNDS

import ardm_compress
from ardm_compress import api
from ardm_compress.exact.products import Path
from ardm_compress.media import Samples

CHILD = """
import hashlib, sys
import numpy as np
from ardm_compress import api, loading, tile
from ardm_compress.exact.model import load_model
from ardm_compress.exact.products import Path

folder, path, batch = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
models = {name: load_model(api.find_model(name), path=path) for name in ("photo", "sound")}
assert all(model.network.path is path for model in models.values())
loading.loaded = lambda entry: models[entry.name]
tile.BATCH = batch or tile.BATCH
photo = np.load(folder + "/photo.npy")
print(hashlib.sha256(api.encode(photo, budget=12)).hexdigest())
with open(folder + "/photo.ardm", "rb") as file:
    decoded = api.decode(file.read())
print(hashlib.sha256(decoded.tobytes()).hexdigest())
for name in sys.argv[4:]:
    with open(folder + "/" + name + ".ardm", "rb") as file:
        wave = api.decode_sound(file.read())
    print(hashlib.sha256(wave).hexdigest())
    with open(folder + "/" + name + ".own", "wb") as file:  # spectra may differ in the last bit, so bytes may
        file.write(api.encode_sound(wave, budget=16))
"""


CLIPS = ("mono", "24-bits")  # as speech and as music have them


MACHINES = [  # ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY, threads, path, batch (0: the default)
    ("SSE41", None, 1, Path.INT8, 0),
    ("AVX2", None, 2, Path.INT8, 100),
    ("AVX512_CORE", "default", 1, Path.INT8, 50),
    (None, None, 1, Path.INT8, 0),
    ("SSE41", None, 2, Path.FLOAT32, 33),
    (None, "default", 1, Path.FLOAT64, 100),
]


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory: pytest.TempPathFactory, photo: Samples) -> tuple[FilePath, list[str]]:
    """A folder with the photograph and a file of it, and what every machine must print."""
    folder = tmp_path_factory.mktemp("shared")
    small = photo[:24, :40]  # torch's 8-bit product is a plain loop on processors without AVX-512
    np.save(folder / "photo.npy", small)
    data = api.encode(small, budget=12)
    (folder / "photo.ardm").write_bytes(data)
    for name in CLIPS:
        (folder / f"{name}.ardm").write_bytes((FOLDER / f"sound-1-{name}.ardm").read_bytes())
    clips = (SOUNDS[name][0] for name in CLIPS)
    return folder, [hashlib.sha256(each).hexdigest() for each in (data, small.tobytes(), *clips)]


@pytest.mark.parametrize(("isa", "capability", "threads", "path", "batch"), MACHINES)
def test_every_machine_writes_the_same_file_and_reads_that_of_another(
    shared_file: tuple[FilePath, list[str]],
    isa: str | None,
    capability: str | None,
    threads: int,
    path: Path,
    batch: int,
) -> None:
    folder, expected = shared_file
    changes = {"ONEDNN_MAX_CPU_ISA": isa, "ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": str(threads)}
    kept = {k: v for k, v in os.environ.items() if k not in changes}
    kept["OMP_WAIT_POLICY"] = "passive"  # threads that spin take minutes on a busy machine
    kept["PYTHONPATH"] = str(FilePath(ardm_compress.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), path.value, str(batch), *CLIPS],
        env=kept | {k: v for k, v in changes.items() if v is not None},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == expected
    for name in CLIPS:
        assert api.decode_sound((folder / f"{name}.own").read_bytes()) == SOUNDS[name][0]
