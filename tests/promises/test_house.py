"""The package stays small enough to read, and its commands run where nothing can be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from golden import FOLDER
from pictures import PHOTO
from PIL import Image

import ardm_compress

PACKAGE = Path(ardm_compress.__file__).parent
ENTRIES = 24  # of the package's folder
FILES = 31  # that a photograph needs, besides those that only say what a folder is about
ROUND_TRIP = """
import io, sys
from pathlib import Path
import ardm_compress
photo = Path(sys.argv[1]).read_bytes()
with ardm_compress.open(io.BytesIO(ardm_compress.encode_image(photo, budget=8))) as file:
    file.original()
for name, module in sys.modules.items():
    if name.split(".")[0] == "ardm_compress" and not module.__file__.endswith("__init__.py"):
        print(name)
"""
NO_PLACE = """
import sys
from numba.core.caching import CacheImpl
from ardm_compress.cli import main
CacheImpl._locator_classes = []
main(sys.argv[1:])
"""


def test_the_top_of_the_package_has_few_entries() -> None:
    entries = sorted(path.name for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "weights"))
    assert len(entries) <= ENTRIES, entries


def test_a_photograph_passes_few_files(tmp_path: Path) -> None:
    """As large as it takes for WebP and JPEG XL to be tried, and with a chunk of metadata."""
    with Image.open(PHOTO) as image:
        image.crop((0, 0, 256, 192)).save(tmp_path / "photo.png", dpi=(72, 144))
    done = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, tmp_path / "photo.png"], capture_output=True, text=True, check=True
    )
    entered = done.stdout.split()
    assert "ardm_compress.inference.gradient" in entered
    assert len(entered) <= FILES, entered


def test_a_command_runs_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """Neither in the home, which is missing, nor beside the package, nor where Numba keeps what it has compiled."""
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), str(tmp_path / "missing"))
    (tmp_path / "missing").touch()  # so that no folder can be made there
    command = [sys.executable, "-c", NO_PLACE, "test", FOLDER / "photo-4-one-pixel.ardm"]
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
