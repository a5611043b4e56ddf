"""JPEG files and texts <-> compressed files from which they come back byte for byte. Imports the models they need."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ardm_compress.coding import loop
from ardm_compress.coding.coefficients.features import Plane
from ardm_compress.coding.coefficients.tiles import CoefficientTiles
from ardm_compress.coding.loop import Popped
from ardm_compress.coding.models import model_of
from ardm_compress.container.jpeg import (
    ParsedJpeg,
    check_original,
    parse_jpeg,
    write_coefficients,
    write_jpeg_xl,
)  # fmt: skip
from ardm_compress.container.stored import ParsedStored, stored
from ardm_compress.container.text import ParsedText
from ardm_compress.errors import ArdmError, FormatError, LimitError, UnsupportedError
from ardm_compress.formats import BY_NAME, is_text, kind_of
from ardm_compress.formats.contents import Coefficients, Media, Stored
from ardm_compress.formats.jpeg.files import put_together
from ardm_compress.formats.jpeg.rest import pack
from ardm_compress.formats.pixels import sides_of
from ardm_compress.inference import find_model
from ardm_compress.methods import check_shape, jpegxl
from ardm_compress.options import DEFAULT_ENCODING, EncodeOptions
from ardm_compress.tasks import Counter, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL_NAME: Final = "jpeg"
EDGE_PULL: Final = "tables.edge_pull"  # of the model file
AXES: Final = 0  # of a model of coefficients


def encode_whole(
    data: bytes, media: Media, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None
) -> bytes:
    """Compress a file that comes back byte for byte: JPEG files and texts by what makes them smallest, others packed.

    What a JPEG file is coded by has been decoded and gave the same bytes.

    Args:
        data: the whole file.
        media: the same, taken apart.
        options: how; a file that is too large by its limits is packed.
        progress: called with the steps done and their total.

    Raises:
        UnsupportedError: the file would be packed, and ``options.strict``.
    """
    with ThreadPoolExecutor(1) as beside:  # LZMA and libjxl take one processor, and the model what they leave
        packed, by_jpeg_xl = beside.submit(stored, data), beside.submit(_encode_by_jpeg_xl, data, options)
        by_model = _encode_by_model(media, options, progress) if isinstance(media, Coefficients) else b""
        by_text = _encode_as_text(data, options, progress) if isinstance(media, Stored) else b""
        found = packed.result()
        found = by_text if 0 < len(by_text) < len(found) else found
        for coded in (by_model, by_jpeg_xl.result()):
            if 0 < len(coded) < len(found) and _comes_back(coded, data, options):
                found = coded
    if found is packed.result() and options.strict:
        reason = media.reason if isinstance(media, Stored) else "nothing makes this file smaller"
        raise UnsupportedError(f"{reason}; without --strict it is stored as it is")
    return found


def _encode_as_text(data: bytes, options: EncodeOptions, progress: Progress | None) -> bytes:
    """Code a text; nothing if it is none, or too large by the limits."""
    if not is_text(data):
        return b""
    from ardm_compress.codec.texts import encode_text

    try:
        return encode_text(data, options, progress=progress)
    except LimitError:
        return b""


def _comes_back(coded: bytes, data: bytes, options: EncodeOptions) -> bool:
    """Tell whether a compressed file gives the same file; it may be one that a reader refuses, such as by its size."""
    try:
        return decode_jpeg(parse_jpeg(coded, options.limits)) == data
    except (FormatError, LimitError):
        return False


def _encode_by_model(media: Coefficients, options: EncodeOptions, progress: Progress | None) -> bytes:
    """Code a file's coefficients; nothing if that takes more than the limits allow."""
    frame = media.pictures[0].frame
    try:
        options.limits.check_pixels(frame.height, frame.width)
        options.limits.check_memory(len(media.data) + sum(picture.coefficients.nbytes for picture in media.pictures))
    except LimitError:
        return b""
    model = model_of(find_model(MODEL_NAME), AXES)
    planes = [[Plane.known(picture.plane(c), picture.steps_of(c)) for c in picture.frame.components]
              for picture in media.pictures]  # fmt: skip
    tiles = CoefficientTiles(model.network, model.tensors[EDGE_PULL], planes, known=True)
    ((stream,),) = loop.encode(tiles, tiles.steps, 1, Counter(progress, len(tiles.ranks)).one)
    return write_coefficients(media.data, model.model_id, pack(media.rest), stream)


def _encode_by_jpeg_xl(data: bytes, options: EncodeOptions) -> bytes:
    """Code a file by JPEG XL; nothing if it is no JPEG file, or one that this does not take."""
    if kind_of(data) != BY_NAME["JPEG"]:
        return b""
    import imagecodecs

    try:
        shape = sides_of(data, options.limits)
        with _foreign_errors():
            return write_jpeg_xl(data, shape, bytes(imagecodecs.jpegxl_encode_jpeg(data)))
    except (FormatError, LimitError):
        return b""


def original_parts(
    file: ParsedStored | ParsedJpeg | ParsedText, *, jobs: int = 1, progress: Progress | None = None
) -> Iterator[bytes]:
    """Give a file that comes back byte for byte, some at a time.

    Raises:
        FormatError, ChecksumError: damaged, which may show at the end only.
    """
    if isinstance(file, ParsedStored):
        yield from file.parts()
    elif isinstance(file, ParsedText):
        from ardm_compress.codec.texts import decode_text

        yield decode_text(file, jobs=jobs, progress=progress)
    else:
        yield decode_jpeg(file, progress=progress)


def decode_jpeg(file: ParsedJpeg, *, progress: Progress | None = None) -> bytes:
    """Decode a JPEG file.

    Args:
        file: as ``parse`` gives it.
        progress: called with the steps done and their total.

    Raises:
        FormatError, ChecksumError: damaged.
    """
    original = _decode_by_model(file, progress) if file.model else _decode_by_jpeg_xl(file)
    check_original(file, original)
    return original


def _decode_by_model(file: ParsedJpeg, progress: Progress | None) -> bytes:
    assert file.model is not None
    assert file.rest is not None
    model, pictures = model_of(file.model, AXES), file.rest.describe()
    planes = [[Plane.empty(picture.plane(c), picture.steps_of(c)) for c in picture.frame.components]
              for picture in pictures]  # fmt: skip
    tiles, stream = CoefficientTiles(model.network, model.tensors[EDGE_PULL], planes, known=False), Popped(file.body)
    loop.decode(tiles, tiles.steps, [stream], Counter(progress, len(tiles.ranks)).one)
    stream.finish()
    try:
        return put_together(pictures, file.rest)
    except UnsupportedError as error:
        raise FormatError(f"the JPEG file cannot be made again: {error}", section="payload") from error


def _decode_by_jpeg_xl(file: ParsedJpeg) -> bytes:
    import imagecodecs

    check_shape(jpegxl.sides(jpegxl.codestream(file.body), only_plain=False), file.shape)
    with _foreign_errors():
        return bytes(imagecodecs.jpegxl_decode_jpeg(file.body, numthreads=1))


@contextmanager
def _foreign_errors() -> Iterator[None]:
    """Turn what other libraries raise of files that they do not take into FormatError."""
    try:
        yield
    except ArdmError:
        raise
    except (ValueError, RuntimeError, OSError, SyntaxError, MemoryError) as error:
        raise FormatError(f"a JPEG XL file cannot be made or read: {error}", section="payload") from error
