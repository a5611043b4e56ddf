"""Where files are: local paths, standard input and output, and URLs. Standard library; fsspec for URLs only."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

from ardm_compress import files
from ardm_compress.errors import ArdmError, OptionError, OutputExistsError, SourceChangedError, UnsupportedError
from ardm_compress.files.atomic import refuse_existing, write_atomically

if TYPE_CHECKING:
    from ardm_compress.files import Data

STDIO: Final = "-"  # standard input as a source, standard output as a target
State: TypeAlias = tuple[int, int, int, int]  # device, inode, size, time of change in nanoseconds
LOCAL: Final = "file://"


def is_url(location: str) -> bool:
    """Whether it is on a file system of fsspec: ``s3://bucket/name`` and the like."""
    return "://" in location and not location.startswith(LOCAL)


def local(location: str) -> Path | None:
    """Return a location's path on this machine; None for URLs and for standard input and output."""
    return None if location == STDIO or is_url(location) else Path(location.removeprefix(LOCAL))


def name(location: str) -> str:
    """Without its folder."""
    path = local(location)
    return path.name if path else location.rpartition("/")[2]


def size(location: str) -> int | None:
    """Bytes of a file; None where that cannot be told without reading it."""
    path = local(location)
    try:
        if path:
            return path.stat().st_size if path.is_file() else None
        with translated(location):
            return int(filesystem(location).size(location)) if is_url(location) else None
    except (OSError, TypeError, UnsupportedError):
        return None


@contextmanager
def opened(location: str) -> Iterator[Data]:
    """Open a file's data, read where and when they are needed; fetch what is not on this machine first."""
    if path := local(location):
        with files.opened(path) as content:
            yield content
    elif location == STDIO:
        pipe = _open_stream(sys.stdin).buffer
        with files.spool(iter(lambda: pipe.read(files.BLOCK), b"")) as received:
            yield files.OnDisk(received)
    else:
        with files.spool() as fetched:
            with translated(location), filesystem(location).open(location, "rb") as file:
                fetched.writelines(iter(lambda: file.read(files.BLOCK), b""))
            yield files.OnDisk(fetched)


def check_output(location: str, *, force: bool, parents: bool = False) -> None:
    """Say at once, not after minutes of work, that an output could not be written.

    Args:
        location: of the output.
        force: whether it may exist.
        parents: whether its folder will be made.

    Raises:
        OutputExistsError: it exists, and ``force`` is not set; OSError: its folder is not there, or nothing may be
        written into it, or it is a folder itself.
    """
    path = local(location)
    if path is None:
        if not force and exists(location):
            raise OutputExistsError(f"{location} exists; use -f (force=True) to overwrite it")
        return
    if not force:
        refuse_existing(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.exists() or path.is_file():  # devices and pipes are written to where they are
        _check_folder(Path(os.path.realpath(path)).parent if force else path.parent, parents)


def _check_folder(folder: Path, parents: bool) -> None:
    """Raise OSError unless files can be written there, or, with ``parents``, once the folder is made."""
    while parents and not os.path.lexists(folder):
        folder = folder.parent
    if folder.is_dir():
        reason = 0 if os.access(folder, os.W_OK) else errno.EACCES
    else:
        reason = errno.ENOTDIR if os.path.lexists(folder) else errno.ENOENT
    if reason:
        raise OSError(reason, os.strerror(reason), str(folder))


def write(
    location: str,
    parts: bytes | Iterable[bytes],
    *,
    force: bool,
    again: bool = False,
    like: str | None = None,
    parents: bool = False,
) -> int:
    """Write a file that appears complete or not at all.

    Args:
        location: of the output.
        parts: its content.
        force: replace an existing file.
        again: leave an existing file that has the same content.
        like: a local file whose time and permissions a local output gets.
        parents: make the folder.

    Returns:
        Bytes written.

    Raises:
        OutputExistsError: it exists, or appeared meanwhile, and ``force`` is not set.
    """
    count = Counted([parts] if isinstance(parts, bytes) else parts)
    path = local(location)
    if again and not force and exists(location):
        _compare(location, count)
    elif path:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, count, force=force, like=local(like) if like else None)
    elif location == STDIO:
        pipe = _open_stream(sys.stdout).buffer
        pipe.writelines(count)
        pipe.flush()
    else:
        _upload(location, count, force=force, parents=parents)
    return count.bytes


def exists(location: str) -> bool:
    """Whether a file is there; nothing is at standard input and output."""
    path = local(location)
    if path or not is_url(location):
        return path is not None and os.path.lexists(path)
    with translated(location):
        return bool(filesystem(location).exists(location))


def is_newer(location: str, other: str) -> bool:
    """Whether a file has been modified after another; False where that is not known."""
    first, second = _modified(location), _modified(other)
    return first is not None and second is not None and first > second


def _modified(location: str) -> float | None:
    """Return when a file was modified, in seconds since 1970, if that is known."""
    path = local(location)
    if path:
        return path.stat().st_mtime
    if not is_url(location):
        return None
    try:
        with translated(location):
            return float(filesystem(location).modified(location).timestamp())
    except NotImplementedError:
        return None


def _compare(location: str, parts: Iterable[bytes]) -> None:
    """Raise OutputExistsError unless a file has that content."""
    at, same = 0, True
    with opened(location) as there:
        for part in parts:
            same = same and there[at : at + len(part)] == part
            at += len(part)
        same = same and at == len(there)
    if not same:
        raise OutputExistsError(f"{location} exists, with other content; use -f (force=True) to overwrite it")


def _open_stream(stream: TextIO | None) -> TextIO:
    """Return standard input or output, unless the caller has closed it."""
    if stream is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), STDIO)
    return stream


class Counted:
    """Parts of a file, counted as they are taken."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts, self.bytes = parts, 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.bytes += len(part)
            yield part


def check_removable(location: str) -> None:
    """Raise OptionError unless ``--rm`` could remove a file."""
    path = local(location)
    if path and not os.path.lexists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if path is None or path.is_symlink() or not path.is_file():
        raise OptionError(f"--rm removes ordinary local files only, and {location} is none")


def state(location: str) -> State | None:
    """Return what changes with a local file's content: device, inode, size, time; None of what is no such file."""
    path = local(location)
    if path is None or not path.is_file():
        return None
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def check_unchanged(source: str, target: str, before: State | None) -> None:
    """Raise SourceChangedError if a file has another state than when its output was begun, and is not that output."""
    now = state(source)
    if before is not None and now != before and (now is None or now != state(target)):
        raise SourceChangedError(f"{source} has changed while it was read; {target} holds what it was, or a mixture")


def remove_source(source: str, target: str) -> None:
    """Remove a local file of which ``target`` is now all that is left; not if that is no file, or the same one."""
    path, output = local(source), local(target)
    if path and (output is None or (output.is_file() and not output.samefile(path))) and target != STDIO:
        path.unlink()


def filesystem(location: str) -> Any:
    """Return the file system of a URL.

    Raises:
        UnsupportedError: fsspec, or what it needs for such URLs, is not installed.
    """
    try:
        import fsspec

        return fsspec.core.url_to_fs(location)[0]
    except (ImportError, ValueError) as error:
        how = "URLs need fsspec (pip install fsspec), s3:// also s3fs, gs:// gcsfs, and so on"
        raise UnsupportedError(f"{location} cannot be reached: {error}; {how}") from error


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Whatever a file system of fsspec raises, as OSError: each has errors of its own."""
    try:
        yield
    except FileNotFoundError as error:  # which most raise without its reason
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location) from error
    except (OSError, ArdmError):
        raise
    except NotImplementedError as error:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), location) from error
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", location) from error


def _upload(location: str, parts: Iterable[bytes], *, force: bool, parents: bool) -> None:
    """Under another name first: a reader never sees a part, whatever the file system."""
    system, folder = filesystem(location), location.rpartition("/")[0]
    temp = f"{folder}/.ardm-{secrets.token_hex(6)}.tmp"
    with files.spool(parts) as collected, translated(location):  # an error in making the parts uploads nothing
        collected.seek(0)
        if parents:
            system.makedirs(folder, exist_ok=True)
        try:
            with system.open(temp, "wb") as file:
                file.writelines(iter(lambda: collected.read(files.BLOCK), b""))
            check_output(location, force=force)
            system.mv(temp, location)
        finally:
            if system.exists(temp):
                system.rm(temp)
