"""A compressed file -> one value, parsed once: its kind, header, streams and what surrounds its samples. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from ardm_compress.ardm.order import make_order, make_sound_order
from ardm_compress.ardm.plans import call_count, tile_steps
from ardm_compress.container import image, picture, sound, stored
from ardm_compress.container.image import CRC_BYTES, MAX_SIDE, VERSION, Payloads, Reader
from ardm_compress.container.wrappers import IMAGE_KINDS, read_image_wrapper, read_sound_wrapper
from ardm_compress.errors import FormatError
from ardm_compress.formats.contents import PNG, ImageWrapper
from ardm_compress.inference.registry import model_of_file
from ardm_compress.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ardm_compress.container.image import Header
    from ardm_compress.container.picture import PictureHeader
    from ardm_compress.container.sound import SoundHeader
    from ardm_compress.files.data import Data
    from ardm_compress.formats.contents import SoundWrapper
    from ardm_compress.inference.registry import ModelFile

UNLIMITED: Final = Limits(pixels=MAX_SIDE**2, samples=sound.MAX_FRAMES * sound.MAX_CHANNELS)  # to describe a file
MODEL_DEPTH: Final = 8  # bits of the samples that models of images code

PNG_COLOURS: Final = {1: 0, 3: 2}  # colour types of the PNG files, gray and RGB, that plain images come back as


class Kind(Enum):
    """What a compressed file holds; the values are the words that ``info`` uses."""

    MODEL = "image"  # coded by the model as a whole
    PICTURE = "image tiles"  # an image of which each tile is coded by whatever makes it smallest
    SOUND = "sound"
    STORED = "stored file"  # another file as it was, packed


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedImage:
    """An image that the model has coded as a whole."""

    kind: ClassVar[Kind] = Kind.MODEL
    size: int  # bytes of the file
    header_bytes: int  # up to the first stream
    header: Header
    payloads: Payloads
    wrapper: ImageWrapper
    model: ModelFile

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows.

        Raises:
            FormatError: the schedule does not fit the first tile.
        """
        header, order = self.header, make_order(self.model.order, axes=2, period=self.model.period)
        samples = prod(header.shape) * header.channels
        return {
            "format": VERSION,
            "kind": "image",
            "width": header.shape[1],
            "height": header.shape[0],
            "channels": header.channels,
            "bit_depth": MODEL_DEPTH,
            "file": IMAGE_KINDS[self.wrapper.kind],
            "model": self.model.name,
            "model_id": header.model_id.hex(),
            "calls": call_count(header.runs, order, header.tile),
            "tiles": prod(header.grid),
            "sections": header.sections,
            "progressive": header.progressive,
            "style": header.style,
            "mirror": header.mirror,
            "latents": max(map(len, header.latents), default=0),
        } | _sizes(self, samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPicture:
    """An image of which each tile is coded by whatever makes it smallest."""

    kind: ClassVar[Kind] = Kind.PICTURE
    size: int
    header_bytes: int
    header: PictureHeader
    payloads: Payloads
    wrapper: ImageWrapper

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        header, wrapper = self.header, self.wrapper
        methods = Counter(picture.method_name(self.payloads.first(index)) for index in range(len(self.payloads)))
        return {
            "format": VERSION,
            "kind": "image",
            "width": header.shape[1],
            "height": header.shape[0],
            "channels": wrapper.channels,
            "bit_depth": wrapper.depth,
            "file": IMAGE_KINDS[wrapper.kind],
            "tiles": prod(header.grid),
            "methods": ", ".join(f"{name} {count}" for name, count in sorted(methods.items())),
        } | _sizes(self, prod(header.shape) * wrapper.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedSound:
    """Sound that a model has coded."""

    kind: ClassVar[Kind] = Kind.SOUND
    size: int
    header_bytes: int
    header: SoundHeader
    payloads: Payloads
    wrapper: SoundWrapper
    model: ModelFile

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        header, wrapper, order = self.header, self.wrapper, make_sound_order(self.header.period_bits)
        return {
            "format": VERSION,
            "kind": "sound",
            "seconds": header.frames / max(1, wrapper.rate),
            "samples": header.frames,
            "channels": header.channels,
            "rate": wrapper.rate,
            "bit_depth": 8 * wrapper.width,
            "file": wrapper.file_kind.suffix[1:],
            "model": self.model.name,
            "model_id": header.model_id.hex(),
            "order": order.name,
            "calls": len(tile_steps(None, order, (header.tile,), (header.tile,))),
            "tiles": header.tiles,
        } | _sizes(self, header.frames * header.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStored:
    """Another file as it was, packed."""

    kind: ClassVar[Kind] = Kind.STORED
    size: int
    body: stored.Body

    def parts(self) -> Iterator[bytes]:
        """Give the file that is stored, some at a time.

        Raises:
            FormatError, ChecksumError: damaged, which may show at the end only.
        """
        return self.body.unpack()

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        return {"format": VERSION, "kind": "stored file", "stored_bytes": self.body.size, "bytes": self.size}


Parsed: TypeAlias = ParsedImage | ParsedPicture | ParsedSound | ParsedStored


def parse(data: Data, limits: Limits = DEFAULT_LIMITS) -> Parsed:
    """Parse and check the header of a compressed file, which may be cut short behind it.

    Raises:
        FormatError, ChecksumError: no compressed file, or a damaged header; UnsupportedError: it needs another version
        or model; LimitError: over ``limits``.
    """
    _, flags = Reader.start(data)
    if flags & sound.SOUND:
        return _parse_stored(data) if flags & sound.STORED else _parse_sound(data, limits)
    if flags & ~picture.TILED == picture.PICTURE:
        return _parse_picture(data, limits)
    return _parse_image(data, limits, wrapped=flags == picture.PICTURE | picture.WRAPPED)


def _parse_image(data: Data, limits: Limits, *, wrapped: bool) -> ParsedImage:
    kept, file = picture.read_wrapped(data) if wrapped else (None, data)
    header, offset = image.read_header(file, limits)
    model = model_of_file(header.model_id)
    plain = ImageWrapper(PNG, MODEL_DEPTH, header.channels, PNG_COLOURS[header.channels])
    wrapper = plain if kept is None else read_image_wrapper(kept)
    if wrapper.depth != MODEL_DEPTH or wrapper.channels != header.channels:
        raise FormatError("the wrapper is of other samples than the file has", section="header")
    payloads = Payloads(file, offset, header.lengths)
    front = len(data) - len(file) + offset
    return ParsedImage(
        size=len(data), header_bytes=front, header=header, payloads=payloads, wrapper=wrapper, model=model
    )


def _parse_picture(data: Data, limits: Limits) -> ParsedPicture:
    header, offset = picture.read_header(data, limits)
    payloads, wrapper = Payloads(data, offset, header.lengths), read_image_wrapper(header.wrapper)
    return ParsedPicture(size=len(data), header_bytes=offset, header=header, payloads=payloads, wrapper=wrapper)


def _parse_sound(data: Data, limits: Limits) -> ParsedSound:
    header, offset = sound.read_header(data, limits)
    model, wrapper = model_of_file(header.model_id), read_sound_wrapper(header.wrapper)
    payloads = Payloads(data, offset, header.lengths)
    return ParsedSound(
        size=len(data), header_bytes=offset, header=header, payloads=payloads, wrapper=wrapper, model=model
    )


def _parse_stored(data: Data) -> ParsedStored:
    return ParsedStored(size=len(data), body=stored.read_header(data))


def _sizes(file: ParsedImage | ParsedPicture | ParsedSound, samples: int) -> dict[str, object]:
    """Return what the description of every coded file ends with."""
    lengths = file.header.lengths
    return {
        "bytes": file.size,
        "payload_bytes": sum(lengths) - CRC_BYTES * len(lengths),
        "header_bytes": file.header_bytes,
        "bits_per_sample": 8 * file.size / max(1, samples),
    }
