"""Output files that appear complete or not at all. Standard library and errors only."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ardm_compress.errors import OutputExistsError


def refuse_existing(path: Path) -> None:
    """Raise OutputExistsError if anything, a dangling link included, is at ``path``."""
    if os.path.lexists(path):
        raise OutputExistsError(f"{path} exists; use -f (force=True) to overwrite it")


def write_atomically(path: Path, data: bytes | Iterable[bytes], *, force: bool, like: Path | None = None) -> None:
    """Write ``data`` so that ``path`` holds all of it or is as it was before, also if making a part of it fails.

    Args:
        path: the output; with ``force`` a link is followed and its target replaced.
        data: the whole content, or parts that together are.
        force: replace an existing file, keeping its permissions.
        like: a file whose time, and permissions if there is none to replace, the output gets.

    Raises:
        OutputExistsError: ``path`` exists, or appeared meanwhile, and ``force`` is not set.
    """
    parts = [data] if isinstance(data, bytes) else data
    if not force:
        refuse_existing(path)
    elif path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.writelines(parts)  # a device or pipe has no content to protect, and must never be replaced by a file
        return
    target = Path(os.path.realpath(path)) if force else path
    temp = target.with_name(f".ardm-{secrets.token_hex(6)}.tmp")
    try:
        _write_synced(temp, parts)
        if like and like.is_file():
            _copy_attributes(like, temp)
        if force:
            _replace(temp, target)
        else:
            _move_to_new(temp, target)
        _sync_folder(target.parent)
    finally:
        temp.unlink(missing_ok=True)


def _copy_attributes(source: Path, target: Path) -> None:
    """As far as the disk has them: FAT and some networks do not."""
    status = source.stat()
    with suppress(OSError):
        shutil.copymode(source, target)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a crash, where folders can be synchronised."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_synced(path: Path, parts: Iterable[bytes]) -> None:
    with path.open("xb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())  # else a crash after the rename could leave the name with no content


def _replace(temp: Path, target: Path) -> None:
    if target.exists():
        shutil.copymode(target, temp)
    temp.replace(target)


def _move_to_new(temp: Path, target: Path) -> None:
    """Give ``temp`` the name ``target``, never over a file that appeared since the first look."""
    try:
        os.link(temp, target)
    except FileExistsError:
        refuse_existing(target)
        raise
    except OSError:  # no hard links here (FAT, some network mounts): claim the name first
        _claim_and_replace(temp, target)


def _claim_and_replace(temp: Path, target: Path) -> None:
    try:
        target.touch(exist_ok=False)
    except FileExistsError:
        refuse_existing(target)
        raise
    try:
        temp.replace(target)
    except BaseException:
        target.unlink()
        raise
