"""Arrays, and open files."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pictures import PALETTE, TEXT, Samples, bmp_file, noise, png_file, saved
from PIL import Image
from sounds import LIST, wave

import ardm_compress
from ardm_compress.container.stored import stored
from ardm_compress.errors import ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.options import Limits
from ardm_compress.reading import ImageFile, StoredFile
from ardm_compress.reading.sound import SoundFile

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
QUICK = settings(max_examples=40)  # that no model codes
SLOW = settings(max_examples=8)


def opened(data: bytes) -> Any:
    return ardm_compress.open(io.BytesIO(data))


def check_round_trip(array: NDArray[Any], **options: Any) -> bytes:
    data = ardm_compress.encode(array, budget=2, **options)
    found = ardm_compress.decode(data)
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    assert np.array_equal(found, array)
    with opened(data) as file:
        assert (file.shape, file.dtype) == (array.shape, array.dtype)
    return data


def test_importing_the_package_imports_next_to_nothing_and_reading_a_header_no_torch(tmp_path: Path) -> None:
    (tmp_path / "a.ardm").write_bytes(ardm_compress.encode(noise(3, 4, 1, 16)))
    code = f"""if True:
        import sys
        before = set(sys.modules)
        import ardm_compress
        new = {{name for name in set(sys.modules) - before if not name.startswith("ardm_compress")}}
        assert not new & {{"numpy", "PIL", "torch", "soundfile"}}, new
        import ardm_compress.pillow, ardm_compress.soundfile, ardm_compress.numcodecs
        ardm_compress.encode, ardm_compress.Limits
        assert ardm_compress.open({str(tmp_path / "a.ardm")!r}).shape == (3, 4, 1)
        assert "torch" not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_offers_what_it_says() -> None:
    assert all(getattr(ardm_compress, name) is not None for name in ardm_compress.__all__)
    assert set(ardm_compress.__all__) <= set(dir(ardm_compress))
    assert ardm_compress.__version__.count(".") == 2
    assert not hasattr(ardm_compress, "compress")


@given(st.data())
@QUICK
def test_arrays_of_16_bits_come_back_equal(data: st.DataObject) -> None:
    channels = data.draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
    check_round_trip(data.draw(arrays.arrays(np.uint16, SIDES.map(lambda sides: (*sides, *channels)))))


@given(arrays.arrays(np.bool_, SIDES))
@QUICK
def test_masks_come_back_equal(mask: NDArray[np.bool_]) -> None:
    check_round_trip(mask)


@given(st.data())
@SLOW
def test_arrays_of_8_bits_come_back_equal(data: st.DataObject) -> None:
    channels = data.draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
    check_round_trip(data.draw(arrays.arrays(np.uint8, SIDES.map(lambda sides: (*sides, *channels)))))


@given(st.data())
@SLOW
def test_sound_comes_back_equal(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([np.uint8, np.int16, np.int32]))
    channels = data.draw(st.sampled_from([(), (1,), (2,)]))
    frames = data.draw(st.integers(0, 9))
    check_round_trip(data.draw(arrays.arrays(dtype, (frames, *channels))), rate=8000)


def test_arrays_in_any_order_of_memory_and_bytes_come_back_with_equal_values() -> None:
    array = noise(6, 8, 3, 16).astype(">u2")
    for view in (array, array.transpose(1, 0, 2), array[::2, ::-1], np.asfortranarray(array)):
        found = ardm_compress.decode(ardm_compress.encode(view))
        assert found.dtype == np.uint16
        assert np.array_equal(found, view)


def test_a_plain_photograph_becomes_the_file_that_the_model_alone_makes(photo: Samples) -> None:
    data = check_round_trip(photo[:16, :16])
    assert data == ardm_compress.encode_image(saved(photo[:16, :16], "PNG"), budget=2)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros((2, 2), np.float32), {}),
        (np.zeros((2, 2), np.int16), {}),  # sound without a rate
        (np.zeros((2, 2, 5), np.uint8), {}),
        (np.zeros((2, 2, 2), np.bool_), {}),
        (np.zeros(4, np.uint8), {}),
        (np.zeros(4, np.float32), {"rate": 8000}),
        (np.zeros((2, 2, 2), np.int16), {"rate": 8000}),
        (np.zeros((2, 65), np.int16), {"rate": 8000}),
        (np.zeros((2, 0), np.int16), {"rate": 8000}),
        (np.zeros(4, np.int16), {"rate": 0}),
        (np.zeros((2, 2), np.uint8), {"model": "no such model"}),
    ],
)
def test_other_arrays_are_refused(array: NDArray[Any], options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        ardm_compress.encode(array, **options)


def test_what_is_refused_is_told_with_what_is_not() -> None:
    with pytest.raises(UnsupportedError, match=r"images are uint8.*sound.*this array is float64 of shape \(3,\)"):
        ardm_compress.encode([1.5, 2, 3])
    with pytest.raises(LimitError, match="1 to 1048576"):
        ardm_compress.encode(np.zeros((0, 3), np.uint8))
    with pytest.raises(LimitError):
        ardm_compress.encode(np.zeros((3, 3), np.uint8), limits=Limits(pixels=8))
    with pytest.raises(ValueError, match="budget"):
        ardm_compress.encode(np.zeros((3, 3), np.uint8), budget=0)
    for work in (ardm_compress.encode, ardm_compress.decode, ardm_compress.open):
        with pytest.raises(ValueError, match="jobs"):
            work(b"", jobs=0)
    with pytest.raises(TypeError, match="a path or an open file is needed, not bytes"):
        ardm_compress.open(b"ARDM")


@pytest.mark.parametrize("wrong", [None, "photo.png", b"BM", [[None, 1]], Path("photo.png")])
def test_what_is_no_array_of_numbers_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"an array of numbers is needed, not {type(wrong).__name__}"):
        ardm_compress.encode(wrong)


@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, 5), slice(0, -1), slice(1, None)])
def test_other_bytes_are_refused(cut: slice) -> None:
    data = ardm_compress.encode(noise(3, 4, 1, 16))
    with pytest.raises(FormatError):
        ardm_compress.decode(data[cut])


def test_damage_is_an_error() -> None:
    data = bytearray(ardm_compress.encode(noise(3, 4, 1, 16)))
    data[-6] ^= 1
    with pytest.raises(ChecksumError):
        ardm_compress.decode(data)


def test_an_open_image_tells_what_it_is_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ardm"
    original = png_file(noise(5, 7, 1, 4), 4, 3, PALETTE, after=TEXT)
    path.write_bytes(ardm_compress.encode_image(original))
    calls: list[int] = []
    with ardm_compress.open(path, progress=lambda done, _total: calls.append(done)) as file:
        assert isinstance(file, ImageFile)
        assert (file.kind, file.shape, file.dtype, file.suffix) == ("image", (5, 7), np.uint8, ".png")
        assert file.info["width"] == 7
        assert repr(file) == "<ImageFile (5, 7) uint8 of .png>"
        assert not calls
        assert np.array_equal(file.read(), noise(5, 7, 1, 4)[..., 0])  # indices into the palette
        assert calls
        again = file.original()
    with Image.open(io.BytesIO(again)) as one, Image.open(io.BytesIO(original)) as other:
        assert one.convert("RGB").tobytes() == other.convert("RGB").tobytes()
        one.load()
        assert one.info["Title"] == "kept"
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_parts_and_previews_of_an_open_image(photo: Samples) -> None:
    array = noise(40, 30, 1, 16)
    with opened(ardm_compress.encode(array)) as file:
        assert np.array_equal(file.read(region=(3, 4, 5, 6)), array[4:10, 3:8])
        assert file.read(level=2).shape == (10, 8, 1)
        with pytest.raises(UnsupportedError, match="region"):
            file.read(region=(3, 4, 50, 6))
    with opened(ardm_compress.encode(photo[:16, :16], budget=2)) as file:
        assert np.array_equal(file.read(level=1), photo[:16:2, :16:2])


def test_files_that_come_back_byte_for_byte_do() -> None:
    original = bmp_file(noise(5, 7, 3, 8))
    with opened(ardm_compress.encode_image(original, budget=2)) as file:
        assert file.suffix == ".bmp"
        assert np.array_equal(file.read(), noise(5, 7, 3, 8))
        assert file.original() == original
    original = wave(np.arange(20, dtype="<i2").tobytes(), after=LIST)
    with opened(ardm_compress.encode_sound(original, budget=2)) as file:
        assert np.array_equal(file.read(), np.arange(20))
        assert file.original() == original


def test_a_pipe_is_read_from_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with ardm_compress.open(Pipe(ardm_compress.encode(noise(3, 4, 1, 16)))) as file:
        assert file.read().shape == (3, 4, 1)


def test_an_open_sound_tells_what_it_is_and_gives_parts() -> None:
    samples = np.arange(60, dtype=np.int16).reshape(30, 2)
    with opened(ardm_compress.encode(samples, rate=44100, budget=2)) as file:
        assert isinstance(file, SoundFile)
        assert (file.kind, file.shape, file.dtype) == ("sound", (30, 2), np.int16)
        assert (file.rate, file.frames, file.channels, file.format, file.subtype) == (44100, 30, 2, "WAV", "PCM_16")
        assert repr(file) == "<SoundFile (30, 2) int16 at 44100 Hz of .wav>"
        assert file.info["samples"] == 30
        assert np.array_equal(file.read(5, 9), samples[5:9])
        assert np.array_equal(file.read(-3), samples[-3:])
        assert file.read(9, 5).shape == (0, 2)
        assert np.array_equal(file.read(28, 99), samples[28:])


def test_samples_of_24_bits_have_8_low_bits_that_are_0() -> None:
    original = wave(bytes([1, 0, 0, 255, 255, 127]), width=3)
    with opened(ardm_compress.encode_sound(original, budget=2)) as file:
        assert (file.subtype, file.dtype) == ("PCM_24", np.int32)
        assert file.read().tolist() == [1 << 8, (1 << 31) - 256]


def test_signed_8_bit_sound_is_int8() -> None:
    body = b"FORM" + (46).to_bytes(4, "big") + b"AIFFCOMM" + (18).to_bytes(4, "big")
    body += b"\0\1\0\0\0\4\0\10\x40\x0e\xac\x44" + bytes(6)
    body += b"SSND" + (12).to_bytes(4, "big") + bytes(8) + b"\1\2\xff\x80"
    with opened(ardm_compress.encode_sound(body, budget=2)) as file:
        assert (file.subtype, file.dtype, file.format, file.rate) == ("PCM_S8", np.int8, "AIFF", 44100)
        assert file.read().tolist() == [1, 2, -1, -128]


def test_a_stored_file_has_no_samples() -> None:
    gif = saved(noise(3, 4, 1, 8), "GIF")
    data = ardm_compress.encode_image(gif)
    with opened(data) as file:
        assert isinstance(file, StoredFile)
        assert (file.kind, file.suffix, repr(file)) == ("stored file", ".gif", "<StoredFile of .gif>")
        assert file.original() == gif
    with pytest.raises(UnsupportedError, match="original"):
        ardm_compress.decode(data)


def test_stored_sound_is_read_by_libsndfile_if_it_can() -> None:
    original = wave(np.array([0.5, -1.25, np.nan], "<f4").tobytes(), width=4, tag=3)
    data = ardm_compress.encode_sound(original)
    with opened(data) as file:
        assert isinstance(file, SoundFile)
        assert (file.dtype, file.subtype, file.rate) == (np.float32, "FLOAT", 16000)
        assert file.read()[:2].tolist() == [0.5, -1.25]
        assert np.isnan(file.read(2)).all()
        assert file.original() == original
        assert file.read(1, 2).tolist() == [-1.25]
    with opened(stored(original[:30])) as file:  # without samples
        assert isinstance(file, StoredFile)
        assert (file.suffix, file.original()) == (".wav", original[:30])


def test_numpy_takes_an_open_file_for_its_samples(photo: Samples) -> None:
    image, tone = noise(6, 5, 3, 16), np.arange(20, dtype=np.int16)
    for data, samples in ((ardm_compress.encode(image), image), (ardm_compress.encode(tone, rate=8, budget=2), tone)):
        with opened(data) as file:
            found = np.asarray(file)
            assert found.dtype == samples.dtype
            assert np.array_equal(found, samples)
            assert np.asarray(file, np.float32).dtype == np.float32
            with pytest.raises(ValueError, match="copy"):
                file.__array__(copy=False)
    with opened(ardm_compress.encode_image(saved(photo[:16, :16], "JPEG"))) as file:
        assert np.array_equal(np.asarray(file), file.read())


KEYS = [3, -1, slice(2, 9), slice(None, None, -3), slice(20, 3, -5), slice(5, 5), ..., (slice(1, 20, 4),), [1, 5]]
KEYS_2 = [(3, 4), (slice(3, 9), slice(10, 1, -2)), (slice(None), 5), (..., 2), (slice(2, 2), 1)]


@pytest.mark.parametrize("key", KEYS + KEYS_2, ids=str)
def test_slices_are_those_of_the_samples(key: Any) -> None:
    image = (np.add.outer(np.arange(30), np.arange(40))[..., None] // [3, 5, 7] % 256).astype(np.uint8)
    sound = (np.arange(400) % 77).astype(np.int16)
    for array, data in ((image, IMAGE), (sound, SOUND)):
        if array.ndim > 1 or key in KEYS:
            found = np.asarray(opened(data)[key])
            assert (found.shape, found.dtype) == (array[key].shape, array.dtype)
            assert np.array_equal(found, array[key])
            assert len(opened(data)) == len(array)


IMAGE = ardm_compress.encode(
    (np.add.outer(np.arange(30), np.arange(40))[..., None] // [3, 5, 7] % 256).astype(np.uint8), level=1
)
SOUND = ardm_compress.encode((np.arange(400) % 77).astype(np.int16), rate=8000, level=1)


def test_places_outside_the_samples_are_index_errors() -> None:
    for data in (IMAGE, SOUND):
        for place in (400, -401):
            with pytest.raises(IndexError):
                opened(data)[place]


def test_files_are_pickled_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(IMAGE)
    with ardm_compress.open(tmp_path / "image") as file, pickle.loads(pickle.dumps(file)) as again:
        assert np.array_equal(again[3], file[3])
    with pytest.raises(TypeError, match="by its path"):
        pickle.dumps(opened(IMAGE))


@pytest.mark.parametrize("wrong", ["photo.png", 3, None, Path("photo.png")])
def test_what_are_no_bytes_of_a_file_is_a_type_error(wrong: Any) -> None:
    for encode in (ardm_compress.encode_image, ardm_compress.encode_sound):
        with pytest.raises(TypeError, match="bytes of a file"):
            encode(wrong)


def test_a_level_means_the_same_for_arrays_and_files(photo: Samples) -> None:
    small = photo[:20, :24]
    assert ardm_compress.encode(small, level=2) == ardm_compress.encode(small, budget=16, model="photo-fast")
    file = saved(small, "PNG")
    assert ardm_compress.encode_image(memoryview(file), level=4) == ardm_compress.encode_image(file, budget=24)
    assert ardm_compress.encode_sound(wave(bytes(900)), level=2) == ardm_compress.encode_sound(
        wave(bytes(900)), budget=16
    )
    for wrong, error in ((0, ValueError), (10, ValueError), ("3", TypeError)):
        with pytest.raises(error):
            ardm_compress.encode(small, level=wrong)  # type: ignore[arg-type]
