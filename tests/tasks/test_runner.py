"""Tasks of one kind together: bounded batches, results in order, errors that are their own task's."""

from __future__ import annotations

from collections.abc import Sequence

from ardm_compress.errors import FormatError
from ardm_compress.tasks import together


def test_batches_are_bounded_and_results_in_order() -> None:
    tasks = [1 << 11] * 70 + [1 << 14] * 5 + [1] + [1 << 11] * 2
    batches: list[int] = []

    def work(batch: Sequence[int]) -> list[int]:
        assert len(set(batch)) == 1
        batches.append(len(batch))
        return [-task for task in batch]

    assert together(work, tasks, lambda task: task, lambda task: task) == [-task for task in tasks]
    assert batches == [32, 32, 8, 4, 1, 1]


def test_an_error_is_of_its_own_task() -> None:
    def work(batch: Sequence[int]) -> list[int]:
        if 3 in batch:
            raise FormatError("three")
        return list(batch)

    found = together(work, range(6), lambda _: None, lambda _: 1)
    assert [str(each) for each in found] == ["0", "1", "2", "three", "4", "5"]
