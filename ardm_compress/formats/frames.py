"""Where the last frame of a FLAC file may end, by its CRCs (RFC 9639 section 9). Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ardm_compress.files import Data

SEARCHED: Final = 1 << 22  # bytes at the end of a file: a frame has at most half as many
MOST_TRIED: Final = 8  # places that look like the beginning of a frame
SYNC: Final = (b"\xff\xf8", b"\xff\xf9")  # of blocks of one size, and of several
LONGEST_HEADER: Final = 16


def _table(polynomial: int, bits: int) -> list[int]:
    """Remainders of every byte."""
    found = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
            value &= (1 << bits) - 1
        found.append(value)
    return found


CRC_8: Final = _table(0x07, 8)
CRC_16: Final = _table(0x8005, 16)


def frame_ends(data: Data, start: int) -> Iterator[tuple[int, list[int]]]:
    """Find where frames may begin, the last place first, and where each may end by its CRC, in order.

    Args:
        data: the file.
        start: where its frames start, in bytes.
    """
    first = max(start, len(data) - SEARCHED)
    window = data[first : len(data)]
    at, tried = len(window), 0
    while tried < MOST_TRIED and (at := max(window.rfind(sync, 0, at + 1) for sync in SYNC)) >= 0:
        if size := header_size(window[at : at + LONGEST_HEADER]):
            yield first + at, [first + end for end in _ends(window, at, at + size)]
            tried += 1
        at -= 1


def header_size(data: bytes) -> int:
    """Count the bytes of the frame header at the beginning of data; 0 if there is none."""
    if len(data) < LONGEST_HEADER:
        data += bytes(LONGEST_HEADER - len(data))
    block, rate = data[2] >> 4, data[2] & 15
    if data[:2] not in SYNC or not block or rate == 15 or data[3] & 1 or data[3] >> 4 > 10:
        return 0
    leading = 8 - (data[4] ^ 0xFF).bit_length()  # ones of the number of the frame, coded as in UTF-8
    size = 4 + max(1, leading) + {6: 1, 7: 2}.get(block, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    value = 0
    for byte in data[:size]:
        value = CRC_8[value ^ byte]
    return size + 1 if leading != 1 and leading < 8 and value == data[size] else 0


def _ends(window: bytes, start: int, first: int) -> list[int]:
    """Where a frame that starts at ``start`` may end: where nothing remains of its CRC, its last two bytes."""
    value, found = 0, []
    for at in range(start, len(window)):
        value = (value << 8 & 0xFFFF) ^ CRC_16[value >> 8 ^ window[at]]
        if not value and at >= first + 1:
            found.append(at + 1)
    return found


def frame_starts(data: Data, start: int) -> Iterator[int]:
    """Find where the frames of a file of blocks of one size start, one after another, in bytes."""
    at, number = start, 0
    while at < len(data):
        window = data[at : min(at + SEARCHED, len(data))]
        is_last, place = at + len(window) == len(data), -1
        while (place := window.find(SYNC[0], place + 1)) >= 0 and (is_last or place + LONGEST_HEADER <= len(window)):
            header = window[place : place + LONGEST_HEADER]
            if header_size(header) and _number(header[4:]) == number:
                yield at + place
                number += 1
        at += len(window) if is_last else place if place > 0 else len(window) - 1


def _number(data: bytes) -> int:
    """Decode the number of a frame, coded as in UTF-8."""
    leading = 8 - (data[0] ^ 0xFF).bit_length()
    value = data[0] & (0x7F >> leading)
    for byte in data[1 : max(1, leading)]:
        value = value << 6 | byte & 0x3F
    return value
