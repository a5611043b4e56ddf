"""Tiles in several processes: the same bytes, errors that arrive, limits that hold."""

from __future__ import annotations

import operator
import os

import numpy as np
import pytest
from pictures import TEXT, Samples, png_file

from ardm_compress.codec import images
from ardm_compress.computing import processors
from ardm_compress.errors import ChecksumError, LimitError
from ardm_compress.options import CODING, COPIES, MIB, EncodeOptions, Limits
from ardm_compress.tasks import ordered


def test_results_come_in_order_whoever_works() -> None:
    tasks = [(n, 7) for n in range(20)]
    for jobs in (1, 2):
        assert list(ordered(operator.mul, tasks, jobs)) == [7 * n for n in range(20)]


def test_tasks_are_not_all_taken_at_once() -> None:
    taken = []
    tasks = ((taken.append(n) or n, 1) for n in range(20))
    results = ordered(operator.add, tasks, 2)
    assert next(results) == 1
    assert len(taken) == 3
    results.close()


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_of_other_processes_arrive(jobs: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(ordered(operator.floordiv, [(1, 1), (1, 0), (1, 1)], jobs))


def test_a_process_that_dies_is_a_named_error() -> None:
    with pytest.raises(LimitError, match="--jobs 1"):
        list(ordered(os._exit, [(1,), (1,), (1,)], 2))


def test_an_error_in_one_file_leaves_another_alone() -> None:
    good = ordered(operator.mul, [(n, 2) for n in range(6)], 2)
    assert next(good) == 0
    with pytest.raises(ZeroDivisionError):
        list(ordered(operator.floordiv, [(1, 0)], 2))
    assert list(good) == [2, 4, 6, 8, 10]


def test_processes_make_the_same_file(photo: Samples) -> None:
    file, told = png_file(photo, 8, 2, TEXT), []
    options = EncodeOptions(budget=3, tile=32, processes_from=1)
    data = images.encode_image(file, options)
    assert images.encode_image(file, options, jobs=2) == data
    one = images.encode_samples(photo, options)
    assert images.encode_samples(photo, options, jobs=2, progress=lambda *call: told.append(call)) == one
    assert told == [(i, 4 * 3) for i in range(1, 13)]
    np.testing.assert_array_equal(images.decode_samples(one, jobs=2, processes_from=1), photo)
    damaged = bytearray(one)
    damaged[-20] ^= 1
    with pytest.raises(ChecksumError):
        images.decode_samples(bytes(damaged), jobs=2, processes_from=1)


def test_processes_are_as_many_as_the_memory_allows() -> None:
    image = 100 * MIB
    for spare, jobs in ((0, 1), (1, 1), (2, 2), (9, 4)):
        limits = Limits(memory=CODING + COPIES * image + spare * CODING)
        assert limits.jobs(4, image, 100) == jobs
    assert Limits(memory=1 << 40).jobs(4, image, 3) == 3
    with pytest.raises(LimitError, match="--max-memory 720 "):
        Limits(memory=700 * MIB).check_memory(image)
    assert processors() >= 1
