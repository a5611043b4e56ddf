"""One open file that many threads read: it gave checksum errors on a good file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pictures import noise
from sounds import wave

import ardm_compress
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.codec.sounds import encode_sound
from ardm_compress.formats.contents import Picture
from ardm_compress.formats.png import plain

THREADS = 12
Part = tuple[int, int]  # a column or frame, and the number of them


def drawn() -> np.ndarray:
    """Tiles of noise, which are stored as they are."""
    return noise(16, 256, 1, 8, seed=1)


def tune(frames: int) -> np.ndarray:
    noisy = np.random.default_rng(3).integers(-9, 9, (frames, 1))
    return (4000 * np.sin(np.arange(frames)[:, None] / 9) + noisy).astype("<i2")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A picture of many tiles, sound that the model has coded, and sound that is stored."""
    folder = tmp_path_factory.mktemp("files")
    coded = {
        "picture": encode_picture(Picture(drawn(), plain(1)), tile=16),
        "sound": encode_sound(wave(tune(600).tobytes()), budget=4, sound_tile=100),
        "stored": encode_sound(wave((tune(600) / 8192).astype("<f4").tobytes(), width=4, tag=3)),
    }
    for name, data in coded.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in coded}


@pytest.mark.parametrize(("name", "calls"), [("picture", 400), ("sound", 3), ("stored", 400)])
def test_threads_share_an_open_file(files: dict[str, Path], name: str, calls: int) -> None:
    with ardm_compress.open(files[name]) as file:
        whole = file.read()

        def read(start: int, count: int) -> np.ndarray:
            if name == "picture":
                return file.read(region=(start, 0, count, 16))
            return file.read(start, start + count)

        def check(seed: int) -> int:
            rng, errors = np.random.default_rng(seed), 0
            for _ in range(calls):
                start, count = int(rng.integers(0, 200)), int(rng.integers(1, 50))
                expected = whole[:, start : start + count] if name == "picture" else whole[start : start + count]
                errors += not np.array_equal(read(start, count), expected)
            return errors

        with ThreadPoolExecutor(THREADS) as pool:
            assert sum(pool.map(check, range(THREADS))) == 0
