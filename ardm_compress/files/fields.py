"""Numbers of varying length <-> bytes, and a cursor over fields. Standard library and errors only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from ardm_compress.files.data import Data


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first, bit 7 set on all but the last."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """A cursor over fields that never runs past the end."""

    def __init__(self, data: Data) -> None:
        self.data, self.offset = data, 0

    def take(self, count: int) -> bytes:
        """Read the next bytes."""
        if self.offset + count > len(self.data):
            raise FormatError("the file ends inside its header", offset=len(self.data), section="header")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def varint(self, low: int, high: int, what: str) -> int:
        """Read the next LEB128 number, which must be within ``low``..``high``."""
        start, value = self.offset, 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        if not low <= value <= high:
            raise FormatError(f"{what} is not within {low}..{high}", offset=start, section="header")
        return value
