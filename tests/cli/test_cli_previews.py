"""Previews of every kind of image, and the small pictures and files that file managers want."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from commands import failed, names, run, smooth
from PIL import Image

FAST = ("--budget", "2", "-j", "1")


def succeeded(result: Result) -> None:
    assert result.exit_code == 0, result.stderr


def seen(file: Path) -> tuple[str | None, tuple[int, int]]:
    """Kind and sides of an image file."""
    with Image.open(file) as image:
        return image.format, image.size


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder of compressed images of 24 x 20 pixels: coded, stored and JPEG files."""
    folder = tmp_path / "images"
    folder.mkdir()
    image = Image.fromarray(smooth(3))
    image.save(folder / "packed.tif", compression="tiff_lzw")
    image.save(folder / "turned.tif", tiffinfo={274: 6})  # shows its samples only as a whole
    image.save(folder / "photo.png")
    image.save(folder / "lossy.jpg", quality=90)
    image.save(folder / "lossy.webp", quality=90)
    image.save(folder / "drawing.gif")
    image.convert("RGBA").save(folder / "clear.webp", lossless=True)
    succeeded(run("encode", "-r", folder, "--output-dir", tmp_path / "packed", *FAST))
    return tmp_path / "packed"


def test_folders_are_previewed_whatever_is_in_them(packed: Path, tmp_path: Path) -> None:
    (packed / "turned.tif.ardm").unlink()
    succeeded(run("decode", "-r", packed, "--preview", "1", "--output-dir", tmp_path / "small"))
    small = tmp_path / "small"
    assert {path.name: seen(path) for path in small.iterdir()} == {
        "packed.tif": ("TIFF", (12, 10)),
        "photo.png": ("PNG", (12, 10)),
        "lossy.jpg": ("JPEG", (12, 10)),
        "lossy.webp": ("WEBP", (12, 10)),
        "drawing.gif.png": ("PNG", (12, 10)),
        "clear.webp": ("WEBP", (12, 10)),
    }
    with Image.open(small / "photo.png") as one, Image.open(small / "packed.tif") as other:
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_preview_is_written_as_its_name_says(packed: Path, tmp_path: Path, suffix: str) -> None:
    for name in ("photo.png", "packed.tif", "lossy.jpg", "drawing.gif"):
        small = tmp_path / f"{name}-small{suffix}"
        succeeded(run("decode", packed / f"{name}.ardm", "--preview", "2", "-o", small))
        assert seen(small) == (Image.EXTENSION[suffix], (6, 5))


def test_what_has_no_preview_is_told(packed: Path, tmp_path: Path) -> None:
    assert "parts" in failed(run("decode", packed / "turned.tif.ardm", "--preview", "1", "-o", tmp_path / "a.png"), 4)
    assert ".gif" in failed(run("decode", packed / "drawing.gif.ardm", "--preview", "1", "-o", tmp_path / "a.gif"), 2)
    assert names(tmp_path) == ["images", "packed"]


def test_thumbnails_of_every_kind_and_no_larger_than_asked_for(packed: Path, tmp_path: Path) -> None:
    for file in packed.iterdir():
        succeeded(run("thumbnail", "--size", "8", file, tmp_path / "small.png"))
        kind, (width, height) = seen(tmp_path / "small.png")
        assert (kind, max(width, height)) == ("PNG", 8)
        assert (width < height) == (file.name == "turned.tif.ardm")
    failed(run("thumbnail", __file__, tmp_path / "none.png"), 1)
    assert not (tmp_path / "none.png").exists()


def test_file_managers_are_told_how_to_make_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    result = run("thumbnail", "--install")
    assert result.exit_code == 0
    written = [Path(line) for line in result.stdout.splitlines()]
    assert [path.relative_to(tmp_path / "data").parts[0] for path in written] == ["thumbnailers", "mime"]
    entry = written[0].read_text("utf-8")
    assert "MimeType=image/x-ardm;" in entry
    assert "Exec=ardm-compress thumbnail --size %s %i %o" in entry
    assert 'value="ARDM"' in written[1].read_text("utf-8")
