"""Files of earlier versions decode to the samples they were made from, for ever."""

from __future__ import annotations

import numpy as np
import pytest
from golden import FOLDER, GOLDEN, GOLDEN_PICTURES, GOLDEN_SOUND, NEWEST, PROGRESSIVE, SOURCES

from ardm_compress import api
from ardm_compress.image.container import METHODS
from ardm_compress.image.files import same_image, write_picture
from ardm_compress.image.picture import RASTER
from ardm_compress.layout import describe


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_file_decodes(name: str) -> None:
    data = (FOLDER / f"{name}.ardm").read_bytes()
    np.testing.assert_array_equal(api.decode(data), GOLDEN[name][0])


@pytest.mark.parametrize("name", GOLDEN_SOUND)
def test_golden_sound_decodes(name: str) -> None:
    assert api.decode_sound((FOLDER / f"{name}.ardm").read_bytes()) == GOLDEN_SOUND[name][0]


@pytest.mark.parametrize("name", GOLDEN_PICTURES)
def test_golden_picture_decodes(name: str) -> None:
    picture = api.decode_image((FOLDER / f"{name}.ardm").read_bytes())
    assert same_image(picture, GOLDEN_PICTURES[name], strip=False, force_pixels=False)
    if picture.wrapper.kind == RASTER:
        assert write_picture(picture) == GOLDEN_PICTURES[name]


def test_golden_pictures_are_coded_in_every_way() -> None:
    facts = [describe((FOLDER / f"{name}.ardm").read_bytes()) for name in GOLDEN_PICTURES]
    assert {str(told["methods"])[:-2] for told in facts if "methods" in told} == set(METHODS)
    assert any(told.get("progressive") for told in facts)


@pytest.mark.parametrize("name", [*(name for name in SOURCES if name != "rgb-sections"), PROGRESSIVE])
def test_golden_file_of_the_newest_model_is_written_again_byte_for_byte(name: str) -> None:
    samples, budget = GOLDEN[f"{NEWEST}-{name}"]
    assert api.encode(samples, budget=budget) == (FOLDER / f"{NEWEST}-{name}.ardm").read_bytes()


def test_no_golden_file_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.ardm")} == {*GOLDEN, *GOLDEN_PICTURES, *GOLDEN_SOUND}
