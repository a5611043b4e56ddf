"""Foreign files <-> what is coded of them: the kinds that are known, and how first bytes tell them. Standard library.

A kind that is taken apart has a row here and a module of its own, its *plug*, which is imported once a file needs it.
A plug has these functions:

- ``read(data, limits)`` gives the file's ``Media``. UnsupportedError: it is to be stored as it is, and why.
- ``parts(media)`` is the inverse: the bytes of the file, or of an equivalent one.

Plugs of images but JPEG have three more, about what surrounds the samples:

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
    from ardm_compress.files import Data

IMAGE: Final = "image"
SOUND: Final = "sound"
OTHER: Final = "other"
FILE: Final = "the file, byte for byte"  # what comes back, of most files

LARGEST_TEXT: Final = 1 << 26  # bytes of a text that is coded
SIGNATURE_BYTES: Final = 64  # of a file by which its kind is told
ID3_BYTES: Final = 10  # of the header of a tag, which may precede sound of any kind


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of foreign file."""

    name: str  # as messages call it: "a PNG file"
    medium: str  # IMAGE, SOUND or OTHER
    signature: bytes  # regular expression of a file's first bytes
    suffixes: tuple[str, ...] = ()  # in lower case, the usual one first
    plug: str = ""  # the module of this package that takes such files apart; without one they are stored
    is_lossy: bool = False  # always, so that its samples would only be larger
    is_repacked: bool = False  # another file with the same content comes back
    is_checked: bool = False  # Pillow tells damaged files, which are refused, from those that are only unusual

    @property
    def suffix(self) -> str:
        """The usual one; empty if there is none."""
        return self.suffixes[0] if self.suffixes else ""


KINDS: Final = (
    Kind("PNG", IMAGE, rb"\x89PNG\r\n\x1a\n", (".png", ".apng"), "png", is_repacked=True, is_checked=True),
    Kind("WebP", IMAGE, rb"RIFF.{4}WEBP", (".webp",), "webp", is_repacked=True, is_checked=True),
    Kind("BMP", IMAGE, rb"BM", (".bmp", ".dib"), "bmp", is_checked=True),
    Kind("PNM", IMAGE, rb"P[567]\s", (".ppm", ".pgm", ".pnm", ".pam"), "netpbm", is_checked=True),
    Kind("TIFF", IMAGE, rb"II[*+]\0|MM\0[*+]", (".tif", ".tiff"), "tiff"),
    Kind("JPEG-LS", IMAGE, rb"\xff\xd8\xff(\xf7|\xe8..SPIFF\0.{14}\x06)", (".jls",)),
    Kind("JPEG", IMAGE, rb"\xff\xd8\xff", (".jpg", ".jpeg", ".jpe", ".jfif"), "jpegs"),
    Kind("GIF", IMAGE, rb"GIF8", (".gif",), is_checked=True),
    Kind("PBM", IMAGE, rb"P[1234]\s", (".pbm",), is_checked=True),
    Kind("JPEG XL", IMAGE, rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", (".jxl",)),
    Kind("JPEG 2000", IMAGE, rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", (".jp2", ".j2k", ".jpx")),
    Kind("JPEG XR", IMAGE, rb"II\xbc", (".jxr", ".wdp")),
    Kind("AVIF", IMAGE, rb".{4}ftypavi[fs]", (".avif",)),
    Kind("HEIF", IMAGE, rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", (".heic", ".heif")),
    Kind("Canon CR3", IMAGE, rb".{4}ftypcrx ", (".cr3",)),
    Kind("Radiance HDR", IMAGE, rb"#\?(RADIANCE|RGBE)", (".hdr",)),
    Kind("OpenEXR", IMAGE, rb"v/1\x01", (".exr",)),
    Kind("LERC", IMAGE, rb"CntZImage |Lerc2 ", (".lerc",)),
    Kind("QOI", IMAGE, rb"qoif", (".qoi",)),
    Kind("Photoshop", IMAGE, rb"8BPS", (".psd", ".psb")),
    Kind("GIMP", IMAGE, rb"gimp xcf", (".xcf",)),
    Kind("DjVu", IMAGE, rb"AT&TFORM", (".djvu",)),
    Kind("FITS", IMAGE, rb"SIMPLE  =", (".fits",)),
    Kind("Olympus raw", IMAGE, rb"II(RO|RS)|MMOR", (".orf",)),
    Kind("Panasonic raw", IMAGE, rb"IIU\0", (".rw2",)),
    Kind("Fujifilm raw", IMAGE, rb"FUJIFILM", (".raf",)),
    Kind("WAV", SOUND, rb"(RIFF|RIFX|RF64|BW64).{4}WAVE", (".wav", ".wave", ".bwf"), "wav"),
    Kind("AIFF", SOUND, rb"FORM.{4}AIF[FC]", (".aiff", ".aif", ".aifc"), "aiff"),
    Kind("FLAC", SOUND, rb"fLaC", (".flac",), "flac", is_repacked=True),
    Kind("Ogg", SOUND, rb"OggS", (".ogg", ".oga", ".opus")),
    Kind("Wave64", SOUND, rb"riff\x2e\x91\xcf\x11", (".w64",)),
    Kind("Core Audio", SOUND, rb"caff\0", (".caf",)),
    Kind("AU", SOUND, rb"\.snd|dns\.", (".au", ".snd")),
    Kind("WavPack", SOUND, rb"wvpk", (".wv",)),
    Kind("Monkey's Audio", SOUND, rb"MAC ", (".ape",)),
    Kind("DSD", SOUND, rb"DSD |FRM8", (".dsf", ".dff")),
    Kind("MIDI", SOUND, rb"MThd", (".mid", ".midi")),
    Kind("MP3", SOUND, rb"\xff[\xe2-\xe7\xf2-\xf7\xfa\xfb]", (".mp3",), is_lossy=True),
    Kind("AAC", SOUND, rb"\xff[\xf0\xf1\xf9]|.{4}ftypM4[AB] ", (".m4a", ".aac"), is_lossy=True),
    Kind("MP4", OTHER, rb".{4}ftyp", (".mp4", ".mov", ".m4v")),
    Kind("QuickTime", OTHER, rb".{4}(moov|mdat|wide|free)", (".mov",)),
    Kind("Matroska", OTHER, rb"\x1aE\xdf\xa3", (".mkv", ".webm")),
    Kind("AVI", OTHER, rb"RIFF.{4}AVI ", (".avi",)),
    Kind("PDF", OTHER, rb"%PDF", (".pdf",)),
    Kind("PostScript", OTHER, rb"%!PS", (".ps", ".eps")),
    Kind("ZIP", OTHER, rb"PK(\x03\x04|\x05\x06)", (".zip",)),
    Kind("gzip", OTHER, rb"\x1f\x8b", (".gz", ".tgz")),
    Kind("xz", OTHER, rb"\xfd7zXZ\0", (".xz",)),
    Kind("Zstandard", OTHER, rb"\x28\xb5\x2f\xfd", (".zst",)),
    Kind("bzip2", OTHER, rb"BZh\d", (".bz2",)),
    Kind("7z", OTHER, rb"7z\xbc\xaf\x27\x1c", (".7z",)),
    Kind("RAR", OTHER, rb"Rar!\x1a\x07", (".rar",)),
    Kind("ELF", OTHER, rb"\x7fELF"),
    Kind("XML or HTML", OTHER, rb"(\xef\xbb\xbf)?\s*<[?!a-zA-Z]", (".xml", ".html", ".svg", ".xmp")),
)
OURS: Final = Kind("compressed", OTHER, rb"ARDM", (".ardm",))
UNKNOWN: Final = Kind("", OTHER, rb"", is_checked=True)
TAGGED: Final = Kind("tagged sound", SOUND, rb"ID3")  # sound of a kind that is not coded behind a tag
BY_NAME: Final = {kind.name: kind for kind in KINDS}
# Of files that are taken from folders; those named by themselves may have any.
FOLDER_SUFFIXES: Final = frozenset(suffix for kind in KINDS if kind.plug or kind.is_checked for suffix in kind.suffixes)


def kind_of(data: Data) -> Kind:
    """Tell the kind of a file by its first bytes; UNKNOWN if it is none of KINDS."""
    start = data[:SIGNATURE_BYTES]
    if re.match(TAGGED.signature, start):
        size = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(start[9:5:-1]))
        behind = _matching(data[ID3_BYTES + size : ID3_BYTES + size + SIGNATURE_BYTES])
        return BY_NAME["MP3"] if behind.name == "MP3" or not behind.name else TAGGED
    return _matching(start)


def is_text(data: Data) -> bool:
    """Tell whether a file is text by its bytes: UTF-8 without zero bytes, of a size that is coded."""
    if not 0 < len(data) <= LARGEST_TEXT or b"\0" in data[:SIGNATURE_BYTES]:
        return False
    whole = data[:]
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in whole


def _matching(start: bytes) -> Kind:
    return next((kind for kind in (OURS, *KINDS) if re.match(kind.signature, start, re.DOTALL)), UNKNOWN)


def kinds_with(suffix: str) -> list[Kind]:
    """List the kinds of files that have a suffix, given in lower case."""
    return [kind for kind in KINDS if suffix in kind.suffixes]
