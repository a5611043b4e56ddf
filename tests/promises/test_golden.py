"""Files of earlier versions decode to the samples they were made from, for ever, and are made again byte for byte."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import reader
from golden import (
    FOLDER,
    GOLDEN,
    GOLDEN_JPEGS,
    GOLDEN_PICTURES,
    GOLDEN_SOUND,
    GOLDEN_TEXTS,
    LATER,
    LEARNING,
    NAMED,
    NEWEST,
    PICTURE,
    QUICK,
    encoded,
)

from ardm_compress.codec import images, sounds
from ardm_compress.codec.jpegs import decode_jpeg
from ardm_compress.codec.texts import decode_text
from ardm_compress.coding.ans import VARIABLE
from ardm_compress.container import Kind, parse
from ardm_compress.container.picture import APART, JPEG_XL, METHODS
from ardm_compress.errors import FormatError
from ardm_compress.formats.catalogue import file_bytes, same_image
from ardm_compress.formats.contents import RASTER
from ardm_compress.methods import apart, decode_tiles
from ardm_compress.methods import choice as methods

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(params=["constriction", "compiled"], autouse=True)
def coder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose stacks files are decoded and made by."""
    if request.param == "constriction":
        pytest.importorskip("constriction")
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_file_decodes(name: str) -> None:
    data = (FOLDER / f"{name}.ardm").read_bytes()
    np.testing.assert_array_equal(images.decode_samples(data), GOLDEN[name][0])


@pytest.mark.parametrize("name", GOLDEN_SOUND)
def test_golden_sound_decodes(name: str) -> None:
    assert sounds.decode_sound((FOLDER / f"{name}.ardm").read_bytes()) == GOLDEN_SOUND[name][0]


@pytest.mark.parametrize("name", GOLDEN_PICTURES)
def test_golden_picture_decodes(name: str) -> None:
    picture = images.decode_image((FOLDER / f"{name}.ardm").read_bytes())
    assert same_image(picture, GOLDEN_PICTURES[name], strip=False, force_pixels=False)
    if picture.wrapper.kind == RASTER:
        assert file_bytes(picture) == GOLDEN_PICTURES[name]


@pytest.mark.parametrize("name", GOLDEN_JPEGS)
def test_golden_jpeg_decodes(name: str) -> None:
    file = parse((FOLDER / f"{name}.ardm").read_bytes())
    assert file.kind is Kind.JPEG
    assert decode_jpeg(file) == GOLDEN_JPEGS[name]


@pytest.mark.parametrize("name", GOLDEN_TEXTS)
def test_golden_text_decodes(name: str) -> None:
    file = parse((FOLDER / f"{name}.ardm").read_bytes())
    assert file.kind is Kind.TEXT
    assert decode_text(file) == GOLDEN_TEXTS[name]


def test_golden_pictures_are_coded_in_every_way() -> None:
    facts = [parse((FOLDER / f"{name}.ardm").read_bytes()).facts for name in GOLDEN_PICTURES]
    assert {str(told["methods"])[:-2] for told in facts if "methods" in told} == set(METHODS)
    assert any(told.get("progressive") for told in facts)


AGAIN = [name for name in [*GOLDEN, *GOLDEN_PICTURES] if name.startswith((NEWEST, QUICK, PICTURE))] + [*GOLDEN_SOUND]
AGAIN += [*GOLDEN_JPEGS, *GOLDEN_TEXTS]


@pytest.mark.parametrize("name", [name for name in AGAIN if name not in LATER])
def test_golden_file_is_made_again_byte_for_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (FOLDER / f"{name}.ardm").read_bytes()
    pin_libraries(data, monkeypatch)
    assert encoded(name) == data


def size_of(name: str) -> int:
    return (FOLDER / f"{name}.ardm").stat().st_size


@pytest.mark.parametrize("name", [name for name in LATER if not name.startswith((NEWEST, PICTURE, LEARNING))])
def test_later_files_are_not_larger(name: str) -> None:
    assert size_of(LATER[name]) <= size_of(name)


def test_files_that_were_made_sooner_are_not_larger_together() -> None:
    names = [name for name in LATER if name.startswith((NEWEST, PICTURE, LEARNING)) and LATER[name] != NAMED]
    assert sum(size_of(LATER[name]) for name in names) <= sum(map(size_of, names))


def test_the_name_of_the_original_takes_less_than_a_percent() -> None:
    without = next(name for name in LATER if LATER[name] == NAMED)
    assert 32 < size_of(NAMED) - size_of(without) < size_of(without) / 100
    read = reader.read_original(reader.read_wrapped((FOLDER / f"{NAMED}.ardm").read_bytes())[0], sound=False)
    original = GOLDEN_PICTURES[NAMED]
    assert read == (len(original), hashlib.sha256(original).digest())


def pin_libraries(golden: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles that WebP and JPEG XL make are those of a golden file, since other versions of these may make others.

    What they make now must hold the same samples in no more bytes.
    """
    kept, others = streams(golden), methods._others

    def pinned(samples: NDArray[Any], depth: int, best: int) -> list[bytes]:
        found = []
        made = others(samples, depth, best)
        assert all(holds(stream, samples, depth) for stream in made)
        for method in sorted({stream[0] for stream in made}):
            shortest = min((stream for stream in made if stream[0] == method), key=len)
            found.append(next((s for s in kept if s[0] == method and holds(s, samples, depth)), shortest))
            assert len(shortest) <= len(found[-1])
        return found

    monkeypatch.setattr(methods, "_others", pinned)


def streams(data: bytes) -> list[bytes]:
    """All streams of a picture's tiles, and those of colour and transparency in them."""
    file = parse(data)
    if file.kind is not Kind.PICTURE:
        return []
    found = list(file.payloads)
    for stream in found:  # which grows
        found += apart.split(stream[1:]) if stream[0] == APART else []
    return found


def holds(stream: bytes, samples: NDArray[Any], depth: int) -> bool:
    """Whether a stream is one of these samples."""
    try:
        return np.array_equal(decode_tiles([stream], samples.shape, depth)[0], samples)
    except FormatError:  # it has other sides
        return False


def test_other_versions_of_the_libraries_leave_the_rest_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less effort stands for an older one."""
    name = f"{PICTURE}-rgb-16"
    with monkeypatch.context() as older:
        encode = imagecodecs.jpegxl_encode
        older.setattr(imagecodecs, "jpegxl_encode", lambda pixels, **options: encode(pixels, **options | {"effort": 7}))
        data = encoded(name)
    (stream,) = streams(data)
    assert stream[0] == JPEG_XL
    assert encoded(name) != data
    pin_libraries(data, monkeypatch)
    assert encoded(name) == data


def test_no_golden_file_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.ardm")} == {
        *GOLDEN, *GOLDEN_PICTURES, *GOLDEN_SOUND, *GOLDEN_TEXTS, *GOLDEN_JPEGS,
    }  # fmt: skip
