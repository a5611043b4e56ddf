"""The kinds of foreign files that are known, and how their first bytes tell them. Standard library only.

A kind that is taken apart has a row here and a module of its own, its *plug*, which is imported once a file needs it.
A plug has these functions:

- ``read(data, limits)`` gives the file's ``Media``. UnsupportedError: it is to be stored as it is, and why;
  AlreadyCompressedError: it is best not taken at all.
- ``parts(media)`` is the inverse: the bytes of the file, or of an equivalent one.

Plugs of images have three more, about what surrounds the samples:

- ``check(wrapper)`` raises FormatError unless there are such files.
- ``stripped(wrapper)`` leaves out metadata.
- ``shows_samples(wrapper)`` says whether the samples are gray or colour from black to full scale, transparency last,
  and nothing else in the file changes how they look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ardm_compress.files.data import Data

IMAGE: Final = "image"
SOUND: Final = "sound"
UNKNOWN: Final = "unknown"

SIGNATURE_BYTES: Final = 16  # of a file by which its kind is told


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of foreign file."""

    name: str  # as messages call it
    medium: str  # IMAGE, SOUND or UNKNOWN
    signature: bytes  # regular expression of a file's first bytes
    suffixes: tuple[str, ...] = ()  # in lower case, the usual one first
    plug: str = ""  # the module of this package that takes such files apart; without one they are stored
    is_lossy: bool = False  # always: best kept as it is

    @property
    def suffix(self) -> str:
        """The usual one; empty if there is none."""
        return self.suffixes[0] if self.suffixes else ""


KINDS: Final = (
    Kind("PNG", IMAGE, rb"\x89PNG\r\n\x1a\n", (".png", ".apng"), "png"),
    Kind("WebP", IMAGE, rb"RIFF.{4}WEBP", (".webp",), "webp"),
    Kind("BMP", IMAGE, rb"BM", (".bmp", ".dib"), "bmp"),
    Kind("PNM", IMAGE, rb"P[567]", (".ppm", ".pgm", ".pnm", ".pam"), "netpbm"),
    Kind("TIFF", IMAGE, rb"(II|MM)(\*\0|\0\*|\+\0|\0\+)", (".tif", ".tiff"), "tiff"),
    Kind("JPEG", IMAGE, rb"\xff\xd8\xff", (".jpg", ".jpeg"), is_lossy=True),
    Kind("GIF", IMAGE, rb"GIF8", (".gif",)),
    Kind("PBM", IMAGE, rb"P[1234]\s", (".pbm",)),
    Kind("WAV", SOUND, rb"(RIFF|RIFX|RF64).{4}WAVE", (".wav", ".wave"), "wav"),
    Kind("AIFF", SOUND, rb"FORM.{4}AIF[FC]", (".aiff", ".aif", ".aifc"), "aiff"),
    Kind("FLAC", SOUND, rb"fLaC", (".flac",), "flac"),
)
OTHER: Final = Kind("unknown", UNKNOWN, rb"")
BY_NAME: Final = {kind.name: kind for kind in KINDS}
# Of files that are taken from folders; those named by themselves may have any.
FOLDER_SUFFIXES: Final = frozenset(suffix for kind in KINDS if not kind.is_lossy for suffix in kind.suffixes)


def kind_of(data: Data) -> Kind:
    """Tell the kind of a file by its first bytes; OTHER if it is none of KINDS."""
    start = data[:SIGNATURE_BYTES]
    return next((kind for kind in KINDS if re.match(kind.signature, start, re.DOTALL)), OTHER)


def kinds_with(suffix: str) -> list[Kind]:
    """List the kinds of files that have a suffix, given in lower case."""
    return [kind for kind in KINDS if suffix in kind.suffixes]
