"""Previews: coarse levels of an image, from the beginning of its file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import TEXT, Samples, png_file

from ardm_compress.ardm.tiles import scaled, tile_box
from ardm_compress.codec import api, array
from ardm_compress.codec import picture as codec
from ardm_compress.codec.picture import encode_picture
from ardm_compress.container.image import read_header
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.formats.contents import ImageWrapper, Picture
from ardm_compress.limits import Limits
from ardm_compress.methods.choice import Settings


@pytest.fixture(autouse=True)
def sectioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array, "SECTIONED_FROM", 1)


def prefix(data: bytes, sections: int) -> bytes:
    """The file up to the end of its first sections."""
    header, offset = read_header(data)
    tiles = len(header.lengths) // header.sections
    return data[: offset + sum(header.lengths[: sections * tiles])]


@pytest.mark.parametrize("mirror", range(4))
@pytest.mark.parametrize("level", range(1, 5))
def test_a_preview_needs_only_the_beginning(
    photo: Samples, monkeypatch: pytest.MonkeyPatch, mirror: int, level: int
) -> None:
    monkeypatch.setattr(array, "choose_styles", lambda *_: [(0, mirror)])
    samples = photo[:33, :38]
    data = api.encode(samples, budget=6)
    part = prefix(data, array.SECTIONS - level)
    assert len(part) < len(data)
    seen = samples[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1][:: 1 << level, :: 1 << level]
    expected = seen[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1]
    np.testing.assert_array_equal(api.decode(part, level=level), expected)
    with pytest.raises(FormatError, match="--salvage"):
        api.decode(part[:-1], level=level)
    with pytest.raises(FormatError):
        api.decode(part)


def test_previews_of_tiles_lie_side_by_side(photo: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array, "TILE", 16)
    monkeypatch.setattr(array, "choose_styles", lambda *_: [(0, 0)])
    data = api.encode(photo, budget=4)
    for level in range(1, 5):
        np.testing.assert_array_equal(api.decode(data, level=level), photo[:: 1 << level, :: 1 << level])
    np.testing.assert_array_equal(api.decode(data, level=1, region=(3, 5, 20, 10)), photo[::2, ::2][5:15, 3:23])


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 70), st.integers(1, 70), st.integers(0, 4))
def test_tiles_of_a_preview_fill_it(rows: int, columns: int, height: int, width: int, level: int) -> None:
    tile = min(height, rows), min(width, columns)
    shape, small = scaled((rows, columns), tile, level)
    covered = np.zeros(shape, int)
    for index in range(-(-rows // tile[0]) * -(-columns // tile[1])):
        whole, box = tile_box((rows, columns), tile, index), tile_box(shape, small, index)
        covered[box] += 1
        assert [s.stop - s.start for s in box] == [-(-(s.stop - s.start) >> level) for s in whole]
    assert (covered == 1).all()


def test_pictures_have_previews_however_they_are_coded(photo: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = api.encode_image(png_file(photo, 8, 2, TEXT), budget=4)
    monkeypatch.setattr(codec, "TILE", 16)
    drawn = (np.indices((40, 33)).sum(0) // 9 % 16).astype(np.uint8)[..., None]
    tiled = encode_picture(Picture(drawn, ImageWrapper(0, 4, 1)), Settings(budget=4))
    for data, samples in ((wrapped, photo), (tiled, drawn)):
        seen = api.decode_image(data, level=2)
        assert not seen.wrapper.head
        np.testing.assert_array_equal(seen.samples, samples[::4, ::4])


@pytest.mark.parametrize("level", [-1, 5])
def test_there_are_no_other_levels(photo: Samples, level: int) -> None:
    for data in (api.encode(photo[:8, :8], budget=2), encode_picture(Picture(photo[:8, :8], ImageWrapper(0, 8, 3, 2)))):
        with pytest.raises(UnsupportedError, match="levels 1 to 4"):
            api.decode_image(data, level=level)


def test_limits_are_told_and_can_be_raised(photo: Samples) -> None:
    data = api.encode(photo, budget=2)
    for file in (data, api.encode_image(png_file(photo, 8, 2, TEXT), budget=2)):
        with pytest.raises(LimitError, match="--max-pixels 2240"):
            api.decode_image(file, limits=Limits(pixels=2239))
        with pytest.raises(LimitError, match="--max-memory"):
            api.decode_image(file, limits=Limits(memory=1 << 20))
    with pytest.raises(LimitError, match="--max-pixels"):
        api.encode_image(png_file(photo, 8, 2), limits=Limits(pixels=2239))
    with pytest.raises(LimitError, match="--max-memory"):
        api.encode_image(png_file(photo, 8, 2), limits=Limits(memory=1 << 20))
    np.testing.assert_array_equal(api.decode(data, limits=Limits(pixels=2240)), photo)
