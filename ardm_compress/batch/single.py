"""One file of any kind, at a path or URL: what the commands do, for callers. Imports the codec once it works."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ardm_compress.batch.decoding import decode_file as decode_job
from ardm_compress.batch.encoding import encode_file as encode_job
from ardm_compress.batch.inputs import Job
from ardm_compress.batch.settings import Decoding, Encoding
from ardm_compress.files.locations import STDIO
from ardm_compress.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ardm_compress.ardm.tiles import Region
    from ardm_compress.tasks import Progress


def encode_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    level: int | None = None,
    budget: int | None = None,
    model: str | None = None,
    verify: bool = True,
    force: bool = False,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> str:
    """Compress a file of any kind, decode it again, compare, and only then write.

    Args:
        source: path or URL.
        target: path or URL; by default the source's with ".ardm" behind it.
        level: preset 1 (fastest) to 9 (smallest), which says what ``budget`` and ``model`` do not.
        budget: network calls of a tile, at least 1, of sound 2.
        model: name of a model, or "auto".
        verify: decode and compare before writing.
        force: replace an existing target.
        jobs: processes that code the tiles of an image.
        limits: over which files are refused.
        progress: called with the network calls or tiles done and their total, first to encode, then to verify.

    Returns:
        Where the compressed file is.

    Raises:
        OutputExistsError: the target exists; UnsupportedError: no such model, or it cannot be coded; LimitError: too
        large; ChecksumError: decoding gave something else, nothing was written; OSError: reading or writing failed;
        TypeError: neither paths nor URLs, or a level
        that is not whole; ValueError: level, budget or jobs out of range.
    """
    how = Encoding(
        level=level, budget=budget, model=model, verify=verify, force=force, jobs=jobs, limits=limits
    )  # fmt: skip
    return encode_job(_job(source, target), how, lambda _label: nullcontext(progress)).target


def decode_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    region: Region | None = None,
    preview: int = 0,
    start: float = 0.0,
    end: float | None = None,
    salvage: bool = False,
    force: bool = False,
    jobs: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> str:
    """Restore a compressed file, or a part of it.

    Args:
        source: path or URL.
        target: path or URL, whose suffix may ask for another kind of image; by default the source's without ".ardm".
        region: of an image: left, top, width and height, in pixels of the preview.
        preview: of an image: about every 2**preview-th row and column.
        start: of sound: seconds to leave out.
        end: of sound: seconds after which to stop.
        salvage: write what a damaged file still holds, and then raise ChecksumError, which names what is not exact.
        force: replace an existing target.
        jobs: processes that decode the tiles of an image.
        limits: over which files are refused.
        progress: called with the network calls done and their total.

    Returns:
        Where the restored file is.

    Raises:
        OutputExistsError: the target exists; FormatError, ChecksumError: damaged; UnsupportedError: it needs another
        version or model, or cannot be written as this kind; OptionError: a part that this kind of file has not;
        LimitError: too large; OSError: reading or writing failed; TypeError: neither paths nor URLs; ValueError: jobs
        below 1.
    """
    how = Decoding(
        region=region, preview=preview, start=start, end=end, salvage=salvage, force=force, jobs=jobs, limits=limits
    )  # fmt: skip
    return decode_job(_job(source, target), how, lambda _label: nullcontext(progress)).target


def _job(source: str | os.PathLike[str], target: str | os.PathLike[str] | None) -> Job:
    place = _location(source)
    return Job(place, place, None if target is None else _location(target))


def _location(path: str | os.PathLike[str]) -> str:
    """Return a path or URL as text; "-" is a file of that name, not standard input."""
    location = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(location, str):
        raise TypeError(f"a path or URL is needed, not {type(path).__name__}")
    return f"./{STDIO}" if location == STDIO else location
