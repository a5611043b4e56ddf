"""Data behaves like bytes, wherever it is."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ardm_compress.files import BLOCK, Joined, OnDisk, Stream, blocks, opened, spool

ENDS = st.integers(-70, 70) | st.none()


@given(st.binary(max_size=60), st.integers(0, 60), ENDS, ENDS)
def test_slices_are_those_of_bytes(content: bytes, cut: int, start: int | None, stop: int | None) -> None:
    file = OnDisk(io.BytesIO(content))
    joined = Joined(content[:cut], OnDisk(io.BytesIO(content[cut:])))
    for data in (file, joined):
        assert len(data) == len(content)
        assert data[start:stop] == content[start:stop]


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 70), st.integers(0, 20))))
def test_streams_read_like_files(content: bytes, reads: list[tuple[int, int]]) -> None:
    stream, file = Stream(content), io.BytesIO(content)
    for offset, count in reads:
        assert stream.seek(offset) == file.seek(offset)
        assert stream.read(count) == file.read(count)
        assert stream.tell() == file.tell()
    assert stream.seek(-3, os.SEEK_END) == max(0, len(content) - 3)


def test_blocks_are_all_of_it() -> None:
    content = os.urandom(2 * BLOCK + 5)
    assert b"".join(blocks(content)) == content
    assert b"".join(blocks(content, 7, BLOCK + 9)) == content[7 : BLOCK + 9]
    with spool([content, b"more"]) as file:
        assert OnDisk(file)[:] == content + b"more"


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * BLOCK))
    with opened(path) as data:
        os.truncate(path, 10)
        with pytest.raises(OSError, match="shorter"):
            data[2 * BLOCK : 2 * BLOCK + 20]


def test_pipes_are_read_at_once() -> None:
    with opened(Path(os.devnull)) as data:
        assert data == b""
    read, write = os.pipe()
    os.write(write, b"from a pipe")
    os.close(write)
    with opened(Path(f"/dev/fd/{read}")) as data:
        assert data[5:] == b"a pipe"
    os.close(read)
