"""Previews: coarse levels of an image, from the beginning of its file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import TEXT, Samples, png_file

from ardm_compress.ardm.tiles import SECTIONS, scaled, tile_box
from ardm_compress.codec import images
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.container.image import read_header
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.formats.contents import ImageWrapper, Picture
from ardm_compress.options import EncodeOptions, Limits


def prefix(data: bytes, sections: int) -> bytes:
    """The file up to the end of its first sections."""
    header, offset = read_header(data)
    tiles = len(header.lengths) // header.sections
    return data[: offset + sum(header.lengths[: sections * tiles])]


@pytest.mark.parametrize("mirror", range(4))
@pytest.mark.parametrize("level", range(1, 5))
def test_a_preview_needs_only_the_beginning(photo: Samples, mirror: int, level: int) -> None:
    samples = photo[:33, :38]
    data = images.encode_samples(samples, budget=6, style=(0, mirror), sections_from=1)
    part = prefix(data, SECTIONS - level)
    assert len(part) < len(data)
    seen = samples[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1][:: 1 << level, :: 1 << level]
    expected = seen[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1]
    np.testing.assert_array_equal(images.decode_samples(part, preview=level), expected)
    with pytest.raises(FormatError, match="--salvage"):
        images.decode_samples(part[:-1], preview=level)
    with pytest.raises(FormatError):
        images.decode_samples(part)


def test_previews_of_tiles_lie_side_by_side(photo: Samples) -> None:
    data = images.encode_samples(photo, budget=4, style=(0, 0), tile=16, sections_from=1)
    for level in range(1, 5):
        np.testing.assert_array_equal(images.decode_samples(data, preview=level), photo[:: 1 << level, :: 1 << level])
    np.testing.assert_array_equal(
        images.decode_samples(data, preview=1, region=(3, 5, 20, 10)), photo[::2, ::2][5:15, 3:23]
    )


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


def test_pictures_have_previews_however_they_are_coded(photo: Samples) -> None:
    wrapped = images.encode_image(png_file(photo, 8, 2, TEXT), budget=4, sections_from=1)
    drawn = (np.indices((40, 33)).sum(0) // 9 % 16).astype(np.uint8)[..., None]
    tiled = encode_picture(Picture(drawn, ImageWrapper(0, 4, 1)), EncodeOptions(budget=4, tile=16))
    for data, samples in ((wrapped, photo), (tiled, drawn)):
        seen = images.decode_image(data, preview=2)
        assert not seen.wrapper.head
        np.testing.assert_array_equal(seen.samples, samples[::4, ::4])


@pytest.mark.parametrize("level", [-1, 5])
def test_there_are_no_other_levels(photo: Samples, level: int) -> None:
    for data in (
        images.encode_samples(photo[:8, :8], budget=2),
        encode_picture(Picture(photo[:8, :8], ImageWrapper(0, 8, 3, 2))),
    ):
        with pytest.raises(UnsupportedError, match="levels 1 to 4"):
            images.decode_image(data, preview=level)


def test_limits_are_told_and_can_be_raised(photo: Samples) -> None:
    data = images.encode_samples(photo, budget=2)
    for file in (data, images.encode_image(png_file(photo, 8, 2, TEXT), budget=2)):
        with pytest.raises(LimitError, match="--max-pixels 2240"):
            images.decode_image(file, limits=Limits(pixels=2239))
        with pytest.raises(LimitError, match="--max-memory"):
            images.decode_image(file, limits=Limits(memory=1 << 20))
    with pytest.raises(LimitError, match="--max-pixels"):
        images.encode_image(png_file(photo, 8, 2), limits=Limits(pixels=2239))
    with pytest.raises(LimitError, match="--max-memory"):
        images.encode_image(png_file(photo, 8, 2), limits=Limits(memory=1 << 20))
    np.testing.assert_array_equal(images.decode_samples(data, limits=Limits(pixels=2240)), photo)
