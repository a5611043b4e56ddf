"""Compress images, and show all compressed ones of a folder on one sheet, by Pillow.

``python examples/contact_sheet.py FOLDER IMAGE...`` compresses the images into FOLDER and writes FOLDER/sheet.ardm.
Sizes are known from headers alone, so the sheet is laid out before anything is decoded.
"""

from __future__ import annotations

from pathlib import Path

import click
from PIL import Image

import ardm_compress.pillow  # noqa: F401  # tells Pillow of .ardm files


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("images", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--side", type=click.IntRange(min=1), default=128, show_default=True, help="Of every image, in pixels.")
def main(folder: Path, images: tuple[Path, ...], side: int) -> None:
    """Compress IMAGES into FOLDER and write a sheet of all that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in images:
        with Image.open(path) as image:
            image.save(folder / f"{path.stem}.ardm")
    found = sorted(path for path in folder.glob("*.ardm") if path.stem != "sheet")
    sheet = Image.new("RGB", (side * max(1, len(found)), side), "white")
    for number, path in enumerate(found):
        with Image.open(path) as image:
            click.echo(f"{path.name}: {image.width} x {image.height}, {image.mode}, {path.stat().st_size} bytes")
            image.thumbnail((side, side))
            sheet.paste(image, (number * side, 0))
    sheet.save(folder / "sheet.ardm")


if __name__ == "__main__":
    main()
