"""Files of earlier versions decode to the samples they were made from, for ever."""

from __future__ import annotations

import numpy as np
import pytest
from golden import FOLDER, GOLDEN, GOLDEN_SOUND, NEWEST, SOURCES

from ardm_compress import api


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_file_decodes(name: str) -> None:
    data = (FOLDER / f"{name}.ardm").read_bytes()
    np.testing.assert_array_equal(api.decode(data), GOLDEN[name][0])


@pytest.mark.parametrize("name", GOLDEN_SOUND)
def test_golden_sound_decodes(name: str) -> None:
    assert api.decode_sound((FOLDER / f"{name}.ardm").read_bytes()) == GOLDEN_SOUND[name][0]


@pytest.mark.parametrize("name", SOURCES)
def test_golden_file_of_the_newest_model_is_written_again_byte_for_byte(name: str) -> None:
    samples, budget = SOURCES[name]
    assert api.encode(samples, budget=budget) == (FOLDER / f"{NEWEST}-{name}.ardm").read_bytes()


def test_no_golden_file_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.ardm")} == {*GOLDEN, *GOLDEN_SOUND}
