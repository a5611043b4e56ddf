"""A real Dask cluster of two processes on this machine: files that are all there and exact, whatever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import clusters
import dask
import pytest
from commands import PATIENCE, failed, names, run
from distributed import LocalCluster
from pictures import Samples, read_image, write_image
from PIL import Image

from ardm_compress.batch import remote
from ardm_compress.batch.inputs import Choice, Job, find_jobs
from ardm_compress.batch.run import encode_group
from ardm_compress.batch.settings import Encoding
from ardm_compress.codec import images
from ardm_compress.errors import LimitError, ModelError, OptionError
from ardm_compress.tasks.cluster import tasks
from ardm_compress.tasks.cluster import workers as workers_module
from ardm_compress.tasks.cluster.fitness import installed, unfit
from ardm_compress.tasks.cluster.tasks import completed
from ardm_compress.tasks.cluster.workers import Workers, connected

SETTINGS = {
    "distributed.scheduler.allowed-failures": 1,
    "distributed.deploy.lost-worker-timeout": "1 hour",  # not 15 s: a busy machine takes longer to start one again
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set(SETTINGS),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as cluster,
    ):
        yield cluster


@pytest.fixture
def workers(cluster: LocalCluster) -> Iterator[Workers]:
    """Both of them, tested."""
    with connected(cluster.scheduler_address, pytest.fail) as workers:
        deadline = time.monotonic() + PATIENCE
        while workers.threads < 2:  # one of an earlier test may still be on its way
            assert time.monotonic() < deadline
            time.sleep(0.1)
            workers.look()
        yield workers


def pictures(folder: Path, photo: Samples, count: int) -> dict[str, Samples]:
    """Different ones, by the names of their files."""
    folder.mkdir()
    crops = {f"{number:02}.png": photo[number : number + 6, : 6 + number % 2] for number in range(count)}
    for name, crop in crops.items():
        write_image(folder / name, crop)
    return crops


def processes(workers: Workers) -> dict[str, int]:
    """Their numbers, by address."""
    return dict(workers.client.run(os.getpid))


def test_all_files_are_there_and_exact_though_a_worker_is_killed_halfway(
    workers: Workers, tmp_path: Path, photo: Samples
) -> None:
    crops = pictures(tmp_path / "in", photo, 16)
    jobs = remote.absolute_jobs(find_jobs([str(tmp_path / "in")], Choice({".png"}), recursive=True))
    victim = min(processes(workers).values())
    outcomes = remote.outcomes(workers, encode_group, Encoding(budget=8), [[job] for job in jobs])
    for done, outcome in enumerate(outcomes, 1):
        assert not outcome.error
        if done == 8:
            os.kill(victim, signal.SIGKILL)
    assert done == 16
    for name, crop in crops.items():
        data = (tmp_path / "in" / f"{name}.ardm").read_bytes()
        assert (images.decode_image(data).samples == crop).all()
        assert name > "04.png" or data == images.encode_image((tmp_path / "in" / name).read_bytes(), budget=8)


def test_what_a_lost_worker_had_written_is_no_error_and_what_others_had_is_left(
    workers: Workers, tmp_path: Path, photo: Samples
) -> None:
    crops = pictures(tmp_path / "in", photo, 4)
    other = tmp_path / "in" / "03.png.ardm"
    other.write_bytes(b"precious")
    jobs = remote.absolute_jobs(find_jobs([str(tmp_path / "in")], Choice({".png"}), recursive=True))
    work, how = partial(clusters.encode_and_die, tmp_path / "mark"), Encoding(budget=8, remove=True)
    errors = {Path(done.source).name: done.error for done in remote.outcomes(workers, work, how, [[j] for j in jobs])}
    assert (tmp_path / "mark").exists()
    assert "03.png.ardm exists" in errors.pop("03.png")
    assert other.read_bytes() == b"precious"
    assert errors == dict.fromkeys(["00.png", "01.png", "02.png"], "")
    assert names(tmp_path / "in") == ["00.png.ardm", "01.png.ardm", "02.png.ardm", "03.png", "03.png.ardm"]
    for name in errors:
        assert (images.decode_image((tmp_path / "in" / f"{name}.ardm").read_bytes()).samples == crops[name]).all()


def test_tasks_go_on_though_all_workers_are_killed(workers: Workers) -> None:
    before, moved = processes(workers), set()
    results = completed(workers, clusters.slow, range(12))
    done = [next(results)]
    for process in before.values():
        os.kill(process, signal.SIGKILL)
    for result in results:
        assert not isinstance(result.result, LimitError)
        done.append(result)
        moved.add(result.result[1])
    assert sorted(result.task for result in done) == list(range(12))
    assert moved - set(before)


def test_a_task_that_kills_workers_is_one_failure(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LOSSES", 1)
    results = {done.task: done.result for done in completed(workers, clusters.deadly, [1, -1, 2])}
    assert results[1] == 1
    assert results[2] == 2
    assert isinstance(results[-1], LimitError)


def test_few_tasks_are_taken_and_none_goes_on_for_nobody(workers: Workers) -> None:
    taken: list[int] = []
    results = completed(workers, clusters.slow, (taken.append(n) or n for n in range(1000)))
    next(results)
    assert len(taken) == tasks.AHEAD * 2
    results.close()
    deadline = time.monotonic() + PATIENCE
    while workers.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_errors_of_the_program_arrive(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        list(completed(workers, partial(divmod, 1), [0]))


def test_workers_that_compute_other_integers_are_refused(workers: Workers, cluster: LocalCluster) -> None:
    address, other = sorted(workers.addresses)
    told: list[str] = []
    try:
        workers.client.run(clusters.set_broken, True, workers=[address])
        with connected(cluster.scheduler_address, told.append) as found:
            assert found.addresses == {other}
            assert {done.result[1] for done in completed(found, clusters.slow, range(4))} == {other}
        assert len(told) == 1
        assert f"{address} is refused: this machine computes other integers" in told[0]
        workers.client.run(clusters.set_broken, True, workers=[other])
        with (
            pytest.raises(ModelError, match="no worker that can be used: this machine computes other integers"),
            connected(cluster.scheduler_address, told.append),
        ):
            pass
    finally:
        workers.client.run(clusters.set_broken, False)


@pytest.mark.usefixtures("workers")
def test_workers_that_are_not_like_this_process_are_refused(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, told = installed(), []
    for other, why in (
        (mine._replace(version="9.9"), "not 9.9"),
        (mine._replace(format=9), "format 9"),
        (mine._replace(models=(*mine.models, "mine 00")), "lacks the models mine 00"),
        (mine._replace(models=mine.models[1:]), f"other models, {mine.models[0]}"),
        (mine._replace(models=mine.models[::-1]), "another order"),
    ):
        monkeypatch.setattr(workers_module, "installed", lambda other=other: other)
        with pytest.raises(ModelError, match=why), connected(cluster.scheduler_address, told.append):
            pass
    assert len(told) == 10


@pytest.mark.usefixtures("workers")
def test_the_command_line(cluster: LocalCluster, tmp_path: Path, photo: Samples) -> None:
    crops = pictures(tmp_path / "in", photo, 3)
    (tmp_path / "in" / "no.png").write_bytes(b"no image")
    scheduler = ("--scheduler", cluster.scheduler_address)
    result = run("encode", "-r", tmp_path / "in", "--output-dir", tmp_path / "packed", *scheduler, "--budget", "8")
    assert result.exit_code == 4
    assert f"{tmp_path / 'in' / 'no.png'}: " in result.stderr
    assert "3 files: " in result.stderr
    assert names(tmp_path / "packed") == [f"{name}.ardm" for name in crops]
    assert run("test", "-r", tmp_path / "packed", *scheduler).exit_code == 0
    (tmp_path / "packed" / "00.png.ardm").write_bytes(b"damaged")
    result = run("decode", "-r", tmp_path / "packed", "--output-dir", tmp_path / "out", *scheduler)
    assert result.exit_code == 3
    assert "00.png.ardm: " in result.stderr
    assert names(tmp_path / "out") == list(crops)[1:]
    for name in list(crops)[1:]:
        assert (read_image(tmp_path / "out" / name) == crops[name]).all()


@pytest.mark.usefixtures("workers")
def test_bench_finds_the_same_sizes(cluster: LocalCluster, tmp_path: Path, photo: Samples) -> None:
    pictures(tmp_path / "in", photo, 3)
    (tmp_path / "in" / "no.png").write_bytes(b"no image")
    bench = ("bench", tmp_path / "in", "--budgets", "8", "--sizes")
    here, ledger = run(*bench), tmp_path / "ledger.csv"
    there = run(*bench, "--results", ledger, "--scheduler", cluster.scheduler_address)
    assert there.exit_code == 0, there.output
    assert there.stdout == here.stdout
    assert "no.png: left out" in there.stderr
    kept = ledger.read_text()
    assert kept.count("ardm-compress, 8 calls") == 3
    assert run(*bench, "--results", ledger, "--scheduler", cluster.scheduler_address).stdout == here.stdout
    assert ledger.read_text() == kept


def test_relative_names_mean_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (3, 3)).save("a.png")
    jobs = find_jobs(["a.png", "memory://b.png"], Choice(set()), folder="out")
    found = remote.absolute_jobs([jobs[0]._replace(target="x.ardm"), jobs[1]])
    assert found[0] == Job(str(tmp_path / "a.png"), str(tmp_path / "out" / "a.png"), str(tmp_path / "x.ardm"))
    assert found[1] == Job("memory://b.png", str(tmp_path / "out" / "b.png"))


@pytest.mark.parametrize("job", [("-", "-", "-"), ("a.png", "a.png", "-")])
def test_pipes_are_refused(job: tuple[str, str, str]) -> None:
    with pytest.raises(OptionError, match="standard input and output"):
        remote.absolute_jobs([Job(*job)])


def test_errors_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    encode = ("encode", tmp_path / "a.png", "--scheduler")
    assert "DEVICE" in run(*encode, "tcp://127.0.0.1:1", "--device", "cuda").stderr
    for address in ("nonsense", "nonsense://x:1", "tcp://127.0.0.1", "tcp://127.0.0.1:x"):
        assert f"{address} is no address of a scheduler" in failed(run(*encode, address), 2)
    assert "nothing listens at tcp://127.0.0.1:1: Connection refused" in failed(run(*encode, "tcp://127.0.0.1:1"), 1)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install distributed" in failed(run(*encode, "tcp://127.0.0.1:1"), 4)


def test_addresses_of_nothing_are_told_at_once(tmp_path: Path) -> None:
    """A client was made of them, of which the end took 30 s and left a traceback."""
    line = [sys.executable, "-m", "ardm_compress", "test", str(tmp_path), "--scheduler"]
    for address in ("nonsense", "tcp://127.0.0.1:1"):
        done = subprocess.run([*line, address], capture_output=True, text=True, check=False)
        assert done.stderr.count("\n") == 1


def test_no_workers_is_an_error() -> None:
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp://", dashboard_address=":0") as cluster,
        pytest.raises(TimeoutError, match="no workers for 0 s"),
        connected(cluster.scheduler_address, pytest.fail, patience=0.2),
    ):
        pass


def test_nothing_large_is_imported_before_it_is_used() -> None:
    code = "import sys, ardm_compress.batch.remote; print({'torch', 'distributed', 'dask'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_this_process_is_fit() -> None:
    assert asyncio.run(unfit(installed())) == ""
