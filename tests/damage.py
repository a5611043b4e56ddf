"""Damaged files of every kind. ``python tests/damage.py [--random N]`` counts what is found and prints a table.

Every bit is flipped and every length is tried. Random damage is tried as it is, and with all checksums made right
again, as an attacker would: then the file must end in a named error, or be another valid file.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from golden import GOLDEN_JPEGS
from pictures import TEXT, png_file

from ardm_compress.codec import images, sounds
from ardm_compress.codec.jpegs import decode_jpeg, original_parts
from ardm_compress.codec.pictures import encode_picture
from ardm_compress.codec.texts import decode_text
from ardm_compress.container import CRC_BYTES, START, parse
from ardm_compress.container.image import WRAPPED, ParsedImage, read_wrapped, write_wrapped
from ardm_compress.container.jpeg import ParsedJpeg
from ardm_compress.container.picture import ParsedPicture
from ardm_compress.container.stored import ParsedStored
from ardm_compress.container.text import ParsedText
from ardm_compress.container.wrappers import write_image_wrapper
from ardm_compress.errors import ArdmError
from ardm_compress.formats.catalogue import read_picture
from ardm_compress.formats.contents import ImageWrapper, Picture
from ardm_compress.options import EncodeOptions, Limits

FOLDER = Path(__file__).with_name("golden")
GOLDEN = ("photo-3-gray", "photo-1-one-row", "picture-1-palette", "picture-1-gray-alpha", "sound-1-mono",
          "sound-1-three-channels", "sound-1-stored", "jpeg-1-gray", "jpeg-1-colour-thumbnail",
          "text-1-letter", "text-1-one-byte")  # fmt: skip
SMALL = Limits(pixels=1 << 12)
MOST_BYTES = 8  # that random damage changes
MOST_JPEG, CUT_SHARE = 1 << 12, 0.2  # bytes of JPEG files that are damaged, and how many of them are cut short as well
BEGINNING = 3  # bytes by which a JPEG file is known


def files() -> dict[str, bytes]:
    """A small file of every kind."""
    found = {name: (FOLDER / f"{name}.ardm").read_bytes() for name in GOLDEN}
    rows, columns = np.mgrid[:20, :18]
    photo = (8 * rows[..., None] + 3 * columns[..., None] + np.arange(3) * 40).astype(np.uint8)
    drawn = ((rows + columns) // 9 % 16).astype(np.uint8)[..., None]
    options = EncodeOptions(budget=3, tile=16, sections_from=1)
    found["tiles and sections"] = images.encode_samples(photo, options)
    picture = read_picture(png_file(photo[:8, :8], 8, 2, TEXT))
    assert picture is not None
    found["wrapped"] = write_wrapped(
        write_image_wrapper(picture.wrapper), images.encode_samples(photo[:8, :8], options)
    )
    found["tiles of a picture"] = encode_picture(Picture(drawn, ImageWrapper(0, 4, 1)), tile=16)
    return found


def decode(data: bytes, limits: Limits = SMALL) -> None:
    """Decode a file of any kind, all of it."""
    file = parse(data, limits)
    if isinstance(file, ParsedImage | ParsedPicture):
        images.decode_image(data, limits=limits)
    elif isinstance(file, ParsedJpeg):
        decode_jpeg(file)
    elif isinstance(file, ParsedText):
        decode_text(file)
    else:
        deque(sounds.decoded_sound(data), maxlen=0)


def is_refused(data: bytes) -> bool:
    """Whether a file ends in a named error; any other is a defect and passes through."""
    try:
        decode(data)
    except ArdmError:
        return True
    return False


def flips(data: bytes) -> Iterator[bytes]:
    """The file with each of its bits flipped."""
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        yield bytes(damaged)


def cuts(data: bytes) -> Iterator[bytes]:
    """All beginnings of a file but itself, and itself with bytes behind its end."""
    for size in range(len(data)):
        yield data[:size]
    for junk in (b"\0", b"\xff", b"ARDM", data):
        yield data + junk


def spans(data: bytes) -> list[tuple[bytes, int, int]]:
    """What each checksum is of: bytes before, start and end; the checksum follows."""
    if data[5] == WRAPPED:
        start = len(data) - len(read_wrapped(data)[1]) + len(START)
        inner = spans(START + data[start:])
        shifted = [(START if a == 0 else b"", max(start, a + start - len(START)), b + start - len(START))
                   for _, a, b in inner]  # fmt: skip
        return [(b"", 0, start - CRC_BYTES), *shifted]
    file = parse(data)
    if isinstance(file, ParsedStored | ParsedJpeg | ParsedText) or len(file.header.lengths) == 1:
        return [(b"", 0, len(data) - CRC_BYTES)]
    header, offset = file.header, file.header_bytes
    found, at = [(b"", 0, offset - CRC_BYTES)], offset
    for length in header.lengths:
        found.append((b"", at, at + length - CRC_BYTES))
        at += length
    return found


def struck(data: bytes, noise: random.Random, *, repaired: bool) -> bytes:
    """The file with some bytes changed; ``repaired``: with right checksums where the undamaged file has them."""
    damaged = bytearray(data)
    for _ in range(noise.randint(1, MOST_BYTES)):
        damaged[noise.randrange(5, len(data))] = noise.randrange(256)
    return with_checksums(bytes(damaged), data) if repaired else bytes(damaged)


def with_checksums(damaged: bytes, original: bytes) -> bytes:
    """Right checksums where the original has them."""
    found = bytearray(damaged)
    for before, start, stop in spans(original):
        found[stop : stop + CRC_BYTES] = zlib.crc32(before + found[start:stop]).to_bytes(4, "little")
    return bytes(found)


def jpegs(count: int, seed: int) -> None:
    """Damage JPEG files, half before they are encoded and half encoded, and print what became of them."""
    noise, became, slowest = random.Random(seed), Counter[str](), 0.0
    originals = [data for data in GOLDEN_JPEGS.values() if len(data) < MOST_JPEG]
    coded = [images.encode_image(data) for data in originals]
    for number in range(count):
        start, which = time.perf_counter(), noise.randrange(len(originals))
        if number % 2:
            damaged = struck(coded[which], noise, repaired=True)
            what = "encoded file refused" if is_refused(damaged) else "encoded file decoded"
            what = "encoded file unchanged" if damaged == coded[which] else what
        else:
            damaged = struck(originals[which], noise, repaired=False)
            if noise.random() < CUT_SHARE:
                damaged = damaged[: noise.randrange(BEGINNING, len(damaged))]
            file = parse(images.encode_image(damaged))
            assert isinstance(file, ParsedJpeg | ParsedStored)
            same = b"".join(original_parts(file)) == damaged
            what = f"JPEG file {'came back' if same else 'WRONG'}, by {file.facts.get('method', 'storing')}"
        became[what] += 1
        slowest = max(slowest, time.perf_counter() - start)
        if number % 100 == 99:
            click.echo(f"{number + 1}: {dict(sorted(became.items()))}; slowest {slowest:.1f} s", err=True)
    for what, times in sorted(became.items()):
        click.echo(f"{what}: {times}")


@click.command()
@click.option("--random", "count", default=0, show_default=True, help="Random damages of each way, in all.")
@click.option(
    "--jpegs", "jpeg_count", default=0, show_default=True, help="Random damages of JPEG files, and only these."
)
@click.option("--seed", default=2, show_default=True, help="Of the damages of JPEG files.")
def main(count: int, jpeg_count: int, seed: int) -> None:
    """Print how many damages were tried and how many were not found."""
    if jpeg_count:
        jpegs(jpeg_count, seed)
        return
    tried, missed, slowest = Counter[str](), Counter[str](), 0.0
    kinds = files()
    for name, data in kinds.items():
        decode(data)
        for way, damaged in (("flipped bits", flips(data)), ("other lengths", cuts(data))):
            for each in damaged:
                tried[way] += 1
                missed[way] += not is_refused(each)
        click.echo(f"{name}: {len(data)} bytes", err=True)
    noise, names = random.Random(1), list(kinds)
    for number in range(2 * count):
        data, repaired = kinds[names[number // 2 % len(names)]], bool(number % 2)
        damaged = struck(data, noise, repaired=repaired)
        way = "random bytes, checksums repaired" if repaired else "random bytes"
        start = time.perf_counter()
        tried[way] += damaged != data
        missed[way] += damaged != data and not is_refused(damaged)
        slowest = max(slowest, time.perf_counter() - start)
    for way in tried:
        click.echo(f"{way}: {tried[way]} tried, {missed[way]} decoded")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    click.echo(f"slowest {slowest:.1f} s; {peak} MiB; other errors than named ones: 0, or this would not be printed")


if __name__ == "__main__":
    sys.exit(main())
