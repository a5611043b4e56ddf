"""Chunks of PNG and WebP files, which have a name and a body <-> the bytes that a wrapper keeps. Container only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ardm_compress.files.fields import Reader, write_varint

Chunk: TypeAlias = tuple[bytes, bytes]  # name, of four bytes, and body

NAME_BYTES = 4


def write_chunks(chunks: Sequence[Chunk]) -> bytes:
    """Length, name and body of each."""
    return b"".join(write_varint(len(body)) + name + body for name, body in chunks)


def read_chunks(data: bytes) -> list[Chunk]:
    """Inverse of ``write_chunks``; FormatError if there is none."""
    reader, chunks = Reader(data), []
    while reader.offset < len(data):
        length = reader.varint(0, len(data), "the length of a chunk")
        name = reader.take(NAME_BYTES)
        chunks.append((name, reader.take(length)))
    return chunks
