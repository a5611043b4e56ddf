"""PNG files <-> samples and all other chunks. Pillow unpacks and packs pixels; where it cannot, imagecodecs does.

Pillow narrows 16-bit colour to 8 bits without a word. What is 16 bits deep and has one or two channels is unpacked as
8-bit bytes of twice as many channels, which has the same layout; three and four channels take imagecodecs.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.files import BLOCK, Chunk, read_chunks, write_chunks
from ardm_compress.formats.contents import DEPTHS, PNG, ImageWrapper, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files import Data
    from ardm_compress.options import Limits

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
PALETTE: Final = 3
NEEDED: Final = (b"PLTE", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI")  # for pixels to look
# as they do
OWN: Final = (b"IHDR", b"IDAT", b"IEND")  # chunks that are made anew
PIXELS_FOLLOWED: Final = b"IDAT"  # stands first in a tail for what is behind the packed pixels in their chunks
FILE_FOLLOWED: Final = b"IEND"  # stands last in a tail for what is behind the end of the file
PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
MOVING: Final = (b"acTL", b"fcTL", b"fdAT")  # of animations
HEADER: Final = ">IIBBBBB"
TYPES_16: Final = {0: 4, 4: 6}  # colour types of 8 bits that have the bytes of one of 16


def read(data: Data, limits: Limits) -> Picture:
    """Take a file apart.

    Raises:
        UnsupportedError: it is an animation, or one of few other kinds that must be stored as they are; FormatError: it
        is damaged, or unusual; LimitError: too large.
    """
    chunks, end = _chunks_to_end(data[:])
    names = [name for name, _ in chunks]
    if names[0] == b"CgBI":
        raise UnsupportedError("a PNG file for iOS (CgBI)")
    if set(names) & set(MOVING):
        raise UnsupportedError("an animated PNG file")
    if names[0] != b"IHDR" or b"IDAT" not in names:
        raise FormatError("a PNG file that does not begin as they do, or has no pixels")
    columns, rows, depth, colour, *methods, interlace = struct.unpack(HEADER, chunks[0][1])
    if methods != [0, 0] or chunks[-1][1] or names.count(b"IHDR") != 1:
        raise UnsupportedError("a PNG file of an unusual form")
    limits.check_image(rows, columns, CHANNELS.get(colour, 1) * -(-depth // 8))
    first = names.index(b"IDAT")
    behind = first + names.count(b"IDAT")
    if b"IDAT" in names[behind:]:
        raise UnsupportedError("a PNG file with other chunks between its pixels")
    packed = b"".join(body for _, body in chunks[first:behind])
    if colour not in CHANNELS:
        raise FormatError("damaged image file: no such colour type")
    unused = _check_size(packed, sum(_pass_sizes(rows, columns, depth * CHANNELS[colour], interlace)))
    packed = packed[: len(packed) - len(unused)]
    palette = [chunk for chunk in chunks if chunk[0] == b"PLTE"] if colour == PALETTE else []
    samples = _unpacked(rows, columns, depth, colour, interlace, palette, packed)
    tail = [(PIXELS_FOLLOWED, unused)] if unused else []
    tail += chunks[behind:-1]
    tail += [(FILE_FOLLOWED, end)] if end else []
    return Picture(
        samples, ImageWrapper(PNG, depth, CHANNELS[colour], colour, write_chunks(chunks[1:first]), write_chunks(tail))
    )


def parts(media: Picture) -> Iterator[bytes]:
    """Make a file with the same samples and chunks, its pixels packed anew and not interlaced."""
    wrapper, (rows, columns) = media.wrapper, media.samples.shape[:2]
    header = struct.pack(HEADER, columns, rows, wrapper.depth, wrapper.form, 0, 0, 0)
    before, after = read_chunks(wrapper.head), read_chunks(wrapper.tail)
    packed, end = _packed(media), b""
    if after and after[0][0] == PIXELS_FOLLOWED:
        packed += after.pop(0)[1]
    if after and after[-1][0] == FILE_FOLLOWED:
        end = after.pop()[1]
    yield file_of([(b"IHDR", header), *before, (b"IDAT", packed), *after, (b"IEND", b"")]) + end


def file_of(chunks: Iterable[Chunk]) -> bytes:
    """Build a file of these chunks and no others."""
    return SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def stripped(wrapper: ImageWrapper) -> ImageWrapper:
    """Leave out what is not needed to show the image: its colours, its orientation, the shape of its pixels."""
    kept = [shown for chunk in read_chunks(wrapper.head) if (shown := _needed(*chunk))]
    kept += [shown for chunk in read_chunks(wrapper.tail) if chunk[0] == b"eXIf" and (shown := _needed(*chunk))]
    return replace(wrapper, head=write_chunks(kept), tail=b"")


def shows_samples(wrapper: ImageWrapper) -> bool:
    """Whether nothing but the samples says how they look: no palette, and no colour that stands for transparency."""
    return wrapper.form != PALETTE and not has_colour_key(wrapper)


def has_colour_key(wrapper: ImageWrapper) -> bool:
    """Whether a colour or gray stands for transparency."""
    return any(name == b"tRNS" for name, _ in read_chunks(wrapper.head))


def check(wrapper: ImageWrapper) -> None:
    """Raise FormatError unless PNG files have such samples and chunks."""
    colour = wrapper.form
    depths = DEPTHS if colour == 0 else DEPTHS[:4] if colour == PALETTE else DEPTHS[3:]
    if CHANNELS.get(colour) != wrapper.channels or wrapper.depth not in depths:
        raise FormatError("no PNG file is like that", section="header")
    before, after = ([name for name, _ in read_chunks(part)] for part in (wrapper.head, wrapper.tail))
    after = after[1:] if after[:1] == [PIXELS_FOLLOWED] else after
    after = after[:-1] if after[-1:] == [FILE_FOLLOWED] else after
    if any(name in OWN for name in before + after):
        raise FormatError("a PNG file would have chunks twice", section="header")


def plain(channels: int, depth: int = 8) -> ImageWrapper:
    """Of a file of gray or colour samples, 2 and 4 channels with transparency, and nothing else."""
    colour = next(colour for colour, count in CHANNELS.items() if count == channels and colour != PALETTE)
    return ImageWrapper(PNG, depth, channels, colour)


def _needed(name: bytes, body: bytes) -> Chunk | None:
    """Strip a chunk of what is not needed to show the image; None if nothing is left."""
    if name == b"eXIf":
        from ardm_compress.formats.tags import read_orientation, write_orientation

        orientation = read_orientation(body)
        return (name, write_orientation(orientation)) if orientation != 1 else None
    if name == b"pHYs":
        return (name, body) if body[:4] != body[4:8] else None
    return (name, body) if name in NEEDED else None


def _chunks_to_end(data: bytes) -> tuple[list[Chunk], bytes]:
    """Names and bodies, and what is behind the end.

    Raises:
        UnsupportedError: a chunk's CRC is wrong; FormatError: it is cut short.
    """
    at, chunks, wrong = len(SIGNATURE), list[Chunk](), ""
    while not chunks or chunks[-1][0] != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise FormatError("a PNG file that is cut short")
        body = data[at + 8 : at + 8 + length]
        if data[at + 8 + length : at + 12 + length] != zlib.crc32(name + body).to_bytes(4, "big"):
            wrong = wrong or name.decode("latin-1")
        chunks.append((name, body))
        at += 12 + length
    if wrong:
        raise UnsupportedError(f"a PNG file whose chunk {wrong} has a wrong CRC: it may be damaged")
    return chunks, data[at:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def _check_size(packed: bytes, expected: int) -> bytes:
    """Raise FormatError unless so many bytes are packed; what is behind them."""
    unpacker, found = zlib.decompressobj(), 0
    try:
        while not unpacker.eof and found <= expected:
            part = unpacker.decompress(unpacker.unconsumed_tail if found else packed, BLOCK)
            if not part:
                break
            found += len(part)
    except zlib.error as error:
        raise FormatError(f"damaged image file: {error}") from error
    if found != expected or not unpacker.eof:
        raise FormatError("a PNG file with more or fewer pixels than it should have")
    return unpacker.unused_data


def _pass_shapes(rows: int, columns: int, interlace: int) -> list[tuple[int, int]]:
    """Rows and columns of the passes in which an image is."""
    passes = PASSES if interlace else ((0, 0, 1, 1),)
    return [(-(-max(0, rows - top) // down), -(-max(0, columns - left) // right)) for left, top, right, down in passes]


def _pass_sizes(rows: int, columns: int, bits: int, interlace: int) -> list[int]:
    """Bytes of the lines of every pass of an image of so many bits a pixel."""
    shapes = _pass_shapes(rows, columns, interlace)
    return [height * (1 + -(-width * bits // 8)) if width else 0 for height, width in shapes]


def _unpacked(
    rows: int, columns: int, depth: int, colour: int, interlace: int, palette: list[Chunk], packed: bytes
) -> NDArray[Any]:
    """Unpack samples (rows, columns, channels) from the pixels alone, so that nothing else changes them."""
    halves = depth == DEPTHS[-1] and colour in TYPES_16
    if depth == DEPTHS[-1] and not halves:
        return _wide(rows, columns, colour, interlace, packed)
    written = (8, TYPES_16[colour]) if halves else (depth, colour)
    header = struct.pack(HEADER, columns, rows, *written, 0, 0, interlace)
    chunks = [(b"IHDR", header), *palette, (b"IDAT", packed), (b"IEND", b"")]
    with PngImageFile(io.BytesIO(file_of(chunks))) as image:
        samples = np.asarray(image).astype(np.uint8, copy=True).reshape(rows, columns, -1)
    if halves:
        return samples.view(">u2").astype(np.uint16)
    if colour == 0 and 1 < depth < 8:
        samples //= 255 // ((1 << depth) - 1)  # Pillow scales them to 8 bits
    return samples


def _wide(rows: int, columns: int, colour: int, interlace: int, packed: bytes) -> NDArray[np.uint16]:
    """Unpack samples of 16 bits of three or four channels, every pass as an image of its own."""
    import imagecodecs

    lines = zlib.decompress(packed) if interlace else b""
    samples = np.empty((rows, columns, CHANNELS[colour]), np.uint16)
    start = 0
    sizes = _pass_sizes(rows, columns, 16 * CHANNELS[colour], interlace)
    for (left, top, right, down), (height, width), size in zip(
        PASSES if interlace else ((0, 0, 1, 1),), _pass_shapes(rows, columns, interlace), sizes, strict=True
    ):
        body = zlib.compress(lines[start : start + size], 1) if interlace else packed
        header = struct.pack(HEADER, width, height, 16, colour, 0, 0, 0)
        if size:
            bare = file_of([(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")])
            samples[top::down, left::right] = imagecodecs.png_decode(bare)
        start += size
    return samples


def _packed(picture: Picture) -> bytes:
    """Pack the body of one IDAT chunk."""
    wrapper, samples = picture.wrapper, picture.samples
    if wrapper.depth == DEPTHS[-1]:
        import imagecodecs

        made = imagecodecs.png_encode(samples[..., 0] if samples.shape[2] == 1 else samples, level=9)
        return _pixels_of(bytes(made))
    if wrapper.depth < 8 or wrapper.form == PALETTE:
        bits = np.unpackbits(samples[..., 0, None], axis=2)[..., 8 - wrapper.depth :]
        lines = np.packbits(bits.reshape(len(samples), -1), axis=1)
        return zlib.compress(np.pad(lines, ((0, 0), (1, 0))).tobytes(), 9)
    out = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(out, "PNG")
    return _pixels_of(out.getvalue())


def _pixels_of(data: bytes) -> bytes:
    return b"".join(body for name, body in _chunks_to_end(data)[0] if name == b"IDAT")
