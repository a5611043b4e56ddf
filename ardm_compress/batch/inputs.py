"""Which files a command is about, and where what it makes of them goes. Standard library, storage, and pathspec."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ardm_compress.errors import OptionError, UnsupportedError
from ardm_compress.files import locations as storage


class Job(NamedTuple):
    """A file to work on."""

    source: str  # path, URL or -
    place: str  # where it would be if it was moved to the outputs; their usual names follow from it
    target: str | None = None  # the output's name, if it was given
    as_is: bool = False  # it is a symbolic link or an empty folder, which is made again at its place


@dataclass
class Choice:
    """Which of the files below folders are taken. ``skipped`` is filled while they are looked for."""

    suffixes: Collection[str]  # in lower case
    compressed: str = ""  # the suffix of files that are compressed already, if these are to be compressed
    takes_all: bool = False  # whatever the suffix
    keeps_tree: bool = False  # symbolic links and empty folders too, as such
    include: Sequence[str] = ()  # patterns of gitignore: only what they match, whatever the suffix
    exclude: Sequence[str] = ()  # patterns of gitignore: not what they match
    skipped: dict[str, str] = field(default_factory=dict)  # why each is that no pattern has left out

    def pick(self, found: Iterable[tuple[str, str]], *, in_place: bool) -> Iterator[tuple[str, str]]:
        """Yield those files, by name and name relative to their folder, that are taken.

        Args:
            found: all.
            in_place: whether outputs are beside them: then what is compressed already stays, and is not skipped.
        """
        included, excluded = _matcher(self.include), _matcher(self.exclude)
        for name, relative in found:
            suffix = os.path.splitext(name)[1].lower()
            if excluded(relative) or (self.include and not included(relative)):
                continue
            if self.is_kept(name):
                if not in_place:
                    yield name, relative
            elif suffix == self.compressed != "" and (in_place or not self.takes_all):
                if not in_place:
                    self.skipped[name] = "it is compressed already"
            elif self.takes_all or self.include or suffix in self.suffixes:
                yield name, relative
            else:
                what = f"{suffix} files" if suffix else "files without a suffix"
                self.skipped[name] = f"{what} are taken with --all only"

    def is_kept(self, name: str) -> bool:
        """Whether it comes along as it is: a link or a folder, but not a link to what is taken for a file."""
        path = storage.local(name)
        if not self.keeps_tree or path is None or not (path.is_symlink() or path.is_dir()):
            return False
        return self.takes_all or not (path.is_file() and path.suffix.lower() in self.suffixes)


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _: False
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns).match_file


def find_jobs(
    sources: Iterable[str], choice: Choice, *, recursive: bool = False, folder: str | None = None
) -> list[Job]:
    """List the files that sources name, which may be folders.

    Args:
        sources: paths, URLs or ``-``.
        choice: of the files below folders.
        recursive: whether folders are taken; else they are jobs, which fail.
        folder: for the outputs, in which the tree of each folder is kept; by default they are beside their sources.

    Raises:
        OptionError: two sources would have the same output.
    """
    real = cache(os.path.realpath)  # many files are in one folder
    found: dict[str, Job] = {}
    for job in (job for source in sources for job in _jobs(source, choice, recursive, folder)):
        other = found.setdefault(_only_name(job.place, real), job)
        if _only_name(other.source, real) != _only_name(job.source, real):
            raise OptionError(f"{other.source} and {job.source} would have the same output in {folder}")
        choice.skipped.pop(job.source, None)  # it is named by itself as well
    return list(found.values())


def _only_name(location: str, real: Callable[[str], str]) -> str:
    """One for all ways to write it: a.png, ./a.png; links to a file are files of their own."""
    path = storage.local(location)
    return str(Path(real(str(path.parent)), path.name)) if path else location


def _jobs(source: str, choice: Choice, recursive: bool, folder: str | None) -> Iterator[Job]:
    unread: list[str] = []
    if recursive and (found := _below(source, unread, choice, folder)) is not None:
        in_place = folder is None or os.path.realpath(folder) == os.path.realpath(source)
        for name, relative in choice.pick(found, in_place=in_place):
            yield Job(name, _join(folder, relative) if folder else name, as_is=choice.is_kept(name))
        yield from (Job(name, name) for name in unread)  # which fail, and so are not passed over in silence
    elif source == storage.STDIO:
        if folder:
            raise OptionError("standard input has no name: give one with -o, not --output-dir")
        yield Job(source, source, storage.STDIO)
    else:
        yield Job(source, _join(folder, storage.name(source)) if folder else source)


def _below(source: str, unread: list[str], choice: Choice, outputs: str | None) -> Iterator[tuple[str, str]] | None:
    """List the files below a folder, in order, with their names relative to it; None if it is no folder."""
    path = storage.local(source)
    if path:
        return _walk(path, unread, choice, outputs and os.path.realpath(outputs)) if path.is_dir() else None
    if not storage.is_url(source):
        return None
    try:
        system = storage.filesystem(source)
        with storage.translated(source):
            is_folder = system.isdir(source)
    except (OSError, UnsupportedError):
        return None  # it will fail for the same reason as a job
    return _find(source.rstrip("/"), system, unread) if is_folder else None


def _walk(top: Path, unread: list[str], choice: Choice, outputs: str | None) -> Iterator[tuple[str, str]]:
    """Yield regular files, links to them, and what else is kept.

    Args:
        top: the folder.
        unread: takes the folders that cannot be looked into.
        choice: says what is kept; its ``skipped`` takes all else but folders with something in them, and why.
        outputs: a folder, without links, that is passed over if it is below the top.
    """
    for folder, folders, names in os.walk(top, onerror=lambda error: unread.append(str(error.filename))):
        paths = [Path(folder, name) for name in folders]
        folders[:] = sorted(path.name for path in paths if os.path.realpath(path) != outputs)
        found = [path for path in paths if path.is_symlink()] + [Path(folder, name) for name in names]
        if not paths and not names and folder != str(top):
            found = [Path(folder)]
        for path in sorted(found):
            if path.is_file() or choice.is_kept(str(path)):
                yield str(path), path.relative_to(top).as_posix()
            else:
                choice.skipped[str(path)] = _other(path)


def _other(path: Path) -> str:
    """Say what is no file."""
    if path.is_dir():
        return "it is a symbolic link to a folder" if path.is_symlink() else "the folder is empty"
    return "it is a symbolic link to nothing" if path.is_symlink() else "it is a pipe, a socket or a device"


def _find(top: str, system: Any, unread: list[str]) -> Iterator[tuple[str, str]]:
    inside = system._strip_protocol(top).rstrip("/")
    try:
        with storage.translated(top):
            names = sorted(system.find(top))
    except OSError:
        unread.append(top)
        return
    for name in names:
        relative = name[len(inside) :].lstrip("/")
        yield f"{top}/{relative}", relative


def _join(folder: str, relative: str) -> str:
    return f"{folder.rstrip('/')}/{relative}" if storage.is_url(folder) else str(Path(folder, relative))


def read_list(source: str) -> list[str]:
    """Read the names in a list of files, one a line; ``-`` is standard input."""
    with storage.opened(source) as data:
        lines = os.fsdecode(data[:].removeprefix(BOM_UTF8)).split("\n")
    if any("\0" in line for line in lines):
        raise OptionError(f"{source} holds zero bytes; a list has one name a line")
    return [name for line in lines if (name := line.removesuffix("\r"))]
