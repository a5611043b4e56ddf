"""The fuzzing targets hold on their seeds, on what fuzzing has found, and on what hypothesis makes up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import TARGETS, seeds, write_tiny

from ardm_compress.inference import VARIABLE

FOUND = Path(__file__).parents[1] / "found"


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A model that is fast."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_was_found(name: str) -> None:
    for data in [*seeds(name), b"", *(path.read_bytes() for path in sorted((FOUND / name).glob("*")))]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_any_input(name: str) -> None:
    known = seeds(name)

    @settings(max_examples=40)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        """A seed with a part replaced."""
        seed = data.draw(st.sampled_from(known))
        at, stop = sorted((data.draw(st.integers(0, len(seed))), data.draw(st.integers(0, len(seed)))))
        TARGETS[name](seed[:at] + data.draw(st.binary(max_size=20)) + seed[stop:])

    check()
