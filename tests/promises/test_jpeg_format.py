"""docs/format.md section 16 is true: a decoder written from it gives the JPEG files back, and quotes hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import reference_jpeg
from golden import FOLDER, GOLDEN_JPEGS
from reference import Model

from ardm_compress.formats.jpeg import rest
from ardm_compress.inference import find_model

DOCUMENT = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")


def dictionary() -> bytes:
    found = re.search(r"^```hex 16\.2\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found
    return bytes.fromhex(found[1])


def test_the_dictionary_is_the_one_that_is_used() -> None:
    assert dictionary() == rest.USUAL_BYTES


@pytest.mark.parametrize("name", GOLDEN_JPEGS)
def test_second_decoder_gives_the_jpeg_file_back(name: str) -> None:
    data = (FOLDER / f"{name}.ardm").read_bytes()
    model = Model(find_model("jpeg").file)
    assert reference_jpeg.decode(data, model, dictionary()) == GOLDEN_JPEGS[name]


def test_second_decoder_computes_the_known_answer() -> None:
    model = Model(find_model("jpeg").file)
    assert reference_jpeg.known_answer(model) == model.known_answer
