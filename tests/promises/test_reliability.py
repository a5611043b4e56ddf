"""Nothing lost, nothing let in: damage, false claims, and processes that die. docs/reliability.md has the counts."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from damage import cuts, decode, files, flips, is_refused, struck
from dying import fill, kill
from pictures import png_chunk
from PIL import Image

from ardm_compress.codec import images
from ardm_compress.container import MAGIC, SOUND, STORED, VERSION
from ardm_compress.container.image import WRAPPED
from ardm_compress.container.picture import JPEG_XL, PICTURE, TILED
from ardm_compress.container.stored import parse_stored
from ardm_compress.errors import ArdmError, FormatError, LimitError
from ardm_compress.files import write_varint
from ardm_compress.methods import decode_tiles
from ardm_compress.options import CODING, MAX_SIDE, Limits

KINDS = files()


@pytest.mark.parametrize("name", KINDS)
def test_every_flipped_bit_and_every_other_length_is_found(name: str) -> None:
    decode(KINDS[name])
    assert all(map(is_refused, flips(KINDS[name])))
    assert all(map(is_refused, cuts(KINDS[name])))


@pytest.mark.parametrize("repaired", [False, True])
def test_random_damage_ends_in_a_named_error(repaired: bool) -> None:
    """With right checksums a few are other valid files; those that are not must not end in any other error."""
    noise, decoded = random.Random(7), 0
    for name in KINDS:
        for _ in range(10):
            damaged = struck(KINDS[name], noise, repaired=repaired)
            decoded += damaged != KINDS[name] and not is_refused(damaged)
    assert decoded <= (10 if repaired else 0)


# False claims


def header(flags: int, *numbers: int, rest: bytes = bytes(40)) -> bytes:
    return MAGIC + bytes([VERSION, flags]) + b"".join(map(write_varint, numbers)) + rest


def checked(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(4, "little")


def large_stored() -> bytes:
    """2^28 zero bytes as one wrapper that is deflated, in a picture."""
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    return bytes([0b01100, 0, 1]) + write_varint(1 << 28) + body


CLAIMS = {
    "an image of 2^20 x 2^20": header(2, MAX_SIDE, MAX_SIDE),
    "sides of 2^31": header(2, 1 << 31, 1 << 31),
    "a tile for every pixel": header(2 | 8, 1 << 14, 1 << 14, rest=b"abcd\1\1" + bytes(40)),
    "one tile of 2^28 pixels": checked(header(2, 1 << 14, 1 << 14)),
    "latents for ever": header(2 | 64, 9, 9, rest=b"abcd" + b"\xff\x7f" * 50),
    "a schedule of 4 GiB": header(2 | 4, 9, 9, rest=b"abcd\xff\xff\xff\xff\x0f"),
    "sections of 4 GiB": checked(header(2 | 16, 256, 256, rest=b"abcd\5" + bytes(4) + b"\xff\xff\xff\xff\x0f" * 5)),
    "a picture of 2^20 x 2^20": header(PICTURE, MAX_SIDE, MAX_SIDE),
    "a picture of one tile": checked(header(PICTURE, 1 << 14, 1 << 14, 2)),
    "a picture of tiles of one pixel": header(PICTURE | TILED, 1 << 14, 1 << 14, 1, 1),
    "a wrapper of 256 MiB": header(PICTURE | WRAPPED, 1 << 28),
    "a wrapper in a wrapper": checked(header(PICTURE | WRAPPED, 2, rest=b"\x4c\2"))
    + bytes([PICTURE | WRAPPED])
    + bytes(30),
    "a wrapper that unpacks to 256 MiB": checked(
        header(PICTURE | WRAPPED, len(large_stored()), rest=large_stored())
    ) + header(2, 1, 1)[5:],
    "sound of 2^34 samples": header(SOUND, 1 << 34, 64),
    "sound of a tile of 2^30": checked(header(SOUND, 1 << 30, 1, rest=b"abcd\x0c\1\0")),
    "sound that filters learn, of 64 channels": checked(header(SOUND | 2, 1 << 20, 64, rest=b"\0\1\0")),
    "a stored file of 2^34 bytes": checked(header(SOUND | STORED, 1 << 34, rest=b"a")),
}  # fmt: skip

CHILD = """
import json, resource, sys
from pathlib import Path
from ardm_compress.cli import main
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))  # seconds of all files; what is not refused takes hours
told = []
for path in sorted(Path(sys.argv[1]).glob("*.ardm")):
    code = main(["decode", str(path), "-o", str(path) + ".out"], standalone_mode=False)
    most = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10  # rusage is the parent's
    told.append([path.stem, code, most])
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_false_claims_are_refused_before_they_take_memory_or_time(tmp_path: Path) -> None:
    for name, data in CLAIMS.items():
        (tmp_path / f"{name.replace(' ', '_')}.ardm").write_bytes(data)
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == len(CLAIMS)
    for name, code, mebibytes in told:
        assert code in (3, 4), name
        assert mebibytes < 300, name
    assert not list(tmp_path.glob("*.out"))


@pytest.mark.parametrize("name", CLAIMS)
def test_false_claims_are_refused_by_the_library(name: str) -> None:
    with pytest.raises(ArdmError):
        decode(CLAIMS[name])
    for read in (images.salvage_image, lambda data: images.decode_image(data, preview=2)):
        if not CLAIMS[name][5] & SOUND:
            with pytest.raises(ArdmError):
                read(CLAIMS[name])


def test_images_that_unpack_to_more_than_they_say_are_refused_or_stored() -> None:
    """A PNG file of 9 x 9 pixels that holds 64 MiB."""
    body = zlib.compress(bytes(1 << 26), 9)
    ihdr = b"\0\0\0\x09\0\0\0\x09\x08\0\0\0\0"
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", ihdr) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    assert b"".join(parse_stored(images.encode_image(data)).parts()) == data


def animation(frames: int) -> bytes:
    """A JPEG XL codestream of several frames."""
    images = np.zeros((frames, 64, 64, 3), np.uint8)
    return bytes(imagecodecs.jpegxl_encode(images, lossless=True, effort=1, usecontainer=False))


def test_tiles_of_several_frames_are_refused_before_they_unpack() -> None:
    """The decoder would unpack all of them, 100 bytes each, into as much memory as there is."""
    with pytest.raises(FormatError, match="sides"):
        decode_tiles([bytes([JPEG_XL]) + animation(3)], (64, 64, 3), 8)


@contextmanager
def at_most(mebibytes: int) -> Iterator[None]:
    """No more memory is taken, as far as Python and NumPy know."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mebibytes << 20
    finally:
        tracemalloc.stop()


def test_kinds_of_tiff_that_nobody_unpacks_here_are_stored_without_unpacking() -> None:
    """They were unpacked to see whether they are damaged, whatever their size."""
    deep = bytes(imagecodecs.tiff_encode(np.zeros((5000, 5000), np.uint64), compression="deflate", level=1))
    with at_most(150):  # of which LZMA takes 100
        coded = images.encode_image(deep, limits=Limits(pixels=100))
    assert b"".join(parse_stored(coded).parts()) == deep


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_limits_hold_before_an_image_is_unpacked(kind: str) -> None:
    out, small = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(out, kind, lossless=True)
    for limits in (Limits(pixels=2000**2 - 1), Limits(memory=CODING + 1000)):
        with at_most(4 + 3 * len(out.getvalue()) // (1 << 20)), pytest.raises(LimitError):
            images.encode_image(out.getvalue(), limits=limits)
    Image.new("RGB", (5, 5)).save(small, kind, lossless=True)
    assert images.encode_image(small.getvalue(), limits=Limits(pixels=25))


def test_tiles_are_few_for_their_pixels() -> None:
    """Each takes all network calls: a file of 2^16 tiles of 4 x 4 pixels took hours."""
    Limits().check_tiles(64, 10, 10)
    Limits().check_tiles(128, 1024, 1024)
    with pytest.raises(LimitError):
        Limits().check_tiles(65, 10, 10)


# Processes that die, and disks that are full


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_process_that_dies_loses_nothing(tmp_path: Path, end: signal.Signals, force: bool) -> None:
    noise = random.Random(int(end))
    for _ in range(2):
        kill(tmp_path, noise, end, force=force)
    assert kill(tmp_path, None, end, force=force) in ("written", "as it was")
    assert kill(tmp_path, None, None, force=force) == "written"


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, force: bool) -> None:
    fill(tmp_path, force=force)
