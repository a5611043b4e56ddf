"""The markers of a JPEG picture: its frame, its tables, and the scans that they announce. NumPy only.

Without its scans' data a picture is still a row of markers, so that reading and writing walk along it alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ardm_compress.errors import UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEQUENTIAL: Final = 0  # what a scan codes
DC_FIRST: Final = 1
DC_BITS: Final = 2
AC_FIRST: Final = 3
AC_BITS: Final = 4

# Columns of the settings of a scan.
MODE: Final = 0
FIRST: Final = 1  # coefficients
LAST: Final = 2
LOW: Final = 3  # the least bit that is coded
INTERVAL: Final = 4  # MCUs between restart markers, 0 if there are none

ONES: Final = 255  # in place of padding: as many ones as there is room for
ZEROS: Final = 0

MOST_COEFFICIENTS: Final = 1 << 27  # of all pictures: 90 megapixels in 4:2:0
MOST_VISITS: Final = 1 << 26  # of blocks by scans, of all pictures, so that a small file cannot take long
MOST_SCANS: Final = 256  # of a picture
MOST_SEGMENTS: Final = 1 << 16  # of a picture, for the same reason
MOST_BREAKS: Final = 1 << 22  # of all pictures, see ``ScanNotes``
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), 0xC2  # frames
_OTHER_FRAMES: Final = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_HUFFMAN, _QUANTISERS, _INTERVAL, _SCAN, _LINES = 0xC4, 0xDB, 0xDD, 0xDA, 0xDC
_START, _END = 0xD8, 0xD9
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\x01\xd0-\xd7]", re.DOTALL)  # but those without a length


@dataclass(frozen=True, slots=True)
class Component:
    """Of a frame: its sampling, its blocks, and where its coefficients are."""

    name: int
    down: int  # sampling factors, 1..4
    across: int
    table: int  # of its quantiser
    rows: int  # blocks, with those that fill up the last MCU
    columns: int
    height: int  # blocks that the picture needs
    width: int
    offset: int  # of the first coefficient


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame header says."""

    progressive: bool
    bits: int  # of a sample, 8 or 12
    height: int  # pixels
    width: int
    components: tuple[Component, ...]
    size: int  # coefficients of all components


@dataclass(frozen=True, slots=True)
class ScanNotes:
    """What a scan's data holds besides coefficients."""

    padding: NDArray[np.uint8]  # see ``read``; one byte, ONES or ZEROS, if that says it all
    breaks: NDArray[np.int64]


class Hole(NamedTuple):
    """Where a picture begins, and how many bytes of its scans have been taken out of it."""

    start: int
    size: int


USUAL: Final = ScanNotes(np.array([ONES], np.uint8), np.zeros(0, np.int64))


@dataclass(slots=True)
class Picture:
    """A picture's coefficients, and what its markers say of them."""

    frame: Frame
    coefficients: NDArray[np.int16]  # flat, see ``Component.offset``; blocks in raster order, in zigzag order
    steps: dict[int, NDArray[np.int64]] = field(default_factory=dict)  # (64,) of every quantiser
    notes: list[ScanNotes] = field(default_factory=list)  # of every scan

    def plane(self, component: Component) -> NDArray[np.int16]:
        """View a component's coefficients, (rows, columns, 64)."""
        stop = component.offset + component.rows * component.columns * 64
        return self.coefficients[component.offset : stop].reshape(component.rows, component.columns, 64)

    def steps_of(self, component: Component) -> NDArray[np.int64]:
        """Give the steps of a component's quantiser, in zigzag order; 1 where the file gives none."""
        return np.maximum(self.steps.get(component.table, np.ones(64, np.int64)), 1)


@dataclass(frozen=True, slots=True)
class Scan:
    """As the functions of ``scans`` take it."""

    settings: NDArray[np.int64]
    components: list[Component]
    mcus: tuple[int, int]  # down and across
    dc: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
    ac: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]

    @property
    def intervals(self) -> int:
        """Parts between restart markers, at least 1."""
        interval = int(self.settings[INTERVAL])
        return -(-self.mcus[0] * self.mcus[1] // interval) if interval else 1

    @property
    def owners(self) -> NDArray[np.int64]:
        """Which of the scan's components each block of an MCU is of."""
        shapes = [(c.down, c.across) for c in self.components] if len(self.components) > 1 else [(1, 1)]
        return np.repeat(np.arange(len(shapes)), [down * across for down, across in shapes])

    @property
    def blocks(self) -> int:
        """Of all components."""
        return self.mcus[0] * self.mcus[1] * len(self.owners)

    def places(self) -> NDArray[np.int64]:
        """List where the coefficients of the blocks begin, in the order of the scan."""
        y, x = (np.arange(count)[:, None] for count in self.mcus)
        found = []
        for c in self.components:
            down, across = (c.down, c.across) if len(self.components) > 1 else (1, 1)
            rows, columns = y * down + np.arange(down), x * across + np.arange(across)
            own = c.offset + 64 * (rows[:, None, :, None] * c.columns + columns[None, :, None, :])
            found.append(own.reshape(-1, down * across))
        return np.concatenate(found, 1).ravel()


@dataclass(slots=True)
class Room:
    """What the pictures of a file may still take."""

    coefficients: int = MOST_COEFFICIENTS
    visits: int = MOST_VISITS

    def take(self, *, coefficients: int = 0, visits: int = 0) -> None:
        """Raise UnsupportedError if there is not as much left."""
        if coefficients > self.coefficients or visits > self.visits:
            raise refused("it is too large, or has too many scans")
        self.coefficients -= coefficients
        self.visits -= visits


OnScan = Callable[[Scan, int], int]
_NO_TABLE: Final = np.zeros(16, np.uint8), np.zeros(0, np.uint8)


def refused(reason: str) -> UnsupportedError:
    """Return what to raise of a file that is not taken apart."""
    return UnsupportedError(f"this JPEG file is stored as it is: {reason}")


class Walk:
    """Along a picture's markers."""

    def __init__(
        self, data: bytes, start: int, on_scan: OnScan, holes: Sequence[Hole] = (), room: Room | None = None
    ) -> None:  # fmt: skip
        self.data, self.at, self.on_scan, self.holes, self.room = data, start, on_scan, holes, room or Room()
        self.picture: Picture | None = None
        self._tables: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}  # 16 * class + number
        self._steps: dict[int, NDArray[np.int64]] = {}
        self._interval = self._scans = 0

    def run(self) -> Picture:
        """Walk to the end; returns the picture.

        Raises:
            UnsupportedError: there is no picture, or none of a kind that is coded.
        """
        if self.data[self.at : self.at + 2] != bytes((0xFF, _START)):
            raise refused("it has no beginning")
        self.at += 2
        segments = 0
        while (marker := self._marker()) not in (None, _END):
            segments += 1
            if segments > MOST_SEGMENTS:
                raise refused("it has too many segments")
            size = int.from_bytes(self.data[self.at : self.at + 2], "big")
            size -= sum(hole.size for hole in self.holes if self.at <= hole.start < self.at + size)
            body = self.data[self.at + 2 : self.at + size]
            if size < 2 or len(body) != size - 2:
                raise refused("a marker is cut short")
            self.at += size
            self._segment(int(marker or 0), body)
        if self.picture is None or not self._scans:
            raise refused("it has no picture")
        self.picture.steps = self._steps
        return self.picture

    def _marker(self) -> int | None:
        """Pass over the next marker that a segment follows, or EOI, and return it; None at the end of the data."""
        found = _MARKER.search(self.data, self.at)
        self.at = found.end() if found else len(self.data)
        return self.data[self.at - 1] if found else None

    def _segment(self, marker: int, body: bytes) -> None:
        if marker in (*_SEQUENTIAL, _PROGRESSIVE):
            if self.picture:
                raise refused("it has two frames")
            frame = _frame(body, progressive=marker == _PROGRESSIVE)
            self.room.take(coefficients=frame.size)
            self.picture = Picture(frame, np.zeros(frame.size, np.int16))
        elif marker in _OTHER_FRAMES:
            raise refused("it is arithmetically coded, lossless or hierarchical")
        elif marker == _HUFFMAN:
            self._huffman(body)
        elif marker == _QUANTISERS:
            self._quantisers(body)
        elif marker == _INTERVAL and len(body) == 2:
            self._interval = int.from_bytes(body, "big")
        elif marker in (_LINES, _START):
            raise refused("its height stands behind the picture, or it begins twice")
        elif marker == _SCAN:
            if self.picture is None or self._scans == MOST_SCANS:
                raise refused("it has a scan before its frame, or too many")
            self._scans += 1
            scan = self._scan(body, self.picture.frame)
            self.room.take(visits=scan.blocks)
            self.at = self.on_scan(scan, self.at)

    def _huffman(self, body: bytes) -> None:
        while body:
            lengths = np.frombuffer(body[1:17], np.uint8)
            count = int(lengths.sum())
            if len(lengths) != 16 or count > 256 or len(body) < 17 + count or body[0] & 0xEC:
                raise refused("a Huffman table is damaged")
            self._tables[body[0]] = lengths, np.frombuffer(body[17 : 17 + count], np.uint8)
            body = body[17 + count :]

    def _quantisers(self, body: bytes) -> None:
        while body:
            kind = np.dtype(">u2" if body[0] >> 4 else "u1")
            stop = 1 + 64 * kind.itemsize
            if len(body) < stop:
                raise refused("a quantiser table is damaged")
            self._steps[body[0] & 15] = np.frombuffer(body[1:stop], kind).astype(np.int64)
            body = body[stop:]

    def _scan(self, body: bytes, frame: Frame) -> Scan:
        count = body[0] if body else 0
        if not 1 <= count <= 4 or len(body) != 4 + 2 * count:
            raise refused("a scan's header is damaged")
        by_name = {component.name: component for component in frame.components}
        names, selectors = body[1 : 1 + 2 * count : 2], body[2 : 2 + 2 * count : 2]
        if len(set(names)) != count or not set(names) <= by_name.keys():
            raise refused("a scan is of components that the frame lacks")
        components = [by_name[name] for name in names]
        first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
        if not frame.progressive:
            mode = SEQUENTIAL
        elif first == 0:
            mode = DC_BITS if high else DC_FIRST
        else:
            mode = AC_BITS if high else AC_FIRST
        wrong = first and (count != 1 or not first <= last <= 63)
        if frame.progressive and (wrong or (first == 0 and last) or low > 13):
            raise refused("a scan's header is damaged")
        mcus = _mcus(frame) if count > 1 else (components[0].height, components[0].width)
        settings = np.array([mode, first, last, low, self._interval], np.int64)
        dc = [self._tables.get(s >> 4, _NO_TABLE) for s in selectors]
        ac = [self._tables.get(16 | s & 15, _NO_TABLE) for s in selectors]
        return Scan(settings, components, mcus, dc, ac)


def _mcus(frame: Frame) -> tuple[int, int]:
    """Count the MCUs of all components, down and across."""
    down = max(c.down for c in frame.components)
    across = max(c.across for c in frame.components)
    return -(-frame.height // (8 * down)), -(-frame.width // (8 * across))


def _frame(body: bytes, *, progressive: bool) -> Frame:
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise refused("its frame header is damaged")
    bits, height, width, count = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5]
    parts = [(body[i], body[i + 1] >> 4, body[i + 1] & 15, body[i + 2]) for i in range(6, len(body), 3)]
    sampled = all(1 <= part[1] <= 4 and 1 <= part[2] <= 4 for part in parts)
    if bits not in (8, 12) or not (height and width) or not 1 <= count <= 4 or not sampled:
        raise refused("its frame has a precision, size, or sampling that is not coded")
    if len({part[0] for part in parts}) != count:
        raise refused("two of its components have the same name")
    if count == 1:
        parts = [(parts[0][0], 1, 1, parts[0][3])]
    most_across, most_down = max(part[1] for part in parts), max(part[2] for part in parts)
    mcus_down, mcus_across = -(-height // (8 * most_down)), -(-width // (8 * most_across))
    components: list[Component] = []
    size = 0
    for name, across, down, table in parts:
        rows, columns = mcus_down * down, mcus_across * across
        own_height, own_width = -(-height * down // (8 * most_down)), -(-width * across // (8 * most_across))
        components.append(Component(name, down, across, table, rows, columns, own_height, own_width, size))
        size += rows * columns * 64
    return Frame(progressive, bits, height, width, tuple(components), size)


def describe(bare: bytes, start: int, holes: Sequence[Hole], room: Room) -> Picture:
    """Read what the markers of a picture without its scans say: its coefficients are zeros.

    Args:
        bare: the file without the data of scans.
        start: where the picture begins.
        holes: of pictures that begin behind it.
        room: what it may take, which becomes less.

    Raises:
        UnsupportedError: there is no picture, or one that is too large.
    """
    return Walk(bare, start, lambda _, at: at, holes, room).run()
