"""TIFF files whose samples lie in strips or tiles, packed or not, of one page or several."""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import noise, tiff_file
from PIL import Image

from ardm_compress.batch.decoding import what_came_back
from ardm_compress.container.wrappers import read_image_wrapper, write_image_wrapper
from ardm_compress.errors import ArdmError, FormatError
from ardm_compress.formats import FILE, lzw
from ardm_compress.formats.catalogue import file_bytes, read_media, read_picture, same_image
from ardm_compress.formats.contents import IN_STRIPS, MADE_ANEW, PIXELS_AND_METADATA, Original, Picture, Stored
from ardm_compress.formats.strips import DEFLATE, LZW, PACK_BITS

ROWS, COLUMNS = 37, 45
RAMP = (np.add.outer(np.arange(ROWS), 3 * np.arange(COLUMNS))[..., None] // [5, 7, 9] % 256).astype(np.uint8)
LIKE_IT = [(RAMP + 9).astype(np.uint8), RAMP[::-1]]


def written(samples: NDArray[Any], **given: Any) -> bytes:
    """By tifffile."""
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **given)
    return out.getvalue()


def tags_and_pages(data: bytes) -> list[Any]:
    """What is promised of a file that does not come back byte for byte."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [
            (page.asarray().tolist(), [(tag.code, str(tag.value)) for tag in page.tags if tag.code not in (273, 279)])
            for page in file.pages
        ]


def check_exact(data: bytes) -> Picture:
    """A file comes back byte for byte, its wrapper too."""
    picture = read_picture(data)
    assert picture.wrapper.form & IN_STRIPS
    assert not picture.wrapper.form & MADE_ANEW
    wrapper = read_image_wrapper(write_image_wrapper(picture.wrapper))
    assert file_bytes(replace(picture, wrapper=wrapper)) == data
    return picture


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "CMYK", "LA", "I;16"])
def test_files_of_libtiff_come_back_byte_for_byte(packing: str, mode: str) -> None:
    image = Image.fromarray(RAMP[..., 0].astype(np.uint16) * 251) if mode == "I;16" else Image.fromarray(RAMP)
    image = image if mode == "I;16" else image.convert(mode)
    for predictor in (1, 2) if packing != "packbits" and mode != "1" else (1,):
        out = io.BytesIO()
        image.save(out, "TIFF", compression=packing, tiffinfo={317: predictor})
        check_exact(out.getvalue())


LAYOUTS: list[dict[str, Any]] = [
    {}, {"tile": (16, 32)}, {"rowsperstrip": 7}, {"bigtiff": True, "byteorder": ">"}, {"planarconfig": "separate"},
    {"tile": (16, 32), "planarconfig": "separate", "byteorder": ">"},
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packing", ["lzw", "zlib", "packbits", None])
@pytest.mark.parametrize("depth", [8, 16])
def test_strips_and_tiles_of_every_layout_come_back_byte_for_byte(layout: Any, packing: str | None, depth: int) -> None:
    samples = RAMP if depth == 8 else RAMP.astype(np.uint16) * 253
    given = np.moveaxis(samples, 2, 0) if "planarconfig" in layout else samples
    for predictor in (False, True) if packing in ("lzw", "zlib") else (False,):
        data = written(given, photometric="rgb", compression=packing, predictor=predictor, **layout)
        picture = read_picture(data)
        np.testing.assert_array_equal(picture.samples, samples)
        assert file_bytes(picture) == data
        assert same_image(picture, data, strip=False, force_pixels=False)


@pytest.mark.parametrize("packing", [None, "tiff_lzw"])
def test_pages_that_are_alike_are_coded_together(packing: str | None) -> None:
    out = io.BytesIO()
    pages = [Image.fromarray(page) for page in LIKE_IT]
    other = Image.fromarray(RAMP[:9, :9])  # is kept as it is
    how = {"compression": packing} if packing else {}
    Image.fromarray(RAMP).save(out, "TIFF", save_all=True, append_images=[other, *pages], **how)
    picture = check_exact(out.getvalue())
    np.testing.assert_array_equal(picture.samples, np.concatenate([RAMP, *LIKE_IT]))


def not_packed(data: bytes) -> bytes:
    """Deflate of level 0, which no way makes."""
    packer = zlib.compressobj(0)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("pack", [not_packed, imagecodecs.zopfli_encode])
def test_a_file_that_is_packed_otherwise_keeps_samples_tags_and_pages(pack: Callable[[bytes], bytes]) -> None:
    """Strips become shorter, or longer than their place; those go to the end of the file, and nothing else moves."""
    data = tiff_file(RAMP, [bytes(pack(RAMP[at : at + 10].tobytes())) for at in range(0, ROWS, 10)], DEFLATE, 10)
    picture = read_picture(data)
    assert picture.wrapper.form & MADE_ANEW
    again = file_bytes(picture)
    assert tags_and_pages(again) == tags_and_pages(data)
    assert (len(again) > len(data)) == (pack != not_packed)
    assert same_image(picture, data, strip=False, force_pixels=False)


@given(st.binary(min_size=1, max_size=600), st.integers(0, 2), st.integers(1, 40))
def test_packed_bytes_unpack(data: bytes, way: int, pitch: int) -> None:
    assert imagecodecs.lzw_decode(lzw.pack_lzw(data, way)) == data
    assert imagecodecs.packbits_decode(lzw.pack_runs(data, pitch)) == data


def test_lzw_begins_new_tables_as_the_libraries_do() -> None:
    """More than one table, some of them dropped before they are full."""
    data = noise(1, 9000, 1, 8).tobytes() + bytes(60000) + noise(1, 15000, 1, 2).tobytes()
    image = Image.frombytes("L", (len(data), 1), data)
    out = io.BytesIO()
    image.save(out, "TIFF", compression="tiff_lzw", strip_size=1 << 30)
    assert lzw.pack_lzw(data, 0) in out.getvalue()
    assert lzw.pack_lzw(data, 2) == imagecodecs.lzw_encode(data)
    assert imagecodecs.lzw_decode(lzw.pack_lzw(data, 1)) == data


@pytest.mark.parametrize(
    "data",
    [
        written(RAMP.astype(np.float32), photometric="rgb", compression="zlib"),
        written(noise(9, 9, 3, 8)[..., [0, 1, 2, 0, 1]], photometric="minisblack", planarconfig="contig"),
        tiff_file(RAMP, [b"no deflate"], DEFLATE, ROWS),
        tiff_file(RAMP, [lzw.pack_lzw(RAMP[:9].tobytes(), 0)], LZW, ROWS),
        tiff_file(RAMP, [lzw.pack_runs(RAMP.tobytes() + b"more", 135)], PACK_BITS, ROWS),
    ],
)
def test_what_cannot_be_unpacked_is_stored(data: bytes) -> None:
    assert isinstance(read_media(data), Stored)


def test_lossless_jpeg_is_not_called_something_else() -> None:
    """JPEG-LS in a SPIFF file was called a damaged JPEG file."""
    found = read_media(bytes(imagecodecs.jpegls_encode(RAMP[..., 0])))
    assert isinstance(found, Stored)
    assert found.kind.name == "JPEG-LS"


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_damaged_surroundings_are_errors(place: int, value: int) -> None:
    wrapper = DAMAGED.wrapper
    both = bytearray(wrapper.head + wrapper.tail)
    both[place % len(both)] = value
    size = len(wrapper.head)
    with contextlib.suppress(ArdmError):
        file_bytes(replace(DAMAGED, wrapper=replace(wrapper, head=bytes(both[:size]), tail=bytes(both[size:]))))


DAMAGED = read_picture(written(RAMP, photometric="rgb", compression="lzw", tile=(16, 32)))


@pytest.mark.parametrize(
    "tail", [b"", b"\0\0", b"\0\0\x01", b"\0\0\x01\x01\x08", b"\0\0\x01\x01\x08\xff\xff\xff\xff\x7f"]
)
def test_tails_that_are_cut_short_or_ask_for_too_much_are_errors(tail: bytes) -> None:
    with pytest.raises(FormatError):
        file_bytes(replace(DAMAGED, wrapper=replace(DAMAGED.wrapper, tail=tail)))


def test_a_file_that_another_library_packs_otherwise_is_not_called_the_same() -> None:
    data = written(RAMP, compression="zlib")
    wrapper = check_exact(data).wrapper
    named = replace(wrapper, original=Original.of(data))
    assert what_came_back(named, data) == FILE
    assert what_came_back(named, not_packed(data)) == PIXELS_AND_METADATA
    assert what_came_back(wrapper, data) == FILE  # nothing to compare with
