"""Show a compressed photograph while it arrives: frames of what its first bytes already tell, byte by byte more.

``python examples/arriving.py FOLDER`` writes PNG files and an animation of them into FOLDER; ``--image`` takes another
photograph. What has not arrived of a frame is what the model expects, given what has.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from PIL import Image

from ardm_compress.codec.images import encode_image, salvage_image
from ardm_compress.container import parse

PHOTO = Path(__file__).with_name("photo.png")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--image", type=click.Path(exists=True, path_type=Path), default=PHOTO, help="Photograph to send.")
@click.option("--frames", type=click.IntRange(min=2), default=10, show_default=True, help="How many.")
def main(folder: Path, image: Path, frames: int) -> None:
    """Write the frames of IMAGE arriving into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    data = encode_image(image.read_bytes())
    facts = parse(data).facts
    if not facts.get("progressive"):
        raise click.ClickException("the model has not coded all of this image, or it is too small to arrive in parts")
    first = int(str(facts["header_bytes"])) + len(data) // 200
    shown = []
    for number, size in enumerate(np.geomspace(first, len(data), frames).round().astype(int)):
        found = salvage_image(data[:size])
        frame = Image.fromarray(found.picture.samples.squeeze())
        name = folder / f"frame-{number:02}-{size}-bytes.png"
        frame.save(name)
        shown.append(frame)
        click.echo(f"{size:>9} of {len(data)} bytes: {name}")
    shown[0].save(folder / "arriving.webp", save_all=True, append_images=shown[1:], duration=500, loop=0, quality=90)


if __name__ == "__main__":
    main()
