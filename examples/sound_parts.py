"""Write sound as python-soundfile does, and read parts of it.

``python examples/sound_parts.py FILE.ardm`` writes a tone that swells, and tells how loud parts of it are. Only
tiles of some seconds that hold a part are decoded, and the last one is kept while the file is open.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

import ardm_compress
from ardm_compress import soundfile

PART = 0.1  # seconds


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(min=1), default=1.0, show_default=True)
@click.option("--rate", type=click.IntRange(min=1000), default=8000, show_default=True)
@click.option("--budget", type=click.IntRange(min=2), default=64, show_default=True, help="Network calls of a tile.")
def main(file: Path, seconds: float, rate: int, budget: int) -> None:
    """Write a sound to FILE and read parts of it."""
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.9 * np.sin(np.pi * time / seconds) * np.sin(2 * np.pi * 220 * time)
    soundfile.write(file, tone, rate, "PCM_16", budget=budget)
    known = soundfile.info(file)
    click.echo(f"{known.duration:.1f} s at {known.samplerate} Hz: {file.stat().st_size} bytes of {2 * known.frames}")
    with ardm_compress.open(file) as sound:
        for start in range(0, known.frames, max(1, known.frames // 5)):
            part = sound.read(start, start + round(PART * rate)) / 2**15
            click.echo(f"{start / rate:5.1f} s: {np.sqrt(np.mean(part**2)):.3f}")


if __name__ == "__main__":
    main()
