"""PPM, PGM and PAM files of bytes or pairs of bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.raster import BIG_ENDIAN, Layout, check, parts, read_samples, stripped

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.formats.contents import ImageWrapper, Picture
    from ardm_compress.options import Limits

__all__ = ["check", "parts", "read", "shows_samples", "stripped"]

PNM: Final = re.compile(rb"P([56])" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)" + rb"\s")
PAM: Final = re.compile(rb"P7\n(?:[^\n]*\n)*?ENDHDR\n")
FULL_SCALE: Final = (b"255", b"65535")
PAM_KINDS: Final = {b"1": b"GRAYSCALE", b"2": b"GRAYSCALE_ALPHA", b"3": b"RGB", b"4": b"RGB_ALPHA"}  # by channels


def read(data: Data, limits: Limits) -> Picture:
    """Take a file apart; see ``read_samples``."""
    file = data[:]
    return read_samples(file, _pam(file) if file[:2] == b"P7" else _pnm(file), limits)


def shows_samples(wrapper: ImageWrapper) -> bool:
    """Whether nothing but the samples says how they look, as far as is known of a file that begins so."""
    head = wrapper.head
    if head[:2] == b"P7":
        fields = _fields(head)
        kind = fields.get(b"TUPLTYPE", b"").strip()
        return fields.get(b"MAXVAL", b"").strip() in FULL_SCALE and kind == PAM_KINDS.get(fields[b"DEPTH"].strip())
    found = PNM.match(head)
    return bool(found and found[4] in FULL_SCALE)


def _pnm(data: bytes) -> Layout:
    found = PNM.match(data)
    if not found:
        raise UnsupportedError("a PNM file of text or bits")
    kind, columns, rows, most = map(int, found.groups())
    return Layout(found.end(), rows, columns, 3 if kind == 6 else 1, *_depth_of(most))


def _depth_of(most: int) -> tuple[int, int]:
    """Depth and form of samples up to ``most``."""
    if not 0 < most < 1 << 16:
        raise UnsupportedError(f"samples up to {most}")
    return (8, 0) if most < 1 << 8 else (16, BIG_ENDIAN)


def _pam(data: bytes) -> Layout:
    found, fields = PAM.match(data), _fields(data)
    try:
        columns, rows, channels, most = (int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    except KeyError as error:
        raise UnsupportedError("a PAM file without sides") from error
    return Layout(found.end() if found else 0, rows, columns, channels, *_depth_of(most))


def _fields(data: bytes) -> dict[bytes, bytes]:
    """Of the header of a PAM file."""
    found = PAM.match(data)
    lines = [line.split(maxsplit=1) for line in (found[0].split(b"\n") if found else []) if line[:1] != b"#"]
    return {line[0]: line[1] for line in lines if len(line) == 2}
