"""Whole image files of every kind, side by side with what they came as and with WebP and JPEG XL, per folder.

    python benchmarks/kinds.py FOLDER...

Every file is decoded again and compared, samples and metadata. cwebp and cjxl are run if they are on PATH; cwebp
narrows 16 bits to 8, so its figure for such files is of something else, and neither keeps all metadata.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from ardm_compress import api
from ardm_compress.audio.container import is_stored
from ardm_compress.errors import ArdmError
from ardm_compress.image.files import same_image
from ardm_compress.layout import describe

COMMANDS = {
    "cwebp -lossless -exact -z 9": ["cwebp", "-quiet", "-lossless", "-exact", "-z", "9", "{source}", "-o", "{target}"],
    "cjxl -d 0 -e 9": ["cjxl", "{source}", "{target}", "-d", "0", "-e", "9", "--quiet"],
}


def theirs(source: Path, command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ("out.webp" if command[0] == "cwebp" else "out.jxl")
        done = subprocess.run([p.format(source=source, target=target) for p in command], capture_output=True)
        return target.stat().st_size if done.returncode == 0 else source.stat().st_size


def ours(data: bytes) -> tuple[bytes, str]:
    """A compressed file, and how it is coded."""
    coded = api.encode_image(data)
    if describe(coded)["kind"] == "stored file":
        if b"".join(api.decoded_file(coded)) != data or not is_stored(coded):
            raise SystemExit("a stored file did not come back")
        return coded, "stored"
    if not same_image(api.decode_image(coded), data, strip=False, force_pixels=False):
        raise SystemExit("an image did not come back")
    return coded, str(describe(coded).get("methods", "model alone")).rsplit(" ", 1)[0]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(folders: tuple[Path, ...]) -> None:
    """Print the table."""
    commands = {name: line for name, line in COMMANDS.items() if shutil.which(line[0])}
    click.echo(f"| folder | files | bytes as they came | {' | '.join(commands)} | ardm-compress | seconds | coded by |")
    click.echo("|---" * (6 + len(commands)) + "|")
    for folder in folders:
        before, after, count, seconds = 0, 0, 0, 0.0
        others, ways = Counter[str](), Counter[str]()
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            start = time.perf_counter()
            try:
                coded, way = ours(file.read_bytes())
            except ArdmError as error:
                click.echo(f"{file.name}: left out, {error}", err=True)
                continue
            seconds += time.perf_counter() - start
            before, after, count = before + file.stat().st_size, after + len(coded), count + 1
            ways[way] += 1
            for name, command in commands.items():
                others[name] += theirs(file, command)
        sizes = " | ".join(str(others[name]) for name in commands)
        how = ", ".join(f"{way} {number}" for way, number in ways.most_common())
        click.echo(f"| {folder.name} | {count} | {before} | {sizes} | {after} | {seconds:.0f} | {how} |")


if __name__ == "__main__":
    main()
