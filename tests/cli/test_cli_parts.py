"""The command line where it decodes a part or what is left of a file, and where it draws."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from commands import failed, names, run, smooth
from pictures import Samples, read_image, write_image
from PIL import Image
from sounds import noisy, wave

from ardm_compress.codec import images, sounds
from ardm_compress.container.image import Header, write_file
from ardm_compress.inference import find_model


@pytest.fixture
def packed(tmp_path: Path, photo: Samples) -> Path:
    """A photograph in five sections."""
    packed = tmp_path / "a.png.ardm"
    packed.write_bytes(images.encode_samples(photo, budget=20, sections_from=1))
    return packed


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
    original, packed = tmp_path / "a.wav", tmp_path / "a.wav.ardm"
    original.write_bytes(wave(noisy(4000), rate=8000))
    packed.write_bytes(sounds.encode_sound(original.read_bytes(), budget=4, sound_tile=1000))
    before, whole = original.read_bytes(), packed.read_bytes()
    succeeded(run("decode", packed, "--salvage", "-f"))
    assert original.read_bytes() == before
    packed.write_bytes(whole[:-200])
    failed(run("decode", packed, "-f"), 3)
    assert original.read_bytes() == before
    assert "tiles 3 of" in failed(run("decode", packed, "--salvage", "-f"), 3)
    assert original.read_bytes() == before[:-2000] + bytes(2000)


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


def test_limits_of_sound_are_options(tmp_path: Path) -> None:
    original = tmp_path / "a.wav"
    original.write_bytes(wave(bytes(range(200)), rate=8000))
    assert "--max-samples 100" in failed(run("encode", original, "--max-samples", "99"), 4)
    succeeded(run("encode", original, "--max-samples", "100", "--budget", "4"))
    for command in (["test"], ["decode", "-f"]):
        packed = tmp_path / "a.wav.ardm"
        assert "--max-samples 100" in failed(run(*command, packed, "--max-samples", "99"), 4)
        succeeded(run(*command, packed, "--max-samples", "100"))


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


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
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
        failed(run("encode", source, "--rm-inexact"), 3)
    assert names(tmp_path) == ["a.png"]
    succeeded(run("encode", source, "--rm-inexact", "--budget", "4"))
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


def test_an_input_that_is_its_own_output_is_not_removed(tmp_path: Path) -> None:
    """All that was left was the output, which --rm took for the input."""
    source = tmp_path / "a.png"
    write_image(source, smooth(3))
    succeeded(run("encode", source, "-o", source, "-f", "--rm-inexact", "--budget", "4"))
    assert source.read_bytes()[:4] == b"ARDM"
    succeeded(run("decode", source, "-o", source, "-f"))
    np.testing.assert_array_equal(read_image(source), smooth(3))
    succeeded(run("encode", source, "-o", "/dev/null", "-f", "--rm-inexact", "--budget", "4"))
    assert names(tmp_path) == ["a.png"]
    (tmp_path / "link.png").symlink_to(source)
    assert run("encode", tmp_path / "link.png", "--rm").exit_code == 2
    assert names(tmp_path) == ["a.png", "link.png"]


def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    source, packed = tmp_path / "a.bmp", tmp_path / "a.bmp.ardm"
    Image.fromarray(smooth(1)[..., 0]).convert("P").save(source)
    coded = images.encode_image(source.read_bytes(), budget=4, tile=16)
    packed.write_bytes(coded[:-1] + bytes([coded[-1] ^ 1]))
    failed(run("decode", packed, "-o", tmp_path / "b.bmp"), 3)  # damaged, as decoding tells
    assert ".bmp" in failed(run("decode", packed, "-o", tmp_path / "b.jpg"), 4)
    assert "parts" in failed(run("decode", packed, "-o", tmp_path / "b.png", "--preview", "1"), 4)
    for command in ("encode", "decode"):
        failed(run(command, source if command == "encode" else packed, "-o", tmp_path / "none" / "x", "-f"), 1)


def test_parts_of_stored_files_are_wrong_usage(tmp_path: Path) -> None:
    Image.fromarray(smooth(1)[..., 0]).save(tmp_path / "a.gif")
    succeeded(run("encode", tmp_path / "a.gif"))
    for part in (["--start", "1"], ["--region", "0,0,1,1"], ["--preview", "1", "--region", "0,0,1,1"]):
        assert run("decode", tmp_path / "a.gif.ardm", "-o", tmp_path / "b", *part).exit_code == 2


def test_info_has_no_limit_of_pixels(tmp_path: Path) -> None:
    """Nor has the summary of encode: the output was there, the exit code 4, and --rm did nothing."""
    shape, tile, count = (1 << 15, 1 << 15), (1 << 10, 1 << 10), 1 << 10
    header = Header(shape=shape, tile=tile, channels=3, model_id=find_model("photo").model_id, sections=1, runs=None,
                    checksums=(0,) * count, lengths=())  # fmt: skip
    (tmp_path / "a.ardm").write_bytes(write_file(header, [b""] * count))
    assert "32768" in run("info", tmp_path / "a.ardm").stdout
    assert "--max-pixels" in failed(run("test", tmp_path / "a.ardm"), 4)
