"""Compressed sizes of a small corpus; ``python benchmarks/sizes.py`` records changes of more than 0.1 %."""

from __future__ import annotations

import pytest
from corpus import corpus
from sizes import TOLERANCE, keys, recorded, size

KEPT = recorded()


@pytest.mark.parametrize("key", KEPT, ids="-".join)
def test_sizes_are_those_recorded(key: tuple[str, str]) -> None:
    name, budget = key
    assert size(corpus()[name], int(budget) if budget else None) == pytest.approx(KEPT[key], rel=TOLERANCE)


def test_all_of_the_corpus_is_recorded() -> None:
    assert list(KEPT) == keys()
