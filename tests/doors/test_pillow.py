"""The plugin of Pillow."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import PALETTE, TEXT, Samples, bmp_file, noise, png_chunk, png_file, saved
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from sounds import wave

import ardm_compress
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.container import MAGIC
from ardm_compress.container.picture import PictureHeader, write_file
from ardm_compress.container.stored import stored
from ardm_compress.container.wrappers import write_image_wrapper
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import write_chunks
from ardm_compress.formats import png
from ardm_compress.formats.contents import PNG, RASTER, ImageWrapper, Picture
from ardm_compress.pillow import ArdmImageFile

EXIF = b"Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # turned to the right
MODES = ("1", "L", "LA", "RGB", "RGBA", "P", "I;16")


def reopened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def saved_as_ardm(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "ARDM", budget=2, **options)
    return out.getvalue()


def image_of(mode: str, width: int, height: int, seed: int) -> Image.Image:
    size = width * height * (2 if mode == "I;16" else len(Image.new(mode, (1, 1)).getbands()))
    if mode == "1":
        return Image.fromarray(noise(height, width, 1, 1, seed)[..., 0] > 0)
    image = Image.frombytes(mode, (width, height), np.random.default_rng(seed).bytes(size))
    if mode == "P":
        image.putpalette(np.random.default_rng(seed).bytes(768))
    return image


def check_same(one: Image.Image, other: Image.Image) -> None:
    assert (one.mode, one.size) == (other.mode, other.size)
    assert one.tobytes() == other.tobytes()
    if one.mode == "P":
        assert one.getpalette() == other.getpalette()


@given(st.sampled_from(["1", "I;16"]), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=20)
def test_images_come_back(mode: str, width: int, height: int, seed: int) -> None:
    image = image_of(mode, width, height, seed)
    check_same(reopened(saved_as_ardm(image)), image)


@pytest.mark.parametrize("mode", MODES)
def test_images_of_every_mode_come_back_from_files(mode: str, tmp_path: Path) -> None:
    image = image_of(mode, 7, 5, 0)
    image.save(tmp_path / "a.ardm", budget=2)
    with Image.open(tmp_path / "a.ardm") as again:
        assert isinstance(again, ArdmImageFile)
        assert (again.format, again.mode, again.size) == ("ARDM", mode, (7, 5))
        assert again.get_format_mimetype() == "image/x-ardm"
        check_same(again, image)
        again.load()


def test_palettes_of_few_colours_come_back() -> None:
    image = image_of("P", 7, 5, 0).quantize(5)
    again = reopened(saved_as_ardm(image))
    assert again.mode == "P"
    check_same(again.convert("RGB"), image.convert("RGB"))


def test_metadata_comes_back_before_pixels_are_decoded() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngInfo()
    text.add_text("Title", "kept")
    data = saved_as_ardm(image_of("L", 7, 5, 0), exif=EXIF, icc_profile=profile, pnginfo=text, dpi=(300, 300))
    damaged = bytearray(data)
    damaged[-6] ^= 1
    image = reopened(data)
    assert image.info["icc_profile"] == profile
    assert image.info["exif"] == EXIF
    assert image.info["Title"] == "kept"
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert image.getexif()[0x0112] == 6
    again = reopened(saved_as_ardm(image, exif=image.getexif()))  # as it would be of any other format
    assert again.info["icc_profile"] == profile
    assert again.getexif()[0x0112] == 6


PIXELS = noise(5, 7, 3, 8)
FILES = {
    "palette, transparent": png_file(noise(5, 7, 1, 4), 4, 3, PALETTE, png_chunk(b"tRNS", b"\0\7"), after=TEXT),
    "gray of 2 bits": png_file(noise(5, 7, 1, 2), 2, 0),
    "colour key": png_file(PIXELS, 8, 2, png_chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))),
    "16 bits": png_file(noise(5, 7, 1, 16), 16, 0),
    "16 bits of colour, which Pillow narrows": png_file(noise(5, 7, 3, 16), 16, 2),
    "BMP": bmp_file(noise(5, 7, 3, 8)),
    "PPM": saved(np.full((9, 8, 3), 77, np.uint8), "PPM"),
    "TIFF": saved(PIXELS, "TIFF"),
    "WebP": saved(PIXELS, "WEBP", lossless=True, exif=EXIF[6:], icc_profile=b"none"),
    "WebP, transparent": saved(noise(5, 7, 4, 8), "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", FILES)
def test_compressed_files_look_as_they_did(kind: str) -> None:
    again = reopened(ardm_compress.encode_image(FILES[kind], budget=2))
    with Image.open(io.BytesIO(FILES[kind])) as image:
        assert isinstance(again, ArdmImageFile)
        assert (again.mode, again.size) == (image.mode, image.size)
        image.load()
        given = {name: value for name, value in image.info.items() if name in again.info or image.format != "WEBP"}
        assert again.info == given
        check_same(again, image)
        assert again.info == given


def test_reading_a_header_reads_nothing_else() -> None:
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            part = super().read(size)
            self.reads += len(part)
            return part

    data = ardm_compress.encode(noise(1000, 1000, 1, 16))  # of 4 tiles
    file = Counted(data)
    with Image.open(file) as image:
        assert image.size == (1000, 1000)
        assert file.reads < len(data) // 10


def test_animations_and_other_stored_images_are_opened_by_their_own_plugin(tmp_path: Path) -> None:
    frames = [image_of("P", 7, 5, seed) for seed in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "a.ardm").write_bytes(ardm_compress.encode_image((tmp_path / "a.gif").read_bytes()))
    with Image.open(tmp_path / "a.ardm") as again, Image.open(tmp_path / "a.gif") as image:
        assert (again.format, again.n_frames) == ("GIF", 3)
        again.seek(2)
        image.seek(2)
        check_same(again, image)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ardm_compress.encode(noise(3, 4, 1, 16))[:-1], "damaged or cut short"),
        (MAGIC + b"\2" + bytes(9), "version 2"),
        (stored(wave(b"")), "cannot identify"),
        (stored(b"no image at all"), "cannot identify"),
        (stored(stored(b"no image at all")), "cannot identify"),
        (stored(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "cannot identify"),  # would run Ghostscript
        (MAGIC, "cannot identify"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UnidentifiedImageError, match=message):
        reopened(data)


def test_sound_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.ardm").write_bytes(ardm_compress.encode(np.zeros(9, np.int16), rate=8000, budget=2))
    with pytest.raises(UnidentifiedImageError, match="holds sound"):
        Image.open(tmp_path / "a.ardm")


def test_damaged_pixels_are_an_error_or_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    array = noise(40, 1000, 1, 16)[..., 0]
    data = bytearray(ardm_compress.encode(array))  # of 2 tiles, 504 and 496 pixels wide
    data[-9] ^= 1
    with pytest.raises(OSError, match="damaged"):
        reopened(bytes(data)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with reopened(bytes(data)) as image:
        found = np.asarray(image)
        assert np.array_equal(found[:, :500], array[:, :500])
        assert not np.array_equal(found, array)


def test_bombs_are_refused_when_they_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ardm_compress.encode(noise(30, 20, 1, 16))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 299)
    with pytest.raises(Image.DecompressionBombError):
        reopened(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)
    with pytest.warns(Image.DecompressionBombWarning) as warned:
        reopened(data).load()
    assert len(warned) == 1


def test_images_larger_than_the_command_line_takes_can_be_opened_if_pillow_allows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrapper = write_image_wrapper(png.plain(1))
    header = PictureHeader(shape=(40000, 7000), tile=(800, 700), wrapper=wrapper, checksums=(0,) * 500, lengths=())
    data = write_file(header, [b"no pixels"] * 500)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with reopened(data) as image:
        assert image.size == (7000, 40000)


def wrapped(head: bytes, tail: bytes = b"", kind: int = RASTER) -> bytes:
    """A file of 5 x 4 samples of 16 bits in something else."""
    return encode_picture(Picture(np.zeros((4, 5, 1), np.uint16), ImageWrapper(kind, 16, 1, 0, head, tail)))


@pytest.mark.parametrize("head", [b"P5 5 5 65535 ", b"P5 99999 999 65535 ", b"BM" + bytes(60), b"II*\0\10", b"\0"])
def test_files_that_say_other_than_their_samples_are_refused(head: bytes) -> None:
    with pytest.raises(UnidentifiedImageError):
        reopened(wrapped(head))


CHUNKS = st.tuples(st.sampled_from([b"PLTE", b"tRNS", b"iCCP", b"acTL", b"fcTL", b"zTXt"]), st.binary(max_size=40))


@given(st.lists(CHUNKS))
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore:Invalid APNG")
def test_whatever_metadata_is_pixels_come_back_or_an_error(chunks: list[tuple[bytes, bytes]]) -> None:
    data = wrapped(write_chunks(chunks), write_chunks(chunks[:1]), PNG)
    with contextlib.suppress(OSError), Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == (5, 4)


def test_tiff_files_may_be_turned() -> None:
    tiff = io.BytesIO()
    Image.fromarray(noise(5, 7, 3, 8)).save(tiff, "TIFF", tiffinfo={274: 6})
    again = reopened(ardm_compress.encode_image(tiff.getvalue(), budget=2))
    with Image.open(tiff) as image:
        assert again.size == image.size
        check_same(again, image)


@pytest.mark.parametrize("mode", ["CMYK", "F", "I", "HSV", "YCbCr"])
def test_other_modes_are_not_written(mode: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"cannot write mode {mode} as ARDM"):
        Image.new(mode, (3, 3)).save(tmp_path / "a.ardm")
    assert not list(tmp_path.iterdir())


def test_options_of_saving_are_checked() -> None:
    with pytest.raises(ValueError, match="jobs"):
        saved_as_ardm(Image.new("L", (3, 3)), jobs=0)
    with pytest.raises(UnsupportedError, match="no model"):
        saved_as_ardm(Image.new("L", (3, 3)), model="none")
    calls: list[int] = []
    saved_as_ardm(Image.new("1", (3, 3)), jobs=1, progress=lambda done, _total: calls.append(done))
    assert calls


def test_other_frames_are_passed_over_as_by_formats_without_animation() -> None:
    """Pillow made an animation of them for us, which is no one image."""
    image = Image.new("1", (3, 3))
    assert saved_as_ardm(image, append_images=[image], default_image=True) == saved_as_ardm(image)


def test_images_are_copied_pickled_and_saved_as_others() -> None:
    import pickle

    image = image_of("I;16", 7, 5, 0)
    data = saved_as_ardm(image)
    check_same(reopened(data).copy(), image)
    check_same(pickle.loads(pickle.dumps(reopened(data))), image)
    out = io.BytesIO()
    reopened(data).save(out, "PNG")
    check_same(reopened(out.getvalue()), image)


def test_compressing_a_compressed_file_is_refused_as_without_the_plugin() -> None:
    with pytest.raises(ardm_compress.UnsupportedError, match="by this program already"):
        ardm_compress.encode_image(ardm_compress.encode(noise(3, 4, 1, 16)))


def test_opening_by_pillow_leaves_no_warnings_behind(tmp_path: Path) -> None:
    (tmp_path / "a.ardm").write_bytes(ardm_compress.encode(noise(3, 4, 1, 16)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = Image.open(tmp_path / "a.ardm")
        image.load()
        assert image.fp is None  # as every plugin leaves it
        del image


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_drafts_decode_a_preview_and_thumbnails_take_one(photo: Samples, options: dict[str, str]) -> None:
    source = Image.fromarray(photo)
    for kind in ("PNG", "TIFF"):
        out = io.BytesIO()
        source.save(out, kind, **options if kind == "TIFF" else {})
        data = ardm_compress.encode_image(out.getvalue(), level=1)
        with Image.open(io.BytesIO(data)) as image:
            assert image.draft(None, (13, 10)) == ("RGB", (0, 0, 14, 10))
            assert np.array_equal(np.asarray(image), photo[::4, ::4])
        with Image.open(io.BytesIO(data)) as image:
            image.thumbnail((16, 16))
            assert image.size == (16, 11)


def test_pages_of_one_file_are_opened_as_pages(photo: Samples) -> None:
    out = io.BytesIO()
    pages = [Image.fromarray(photo[:20, :24]), Image.fromarray(photo[20:40, :24])]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression="packbits")
    with Image.open(io.BytesIO(ardm_compress.encode_image(out.getvalue(), level=1))) as image:
        assert getattr(image, "n_frames", 1) == 2
        image.seek(1)
        assert np.array_equal(np.asarray(image), photo[20:40, :24])
