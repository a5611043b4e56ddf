"""A Pillow plugin: ``import ardm_compress.pillow``, then ``Image.open("x.ardm")`` and ``image.save("x.ardm")``.

Images look as the files that were compressed do when Pillow opens them.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.BmpImagePlugin import BmpImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ardm_compress.ardm.tiles import COARSEST, scaled
from ardm_compress.codec.images import decode_image, salvage_image
from ardm_compress.codec.jpegs import original_parts
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.container import MAGIC, Kind, parse
from ardm_compress.errors import ArdmError, FormatError, UnsupportedError
from ardm_compress.files import Joined, OnDisk, Stream, read_chunks
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import file_bytes, part_wrapper
from ardm_compress.formats.contents import WEBP, ImageWrapper
from ardm_compress.formats.pixels import plugins
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, EncodeOptions, Limits

if TYPE_CHECKING:
    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.files import Data

FORMAT: Final = "ARDM"
MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # that PNG files hold without loss
ANY: Final = Limits(pixels=MAX_SIDE**2, memory=sys.maxsize)  # Pillow has a limit of its own, Image.MAX_IMAGE_PIXELS
OPTIONS: Final = ("budget", "model", "jobs", "limits")  # of saving, beside progress and those of PNG
WEBP_INFO: Final = {b"ICCP": "icc_profile", b"EXIF": "exif", b"XMP ": "xmp"}
MODES_OF_WEBP: Final = {3: "RGB", 4: "RGBA"}  # by channels


class ArdmImageFile(ImageFile.ImageFile):
    """An image whose samples are coded."""

    format = FORMAT
    format_description = "ardm-compress image"
    _coded = False  # whether the pixels are still to be decoded
    _preview = 0  # and of which preview

    def __init__(self, file: IO[bytes], filename: str | bytes, data: Data, parsed: ParsedImage | ParsedPicture) -> None:
        """Args: ``data``: what the file holds, ``parsed`` already."""
        self._data, self._wrapper, self._sides, self._tile = data, parsed.wrapper, parsed.shape, parsed.header.tile
        super().__init__(file, filename)

    def _open(self) -> None:
        sides = self._sides
        if self._wrapper.kind == WEBP:
            chunks = [*read_chunks(self._wrapper.head), *read_chunks(self._wrapper.tail)]
            self._mode, self._size = MODES_OF_WEBP[self._wrapper.channels], sides[::-1]
            self.info = {WEBP_INFO[name]: body for name, body in chunks if name in WEBP_INFO}
        else:
            shown = _shown(self._wrapper, _without_pixels(self._wrapper, *sides), sides)
            self._mode, self._size, self.info, self.palette = shown.mode, shown.size, shown.info, shown.palette
        self._coded = True

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decode a preview of at least that size only, where there is one; ``thumbnail`` asks for that."""
        sides = self._sides
        if not self._coded or size is None or mode not in (None, self.mode) or ImageFile.LOAD_TRUNCATED_IMAGES:
            return None
        fitting = [level for level in range(COARSEST + 1)
                   if sides[1] >> level >= size[0] and sides[0] >> level >= size[1]]  # fmt: skip
        try:
            part_wrapper(self._wrapper)
        except UnsupportedError:  # only the whole file says how its samples look
            return None
        self._preview = max(fitting, default=0)
        self._size = scaled(sides, self._tile, self._preview)[0][::-1]
        return self.mode, (0, 0, *self._size)

    def load(self) -> Any:
        """Decode the pixels.

        Raises:
            OSError: damaged; with ``ImageFile.LOAD_TRUNCATED_IMAGES`` what there is of a file is completed instead.
        """
        if self._coded:
            try:
                if self._preview:
                    part = decode_image(self._data, limits=ANY, preview=self._preview)
                    image = _shown(part.wrapper, io.BytesIO(file_bytes(part)), self._size[::-1])
                else:
                    image = _shown(self._wrapper, io.BytesIO(self._file()), self._sides)
                image.load()
            except (ArdmError, ValueError, SyntaxError) as error:
                raise OSError(str(error)) from error
            self._mode, self._size, self.palette = image.mode, image.size, image.palette
            self.im, self._coded = image.im, False
            if self.fp and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()

    def _file(self) -> bytes:
        """Restore the file that was compressed, or what is left of it."""
        salvage = ImageFile.LOAD_TRUNCATED_IMAGES
        picture = salvage_image(self._data, limits=ANY).picture if salvage else decode_image(self._data, limits=ANY)
        return file_bytes(picture)


class _OtherSides(FormatError):
    """The file that was compressed has several pages, whose samples are below one another."""


def _shown(wrapper: ImageWrapper, file: IO[bytes], sides: tuple[int, int]) -> ImageFile.ImageFile:
    """Let Pillow open the file that was compressed; it must have the same sides as its samples."""
    try:
        image = _plugin(wrapper)(file)
    except (OSError, ValueError, SyntaxError) as error:
        raise FormatError(f"Pillow does not read the file that was compressed: {error}") from error
    if image.size not in (sides, sides[::-1]):  # TIFF files may be turned
        mismatch = _OtherSides if wrapper.is_packed else FormatError
        raise mismatch("the file that was compressed has other sides than its samples")
    return image


class _ZerosBefore:
    """So many zeros, which take no memory, and then a tail."""

    def __init__(self, size: int, tail: bytes) -> None:
        self._size, self._tail = size, tail

    def __len__(self) -> int:
        return self._size + len(self._tail)

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(len(self))
        zeros = bytes(max(0, min(stop, self._size) - start))
        return zeros + self._tail[max(0, start - self._size) : max(0, stop - self._size)]


def _without_pixels(wrapper: ImageWrapper, rows: int, columns: int) -> IO[bytes]:
    """Restore the file that was compressed, as far as Pillow looks before it loads pixels."""
    if wrapper.file_kind.plug == "png":
        header = struct.pack(png.HEADER, columns, rows, wrapper.depth, wrapper.form, 0, 0, 0)
        chunks = [*read_chunks(wrapper.head), *read_chunks(wrapper.tail)]
        return io.BytesIO(png.file_of([(b"IHDR", header), *chunks, (b"IDAT", b"")]))
    size = rows * columns * wrapper.channels * wrapper.depth // 8  # TIFF files have metadata behind it
    if wrapper.is_packed:
        from ardm_compress.formats.strips import with_zeros

        return io.BytesIO(with_zeros(wrapper, size))
    return io.BufferedReader(Stream(Joined(wrapper.head, _ZerosBefore(size, wrapper.tail))))


def _plugin(wrapper: ImageWrapper) -> Callable[[IO[bytes]], ImageFile.ImageFile]:
    if wrapper.file_kind.plug == "png":
        return PngImageFile
    if wrapper.kind == WEBP:
        return WebPImageFile
    return {b"BM": BmpImageFile, b"II": TiffImageFile, b"MM": TiffImageFile}.get(wrapper.head[:2], PpmImageFile)


def _open(file: IO[bytes], filename: str | bytes = "") -> ImageFile.ImageFile:
    """Open an image; let Pillow open a stored file, such as an animation."""
    try:
        data = OnDisk(cast("BinaryIO", file))
        parsed = parse(data, ANY)
        if parsed.kind is Kind.SOUND or parsed.kind is Kind.TEXT:
            raise UnsupportedError(f"it holds {'sound' if parsed.kind is Kind.SOUND else 'a text'}, no image")
        if parsed.kind is Kind.MODEL or parsed.kind is Kind.PICTURE:
            try:
                return ArdmImageFile(file, filename, data, parsed)
            except _OtherSides:
                original = file_bytes(decode_image(data))
        else:
            DEFAULT_LIMITS.check_memory(parsed.original_size)
            original = b"".join(original_parts(parsed))
        image = Image.open(io.BytesIO(original), formats=plugins())
    except (ArdmError, ValueError) as error:
        raise UnidentifiedImageError(f"cannot identify image file {filename or file!r}: {error}") from error
    if filename:
        file.close()  # Pillow has opened it
    return image


def _save(image: Image.Image, file: IO[bytes], _filename: str | bytes) -> None:
    """Pixels, palette and metadata as of a PNG file of the image."""
    if image.mode not in MODES:
        raise OSError(f"cannot write mode {image.mode} as {FORMAT}")
    given = dict(image.encoderinfo)
    progress, own = given.pop("progress", None), {name: given.pop(name) for name in OPTIONS if name in given}
    options = EncodeOptions(**{"limits": ANY} | own)
    made = io.BytesIO()
    image.save(made, "PNG", **{**given, "compress_level": 1, "save_all": False})  # else append_images animates it
    file.write(encode_picture(png.read(made.getvalue(), options.limits), options, progress=progress))


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


Image.register_open(FORMAT, _open, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".ardm")
Image.register_mime(FORMAT, "image/x-ardm")
