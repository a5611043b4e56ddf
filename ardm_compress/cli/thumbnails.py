"""``thumbnail``: small pictures for file managers, and the files by which these ask for them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import click

THUMBNAILER: Final = """[Thumbnailer Entry]
TryExec=ardm-compress
Exec=ardm-compress thumbnail --size %s %i %o
MimeType=image/x-ardm;
"""  # freedesktop.org and GNOME: thumbnailers/*.thumbnailer
MIME_TYPE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="image/x-ardm">
    <comment>ARDM compressed file</comment>
    <magic priority="60"><match type="string" value="ARDM" offset="0"/></magic>
    <glob pattern="*.ardm"/>
  </mime-type>
</mime-info>
"""
FILES: Final = {"thumbnailers/ardm-compress.thumbnailer": THUMBNAILER, "mime/packages/ardm-compress.xml": MIME_TYPE}


def _install(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """Write FILES where the desktop of this user looks for them."""
    if not value:
        return
    folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        click.echo(file)
    if updater := shutil.which("update-mime-database"):
        subprocess.run([updater, folder / "mime"], check=False, capture_output=True)
    ctx.exit()


@click.command(short_help="Make a small PNG of an image, for file managers.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--size", type=click.IntRange(1, 4096), default=256, show_default=True, help="Pixels of the longer side.")
@click.option("--install", is_flag=True, is_eager=True, expose_value=False, callback=_install,
              help="Let the file managers of this user, on Linux, show small pictures of .ardm files.")  # fmt: skip
def thumbnail(file: Path, output: Path, size: int) -> None:
    """Write a small PNG picture of the image in FILE to OUTPUT.

    Images that were coded are decoded only as far as needed. --install alone writes a thumbnailer and a MIME type below
    $XDG_DATA_HOME, which is ~/.local/share by default; file managers read them when they start next.
    """
    from PIL import Image, ImageOps

    import ardm_compress.pillow  # noqa: F401  # so that Pillow opens such files
    from ardm_compress.files.atomic import write_atomically

    made = io.BytesIO()
    with Image.open(file) as image:
        image.thumbnail((size, size))
        shown = ImageOps.exif_transpose(image)
        shown.convert("RGBA" if shown.has_transparency_data else "RGB").save(made, "PNG")
    write_atomically(output, [made.getvalue()], force=True)
