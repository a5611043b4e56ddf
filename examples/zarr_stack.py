"""Keep a stack of images in a Zarr array, every image a chunk, and read one of them.

``python examples/zarr_stack.py FOLDER`` needs ``pip install '.[zarr]'`` in a checkout.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import zarr

from ardm_compress.formats.catalogue import read_picture
from ardm_compress.numcodecs import Ardm

PHOTO = Path(__file__).with_name("photo.png")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--side", type=click.IntRange(1, 256), default=128, show_default=True, help="Of every image, in pixels.")
@click.option("--budget", type=click.IntRange(min=1), default=64, show_default=True, help="Network calls of an image.")
def main(folder: Path, side: int, budget: int) -> None:
    """Write parts of the photograph to a Zarr array in FOLDER, and read one again."""
    photo = read_picture(PHOTO.read_bytes()).samples
    stack = np.stack([photo[start : start + side, start : start + side] for start in range(0, 256, 64)])
    options = {"shape": stack.shape, "chunks": (1, *stack.shape[1:]), "dtype": stack.dtype, "zarr_format": 2}
    array = zarr.create_array(folder, compressors=Ardm(budget=budget), **options)
    array[:] = stack
    again = zarr.open_array(folder, mode="r")
    if not np.array_equal(again[2], stack[2]):
        raise SystemExit("the third image differs")
    click.echo(f"{again.nbytes_stored()} bytes of {again.nbytes}; the third image is as it was")


if __name__ == "__main__":
    main()
