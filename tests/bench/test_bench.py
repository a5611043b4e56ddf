"""``bench``: every coder gets the same samples, and what does not come back is told."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import failed, run, smooth
from hypothesis import given
from hypothesis import strategies as st
from jpegs import jpeg
from pictures import write_image
from PIL import Image, PngImagePlugin
from sounds import wave

from ardm_compress.bench import commands, measure, ours
from ardm_compress.bench.base import Measured
from ardm_compress.bench.commands import COMMANDS, Command
from ardm_compress.bench.inputs import IMAGE, JPEG, SOUND, Found, Input, files_of, found_in, kinds_of, prepared
from ardm_compress.bench.ledger import Ledger, Row, row
from ardm_compress.bench.libraries import libraries
from ardm_compress.bench.measure import LeftOut, Result, measured, usable
from ardm_compress.bench.report import FORMATS
from ardm_compress.bench.samples import check_image, check_sound, colours
from ardm_compress.bench.totals import AS_FOUND, Refusal, Report, grouped, reported
from ardm_compress.errors import ChecksumError, FormatError, UnsupportedError

MACHINE = {"processor": "a fast one"}
BOTH = (IMAGE, SOUND)
REFUSED = {
    "wide": {"WebP", "PNG"},
    "gray and transparent": {"JPEG-LS"},
    "one bit": {"JPEG XL"},  # djxl 0.7 writes 0 and 1 as 8 bits
}
watched = pytest.mark.skipif(not hasattr(os, "wait4"), reason="programs are timed on POSIX only")


def png(pixels: np.ndarray[Any, Any], mode: str | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(out, "PNG", **options)
    return out.getvalue()


def images() -> dict[str, bytes]:
    rgb, gray = smooth(3), smooth(1)[..., 0]
    clear = np.dstack([rgb, gray])
    return {
        "rgb": png(rgb),
        "gray": png(gray),
        "transparent": png(clear),
        "gray and transparent": png(clear[..., 2:]),
        "palette": png(rgb, "P"),
        "one bit": png(gray, "1"),
        "wide": png(gray.astype(np.uint16) * 257 + 3),
    }


def source(folder: Path, name: str, data: bytes) -> Input:
    path = folder / name
    path.write_bytes(data)
    return prepared(Found(str(folder), path), folder / "source")


class Fixed:
    """A coder that needs no work."""

    kind = IMAGE

    def __init__(self, name: str = "fixed", version: str = "fixed 1.0", error: Exception | None = None) -> None:
        self.name, self.version, self.error, self.measured = name, version, error, 0

    def missing(self) -> str:
        return ""

    def measure(self, _source: Input) -> Measured:
        self.measured += 1
        if self.error:
            raise self.error
        return Measured(10, 0.5, 0.25, 12.5)


def files(*folders: Path) -> list[Found]:
    return found_in(map(str, folders))


@pytest.mark.parametrize("kind", images())
def test_every_coder_gives_back_every_kind_of_image_or_says_why_not(tmp_path: Path, kind: str) -> None:
    given_to_all = source(tmp_path, "a.png", images()[kind])
    coders = usable([*COMMANDS, *libraries()], {IMAGE}, lambda _: None)
    (result,) = measured(files(tmp_path / "a.png"), coders, Ledger(None), lambda _: None)
    assert isinstance(result, Result)
    assert result.source.checksum == given_to_all.checksum
    refused = {found.coder.split(",")[0] for found in result.rows if not found.size}
    assert refused <= REFUSED.get(kind, set())


@pytest.mark.parametrize("width", [1, 2, 3])
def test_every_coder_gives_back_sound(tmp_path: Path, width: int) -> None:
    samples = np.random.default_rng(1).integers(100, 120, 3000 * width, np.uint8)
    given_to_all = source(tmp_path, "a.wav", wave(samples.tobytes(), width=width))
    coders = usable([*COMMANDS, *libraries()], {SOUND}, lambda _: None)
    assert coders
    for coder in coders:
        assert 0 < coder.measure(given_to_all).size < 3000 * width


def test_coders_of_jpeg_files_give_them_back(tmp_path: Path) -> None:
    data = jpeg(quality=80)
    found = source(tmp_path, "a.jpg", data)
    assert (found.kind, found.units, found.samples, found.path.read_bytes()) == (JPEG, 40 * 33, 40 * 33 * 3, data)
    assert kinds_of([Found("a.jpg", Path("a.jpg"))]) == {JPEG}
    for coder in (*libraries(), ours.Ours(JPEG, ours.ALL, 1)):
        if coder.kind == JPEG and not coder.missing():
            assert coder.measure(found).size < 1.2 * len(data), coder.name


def test_ours_is_one_of_the_coders(tmp_path: Path) -> None:
    image, sound = source(tmp_path, "a.png", images()["rgb"]), source(tmp_path, "a.wav", wave(bytes(range(200))))
    for given_to_all in (image, sound):
        found = ours.Ours(given_to_all.kind, 4, 1).measure(given_to_all)
        assert found.size > 0
        assert found.calls in (None, 4)


def test_coders_get_samples_alone(tmp_path: Path) -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Comment", "x" * 999)
    long = source(tmp_path, "a.png", png(smooth(3), pnginfo=about))
    short = source(tmp_path, "b.png", png(smooth(3)))
    assert long.found > short.found
    assert (long.checksum, long.samples, long.units) == (short.checksum, 20 * 24 * 3, 20 * 24)
    tagged = source(tmp_path, "a.wav", wave(bytes(100), after=b"LIST\4\0\0\0INFO"))
    assert tagged.checksum == source(tmp_path, "b.wav", wave(bytes(100))).checksum


@given(st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.integers(0, 2**32 - 1))
def test_colours_are_those_that_pillow_shows(mode: str, seed: int) -> None:
    values = np.random.default_rng(seed).choice([0, 255], (2, 2, 4)).astype(np.uint8)
    data = png(values, mode)
    shown = colours(data)
    full = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    again = Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown).convert("RGBA")
    np.testing.assert_array_equal(np.asarray(again), full)


def test_other_samples_are_found() -> None:
    one, other = smooth(3), smooth(3)
    other[3, 4, 1] ^= 1
    check_image(png(one), png(one))
    with pytest.raises(ChecksumError):
        check_image(png(other), png(one))
    check_sound(wave(bytes(20)), wave(bytes(20)))
    for changed in (wave(bytes(19) + b"\1"), wave(bytes(22)), wave(bytes(20), rate=8000)):
        with pytest.raises(ChecksumError):
            check_sound(changed, wave(bytes(20)))


def test_what_is_not_installed_is_named() -> None:
    absent = Command("none", IMAGE, "a-package", ".x", ("no-such-program", "{source}"), ("no-such-program", "{coded}"))
    told: list[str] = []
    assert usable([absent, Fixed()], BOTH, told.append)[0].name == "fixed"
    assert told == ["not measured: none needs no-such-program (apt install a-package)"]


def test_what_no_file_needs_is_not_missed(tmp_path: Path) -> None:
    absent = Command("none", SOUND, "a-package", ".x", ("no-such-program", "{source}"))
    assert usable([absent, Fixed()], kinds_of([Found("in", tmp_path / "a.PNG")]), pytest.fail)[0].name == "fixed"
    assert kinds_of([Found("in", tmp_path / "a.png"), Found("in", tmp_path / "b.wav")]) == set(BOTH)
    assert kinds_of([Found("in", tmp_path / "photograph")]) == {*BOTH, JPEG}


@watched
def test_programs_tell_their_versions() -> None:
    python = Command("python", IMAGE, "python3", ".x", (sys.executable,))
    assert python.version == f"{sys.executable} {'.'.join(map(str, sys.version_info[:3]))}"
    assert Command("sh", IMAGE, "dash", ".x", ("sh",), asked="-c :").version == "sh"


@watched
def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    shell = Command("shell", IMAGE, "sh", ".x", ("sh", "-c", "echo it is broken >&2; exit 3"))
    with pytest.raises(UnsupportedError, match="failed with 3: it is broken"):
        shell.measure(source(tmp_path, "a.png", images()["gray"]))


@watched
def test_memory_is_that_of_the_program_and_not_of_its_parent() -> None:
    held = np.ones(1 << 26, np.uint8)
    assert commands.run(["true"]).memory < 48 < held.nbytes / (1 << 20)


def test_one_file_in_so_many_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/1.png", "a.png", "c.wav", "notes.txt", "d.PNG"):
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_of(str(tmp_path), every=1, most=None)]
    assert found == ["a.png", "b/1.png", "c.wav", "d.PNG"]
    assert [path.name for path in files_of(str(tmp_path), every=2, most=1)] == ["a.png"]
    assert files_of(str(tmp_path / "notes.txt"), every=1, most=None) == [tmp_path / "notes.txt"]


def test_files_named_one_by_one_are_in_one_table(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, smooth(3))
    found = measured(files(tmp_path / "a.png", tmp_path / "b.png"), [Fixed()], Ledger(None), lambda _: None)
    groups = reported(found, [], MACHINE).groups
    assert [(group.folder, group.files) for group in groups] == [(str(tmp_path), 2)]


SOME = st.none() | st.floats(0, 9**9)


@given(st.lists(st.builds(
    Row, st.text(), st.text(), st.just(IMAGE), st.integers(0, 2**32 - 1), st.text(), st.text(), st.text(),
    st.none() | st.integers(0, 9**9), SOME, SOME, SOME, st.none() | st.integers(1, 999), st.text(),
), max_size=3, unique_by=lambda found: found.key))  # fmt: skip
def test_results_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    file = tmp_path_factory.mktemp("results") / "a.csv"
    ledger = Ledger(file)
    for found in rows:
        ledger.add(found)
    again = Ledger(file)
    for found in rows:
        asked = Input(found.folder, found.file, IMAGE, Path(), 0, 0, 0, 8, found.checksum)
        assert again.find(asked, Fixed(found.coder, found.version)) == found


WITHOUT_VERSIONS = "folder,file,kind,checksum,coder,size,encode_seconds,decode_seconds,memory,calls,reason\n"  # 0.1.0


@pytest.mark.parametrize("text", ["folder,size\n", '"', "\0", ",".join(Row._fields) + "\na,b\n", WITHOUT_VERSIONS])
def test_other_files_of_results_are_refused_and_left(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(FormatError, match="no file of results"):
        Ledger(file)
    assert file.read_text() == text


def test_an_empty_file_of_results_is_begun(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.touch()
    Ledger(file).add(found := Row("folder", "a.png", IMAGE, 1, "all", "1.0", "2026-11-25", 2))
    asked = Input("folder", "a.png", IMAGE, Path(), 0, 0, 0, 8, 1)
    assert Ledger(file).find(asked, Fixed("all", "1.0")) == found


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "a.png", smooth(3))
    coder, file = Fixed(), tmp_path / "results.csv"
    for _ in range(2):
        (found,) = measured(files(folder), [coder], Ledger(file), lambda _: None)
        assert isinstance(found, Result)
        assert found.rows[0][7:11] == (10, 0.5, 0.25, 12.5)
    assert coder.measured == 1
    newer = Fixed(version="fixed 1.1")
    measured(files(folder), [newer], Ledger(file), lambda _: None)
    assert newer.measured == 1
    write_image(folder / "a.png", smooth(3) + 1)
    measured(files(folder), [coder], Ledger(file), lambda _: None)
    assert coder.measured == 2


def test_figures_have_the_dates_and_versions_of_their_measurements(tmp_path: Path) -> None:
    """Reports once had the date and the version of the day on which they were printed."""
    given_to_all = source(tmp_path, "a.png", images()["rgb"])
    new = row(given_to_all, Fixed(version="fixed 1.1"), Measured(8, 1, 1))
    old = new._replace(date="2026-11-25", version="fixed 1.0")
    facts = reported([Result(given_to_all, [old])], [], MACHINE).facts
    assert facts == {"date": "2026-11-25", **MACHINE, "versions": "fixed 1.0"}
    facts = reported([Result(given_to_all, [new, old, new])], [], MACHINE).facts
    assert facts == {"date": f"2026-11-25 to {new.date}", **MACHINE, "versions": "fixed 1.1, fixed 1.0"}


def test_totals_are_over_the_files_that_a_coder_took(tmp_path: Path) -> None:
    results = []
    for number, size in enumerate((100, 300)):
        given_to_all = source(tmp_path, f"{number}.png", images()["rgb"])
        some = row(given_to_all, Fixed("some"), *((None, "too large") if number else (Measured(8, 1, 1),)))
        results.append(Result(given_to_all, [row(given_to_all, Fixed("all"), Measured(size, 2, None, 5.0, 16)), some]))
    (group,) = grouped(results, [("paper", 2.5)])
    found, every, some, published = group.totals
    assert found.size == sum(result.source.found for result in results)
    assert (every.size, every.bits, every.calls, every.decode_speed) == (400, 8 * 400 / (2 * 1440), 16, None)
    assert every.encode_speed == pytest.approx(2 * 480 / 4e6)
    assert (some.files, some.bits, published.bits, published.size) == (1, 8 * 8 / 1440, 2.5, None)
    assert group.refusals == [Refusal("1.png", "some", "too large")]


def report(folder: Path) -> Report:
    image, sound = source(folder, "a.png", images()["rgb"]), source(folder, "a.wav", wave(bytes(2000)))
    rows = [row(image, Fixed("one"), Measured(1234, 1, 1)), row(image, Fixed("none"), None, "too wide")]
    found = [Result(image, rows), Result(sound, [row(sound, Fixed("two"), Measured(567, 1, 1))]),
             LeftOut(str(folder), "b.flac", "of 20 bits")]  # fmt: skip
    return reported(found, [], MACHINE)


def test_reports_say_the_same(tmp_path: Path) -> None:
    told = report(tmp_path)
    parsed = json.loads(FORMATS["json"](told, False))
    sizes = [[total["size"] for total in group["totals"]] for group in parsed["groups"]]
    assert sizes == [[(tmp_path / name).stat().st_size, size] for name, size in (("a.png", 1234), ("a.wav", 567))]
    assert parsed["groups"][0]["refusals"] == [{"file": "a.png", "coder": "none", "reason": "too wide"}]
    assert parsed["left_out"] == [{"folder": str(tmp_path), "file": "b.flac", "reason": "of 20 bits"}]
    assert parsed["measured"] == told.facts
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](told, False))))
    assert [line["coder"] for line in lines] == [AS_FOUND, "one", "none", AS_FOUND, "two", ""]
    assert [line["reason"] for line in lines if line["file"]] == ["too wide", "of 20 bits"]
    for form in ("table", "markdown"):
        words = "1,234", "567", "bits per subpixel", "bits per sample", "a.png, none: too wide", "b.flac", "of 20 bits"
        assert all(word in FORMATS[form](told, False) for word in words)
    overview = FORMATS["markdown"](told, False).split("\n\n")[0]
    assert "| one | 1,234 |  |" in overview


@pytest.mark.parametrize("form", FORMATS)
def test_times_can_be_left_out(tmp_path: Path, form: str) -> None:
    timed, untimed = (FORMATS[form](report(tmp_path), sizes) for sizes in (False, True))
    for word in ("encode", "decode", "memory" if form in ("csv", "json") else "MiB"):
        assert word in timed
        assert word not in untimed


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other coders, which may not be installed."""
    monkeypatch.setattr(commands, "COMMANDS", ())


@pytest.mark.usefixtures("fast")
def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", smooth(3))
    (tmp_path / "b.png").write_bytes(b"no image")
    (tmp_path / "c.wav").write_bytes(wave(bytes(range(200))))
    result = run("bench", tmp_path, "--budgets", "4", "--format", "json", "--published", "A paper=3.5")
    assert result.exit_code == 0, result.output
    assert "b.png: left out" in result.stderr
    told = json.loads(result.stdout)
    assert [left["file"] for left in told["left_out"]] == ["b.png"]
    groups = {group["kind"]: group for group in told["groups"]}
    assert groups[IMAGE]["files"] == groups[SOUND]["files"] == 1
    names = [total["coder"] for total in groups[IMAGE]["totals"]]
    assert {"ardm-compress, 4 calls", "A paper (published)"} <= set(names)


@pytest.mark.usefixtures("fast")
def test_damage_by_this_package_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.png", smooth(3))
    monkeypatch.setattr(ours, "same_image", lambda *_, **__: False)
    result = run("bench", tmp_path, "--budgets", "4")
    assert result.exit_code == 3
    assert "not what went in" in result.stderr


@pytest.mark.usefixtures("fast")
def test_some_files_of_a_folder(tmp_path: Path) -> None:
    for name in "abcde":
        write_image(tmp_path / f"{name}.png", smooth(3))
    bench = ("bench", tmp_path, "--budgets", "4", "--sizes", "--format", "json", "--results", tmp_path / "results.csv")
    for options, names in (("--files 2", "ab"), ("--every 2", "ace"), ("--every 2 --files 2", "ac")):
        (tmp_path / "results.csv").unlink(missing_ok=True)
        (group,) = json.loads(run(*bench, *options.split()).stdout)["groups"]
        with (tmp_path / "results.csv").open() as file:
            assert {line["file"] for line in csv.DictReader(file)} == {f"{name}.png" for name in names}
        assert group["files"] == len(names)


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("more", [[], ["--plot"]])
def test_a_folder_of_which_nothing_can_be_measured_is_an_error(tmp_path: Path, more: list[str]) -> None:
    """A plot of it was a traceback, and without one there was no table and no error."""
    (tmp_path / "a.png").write_bytes(b"no image")
    result = run("bench", tmp_path, *more, *(tmp_path / f"{option[2:]}.svg" for option in more))
    assert result.exit_code == 4
    assert not result.stdout
    assert "a.png: left out" in result.stderr
    assert "nothing was measured" in result.stderr.splitlines()[-1]


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(
    ("make", "arguments", "code", "said"),
    [
        (None, [], 1, "No such file"),
        (Path.mkdir, [], 4, "no images and no sound"),
        (Path.mkdir, ["--plot", "a.txt"], 4, ".svg"),
        (Path.mkdir, ["--plot", "no-such-folder/a.svg"], 1, "no-such-folder"),
        (Path.mkdir, ["--results", __file__], 3, "no file of results"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, make: Callable[[Path], None] | None, arguments: list[str], code: int, said: str
) -> None:
    folder = tmp_path / "folder"
    if make:
        make(folder)
    assert said in failed(run("bench", folder, *arguments), code)


@pytest.mark.parametrize("wrong", [["--budgets", "0"], ["--budgets", "some"], ["--published", "2.5"], []])
def test_wrong_usage(tmp_path: Path, wrong: list[str]) -> None:
    assert run("bench", *([tmp_path, *wrong] if wrong else [])).exit_code == 2


def test_a_plot_without_matplotlib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install matplotlib" in failed(run("bench", tmp_path, "--plot", tmp_path / "a.svg"), 4)


def test_a_plot_of_the_same_figures_is_the_same_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from ardm_compress.bench.plot import write_plot

    given_to_all = source(tmp_path, "a.png", images()["rgb"])
    ours_ = [Fixed(f"ardm-compress, {n} calls") for n in (4, 16)]
    rows = [row(given_to_all, coder, Measured(900 - n, n, n, None, n)) for coder, n in zip(ours_, (4, 16), strict=True)]
    groups = grouped([Result(given_to_all, [*rows, row(given_to_all, Fixed("other"), Measured(950, 0.1, 0.1))])])
    for name in ("a.svg", "b.svg"):
        write_plot(groups, tmp_path / name, force=False)
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    assert drawn == (tmp_path / "b.svg").read_text("utf-8")
    assert measure.OURS in drawn
