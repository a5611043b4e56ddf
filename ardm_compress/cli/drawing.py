"""``sample`` and ``inpaint``: what the model knows, as images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ardm_compress.cli.group import progress_bar
from ardm_compress.cli.options import BUDGET, FORCE, MODEL
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import locations as storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random bits.")
TARGET = click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Image file to write.")


@click.command(short_help="Draw an image from the model.")
@TARGET
@click.option("--width", type=click.IntRange(min=1), default=256, show_default=True, help="Columns of the image.")
@click.option("--height", type=click.IntRange(min=1), default=256, show_default=True, help="Rows of the image.")
@SEED
@BUDGET
@MODEL
@FORCE
def sample(output: Path, width: int, height: int, seed: int, budget: int | None, model: str, force: bool) -> None:
    """Draw an image from the model: what it takes for likely, pixel by pixel.

    A seed gives the same image on every machine.
    """
    _check_target(output, force)
    from ardm_compress.codec import drawing

    with progress_bar("sample") as progress:
        drawn = drawing.sample((height, width), seed=seed, budget=budget, model=model, progress=progress)
    _write(output, drawn, force)


@click.command(short_help="Fill holes of an image.")
@click.argument("file", type=click.Path(path_type=Path))
@TARGET
@click.option("--mask", type=click.Path(path_type=Path), required=True,
              help="Image of the same sides, not black where FILE is to be filled.")  # fmt: skip
@SEED
@BUDGET
@MODEL
@FORCE
def inpaint(
    file: Path, output: Path, mask: Path, seed: int, budget: int | None, model: str, force: bool
) -> None:  # fmt: skip
    """Fill holes of the image FILE with what the model takes for likely, given what is around them."""
    _check_target(output, force)
    from ardm_compress.codec import drawing

    samples, holes = _pixels(file), _marked(mask)
    with progress_bar("inpaint") as progress:
        painted = drawing.inpaint(samples, holes, seed=seed, budget=budget, model=model, progress=progress)
    _write(output, painted, force)


def _pixels(file: Path) -> NDArray[Any]:
    """Read the samples of an image, or what Pillow shows if they are packed or indices into a palette."""
    from ardm_compress.formats.catalogue import read_media, shows_samples
    from ardm_compress.formats.contents import Picture
    from ardm_compress.formats.pixels import read_pixels

    data = file.read_bytes()
    media = read_media(data, force_pixels=True)
    shown = isinstance(media, Picture) and shows_samples(media.wrapper)
    return media.samples if isinstance(media, Picture) and shown else read_pixels(data).samples


def _marked(mask: Path) -> NDArray[np.bool_]:
    """Where an image of any kind is not black."""
    import numpy as np
    from PIL import Image

    with Image.open(mask) as image:
        marks: NDArray[np.bool_] = np.asarray(image.convert("RGB")).max(2) > 0
    return marks


def _check_target(output: Path, force: bool) -> None:
    from ardm_compress.formats.pixels import WRITERS

    storage.check_output(str(output), force=force)
    if output.suffix.lower() not in WRITERS:
        raise UnsupportedError(f"cannot write {output.name}: its suffix must be one of {' '.join(WRITERS)}")


def _write(output: Path, samples: NDArray[np.uint8], force: bool) -> None:
    from ardm_compress.formats.pixels import write_pixels

    storage.write(str(output), write_pixels(samples, output.suffix.lower()), force=force)
