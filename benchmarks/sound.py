"""Sizes and speeds on a folder of sound files, side by side with FLAC and WavPack, as a Markdown table.

    python benchmarks/sound.py FOLDER [--budgets 100,512] [--files N] [--only 44100/16/2]

Every coder reads the same WAV file. Ours is measured in this process, model loaded, without verify; every file is
decoded and compared. flac and wavpack are run if they are on PATH. Files that no model can code are left out, by name.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ardm_compress import api
from ardm_compress.errors import UnsupportedError
from ardm_compress.sound.files import Sound, converted, read_sound, write_sound

COMMANDS = {
    "flac -8 --no-padding": ["flac", "-s", "-8", "--no-padding", "-f", "{source}", "-o", "{target}"],
    "wavpack -hhx4": ["wavpack", "-q", "-y", "-hhx4", "{source}", "-o", "{target}"],
}


@dataclass
class Total:
    """What a coder needed for all files."""

    size: int = 0
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0


def ours(data: bytes, budget: int) -> Total:
    start = time.perf_counter()
    coded = api.encode_sound(data, budget=budget)
    middle = time.perf_counter()
    if api.decode_sound(coded) != data:
        raise SystemExit(f"a file did not come back exactly at budget {budget}")
    return Total(len(coded), middle - start, time.perf_counter() - middle)


def theirs(data: bytes, command: list[str]) -> Total:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.wav", Path(folder) / ("out.wv" if command[0] == "wavpack" else "out.flac")
        source.write_bytes(data)
        start = time.perf_counter()
        subprocess.run([p.format(source=source, target=target) for p in command], check=True, capture_output=True)
        return Total(target.stat().st_size, time.perf_counter() - start)


def load(file: Path) -> Sound | None:
    try:
        return converted(read_sound(file.read_bytes()), ".wav")
    except UnsupportedError as error:
        click.echo(f"{file.name}: left out, {error}", err=True)
        return None


def kind(sound: Sound) -> str:
    """Rate/bits/channels."""
    return f"{sound.wrapper.rate}/{8 * sound.wrapper.width}/{sound.samples.shape[1]}"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--budgets", default="100,512", show_default=True, help="Network calls, comma-separated.")
@click.option("--files", "count", type=int, help="Only the first N files.")
@click.option("--only", help="Only files of this rate/bits/channels, as 44100/16/2.")
@click.option("--seconds", type=float, help="Only the beginning of every file.")
def main(folder: Path, budgets: str, count: int | None, only: str | None, seconds: float | None) -> None:
    """Print the table."""
    commands = {name: line for name, line in COMMANDS.items() if shutil.which(line[0])}
    totals = {name: Total() for name in commands} | {f"{budget} calls": Total() for budget in budgets.split(",")}
    samples = files = 0
    length = 0.0
    for file in sorted(folder.iterdir())[:count]:
        sound = load(file)
        if sound is None or only not in (None, kind(sound)):
            continue
        if seconds:
            sound = replace(sound, samples=sound.samples[: round(seconds * sound.wrapper.rate)])
        data, sizes = write_sound(sound), []
        for name, total in totals.items():
            found = theirs(data, commands[name]) if name in commands else ours(data, int(name.split()[0]))
            total.size += found.size
            total.encode_seconds += found.encode_seconds
            total.decode_seconds += found.decode_seconds
            sizes.append(f"{name} {found.size}")
        click.echo(f"{file.name} ({kind(sound)}): {', '.join(sizes)}", err=True)
        frames, channels = sound.samples.shape
        samples, files, length = samples + frames * channels, files + 1, length + frames / sound.wrapper.rate
    click.echo(f"{files} files, {length:.1f} s, {samples} samples\n")
    click.echo("| coder | bytes | bits per sample | encode s | decode s |\n|---|---|---|---|---|")
    for name, total in totals.items():
        click.echo(
            f"| {name} | {total.size} | {8 * total.size / samples:.4f} | {total.encode_seconds:.1f} "
            f"| {f'{total.decode_seconds:.1f}' if name not in commands else ''} |"
        )


if __name__ == "__main__":
    main()
