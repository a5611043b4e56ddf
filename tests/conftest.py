"""What several test modules share: the shipped model and a small real photograph."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from pictures import PHOTO, Samples, read_image

from ardm_compress.inference import find_model

if TYPE_CHECKING:
    from ardm_compress.inference.network import Model

os.environ["XDG_CACHE_HOME"] = os.environ["LOCALAPPDATA"] = tempfile.mkdtemp("-ardm-compress-cache")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that spin take minutes where others work

# The same examples whenever and wherever the tests run, however slow the machine is; `make fuzz` looks for others.
settings.register_profile(
    "ardm-compress", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ardm-compress")


@pytest.fixture(scope="session")
def photo() -> Samples:
    """40x56 RGB pixels of a photograph, read-only."""
    crop = read_image(PHOTO)[200:240, 300:356].copy()
    crop.flags.writeable = False
    return crop


@pytest.fixture(scope="session")
def model() -> Model:
    """The model that files are made with by default."""
    from ardm_compress.coding.models import loaded  # here, so that tests without the model start fast

    return loaded(find_model("photo"))


@pytest.fixture(scope="session")
def sound_model() -> Model:
    """The model that files of sound are made with by default."""
    from ardm_compress.coding.models import loaded

    return loaded(find_model("sound"))
