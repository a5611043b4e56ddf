"""JPEG files that come back byte for byte <-> version 1 files (docs/format.md section 16). No Numba, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from ardm_compress.container import CRC_BYTES, JPEG, SOUND, START, STORED, VERSION, HeaderReader, Kind, crc
from ardm_compress.errors import ChecksumError, FormatError, UnsupportedError
from ardm_compress.files import write_varint
from ardm_compress.formats import FILE
from ardm_compress.formats.jpeg.facts import quality_of, sampling_of
from ardm_compress.formats.jpeg.rest import MOST_BYTES, MOST_FILE, Rest, unpack
from ardm_compress.inference import MODEL_ID_BYTES, model_of_file
from ardm_compress.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.formats.jpeg.markers import Picture
    from ardm_compress.inference import ModelFile

JPEG_XL, MODEL = 0, 1  # what it is coded by
MOST_SIDE: Final = 0xFFFF  # pixels
RGB_BYTES: Final = 3  # of a pixel


@dataclass(frozen=True, kw_only=True)
class ParsedJpeg:
    """A JPEG file."""

    kind: ClassVar[Literal[Kind.JPEG]] = Kind.JPEG
    size: int  # bytes of the compressed file
    header_bytes: int
    original_size: int  # bytes of the JPEG file
    checksum: bytes  # CRC-32 of the JPEG file
    shape: tuple[int, int]  # rows and columns of pixels
    body: bytes  # a JPEG XL file, or the model's stream
    model: ModelFile | None = None  # None: it is a JPEG XL file
    rest: Rest | None = None  # with a model

    @cached_property
    def pictures(self) -> list[Picture]:
        """What the rest says of the pictures that a model has coded: their coefficients are zeros."""
        return self.rest.describe() if self.rest else []

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        facts: dict[str, object] = {
            "format": VERSION, "kind": "JPEG file", "width": self.shape[1], "height": self.shape[0],
        }  # fmt: skip
        if self.model:
            frame = self.pictures[0].frame
            facts |= {
                "components": len(frame.components),
                "bit_depth": frame.bits,
                "sampling": sampling_of(frame),
                "quality": quality_of(self.pictures[0]),
                "progressive": frame.progressive,
                "pictures": len(self.pictures),
                "model": self.model.name,
                "model_id": self.model.model_id.hex(),
            }
        return facts | {
            "method": "model" if self.model else "JPEG XL",
            "comes_back": FILE,
            "original_bytes": self.original_size,
            "bytes": self.size,
            "payload_bytes": len(self.body),
            "header_bytes": self.header_bytes,
        }


def write_jpeg_xl(original: bytes, shape: tuple[int, int], body: bytes) -> bytes:
    """Write a file of a JPEG file that JPEG XL has coded."""
    return _written(original, bytes([JPEG_XL]) + write_varint(shape[0]) + write_varint(shape[1]) + body)


def write_coefficients(original: bytes, model_id: bytes, packed_rest: bytes, stream: bytes) -> bytes:
    """Write a file of a JPEG file of which a model has coded the coefficients."""
    return _written(original, bytes([MODEL]) + model_id + write_varint(len(packed_rest)) + packed_rest + stream)


def _written(original: bytes, fields: bytes) -> bytes:
    data = _head(len(original), crc(original)) + fields
    return data + crc(data)


def _head(size: int, checksum: bytes) -> bytes:
    return START + bytes([SOUND | STORED | JPEG]) + write_varint(size) + checksum


def parse_jpeg(data: Data, limits: Limits = DEFAULT_LIMITS) -> ParsedJpeg:
    """Parse and check all of a file.

    Raises:
        FormatError, ChecksumError: damaged or cut short; UnsupportedError: it needs another version or model;
        LimitError: over ``limits``.
    """
    reader = HeaderReader.start_whole(data, SOUND | STORED | JPEG)
    original_size, checksum = reader.varint(0, MOST_FILE, "the size"), reader.take(CRC_BYTES)
    method = reader.take(1)[0]
    if method > MODEL:
        raise FormatError("a JPEG file is coded by what version 1 does not define", section="header")
    if method == JPEG_XL:
        shape = reader.varint(1, MOST_SIDE, "the height"), reader.varint(1, MOST_SIDE, "the width")
        _check_form(reader, _head(original_size, checksum) + bytes([method]) + b"".join(map(write_varint, shape)))
        limits.check_image(*shape, RGB_BYTES)
        return ParsedJpeg(
            size=len(data), header_bytes=reader.offset, original_size=original_size, checksum=checksum, shape=shape,
            body=reader.data[reader.offset :],
        )  # fmt: skip
    model_id = reader.take(MODEL_ID_BYTES)
    packed = reader.take(reader.varint(1, MOST_BYTES, "the length of the rest"))
    head = _head(original_size, checksum) + bytes([method]) + model_id
    _check_form(reader, head + write_varint(len(packed)) + packed)
    limits.check_memory(original_size)
    model, rest = model_of_file(model_id), unpack(packed, original_size)
    try:
        pictures = rest.describe()
    except UnsupportedError as error:
        raise FormatError(f"the rest of a JPEG file is damaged: {error}", section="header") from error
    frame = pictures[0].frame
    limits.check_pixels(frame.height, frame.width)
    limits.check_memory(original_size + sum(picture.coefficients.nbytes for picture in pictures))
    file = ParsedJpeg(
        size=len(data), header_bytes=reader.offset, original_size=original_size, checksum=checksum,
        shape=(frame.height, frame.width), body=reader.data[reader.offset :], model=model, rest=rest,
    )  # fmt: skip
    file.__dict__["pictures"] = pictures
    return file


def _check_form(reader: HeaderReader, expected: bytes) -> None:
    if reader.data[: reader.offset] != expected:
        raise FormatError("the header is not in its only valid form", offset=0, section="header")


def check_original(file: ParsedJpeg, original: bytes) -> None:
    """Raise ChecksumError unless a decoded JPEG file is the one that was encoded."""
    if len(original) != file.original_size or crc(original) != file.checksum:
        raise ChecksumError("the JPEG file decoded to other bytes than were encoded", section="payload")
