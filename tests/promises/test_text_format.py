"""docs/format.md section 17 is true: a decoder written from it gives the texts back."""

from __future__ import annotations

import pytest
import reference_text
from golden import FOLDER, GOLDEN_TEXTS

from ardm_compress.codec.texts import encode_text
from ardm_compress.inference import folders


@pytest.mark.parametrize("name", GOLDEN_TEXTS)
def test_second_decoder_gives_the_text_back(name: str) -> None:
    assert reference_text.decode((FOLDER / f"{name}.ardm").read_bytes(), folders()[0]) == GOLDEN_TEXTS[name]


def test_second_decoder_follows_matches_and_lines_that_take_the_place_of_others() -> None:
    """Words come back, matches end and go on, and there are more contexts than lines."""
    phrases = [b"the lighthouse keeper's ", b"Keeper of 1,000 lights; ", bytes(range(32, 127)), b"a" * 21]
    data = b"".join(phrases[i * i % 4] + b"%d\n" % (i * 7919) for i in range(24))
    assert reference_text.decode(encode_text(data), folders()[0]) == data
