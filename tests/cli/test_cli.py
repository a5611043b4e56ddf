"""The command line: outputs, exit codes, and what must not be imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import failed, names, run, smooth
from dying import started
from pictures import read_image, write_image
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sounds import LIST, noisy, wave

from ardm_compress.formats.catalogue import read_sound


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file made by ``encode``."""
    path = tmp_path_factory.mktemp("encoded") / "photo.png"
    write_image(path, smooth(3))
    assert run("encode", path).exit_code == 0
    return path.with_name("photo.png.ardm").read_bytes()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_image(tmp_path / "photo.png", smooth(3))
    return tmp_path / "photo.png"


@pytest.fixture
def packed(tmp_path: Path, encoded: bytes) -> Path:
    (tmp_path / "photo.png.ardm").write_bytes(encoded)
    return tmp_path / "photo.png.ardm"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".ppm", ".bmp", ".tiff", ".webp"])
def test_encode_and_decode_give_the_same_pixels(tmp_path: Path, channels: int, suffix: str) -> None:
    photo = tmp_path / f"photo{suffix}"
    if suffix == ".webp" and channels == 1:
        pytest.skip("WebP has no gray images")
    write_image(photo, smooth(channels))
    result = run("encode", photo, "--budget", "8")
    assert result.exit_code == 0, result.output
    assert "bits per subpixel" in result.stderr
    assert result.stderr.count("\n") == 1
    photo.unlink()
    assert run("decode", f"{photo}.ardm").exit_code == 0
    assert np.array_equal(read_image(photo), smooth(channels))


@pytest.mark.parametrize("budget", ["1", "1000000"])
def test_every_budget_can_be_decoded(photo: Path, budget: str) -> None:
    assert run("encode", photo, "--budget", budget, "--no-verify", "-o", photo.with_name("out")).exit_code == 0
    assert run("test", photo.with_name("out")).exit_code == 0


def test_test_says_ok_and_writes_nothing(packed: Path) -> None:
    result = run("test", packed)
    assert result.exit_code == 0
    assert result.stdout == f"{packed}: ok\n"
    assert names(packed.parent) == [packed.name]


@pytest.mark.parametrize(
    ("stored", "restored"),
    [
        ("a.bmp.ardm", "a.bmp"),
        ("a.jpg.ardm", "a.jpg"),
        ("a.ardm", "a"),
        ("a.b", "a.b.out"),
        ("a", "a.out"),
    ],
)
def test_the_default_output_of_decode(tmp_path: Path, encoded: bytes, stored: str, restored: str) -> None:
    (tmp_path / stored).write_bytes(encoded)
    assert run("decode", tmp_path / stored).exit_code == 0
    assert names(tmp_path) == sorted([stored, restored])


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_existing_output_is_refused_and_left_untouched(packed: Path, photo: Path, command: str) -> None:
    source = photo if command == "encode" else packed
    output = photo.with_name("out.png")
    output.write_bytes(b"precious")
    assert "out.png exists" in failed(run(command, source, "-o", output), 1)
    assert output.read_bytes() == b"precious"
    assert run(command, source, "-o", output, "-f").exit_code == 0
    assert output.read_bytes() != b"precious"


def test_the_input_is_never_the_default_output_of_decode(tmp_path: Path, encoded: bytes) -> None:
    (tmp_path / "a.png").write_bytes(encoded)
    assert run("decode", tmp_path / "a.png").exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == encoded


def test_info_describes_the_file(packed: Path) -> None:
    facts = json.loads(run("info", packed, "--json").stdout)
    expected = {"kind": "image", "width": 24, "height": 20, "channels": 3, "bit_depth": 8}
    assert {name: facts[name] for name in expected} == expected
    assert facts["bytes"] == packed.stat().st_size
    table = run("info", packed).stdout
    assert all(name.replace("_", " ") in table for name in facts)


def test_plan_ends_with_the_largest_budget() -> None:
    result = run("plan", "--width", "64", "--height", "48")
    assert result.exit_code == 0, result.output
    cells = [line.split("│")[1].strip() for line in result.stdout.splitlines() if line.startswith("│")]
    budgets = [int(cell) for cell in cells if cell]  # a wrapped row goes on below an empty cell
    assert budgets[:3] == [4, 8, 16]
    assert budgets == sorted(set(budgets))


@pytest.mark.parametrize(
    "arguments",
    [["encode"], ["encode", "photo.png", "--budget", "0"], ["plan", "--width", "0"], ["explode"], ["info", "--wrong"]],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["encode", "decode", "test", "info"])
def test_missing_files_and_folders_exit_1(tmp_path: Path, command: str) -> None:
    assert "none" in failed(run(command, tmp_path / "none"), 1)
    failed(run(command, tmp_path), 1)


def test_an_output_folder_that_does_not_exist_exits_1(photo: Path) -> None:
    assert "nowhere" in failed(run("encode", photo, "-o", photo.parent / "nowhere" / "a.ardm"), 1)


@pytest.mark.parametrize("command", ["decode", "test", "info"])
@pytest.mark.parametrize("data", [b"", b"hello, this is text", b"\x89PNG\r\n\x1a\n"])
def test_foreign_files_exit_3(tmp_path: Path, command: str, data: bytes) -> None:
    (tmp_path / "a.ardm").write_bytes(data)
    failed(run(command, tmp_path / "a.ardm"), 3)
    assert names(tmp_path) == ["a.ardm"]


@pytest.mark.parametrize("command", ["decode", "test"])
@pytest.mark.parametrize("position", [20, -20, -1])
def test_damaged_files_exit_3_and_leave_nothing(packed: Path, command: str, position: int) -> None:
    data = bytearray(packed.read_bytes())
    data[position] ^= 16
    packed.write_bytes(data)
    failed(run(command, packed), 3)
    assert names(packed.parent) == [packed.name]


def test_encode_of_a_text_file_exits_4(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello")
    failed(run("encode", tmp_path / "a.png"), 4)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_files_come_back_unless_their_pixels_are_asked_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(smooth(3)).save(path, kind)
    if kind == "WEBP":
        assert "--force-pixels" in failed(run("encode", path, "--strict"), 4)
        assert names(tmp_path) == ["photo.jpg"]
    assert run("encode", path).exit_code == 0
    assert run("decode", f"{path}.ardm", "-o", tmp_path / "back").exit_code == 0
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert run("encode", path, "--force-pixels", "--budget", "8", "-f").exit_code == 0
    assert run("decode", f"{path}.ardm").exit_code == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "photo.jpg.png")), np.asarray(Image.open(path)))


def test_metadata_comes_back_unless_it_is_stripped(tmp_path: Path) -> None:
    path, note = tmp_path / "photo.png", PngInfo()
    note.add_text("Title", "kept")
    Image.fromarray(smooth(3)).save(path, pnginfo=note, dpi=(300, 300))
    for options, title in (((), "kept"), (("--strip",), None)):
        assert run("encode", path, "-f", "--budget", "8", *options).exit_code == 0
        assert run("decode", f"{path}.ardm", "-o", tmp_path / "back.png", "-f").exit_code == 0
        with Image.open(tmp_path / "back.png") as back:
            assert back.info.get("Title") == title
            assert ("dpi" in back.info) == (title is not None)
            np.testing.assert_array_equal(np.asarray(back), smooth(3))


def test_what_no_method_takes_apart_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "photo.gif"
    Image.fromarray(smooth(1)[..., 0]).save(path)
    content = path.read_bytes()
    encoded = run("encode", path)
    assert encoded.exit_code == 0, encoded.output
    assert "stored as it is" in encoded.stderr
    path.unlink()
    assert "as what it was" in failed(run("decode", f"{path}.ardm", "-o", tmp_path / "a.png"), 4)
    assert run("decode", f"{path}.ardm").exit_code == 0
    assert path.read_bytes() == content


def test_a_region_is_decoded(photo: Path, packed: Path) -> None:
    part = photo.with_name("part.png")
    assert run("decode", packed, "--region", "3,4,10,8", "-o", part).exit_code == 0
    np.testing.assert_array_equal(read_image(part), smooth(3)[4:12, 3:13])
    assert "24 x 20" in failed(run("decode", packed, "--region", "20,0,5,5", "-o", part, "-f"), 4)
    for wrong in (["--region", "3,4", "-o", part, "-f"], ["--region", "0,0,1,1"]):
        assert run("decode", packed, *wrong).exit_code == 2


def test_pipes_are_read_once(tmp_path: Path) -> None:
    """The first bytes were lost to a look at what they are."""
    original = recording(tmp_path)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m ardm_compress encode <(cat {original}) -o {tmp_path}/x.ardm --budget 2"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run("decode", tmp_path / "x.ardm", "-o", tmp_path / "y.wav").exit_code == 0
    assert (tmp_path / "y.wav").read_bytes() == original.read_bytes()


def test_sound_keeps_what_is_stripped_from_images(tmp_path: Path) -> None:
    """One file was refused, and among others it was taken."""
    original = recording(tmp_path)
    before = original.read_bytes()
    assert run("encode", original, "--strip", "--force-pixels", "--budget", "2").exit_code == 0
    assert run("decode", f"{original}.ardm", "-f").exit_code == 0
    assert original.read_bytes() == before


def test_info_tells_how_tiles_are_coded(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(smooth(1), 2, 2), "LA").save(tmp_path / "a.png")
    assert run("encode", tmp_path / "a.png").exit_code == 0
    facts = json.loads(run("info", tmp_path / "a.png.ardm", "--json").stdout)
    assert facts | {"kind": "image", "channels": 2, "bit_depth": 8, "file": "png", "tiles": 1} == facts
    assert facts["methods"].split()[-1] == "1"


def test_an_output_kind_that_cannot_be_written_exits_4(packed: Path) -> None:
    assert ".png" in failed(run("decode", packed, "-o", packed.with_name("a.jpg")), 4)


@pytest.mark.parametrize("command", ["encode", "plan"])
def test_unknown_models_exit_4(photo: Path, command: str) -> None:
    arguments = [photo] if command == "encode" else []
    assert "nonesuch" in failed(run(command, *arguments, "--model", "nonesuch"), 4)


def test_interruption_exits_130_and_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with started("encode", tmp_path / "pipe.png") as process, (tmp_path / "pipe.png").open("wb"):
        process.send_signal(signal.SIGINT)  # it reads now
        assert process.stderr is not None
        assert process.stderr.read() == b"ardm-compress: interrupted\n"
    assert process.returncode == 130
    assert names(tmp_path) == ["pipe.png"]


def test_failed_verification_exits_3_and_leaves_nothing(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "array_equal", lambda *_arrays: False)
    assert "nothing was written" in failed(run("encode", photo), 3)
    assert names(photo.parent) == [photo.name]


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=True)


def imported(*arguments: str | Path) -> set[str]:
    """The modules in memory after the command has run in an interpreter of its own."""
    code = (
        "import sys; from ardm_compress.cli import main; main(sys.argv[1:], standalone_mode=False);"
        " print(*sys.modules, file=sys.stderr)"
    )
    return set(python("-c", code, *arguments).stderr.split())


def test_info_imports_no_torch(packed: Path) -> None:
    assert not imported("info", packed) & {"torch", "numba", "PIL", "rich"}


def test_decoding_what_the_model_has_not_coded_imports_no_torch(tmp_path: Path) -> None:
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "a.png")
    Image.fromarray(smooth(1)[..., 0]).save(tmp_path / "b.gif")
    for name in ("a.png", "b.gif"):
        assert run("encode", tmp_path / name).exit_code == 0
        assert "torch" not in imported("decode", tmp_path / f"{name}.ardm", "-f")


def test_help_imports_no_torch() -> None:
    assert not imported("plan", "--help") & {"torch", "numba", "numpy", "PIL", "rich"}


def test_the_module_and_version_work() -> None:
    assert python("-m", "ardm_compress", "--version").stdout.startswith("ardm-compress ")


# Sound


def recording(folder: Path, name: str = "take.wav") -> Path:
    """A quarter of a second in stereo, with a chunk that is not samples."""
    path = folder / name
    path.write_bytes(wave(noisy(4000, 2), channels=2, rate=16000, before=LIST))
    return path


def test_sound_comes_back_byte_for_byte(tmp_path: Path) -> None:
    original = recording(tmp_path)
    before = original.read_bytes()
    encoded = run("encode", original, "--budget", "16")
    assert encoded.exit_code == 0, encoded.output
    assert "bits per sample, learning filters" in encoded.stderr
    original.unlink()
    assert run("decode", tmp_path / "take.wav.ardm").exit_code == 0
    assert original.read_bytes() == before
    assert run("test", tmp_path / "take.wav.ardm").stdout.endswith(": ok\n")


@pytest.mark.parametrize(
    ("options", "how"),
    [
        (["--model", "sound"], {"model": "sound", "order": "causal", "calls": 16}),
        ([], {"methods": "learning filters"}),
    ],
)
def test_info_tells_what_sound_there_is(tmp_path: Path, options: list[str], how: dict[str, object]) -> None:
    assert run("encode", recording(tmp_path), "--budget", "16", *options).exit_code == 0
    facts = json.loads(run("info", tmp_path / "take.wav.ardm", "--json").stdout)
    expected = {"kind": "sound", "seconds": 0.25, "samples": 4000, "channels": 2, "rate": 16000, "bit_depth": 16,
                "file": "wav", "tiles": 1} | how  # fmt: skip
    assert facts | expected == facts


def test_a_part_of_sound_can_be_decoded_and_converted(tmp_path: Path) -> None:
    original = recording(tmp_path)
    assert run("encode", original, "--budget", "16").exit_code == 0
    part = tmp_path / "part.wav"
    done = run("decode", tmp_path / "take.wav.ardm", "-o", part, "--start", "0.1", "--duration", "0.05")
    assert done.exit_code == 0, done.output
    whole = read_sound(original.read_bytes()).samples[:]
    np.testing.assert_array_equal(read_sound(part.read_bytes()).samples[:], whole[1600:2400])
    assert run("decode", tmp_path / "take.wav.ardm", "-o", tmp_path / "take.flac").exit_code == 0
    np.testing.assert_array_equal(read_sound((tmp_path / "take.flac").read_bytes()).samples[:], whole)
    failed(run("decode", tmp_path / "take.wav.ardm", "-o", tmp_path / "take.mp3"), 4)
    assert not (tmp_path / "take.mp3").exists()


def test_parts_need_a_name(tmp_path: Path) -> None:
    assert run("encode", recording(tmp_path), "--budget", "4").exit_code == 0
    result = run("decode", tmp_path / "take.wav.ardm", "--start", "0.1")
    assert result.exit_code == 2
    assert "-o" in result.stderr
    for time in ("inf", "-1", "1:2:3:4", "12 samples", "½"):
        result = run("decode", tmp_path / "take.wav.ardm", "-o", tmp_path / "x.wav", "--start", time)
        assert result.exit_code == 2
        assert "is no time" in result.stderr


def test_lossless_webp_is_an_image(tmp_path: Path) -> None:
    """It begins with RIFF, as WAVE files do, and was stored as one."""
    write_image(tmp_path / "photo.webp", smooth(3))
    assert run("encode", tmp_path / "photo.webp", "--budget", "8").exit_code == 0
    assert json.loads(run("info", tmp_path / "photo.webp.ardm", "--json").stdout)["kind"] == "image"


def test_parts_of_images_are_wrong_usage(packed: Path) -> None:
    result = run("decode", packed, "-o", packed.with_name("x.png"), "--start", "1")
    assert result.exit_code == 2
    assert "for sound" in result.stderr


def test_sound_that_no_model_can_code_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "float.wav"
    path.write_bytes(wave(np.zeros(999, "<f4").tobytes(), width=4, tag=3))
    encoded = run("encode", path)
    assert encoded.exit_code == 0, encoded.output
    assert "stored as it is" in encoded.stderr
    assert json.loads(run("info", tmp_path / "float.wav.ardm", "--json").stdout)["kind"] == "stored file"
    assert run("decode", tmp_path / "float.wav.ardm", "-o", tmp_path / "again.wav").exit_code == 0
    assert (tmp_path / "again.wav").read_bytes() == path.read_bytes()


def test_models_of_other_kinds_are_refused(tmp_path: Path, photo: Path) -> None:
    assert "not a model of sound" in failed(run("encode", recording(tmp_path), "--model", "photo"), 4)
    assert "not a model of images" in failed(run("encode", photo, "--model", "sound"), 4)
    assert "at least 2" in failed(run("encode", recording(tmp_path, "other.wav"), "--budget", "1"), 4)
    assert not list(tmp_path.glob("*.ardm"))
