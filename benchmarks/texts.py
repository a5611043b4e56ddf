"""What texts take, beside other coders: ``python benchmarks/texts.py FILE... [--piece 4096 --every 10]``.

Each file is coded as a whole and, cut into pieces, each a file of its own. Sizes are of whole compressed files; times
are CPU seconds of one thread. Every file is decoded and compared. PPMd needs ``7z`` on the path, brotli its package.
"""

from __future__ import annotations

import bz2
import lzma
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ardm_compress.codec.images import encode_image
from ardm_compress.codec.jpegs import original_parts
from ardm_compress.container import parse

Coder = Callable[[bytes], int]


def ours(data: bytes) -> int:
    """Encode, decode, compare."""
    coded = encode_image(data, any_kind=True)
    if b"".join(original_parts(parse(coded))) != data:
        raise SystemExit("what came back is not what went in")
    return len(coded)


def command(*words: str) -> Coder:
    """Make a coder of a command that writes what it makes of its input."""
    return lambda data: len(subprocess.run(words, input=data, capture_output=True, check=True).stdout)


def ppmd(data: bytes) -> int:
    """Pack by 7-Zip's PPMd; the size of its stream, without the archive's headers, is what `7z` calls packed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "a")
        place.write_bytes(data)
        program = shutil.which("7z") or shutil.which("7zz") or "7z"
        subprocess.run(
            [program, "a", "-m0=PPMd:o=8:mem=64m", f"{place}.7z", str(place)], capture_output=True, check=True
        )
        return Path(f"{place}.7z").stat().st_size


def coders() -> Iterator[tuple[str, Coder]]:
    """Yield what there is on this machine."""
    yield "xz -9e", lambda data: len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    yield "bzip2", lambda data: len(bz2.compress(data))
    if shutil.which("zstd"):
        yield "zstd -19", command("zstd", "-19", "-c")
    try:
        import brotli
    except ImportError:
        pass
    else:
        yield "brotli 11", lambda data: len(brotli.compress(data, mode=brotli.MODE_TEXT))
    if shutil.which("7z") or shutil.which("7zz"):
        yield "PPMd", ppmd
    yield "ardm-compress", ours


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--piece", default=4096, help="bytes")
@click.option("--every", default=10, help="of so many pieces the first is taken")
def main(files: tuple[Path, ...], piece: int, every: int) -> None:
    """Print a table."""
    ours(b"What is compiled, is so now.\n")
    for file in files:
        data = file.read_bytes()
        pieces = [data[i : i + piece] for i in range(0, len(data), piece * every)]
        click.echo(f"{file.name}: {len(data)} bytes, {len(pieces)} pieces; bits a byte")
        for name, coder in coders():
            start = time.process_time()
            whole = 8 * coder(data) / len(data)
            seconds = time.process_time() - start
            parts = 8 * sum(map(coder, pieces)) / sum(map(len, pieces))
            click.echo(
                f"{name:14} whole {whole:.3f}  pieces {parts:.3f}  {len(data) / 1000 / max(seconds, 1e-3):.0f} kB/s"
            )


if __name__ == "__main__":
    main()
