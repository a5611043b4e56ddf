"""The command line where it decodes a part or what is left of a file, and where it draws."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from commands import failed, names, run, smooth
from PIL import Image
from sounds import wave

from ardm_compress.image import array
from ardm_compress.media import Samples, read_image, write_image


@pytest.fixture
def packed(tmp_path: Path, photo: Samples, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photograph in five sections."""
    monkeypatch.setattr(array, "SECTIONED_FROM", 1)
    write_image(tmp_path / "a.png", photo)
    assert run("encode", tmp_path / "a.png", "--budget", "20").exit_code == 0
    (tmp_path / "a.png").unlink()
    return tmp_path / "a.png.ardm"


def succeeded(result: Result) -> None:
    assert result.exit_code == 0, result.output


def test_a_preview_is_written_from_the_beginning_of_a_file(packed: Path) -> None:
    small = packed.with_name("small.png")
    packed.write_bytes(packed.read_bytes()[:-200])
    succeeded(run("decode", packed, "--preview", "2", "-o", small))
    assert read_image(small).shape == (10, 14, 3)
    assert "--salvage" in failed(run("decode", packed, "--preview", "0", "-o", small, "-f"), 3)
    assert run("decode", packed, "--preview", "2").exit_code == 2
    assert run("decode", packed, "--preview", "5", "-o", small, "-f").exit_code == 2


def test_salvage_writes_what_is_left_and_exits_3(packed: Path, photo: Samples) -> None:
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    message = failed(run("decode", packed, "--salvage"), 3)
    assert "1 of 1 tiles" in message
    assert "a.png are not exact" in message
    written = read_image(packed.with_name("a.png"))
    assert written.shape == photo.shape
    assert 0 < np.abs(written.astype(int) - photo).mean() < 10
    packed.write_bytes(whole)
    succeeded(run("decode", packed, "--salvage", "-f"))
    np.testing.assert_array_equal(read_image(packed.with_name("a.png")), photo)


def test_sound_is_salvaged(tmp_path: Path) -> None:
    original = tmp_path / "a.wav"
    original.write_bytes(wave((np.arange(4000) * 7919 % 601 - 300).astype("<i2").tobytes(), rate=8000))
    succeeded(run("encode", original, "--budget", "4"))
    before = original.read_bytes()
    succeeded(run("decode", tmp_path / "a.wav.ardm", "--salvage", "-f"))
    assert original.read_bytes() == before


def test_salvage_is_of_all_of_a_file(packed: Path) -> None:
    for part in (["--preview", "1"], ["--region", "0,0,2,2"], ["--start", "1"]):
        assert run("decode", packed, "--salvage", "-o", packed.with_name("b.png"), *part).exit_code == 2
    assert names(packed.parent) == [packed.name]


def test_limits_are_options(packed: Path, photo: Samples) -> None:
    image = packed.with_name("b.png")
    assert "--max-pixels 2240" in failed(run("decode", packed, "-o", image, "--max-pixels", "2239"), 4)
    assert "--max-memory" in failed(run("test", packed, "--max-memory", "9"), 4)
    write_image(image, photo)
    for limit in (["--max-pixels", "9"], ["--max-memory", "9"]):
        assert limit[0] in failed(run("encode", image, *limit), 4)
    assert names(packed.parent) == [packed.name, "b.png"]


def test_sample_draws_an_image(tmp_path: Path) -> None:
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        size = ["--width", "12", "--height", "9", "--seed", str(seed), "--budget", "8"]
        succeeded(run("sample", "-o", tmp_path / name, *size))
    first, second, third = (read_image(tmp_path / f"{name}.png") for name in "abc")
    assert first.shape == (9, 12, 3)
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    assert "exists" in failed(run("sample", "-o", tmp_path / "a.png"), 1)
    assert ".png" in failed(run("sample", "-o", tmp_path / "a.jpg"), 4)
    failed(run("sample", "-o", tmp_path / "d.png", "--width", "5000", "--height", "5000"), 4)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_inpaint_fills_what_the_mask_marks(tmp_path: Path, photo: Samples, mode: str) -> None:
    write_image(tmp_path / "a.png", photo)
    marks = np.zeros(photo.shape[:2], np.uint8)
    marks[10:14, 20:26] = 255
    Image.fromarray(marks).convert(mode).save(tmp_path / "mask.png")
    arguments = ["inpaint", tmp_path / "a.png", "--mask", tmp_path / "mask.png", "-o", tmp_path / "b.png"]
    succeeded(run(*arguments, "--budget", "8"))
    painted = read_image(tmp_path / "b.png")
    np.testing.assert_array_equal(painted[marks == 0], photo[marks == 0])
    assert (painted[marks > 0] != photo[marks > 0]).any()


def test_a_mask_of_other_sides_is_refused(tmp_path: Path, photo: Samples) -> None:
    write_image(tmp_path / "a.png", photo)
    write_image(tmp_path / "mask.png", photo[1:])
    arguments = ["inpaint", tmp_path / "a.png", "--mask", tmp_path / "mask.png", "-o", tmp_path / "b.png"]
    assert "mask" in failed(run(*arguments), 4)
    assert names(tmp_path) == ["a.png", "mask.png"]


def test_the_output_has_the_time_and_permissions_of_the_input(tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    Image.fromarray(smooth(1)[..., 0]).save(source)
    source.chmod(0o640)
    os.utime(source, (1e9, 1.2e9))
    succeeded(run("encode", source))
    packed = tmp_path / "a.gif.ardm"
    packed.chmod(0o600)
    source.unlink()
    succeeded(run("decode", packed))
    for path, mode in ((packed, 0o600), (source, 0o600)):
        assert path.stat().st_mtime == 1.2e9
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_inputs_are_removed_only_on_request_and_after_verification(tmp_path: Path) -> None:
    source, packed = tmp_path / "a.png", tmp_path / "a.png.ardm"
    write_image(source, smooth(3))
    assert run("encode", source, "--rm", "--no-verify").exit_code == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "array_equal", lambda *_: False)
        failed(run("encode", source, "--rm"), 3)
    assert names(tmp_path) == ["a.png"]
    succeeded(run("encode", source, "--rm", "--budget", "4"))
    assert names(tmp_path) == ["a.png.ardm"]
    for part in (["--preview", "1", "-o", source], ["--salvage"], ["-o", source]):
        assert run("decode", packed, "--rm", *part).exit_code == 2
    content = packed.read_bytes()
    packed.write_bytes(content[:-1])
    failed(run("decode", packed, "--rm"), 3)
    assert names(tmp_path) == ["a.png.ardm"]
    packed.write_bytes(content)
    succeeded(run("decode", packed, "--rm"))
    assert names(tmp_path) == ["a.png"]
