"""Sound, coded with a model or by filters that learn, <-> version 1 files (docs/format.md section 13.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final, Literal

from ardm_compress.ardm import make_sound_order
from ardm_compress.ardm.schedule import tile_steps
from ardm_compress.container import (
    CRC_BYTES,
    MAGIC,
    SOUND,
    VERSION,
    HeaderReader,
    Kind,
    Payloads,
    crc,
    describe_sizes,
    write_ends,
    write_payloads,
)
from ardm_compress.container.wrappers import MAX_WRAPPER, describe_original, read_sound_wrapper
from ardm_compress.errors import FormatError, LimitError
from ardm_compress.files import Data, Joined, OnDisk, write_varint
from ardm_compress.inference import MODEL_ID_BYTES, model_of_file
from ardm_compress.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ardm_compress.formats.contents import SoundWrapper
    from ardm_compress.inference import ModelFile

TILED: Final = 1
LEARNS: Final = 2  # flag: there is no model; filters learn from the samples
MAX_FRAMES: Final = 1 << 34
MAX_CHANNELS: Final = 64
MAX_TILE: Final = 1 << 20
MAX_PERIOD_BITS: Final = 12
MAX_PROFILE: Final = 5  # of filters that learn
MAX_LEARNT: Final = 1 << 22  # samples of a tile from which filters learn, of all channels
MAX_STREAMS: Final = 1 << 20
PAIR: Final = 2  # channels that a model codes together


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundHeader:
    """Everything but the entropy-coded payload; a *frame* here is one sample of every channel."""

    frames: int  # 0..MAX_FRAMES
    channels: int  # 1..MAX_CHANNELS
    model_id: bytes  # empty: filters that learn
    tile: int  # frames; the last may be shorter
    period_bits: int = 0  # with a model: of the causal order's cell, 1..MAX_PERIOD_BITS; 0 is the spread order
    profile: int = 0  # of filters that learn, 0..MAX_PROFILE
    wrapper: bytes  # what the original file had besides samples: see ``ardm_compress.container.wrappers``
    checksums: tuple[int, ...]  # CRC-32 of every tile's samples, 32-bit little-endian, channels innermost
    lengths: tuple[int, ...]  # bytes of every stream with its CRC-32: tile after tile, group after group

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return ceil(self.frames / self.tile)

    @property
    def groups(self) -> list[slice]:
        """Channels of every stream of a tile: with a model pairs, else all."""
        size = PAIR if self.model_id else self.channels
        return [slice(i, min(i + size, self.channels)) for i in range(0, self.channels, size)]

    def span(self, index: int) -> slice:
        """Frames of a tile."""
        return slice(index * self.tile, min((index + 1) * self.tile, self.frames))


def _write_header(header: SoundHeader) -> bytes:
    """Write the header without its checksum; no other bytes say the same."""
    flags = SOUND if header.model_id else SOUND | LEARNS
    body = write_varint(header.frames) + write_varint(header.channels) + header.model_id
    if header.tiles > 1:
        flags |= TILED
        body += write_varint(header.tile)
    body += bytes([header.period_bits if header.model_id else header.profile])
    body += write_varint(len(header.wrapper)) + header.wrapper
    body += write_ends(header.checksums, header.lengths)
    return MAGIC + bytes([VERSION, flags]) + body


def add_payload(payload: bytes, collected: BinaryIO) -> int:
    """Append a stream to those collected in a file; its length for the header."""
    return collected.write(payload + crc(payload))


def write_file(header: SoundHeader, collected: BinaryIO) -> Data:
    """Assemble a file of a header and the collected streams, which stay where they are."""
    head, streams = _write_header(header), OnDisk(collected)
    if len(header.lengths) == 1:
        return write_payloads(head, [streams[:-CRC_BYTES]])
    return Joined(head + crc(head), streams)


def read_header(data: Data, limits: Limits = DEFAULT_LIMITS) -> tuple[SoundHeader, int]:
    """Parse and check a header; the header, and the offset of the first payload.

    Raises:
        FormatError: damaged; LimitError: over ``limits``.
    """
    reader, flags = HeaderReader.start(data)
    if flags & ~(TILED | LEARNS) != SOUND:
        raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
    frames = reader.varint(0, MAX_FRAMES, "the length")
    channels = reader.varint(1, MAX_CHANNELS, "the number of channels")
    learns = bool(flags & LEARNS)
    model_id = b"" if learns else reader.take(MODEL_ID_BYTES)
    tile = reader.varint(1, MAX_TILE, "the tile's length") if flags & TILED else max(1, frames)
    if tile > MAX_TILE:
        raise LimitError(f"a tile of {tile} samples is over the limit of {MAX_TILE}")
    if learns and tile * channels > MAX_LEARNT:
        raise LimitError(f"a tile of {tile * channels} samples is over the limit of {MAX_LEARNT}")
    period_bits = 0 if learns else reader.varint(0, MAX_PERIOD_BITS, "the order")
    profile = reader.varint(0, MAX_PROFILE, "the profile") if learns else 0
    wrapper = reader.take(reader.varint(1, MAX_WRAPPER, "the length of the wrapper"))
    tiles, groups = ceil(frames / tile), 1 if learns else -(-channels // PAIR)
    limits.check_samples(frames, channels)
    if tiles * groups > MAX_STREAMS:
        raise LimitError(f"{tiles * groups} streams are over the limit of {MAX_STREAMS}")
    limits.check_sparse(frames * channels, len(data))
    checksums, lengths = reader.ends(tiles, tiles * groups, "a stream's length")
    header = SoundHeader(
        frames=frames, channels=channels, model_id=model_id, tile=tile, period_bits=period_bits,
        profile=profile, wrapper=wrapper, checksums=checksums, lengths=lengths,
    )  # fmt: skip
    end = reader.offset
    reader.finish(tiles * groups, _write_header(header))
    return (replace(header, lengths=(len(data) - end,)) if tiles * groups == 1 else header), reader.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedSound:
    """Sound that has been coded."""

    kind: ClassVar[Literal[Kind.SOUND]] = Kind.SOUND
    size: int
    header_bytes: int
    header: SoundHeader
    payloads: Payloads
    wrapper: SoundWrapper
    model: ModelFile | None  # None: filters that learn

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        header, wrapper = self.header, self.wrapper
        return {
            "format": VERSION,
            "kind": "sound",
            "seconds": header.frames / max(1, wrapper.rate),
            "samples": header.frames,
            "channels": header.channels,
            "rate": wrapper.rate,
            "bit_depth": 8 * wrapper.width,
            "file": wrapper.file_kind.suffix[1:],
            "tiles": header.tiles,
            **self._method,
            **describe_original(wrapper, header.frames, header.channels),
        } | describe_sizes(self.size, self.header_bytes, header.lengths, header.frames * header.channels)

    @property
    def _method(self) -> dict[str, object]:
        if self.model is None:
            return {"methods": "learning filters", "profile": self.header.profile}
        order = make_sound_order(self.header.period_bits)
        return {
            "model": self.model.name,
            "model_id": self.header.model_id.hex(),
            "order": order.name,
            "calls": len(tile_steps(None, order, (self.header.tile,), (self.header.tile,))),
        }


def parse_sound(data: Data, limits: Limits) -> ParsedSound:
    """Parse and check all that precedes the streams.

    Raises:
        FormatError, ChecksumError: damaged; UnsupportedError: another version or model is needed; LimitError: over
        ``limits``.
    """
    header, offset = read_header(data, limits)
    model = model_of_file(header.model_id) if header.model_id else None
    wrapper = read_sound_wrapper(header.wrapper)
    payloads = Payloads(data, offset, header.lengths)
    return ParsedSound(
        size=len(data), header_bytes=offset, header=header, payloads=payloads, wrapper=wrapper, model=model
    )
