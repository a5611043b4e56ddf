"""Texts <-> compressed files from which they come back byte for byte. Imports the model for what it codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ardm_compress.coding.text.tile import CHUNK, decode_tile, encode_tile, text_model
from ardm_compress.container import crc
from ardm_compress.container.text import ParsedText, tile_sizes, write_text
from ardm_compress.errors import ChecksumError
from ardm_compress.inference import find_model
from ardm_compress.options import DEFAULT_ENCODING, EncodeOptions
from ardm_compress.tasks import Counter, Progress, Tick, in_order

if TYPE_CHECKING:
    from ardm_compress.inference import ModelFile

MODEL_NAME: Final = "text"


@dataclass(frozen=True)
class _Encoding:
    """A tile to encode."""

    model: ModelFile
    data: bytes

    def run(self, tick: Tick) -> bytes:
        return encode_tile(text_model(self.model), self.data, tick)


@dataclass(frozen=True)
class _Decoding:
    """A tile to decode."""

    model: ModelFile
    size: int
    stream: bytes

    def run(self, tick: Tick) -> bytes:
        return decode_tile(text_model(self.model), self.size, self.stream, tick)


def _counter(progress: Progress | None, size: int) -> Counter:
    return Counter(progress, sum(-(-tile // CHUNK) for tile in tile_sizes(size)))


def encode_text(data: bytes, options: EncodeOptions = DEFAULT_ENCODING, *, progress: Progress | None = None) -> bytes:
    """Compress a text, which ``is_text``.

    Args:
        data: of at least one byte.
        options: how.
        progress: called with the chunks done and their total.

    Raises:
        LimitError: too large.
    """
    options.limits.check_memory(len(data))
    model, start, tasks = find_model(MODEL_NAME), 0, []
    for size in tile_sizes(len(data)):
        tasks.append(_Encoding(model, data[start : start + size]))
        start += size
    streams = list(in_order(tasks, options.jobs, _counter(progress, len(data))))
    return write_text(data, model.model_id, streams)


def decode_text(file: ParsedText, *, jobs: int = 1, progress: Progress | None = None) -> bytes:
    """Decode a text.

    Raises:
        FormatError, ChecksumError: damaged.
    """
    tasks = [_Decoding(file.model, size, stream) for size, stream in zip(file.tiles, file.streams, strict=True)]
    data = b"".join(in_order(tasks, jobs, _counter(progress, file.original_size)))
    if crc(data) != file.checksum:
        raise ChecksumError("the text decoded to other bytes than were encoded", section="payload")
    return data
