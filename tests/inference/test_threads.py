"""Threads and compiled functions: where they may be, and where they may not."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import numba
import pytest
from commands import PATIENCE

from ardm_compress import computing
from ardm_compress.computing import compiled, mapped


def doubled(x: int) -> int:
    return 2 * x


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")


@pytest.mark.usefixtures("three")
def test_batches_come_back_in_order() -> None:
    assert mapped(doubled, range(50)) == [2 * x for x in range(50)]
    assert mapped(lambda a, b: a - b, [5, 6], [1, 9]) == [4, -3]


@pytest.mark.usefixtures("three")
def test_threads_do_not_wait_for_others_of_their_pool() -> None:
    def several(x: int) -> list[int]:
        return mapped(doubled, range(x, x + 3))

    assert mapped(several, range(9)) == [[2 * x, 2 * x + 2, 2 * x + 4] for x in range(9)]


@pytest.mark.usefixtures("three")
def test_an_error_in_a_thread_is_the_callers() -> None:
    def fails(x: int) -> int:
        raise MemoryError if x == 7 else ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mapped(fails, range(9))
    assert mapped(doubled, range(9)) == [2 * x for x in range(9)]


def forked(answers: multiprocessing.Queue[list[int]]) -> None:
    answers.put(mapped(doubled, range(9)))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked there")
@pytest.mark.usefixtures("three")
def test_a_forked_process_has_threads_of_its_own() -> None:
    mapped(doubled, range(9))
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[list[int]] = context.Queue()
    child = context.Process(target=forked, args=(answers,))
    child.start()
    try:
        assert answers.get(timeout=PATIENCE) == [2 * x for x in range(9)]
    finally:
        child.kill()


@pytest.mark.parametrize(("told", "count"), [(None, 5), ("2", 2), ("0", 1), ("2,1", 5), ("", 5)])
def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch, told: str | None, count: int) -> None:
    monkeypatch.setattr(computing, "_used", 0)
    monkeypatch.delenv("OMP_NUM_THREADS")
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert computing.threads() == (count if told and told.isdecimal() else computing.processors())
    computing.use_processors(5)
    assert computing.threads() == count


def test_a_full_disk_does_not_stop_compiled_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(numba.core.caching.FunctionCache, "_save_overload", full)
    assert compiled(doubled)(4) == 8


def test_compiled_code_is_of_the_sources_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba compiles a file anew where it has changed itself, not where what it imports has."""
    monkeypatch.setattr(computing, "sources", lambda _: "other")
    again = compiled(doubled)
    monkeypatch.undo()
    assert again._cache._cache_file._source_stamp != compiled(doubled)._cache._cache_file._source_stamp


def test_compiled_code_of_a_subfolder_is_of_its_whole_room() -> None:
    """Filters of sound contain functions of ``coding/ans.py``; a change there must not find old machine code."""
    sound, stacks = (Path(computing.__file__).parent / "coding" / name for name in ("sound/filters.py", "ans.py"))
    assert sound.exists()
    assert computing.room_of(sound) == computing.room_of(stacks) == stacks.parent


def test_compiled_functions_need_no_place_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(doubled)
    assert compiled(doubled)(21) == 42
