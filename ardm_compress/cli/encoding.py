"""``encode``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from ardm_compress.cli.decoding import decoded_image
from ardm_compress.cli.group import (
    BUDGET,
    FILE,
    FORCE,
    OUTPUT,
    REMOVE,
    SUFFIX,
    check_output,
    check_removable,
    coding_arguments,
    coding_options,
    is_sound,
    is_stored,
    limits_of,
    main,
    progress_bar,
    remove_input,
)
from ardm_compress.data import Data, blocks, opened
from ardm_compress.errors import ChecksumError, FormatError
from ardm_compress.files import write_atomically

MODELS = click.option("--model", help="Name of the model: by default photo or sound; auto tries all.")


@main.command()
@FILE
@OUTPUT
@BUDGET
@MODELS
@click.option("--verify/--no-verify", default=True, show_default=True, help="Decode and compare before writing.")
@click.option("--strip", is_flag=True, help="Of images: leave out metadata.")
@click.option("--force-pixels", is_flag=True, help="Of lossy images: code their pixels, as of a PNG file.")
@FORCE
@REMOVE
@coding_options
def encode(
    file: Path, output: Path | None, budget: int | None, model: str | None, verify: bool, strip: bool,
    force_pixels: bool, force: bool, remove: bool, **coding: int,
) -> None:  # fmt: skip
    """Compress the image or sound FILE to FILE.ardm, which gets its time and permissions."""
    if remove:
        check_removable(file)
        if not verify:
            raise click.UsageError("--rm is only for what is verified")
    output = output or file.with_name(file.name + SUFFIX)
    check_output(output, force)
    options: dict[str, Any] = {"budget": budget} | ({"model": model} if model else {})
    with opened(file) as original:
        sound = is_sound(original)
        if sound and (strip or force_pixels):
            raise click.UsageError("--strip and --force-pixels are for images; this file is sound")
        options |= {} if sound else {"strip": strip, "force_pixels": force_pixels}
        encoding = (_encode_sound if sound else _encode_image)(original, options, coding)
        with encoding as encoded:
            if verify and not _restores(encoded.restores):
                raise ChecksumError("verification failed, nothing was written: decoding gives something else")
            write_atomically(output, blocks(encoded.data), force=force, like=file)
            click.echo(_summary(file, len(original), encoded), err=True)
    if remove:
        remove_input(file, output)


class Encoded(NamedTuple):
    """What ``encode`` has made."""

    data: Data
    seconds: float
    restores: Callable[[], bool]  # decodes it and compares


@contextmanager
def _encode_image(data: Data, options: dict[str, Any], coding: dict[str, int]) -> Iterator[Encoded]:
    """A compressed image; it restores the same samples and metadata, or the same bytes."""
    from ardm_compress import api
    from ardm_compress.image.files import same_image

    original, start = data[:], time.perf_counter()
    with progress_bar("encode") as progress:
        coded = api.encode_image(original, progress=progress, **options, **coding_arguments(coding))
    changes: dict[str, Any] = {name: options[name] for name in ("strip", "force_pixels")}
    changes["limits"] = limits_of(coding)

    def restores() -> bool:
        if is_stored(coded):
            return b"".join(api.decoded_file(coded)) == original
        return same_image(decoded_image(coded, "verify", coding), original, **changes)

    yield Encoded(coded, time.perf_counter() - start, restores)


@contextmanager
def _encode_sound(original: Data, options: dict[str, Any], coding: dict[str, int]) -> Iterator[Encoded]:
    """A compressed sound file; it restores the same bytes, or for FLAC the same samples and tags."""
    from ardm_compress import api
    from ardm_compress.sound.files import same_file

    start, limits = time.perf_counter(), limits_of(coding)
    with ExitStack() as stack:
        with progress_bar("encode") as progress:
            data = stack.enter_context(api.encoded_sound(original, limits=limits, progress=progress, **options))

        def restores() -> bool:
            with progress_bar("verify") as progress:
                return same_file(api.decoded_sound(data, limits=limits, progress=progress), original)

        yield Encoded(data, time.perf_counter() - start, restores)


def _restores(restores: Callable[[], bool]) -> bool:
    try:
        return restores()
    except FormatError as error:
        raise ChecksumError(f"verification failed, nothing was written: {error}") from error


def _summary(file: Path, before: int, encoded: Encoded) -> str:
    from ardm_compress.layout import describe

    after, facts = len(encoded.data), describe(encoded.data)
    size = f"{file}: {before} -> {after} bytes ({100 * after / max(1, before):.1f}%)"
    if facts["kind"] == "stored file":
        return f"{size}, stored as it is"
    unit = "subpixel" if facts["kind"] == "image" else "sample"
    how = f"{facts['calls']} calls" if "calls" in facts else facts["methods"]
    return f"{size}, {facts['bits_per_sample']:.3f} bits per {unit}, {how}, {encoded.seconds:.1f} s"
