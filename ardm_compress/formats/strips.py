"""TIFF pages whose samples lie in strips or tiles <-> samples, and the file without these (docs/format.md 15.3).

A file is kept with holes where its strips and tiles were. They are packed again in the way that gives the same bytes,
if there is one. Else the file is made anew first: its strips and tiles are packed by this program, each in its old
place or, if it has become longer, at the end of the file. So nothing else in the file moves.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import imagecodecs
import numpy as np

from ardm_compress.ardm.tiles import box_shape, tile_box
from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.files import Reader, write_varint
from ardm_compress.formats.contents import (
    DEPTHS,
    IN_STRIPS,
    MADE_ANEW,
    MOST_CHANNELS,
    RASTER,
    ImageWrapper,
    Picture,
    sample_type,
)
from ardm_compress.formats.raster import BIG_ENDIAN
from ardm_compress.formats.tags import Directory, read_directories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.options import Limits

WIDTH, LENGTH, BITS, PACKING, FILL_ORDER, STRIPS, CHANNELS, STRIP_ROWS, STRIP_BYTES = (
    256, 257, 258, 259, 266, 273, 277, 278, 279)  # tags  # fmt: skip
PLANES, PREDICTOR, TILE_WIDTH, TILE_LENGTH, TILES, TILE_BYTES, SAMPLE_FORMAT = 284, 317, 322, 323, 324, 325, 339
UNPACKED, LZW, DEFLATE, OLD_DEFLATE, PACK_BITS = 1, 5, 8, 32946, 32773
TOGETHER, APART = 1, 2  # planes: whether every channel has strips of its own
PLAIN, DIFFERENCES = 1, 2  # predictors: DIFFERENCES of each sample and the one on its left
UNSIGNED: Final = 1
LIBDEFLATE: Final = 10  # is added to its levels, to tell them from those of zlib
ZLIB_LEVELS: Final = (9, 6, 1, 5, 8, 7, 2, 3, 4)  # 1 to 9, most likely ones first
LIBDEFLATE_LEVELS: Final = (16, 19, 22, *range(11, 16), 17, 18, 20, 21)
WAYS: Final = {UNPACKED: (0,), LZW: (0, 1, 2), PACK_BITS: (0, 1), DEFLATE: ZLIB_LEVELS + LIBDEFLATE_LEVELS}
# in which bytes are packed again, by packing; the first one packs anew. See ``_pack``
ZEROS, REPEATED = 0, 1  # what fills the last tiles of rows and columns
TRIED: Final = 1 << 20  # bytes of the beginning of a strip or tile by which a way is tried
MOST: Final = (1 << 35) - 1  # bytes of a file

MOST_NUMBERS: Final = 1 << 22  # of a tail
PADDED_TILES: Final = 16  # tiles may have so many times the samples of their page, and
PADDING: Final = 1 << 22  # so many more
PACKED_SIZE: Final = 8  # strips and tiles may take so many times the bytes of their samples, and PADDING more

Hole: TypeAlias = "tuple[int, int]"  # bytes of a file: where they start, and how many they are


class Page(NamedTuple):
    """How the samples of a page lie."""

    rows: int
    columns: int
    channels: int
    depth: int  # bits
    big_endian: bool
    packing: int
    predictor: int
    planes: int  # TOGETHER or APART
    box: tuple[int, int]  # rows and columns of a strip or tile
    is_tiled: bool
    holes: list[Hole]  # the strips or tiles, row by row, plane by plane

    @property
    def size(self) -> int:
        """Bytes of the samples."""
        return prod(self[:4]) // 8


class Chunk(NamedTuple):
    """A strip or tile."""

    hole: Hole
    box: tuple[slice, slice]  # rows and columns of the page
    channels: slice


def read_pages(data: bytes, directories: Sequence[Directory], limits: Limits, least: int) -> Picture | None:
    """Take a file apart by its pages that are alike; None if the largest such have no more than ``least`` bytes.

    Raises:
        UnsupportedError: they cannot be unpacked; LimitError: too large.
    """
    groups = dict[object, dict[int, Page]]()  # by what pages that are coded together have in common
    for at, directory in enumerate(directories):
        if page := page_of(directory, data[:2] == b"MM"):
            groups.setdefault(page[1:8], {})[at] = page
    pages = max(groups.values(), key=_size, default={})
    if _size(pages) <= least:
        return None
    first = next(iter(pages.values()))
    limits.check_image(sum(page.rows for page in pages.values()), first.columns, -(-first.channels * first.depth // 8))
    _check_apart(pages)
    samples = _samples(data, pages)
    form = (BIG_ENDIAN if first.big_endian else 0) | IN_STRIPS
    if (way := _way(data, pages, samples)) is None:
        data, form = _rebuilt(data, directories, pages, samples, (WAYS[_kind(first)][0], ZEROS)), form | MADE_ANEW
        pages = {at: page for at, each in enumerate(read_directories(data)) if at in pages
                 and (page := page_of(each, first.big_endian))}  # fmt: skip
        way = _way(data, pages, samples)
        if way is None or not np.array_equal(_samples(data, pages), samples):
            raise UnsupportedError("a TIFF file that cannot be made again")
    head, tail = _without(data, _holes(pages)), _tail(way, pages)
    if len(data) - len(head) > PACKED_SIZE * samples.nbytes + PADDING:
        raise UnsupportedError("a TIFF file whose strips or tiles take far more than their samples")
    return Picture(samples, ImageWrapper(RASTER, first.depth, first.channels, form, head, tail))


def pages_parts(picture: Picture) -> Iterator[bytes]:
    """Make the file again of which ``read_pages`` gave the picture.

    Raises:
        FormatError: there is no such file.
    """
    wrapper = picture.wrapper
    (variant, fill, *numbers), _ = _numbers(wrapper.tail)
    data, wanted = with_zeros(wrapper, picture.samples.nbytes), set(numbers)
    directories = list(read_directories(data))
    pages = {at: page for at, each in enumerate(directories) if at in wanted
             and (page := page_of(each, bool(wrapper.form & BIG_ENDIAN)))}  # fmt: skip
    forms = {(page.columns, page.channels, page.depth, variant in WAYS[_kind(page)]) for page in pages.values()}
    rows = sum(page.rows for page in pages.values())
    if rows != len(picture.samples) or forms != {(*picture.samples.shape[1:], wrapper.depth, True)} or fill > REPEATED:
        raise FormatError("the pages of a TIFF file are not like its samples", section="header")
    _check_apart(pages)
    yield _rebuilt(data, directories, pages, picture.samples, (variant, fill))


def with_zeros(wrapper: ImageWrapper, size: int) -> bytes:
    """Make the file again with zeros for samples of so many bytes: all that others read before they unpack any."""
    gaps = _numbers(wrapper.tail)[1]
    if sum(gaps[1::2]) > PACKED_SIZE * size + PADDING:
        raise FormatError("the tail of a TIFF file is damaged", section="header")
    return _filled(wrapper.head, gaps)


def _numbers(tail: bytes) -> tuple[list[int], list[int]]:
    """Inverse of ``_tail``: variant, filling and the pages' numbers; and the holes, how far apart and how long."""
    reader, found = Reader(tail), list[int]()
    while reader.offset < len(tail) and len(found) < MOST_NUMBERS:
        found.append(reader.varint(0, MOST, "a number of a TIFF file's tail"))
    if len(found) < 3 or len(found) < 3 + found[2] or (len(found) - found[2]) % 2 == 0:
        raise FormatError("the tail of a TIFF file is cut short", section="header")
    pages = np.cumsum(found[3 : 3 + found[2]]) - 1
    return [*found[:2], *pages.tolist()], found[3 + found[2] :]


def page_of(tags: Directory, big_endian: bool) -> Page | None:
    """Tell how the samples of a page lie; None if they cannot be coded."""

    def first(tag: int, default: int) -> int:
        return next(iter(tags.get(tag, ())), default)

    rows, columns, channels, planes = first(LENGTH, 0), first(WIDTH, 0), first(CHANNELS, 1), first(PLANES, TOGETHER)
    is_tiled, depths = TILES in tags, set(tags.get(BITS, (1,)))
    offsets, sizes = (tags.get(tag, ()) for tag in ((TILES, TILE_BYTES) if is_tiled else (STRIPS, STRIP_BYTES)))
    box = (first(TILE_LENGTH, 0), first(TILE_WIDTH, 0)) if is_tiled else (min(first(STRIP_ROWS, rows), rows), columns)
    packing, predictor, depth = first(PACKING, UNPACKED), first(PREDICTOR, PLAIN), max(depths)
    known = (
        len(depths) == 1
        and depth in DEPTHS
        and 1 <= channels <= MOST_CHANNELS
        and min(rows, columns, *box) > 0
        and planes in (TOGETHER, APART)
        and (packing in WAYS or packing == OLD_DEFLATE)
        and (predictor == PLAIN or (predictor == DIFFERENCES and packing in (LZW, DEFLATE, OLD_DEFLATE)))
        and (depth >= 8 or (channels == 1 and predictor == PLAIN))
        and set(tags.get(SAMPLE_FORMAT, (UNSIGNED,))) == {UNSIGNED}
        and first(FILL_ORDER, 1) == 1
    )
    boxes = ceil(rows / box[0]) * ceil(columns / box[1]) if known else 0
    count = boxes * (channels if planes == APART else 1)
    if not known or len(offsets) != count or len(sizes) != count or min(sizes) < 0:
        return None
    if is_tiled and boxes * prod(box) > PADDED_TILES * rows * columns + PADDING:
        return None
    holes = list(zip(offsets, sizes, strict=True))
    return Page(rows, columns, channels, depth, big_endian, packing, predictor, planes, box, is_tiled, holes)


def _size(pages: dict[int, Page]) -> int:
    return sum(page.size for page in pages.values())


def _kind(page: Page) -> int:
    """Return the key of WAYS."""
    return DEFLATE if page.packing == OLD_DEFLATE else page.packing


def _chunks(page: Page) -> Iterator[Chunk]:
    """List the strips or tiles in the order of their directory."""
    planes = [slice(c, c + 1) for c in range(page.channels)] if page.planes == APART else [slice(0, page.channels)]
    boxes = ceil(page.rows / page.box[0]) * ceil(page.columns / page.box[1])
    for hole, (channels, index) in zip(page.holes, product(planes, range(boxes)), strict=True):
        yield Chunk(hole, tile_box((page.rows, page.columns), page.box, index), channels)


def _holes(pages: dict[int, Page]) -> list[Hole]:
    """List the places of all strips and tiles in order, without those that are empty."""
    return sorted({hole for page in pages.values() for hole in page.holes if hole[1]})


def _check_apart(pages: dict[int, Page]) -> None:
    """Raise UnsupportedError if strips or tiles overlap, or lie in the first bytes of the file."""
    end = 8
    for start, size in _holes(pages):
        if start < end:
            raise UnsupportedError("a TIFF file whose strips or tiles overlap")
        end = start + size


def _lines(page: Page, chunk: Chunk) -> tuple[int, int, int]:
    """Rows, columns and channels of what is packed: a tile is always whole."""
    rows, columns = page.box if page.is_tiled else box_shape(chunk.box)
    return rows, columns, chunk.channels.stop - chunk.channels.start


def _type(page: Page) -> str:
    return "u1" if page.depth <= 8 else ">u2" if page.big_endian else "<u2"


def _samples(data: bytes, pages: dict[int, Page]) -> NDArray[Any]:
    """Unpack the samples of all pages, below one another."""
    return np.concatenate([_unpacked(data, page) for page in pages.values()])


def _unpacked(data: bytes, page: Page) -> NDArray[Any]:
    """Unpack the samples of a page (rows, columns, channels)."""
    samples = np.zeros((page.rows, page.columns, page.channels), sample_type(page.depth))
    for chunk in _chunks(page):
        start, size = chunk.hole
        if not size:  # nothing is stored of it, and it is 0
            continue
        rows, columns, channels = _lines(page, chunk)
        pitch = -(-columns * channels * page.depth // 8)
        lines = np.frombuffer(_unpack(data[start : start + size], page.packing, rows * pitch), np.uint8)
        if lines.size != rows * pitch:
            raise UnsupportedError("a TIFF file whose strips or tiles have an unusual size")
        lines = lines.reshape(rows, pitch)
        if page.depth < 8:
            bits = np.unpackbits(lines, axis=1)[:, : columns * page.depth].reshape(rows, columns, page.depth)
            part: NDArray[Any] = np.packbits(bits, axis=2) >> 8 - page.depth
        else:
            part = lines.view(_type(page)).reshape(rows, columns, channels)
        if page.predictor == DIFFERENCES:
            part = np.cumsum(part, axis=1, dtype=samples.dtype)
        height, width = box_shape(chunk.box)
        samples[chunk.box][..., chunk.channels] = part[:height, :width]
    return samples


def _unpack(data: bytes, packing: int, size: int) -> bytes:
    """Unpack a strip or tile of so many bytes.

    Raises:
        UnsupportedError: it cannot be unpacked.
    """
    try:
        if packing == UNPACKED:
            return data
        if packing in (DEFLATE, OLD_DEFLATE):
            return zlib.decompressobj().decompress(data, size + 1)
        decode = imagecodecs.lzw_decode if packing == LZW else imagecodecs.packbits_decode
        return bytes(decode(data, out=size))
    except (zlib.error, RuntimeError, ValueError) as error:
        raise UnsupportedError(f"a TIFF file whose strips or tiles cannot be unpacked: {error}") from error


def _packed(page: Page, chunk: Chunk, samples: NDArray[Any], way: tuple[int, int], most: int = MOST) -> bytes:
    """Pack a strip or tile of a page's samples; of a long one the first ``most`` bytes."""
    rows, columns, _ = _lines(page, chunk)
    part = samples[chunk.box][..., chunk.channels]
    around = [(0, rows - part.shape[0]), (0, columns - part.shape[1]), (0, 0)]
    if any(behind for _, behind in around):
        part = np.pad(part, around, "edge" if way[1] == REPEATED else "constant")
    if page.predictor == DIFFERENCES:
        part = np.diff(part, axis=1, prepend=part[:, :1] * 0)
    if page.depth < 8:
        bits = np.unpackbits(part.astype(np.uint8)[..., 0, None], axis=2)[..., 8 - page.depth :]
        lines = np.packbits(bits.reshape(rows, -1), axis=1)
    else:
        lines = np.ascontiguousarray(part, _type(page)).view(np.uint8).reshape(rows, -1)
    return _pack(lines.tobytes()[:most], page.packing, way[0], lines.shape[1])


def _pack(data: bytes, packing: int, variant: int, pitch: int) -> bytes:
    """Pack bytes, which are lines of so many, in one of WAYS."""
    if packing == UNPACKED:
        return data
    from ardm_compress.formats.lzw import pack_lzw, pack_runs  # compiles

    if packing == LZW:
        return pack_lzw(data, variant)
    if packing == PACK_BITS:
        if not variant:
            return pack_runs(data, pitch)
        return b"".join(bytes(imagecodecs.packbits_encode(data[at : at + pitch])) for at in range(0, len(data), pitch))
    if variant > LIBDEFLATE:
        return bytes(imagecodecs.deflate_encode(data, level=variant - LIBDEFLATE))
    return bytes(imagecodecs.zlib_encode(data, level=variant))


def _way(data: bytes, pages: dict[int, Page], samples: NDArray[Any]) -> tuple[int, int] | None:
    """Find the way in which all strips and tiles are packed again to the same bytes; None if there is none."""
    found = [(page, chunk, own) for page, own in _with_samples(pages, samples) for chunk in _chunks(page)]
    found = [(page, chunk, own) for page, chunk, own in found if chunk.hole[1]]
    if not found:
        return None
    is_filled = any(page.rows % page.box[0] or page.columns % page.box[1] for page in pages.values() if page.is_tiled)
    for way in product(WAYS[_kind(found[0][0])], (ZEROS, REPEATED) if is_filled else (ZEROS,)):
        if _begins_like(data, *found[0], way) and all(
            _packed(page, chunk, own, way) == data[chunk.hole[0] : sum(chunk.hole)] for page, chunk, own in found
        ):
            return way
    return None


def _begins_like(data: bytes, page: Page, chunk: Chunk, samples: NDArray[Any], way: tuple[int, int]) -> bool:
    """Whether the beginning of a strip or tile is packed to the same bytes, as far as nothing behind it matters."""
    made = _packed(page, chunk, samples, way, TRIED)
    return data.startswith(made[: len(made) // 2], chunk.hole[0])


def _with_samples(pages: dict[int, Page], samples: NDArray[Any]) -> Iterator[tuple[Page, NDArray[Any]]]:
    """Pages, and the samples of each."""
    first = 0
    for page in pages.values():
        yield page, samples[first : first + page.rows]
        first += page.rows


def _rebuilt(
    data: bytes, directories: Sequence[Directory], pages: dict[int, Page], samples: NDArray[Any], way: tuple[int, int]
) -> bytes:
    """Pack the samples of pages into the places of strips and tiles, or behind the end of the file what is too long."""
    file = bytearray(data)
    for (at, page), (_, own) in zip(pages.items(), _with_samples(pages, samples), strict=True):
        tags = (TILES, TILE_BYTES) if page.is_tiled else (STRIPS, STRIP_BYTES)
        for number, chunk in enumerate(_chunks(page)):
            start, size = chunk.hole
            if not size:
                continue
            made = _packed(page, chunk, own, way)
            if len(made) > size:
                start = len(file) + len(file) % 2
                file += bytes(len(made) + start - len(file))
            if len(made) != size:
                file[start + len(made) : start + size] = bytes(max(0, size - len(made)))
                for tag, value in zip(tags, (start, len(made)), strict=True):
                    _set(file, directories[at], tag, number, value)
            file[start : start + len(made)] = made
    return bytes(file)


def _set(file: bytearray, directory: Directory, tag: int, number: int, value: int) -> None:
    """Change a number of a directory."""
    form, place = directory.places[tag]
    try:
        struct.pack_into(form, file, place + number * struct.calcsize(form), value)
    except struct.error as error:
        raise UnsupportedError("a TIFF file whose tags have no room for other offsets") from error


def _without(data: bytes, holes: Iterable[Hole]) -> bytes:
    """Cut out the strips and tiles."""
    kept, end = [], 0
    for start, size in holes:
        kept.append(data[end:start])
        end = start + size
    return b"".join([*kept, data[end:]])


def _tail(way: tuple[int, int], pages: dict[int, Page]) -> bytes:
    """Write how strips and tiles are packed, which pages there are, and the holes: how far apart, and how long."""
    numbers, end = [*way, len(pages), *np.diff([-1, *pages]).tolist()], 0
    joined: list[Hole] = []
    for start, size in _holes(pages):
        if joined and sum(joined[-1]) == start:
            joined[-1] = joined[-1][0], joined[-1][1] + size
        else:
            joined.append((start, size))
    for start, size in joined:
        numbers += [start - end, size]
        end = start + size
    return b"".join(map(write_varint, numbers))


def _filled(head: bytes, gaps: Sequence[int]) -> bytes:
    """Inverse of ``_without``: zeros where the strips and tiles were."""
    parts, at = list[bytes](), 0
    for apart, size in zip(gaps[::2], gaps[1::2], strict=True):
        parts += [head[at : at + apart], bytes(size)]
        at += apart
    return b"".join([*parts, head[at:]])
