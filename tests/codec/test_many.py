"""Many small images together: each file and each picture is what it is by itself."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import Samples
from PIL import Image

from ardm_compress.codec import images
from ardm_compress.errors import ArdmError
from ardm_compress.formats.catalogue import same_image
from ardm_compress.methods import model

CALLS = 6  # few, so that the tests are fast


def png(samples: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(out, "PNG")
    return out.getvalue()


def crops(photo: Samples, shapes: list[tuple[int, int, int]]) -> list[bytes]:
    """PNG files of parts of a photograph; of four channels, the last is its red."""
    wide = np.concatenate([photo, photo[..., :1]], 2)
    return [png(wide[i : i + rows, 2 * i : 2 * i + columns, :n]) for i, (rows, columns, n) in enumerate(shapes)]


def alone(data: bytes, **options: bool) -> bytes | str:
    try:
        return images.encode_image(data, budget=CALLS, **options)
    except ArdmError as error:
        return type(error).__name__


def told(result: object) -> object:
    return type(result).__name__ if isinstance(result, ArdmError) else result


@settings(max_examples=8)
@given(
    st.lists(st.tuples(st.sampled_from([1, 9, 12]), st.sampled_from([8, 17]), st.sampled_from([1, 3, 4])), max_size=9)
)
def test_files_are_those_of_each_image_by_itself(photo: Samples, shapes: list[tuple[int, int, int]]) -> None:
    files = [*crops(photo, shapes), b"no image"]
    for conditioning in (True, False):
        coded = [told(each) for each in images.encode_images(iter(files), budget=CALLS, conditioning=conditioning)]
        assert coded == [alone(data, conditioning=conditioning) for data in files]
        assert coded[-1] == "UnsupportedError"


def test_pictures_are_those_of_each_file_by_itself(photo: Samples) -> None:
    files = crops(photo, [(16, 20, 3)] * 5 + [(16, 20, 4)] * 3 + [(9, 9, 1)])
    coded = [alone(data) for data in files]
    decoded = list(images.decode_images(data for data in coded if isinstance(data, bytes)))
    assert len(decoded) == len(files)
    for picture, data in zip(decoded, files, strict=True):
        assert not isinstance(picture, ArdmError)
        assert same_image(picture, data, strip=False, force_pixels=False)


def test_small_images_go_through_the_network_together(monkeypatch: pytest.MonkeyPatch, photo: Samples) -> None:
    sizes: list[int] = []
    encode, decode = model.encode_images, model.decode_tiles
    monkeypatch.setattr(model, "encode_images", lambda own, *given: (sizes.append(len(own)), encode(own, *given))[1])
    monkeypatch.setattr(model, "decode_tiles", lambda own, *given: (sizes.append(len(own)), decode(own, *given))[1])
    coded = list(images.encode_images(crops(photo, [(16, 16, 3)] * 4 + [(16, 16, 1)] * 3), budget=CALLS))
    list(images.decode_images(data for data in coded if isinstance(data, bytes)))
    assert sizes == [4, 3, 4, 3]


def test_a_damaged_file_does_not_harm_those_beside_it(photo: Samples) -> None:
    files = crops(photo, [(16, 20, 3)] * 4)
    coded = [images.encode_image(data, budget=CALLS) for data in files]
    for at in range(20, len(coded[1]), 97):
        bad = bytearray(coded[1])
        bad[at] ^= 8
        results = list(images.decode_images([coded[0], bytes(bad), coded[2], coded[3][:-2]]))
        with pytest.raises(ArdmError) as by_itself:
            images.decode_image(bytes(bad))
        assert (type(results[1]), str(results[1])) == (by_itself.type, str(by_itself.value))
        assert isinstance(results[3], ArdmError)
        for number in (0, 2):
            picture = results[number]
            assert not isinstance(picture, ArdmError)
            assert same_image(picture, files[number], strip=False, force_pixels=False)
