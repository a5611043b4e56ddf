"""What commands say beforehand: sizes and times, by what files before took on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run, smooth
from pictures import write_image

from ardm_compress.batch import estimates
from ardm_compress.batch.estimates import Rates, cache_folder, duration
from ardm_compress.batch.inputs import Job
from ardm_compress.batch.settings import Outcome
from ardm_compress.computing import _quota


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return cache_folder()


def sparse(path: Path, size: int) -> Job:
    with path.open("wb") as file:
        file.truncate(size)
    return Job(str(path), str(path))


def known(cache: Path, **sums: list[float]) -> None:
    """As if a machine had been measured."""
    cache.mkdir(parents=True, exist_ok=True)
    pixels = {"encode pixels": [1e6, 0, 29.0], "decode pixels": [1e6, 0, 12.0]}
    (cache / estimates.FILE_NAME).write_text(json.dumps(pixels | {k.replace("_", " ."): v for k, v in sums.items()}))


def test_rates_are_learnt_kept_and_forgotten_slowly(cache: Path, tmp_path: Path) -> None:
    known(cache)
    outcome = Outcome(source="a.png", target="a.png.ardm", before=10**6, after=600_000, seconds=5.0)
    rates = Rates()
    rates.learn("encode", outcome)
    for useless in (replace(outcome, code=1), replace(outcome, before=100), replace(outcome, seconds=0.0)):
        rates.learn("encode", useless)
    rates.save()
    job = sparse(tmp_path / "b.PNG", 20 * 10**6)
    again = Rates().estimate("encode", [job])
    assert again == (1, 20 * 10**6, pytest.approx(12e6), pytest.approx(100.0))
    for _ in range(2000):
        rates.learn("encode", replace(outcome, seconds=50.0))
    assert rates.estimate("encode", [job]).seconds == pytest.approx(1000, rel=0.01)


def test_before_anything_is_known_a_machine_is_as_fast_as_it_measures(cache: Path, tmp_path: Path) -> None:
    job = sparse(tmp_path / "a.png", 10**8)
    known(cache)
    usual = Rates().estimate("encode", [job]).seconds
    assert usual == pytest.approx(1700)
    (cache / estimates.FILE_NAME).write_text('{"encode pixels": [1e6, 0, 58]}')
    assert Rates().estimate("encode", [job]).seconds == pytest.approx(2 * usual)


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b'{"encode .png": [1]}', b'{"encode .png": "x"}', b'{"encode .png": [0, 0, 0]}', b"\xff"]
)
def test_a_damaged_cache_is_as_none(cache: Path, content: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / estimates.FILE_NAME).write_bytes(content)
    assert Rates()._known == {}


def test_a_dry_run_and_a_long_one_say_what_to_expect(cache: Path, tmp_path: Path) -> None:
    known(cache, encode_bmp=[1e6, 5e5, 1e8])
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a.bmp", "b.bmp"):
        write_image(tree / name, smooth(3))
    size = 2 * (tree / "a.bmp").stat().st_size
    dry = run("encode", "-r", tree, "--dry-run", "-j", "2")
    expected = f"2 files, {size / 1000:.1f} kB -> about {size / 2000:.1f} kB: about {duration(50 * size)}\n"
    assert dry.stderr == expected
    assert run("encode", "-r", tree, "--dry-run", "-j", "2", "-q").stderr == ""
    result = run("encode", "-r", tree, "--budget", "2", "-j", "2")
    assert result.stderr.splitlines()[0] + "\n" == expected
    assert run("encode", "-r", tree, "--dry-run").stderr == ""  # all is done before


def test_plan_tells_seconds_a_megapixel(cache: Path) -> None:
    known(cache)
    assert "about 29.0 s a megapixel to encode and verify, 12.0 s" in " ".join(run("plan").stdout.split())
    rows = json.loads(run("plan", "--json").stdout)
    assert {row["encode_seconds_per_megapixel"] for row in rows} == {29.0}


@pytest.mark.parametrize(("content", "processors"), [("max 100000", 0), ("150000 100000", 2), ("50000 100000", 1)])
def test_quotas_of_containers_count(tmp_path: Path, content: str, processors: int) -> None:
    (tmp_path / "cpu.max").write_text(content + "\n")
    assert _quota((str(tmp_path / "cpu.max"),)) == processors
    for name, value in zip(("quota", "period"), content.replace("max", "-1").split(), strict=True):
        (tmp_path / name).write_text(value + "\n")
    assert _quota((str(tmp_path / "quota"), str(tmp_path / "period"))) == processors
    assert _quota((str(tmp_path / "none"),)) == 0


def test_durations_are_said_as_people_do() -> None:
    assert [duration(seconds) for seconds in (0, 59, 119, 121, 7300)] == [
        "1 seconds", "59 seconds", "119 seconds", "2 minutes", "2 hours",
    ]  # fmt: skip
