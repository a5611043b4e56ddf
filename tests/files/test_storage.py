"""Files named by paths and URLs: whole or not there, never over another one's, with errors that say why."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from commands import failed, run, smooth
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from pictures import read_image, write_image

from ardm_compress.batch.inputs import Choice, find_jobs
from ardm_compress.errors import ChecksumError, OptionError, OutputExistsError, UnsupportedError
from ardm_compress.files import locations as storage


class Failing(MemoryFileSystem):
    """A place whose files all become unwritable once they have some bytes."""

    protocol = "failing"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012

    def _open(self, path: str, mode: str = "rb", *args: Any, **options: Any) -> Any:
        file = super()._open(path, mode, *args, **options)
        if mode == "wb":
            write = file.write

            def refuse(data: bytes) -> int:
                write(data[:1])
                raise RuntimeError("quota")

            file.write = refuse
            file.writelines = lambda lines: [refuse(line) for line in lines]
        return file


fsspec.register_implementation("failing", Failing)


@pytest.fixture(params=["local", "memory"])
def top(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder."""
    if request.param == "local":
        yield str(tmp_path)
        return
    system = fsspec.filesystem("memory")
    system.mkdir("/top")
    yield "memory://top"
    system.rm("/top", recursive=True)


def content(location: str) -> bytes:
    with storage.opened(location) as data:
        return data[:]


def listing(top: str) -> list[str]:
    path = storage.local(top)
    found = (file.name for file in path.iterdir()) if path else map(storage.name, fsspec.filesystem("memory").find(top))
    return sorted(found)


@given(parts=st.lists(st.binary(max_size=9)))
def test_what_is_written_is_read(parts: list[bytes]) -> None:
    location = "memory://written"
    size = storage.write(location, iter(parts), force=True)
    assert content(location) == b"".join(parts)
    assert storage.size(location) == size == sum(map(len, parts))


def test_files_are_not_overwritten(top: str) -> None:
    location = f"{top}/a.bin"
    assert not storage.exists(location)
    storage.write(location, b"one", force=False)
    assert storage.exists(location)
    for write in (storage.check_output, lambda location, force: storage.write(location, b"two", force=force)):
        with pytest.raises(OutputExistsError, match=r"a\.bin exists"):
            write(location, force=False)
    assert content(location) == b"one"
    storage.check_output(location, force=True)
    storage.write(location, b"two", force=True)
    assert content(location) == b"two"
    assert listing(top) == ["a.bin"]


def test_a_second_attempt_leaves_what_the_first_has_written(top: str) -> None:
    location = f"{top}/a.bin"
    storage.write(location, [b"on", b"e"], force=False, again=True)
    for parts in ([b"one"], [b"", b"o", b"ne"]):
        assert storage.write(location, parts, force=False, again=True) == 3
    for other in (b"on", b"onf", b"ones", b""):
        with pytest.raises(OutputExistsError, match="other content"):
            storage.write(location, other, force=False, again=True)
    assert content(location) == b"one"
    storage.write(location, b"two", force=True, again=True)
    assert content(location) == b"two"


@pytest.mark.parametrize("before", [None, b"before"])
def test_files_whose_making_fails_do_not_appear(top: str, before: bytes | None) -> None:
    def parts() -> Iterator[bytes]:
        yield b"some"
        raise ChecksumError("damaged")

    location = f"{top}/a.bin"
    if before:
        storage.write(location, before, force=False)
    with pytest.raises(ChecksumError):
        storage.write(location, parts(), force=True)
    assert listing(top) == (["a.bin"] if before else [])
    assert not before or content(location) == before


def test_an_upload_that_fails_leaves_nothing() -> None:
    with pytest.raises(OSError, match="RuntimeError: quota") as caught:
        storage.write("failing://a.bin", b"some", force=False)
    assert caught.value.filename == "failing://a.bin"
    assert Failing.store == {}


def test_folders_are_made_if_that_is_asked_for(top: str) -> None:
    storage.write(f"{top}/x/y/a.bin", b"one", force=False, parents=True)
    assert content(f"{top}/x/y/a.bin") == b"one"


def test_folders_in_which_nothing_can_be_written_are_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    inside = str(tmp_path / "file" / "x" / "a.bin")
    for parents in (False, True):
        with pytest.raises(NotADirectoryError if parents else FileNotFoundError):
            storage.check_output(inside, force=False, parents=parents)
    storage.check_output(str(tmp_path / "x" / "y" / "a.bin"), force=False, parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "a.bin")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        storage.check_output(str(tmp_path / "link"), force=True)
    monkeypatch.setattr(os, "access", lambda *_: False)  # for root all folders are writable
    storage.check_output("/dev/null", force=True)
    for name in ("a.bin", "x/a.bin"):
        with pytest.raises(PermissionError, match=str(tmp_path)):
            storage.check_output(str(tmp_path / name), force=False, parents=True)


def test_files_below_folders_are_found(top: str) -> None:
    for name in ("b.png", "sub/a.PNG", "sub/c.txt"):
        storage.write(f"{top}/{name}", b"", force=False, parents=True)
    found = find_jobs([top], Choice({".png"}), recursive=True, folder="memory://out/")
    assert [job.source for job in found] == [f"{top}/b.png", f"{top}/sub/a.PNG"]
    assert [job.place for job in found] == ["memory://out/b.png", "memory://out/sub/a.PNG"]
    assert [job.place for job in find_jobs([found[0].source], Choice(()), folder=top)] == [f"{top}/b.png"]
    for job in found:
        assert content(job.source) == b""


def test_the_command_line_takes_urls(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", smooth(3))
    packed = "memory://packed"
    assert run("encode", tmp_path / "a.png", "--output-dir", packed, "--budget", "8").exit_code == 0
    assert run("test", f"{packed}/a.png.ardm").stdout == "memory://packed/a.png.ardm: ok\n"
    assert "exists" in failed(run("encode", tmp_path / "a.png", "--output-dir", packed), 1)
    assert run("decode", "-r", packed, "--output-dir", tmp_path / "out").exit_code == 0
    assert (read_image(tmp_path / "out" / "a.png") == smooth(3)).all()
    assert "No such file" in failed(run("decode", f"{packed}/b.ardm"), 1)


def test_what_cannot_be_reached_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nowhere" in failed(run("test", "nowhere://a.ardm"), 4)
    with pytest.raises(UnsupportedError, match="pip install fsspec"):
        storage.filesystem("nowhere://a")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UnsupportedError, match="pip install fsspec"):
        storage.filesystem("memory://a")


def test_pipes_and_urls_are_no_files_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage.local("file:///x/y") == Path("/x/y")
    assert storage.local("-") is storage.local("s3://x/y") is None
    assert (storage.name("/x/y"), storage.name("s3://x/y")) == ("y", "y")
    assert not storage.exists("-")
    assert storage.size("-") is storage.size("memory://none") is None
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert content("-") == b"piped"
    with pytest.raises(FileNotFoundError):
        storage.check_removable("/nowhere")
    for location in ("-", "memory://a", "/"):
        with pytest.raises(OptionError, match="ordinary local files"):
            storage.check_removable(location)
