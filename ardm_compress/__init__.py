"""Lossless compression with an autoregressive diffusion model. Imports nothing until a name is asked for.

``encode`` and ``decode`` code arrays, ``open`` reads files; ``encode_file`` and ``decode_file`` take paths and URLs,
``encode_image`` and ``encode_sound`` a file's bytes; ``sample``, ``inpaint`` and ``plan`` ask the model itself.
``ardm_compress.pillow``, ``soundfile``, ``numcodecs`` and ``zarr`` fit the libraries of these names.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # what type checkers take for True; typing takes longer to import than all else here
if TYPE_CHECKING:
    from ardm_compress.batch.single import decode_file as decode_file
    from ardm_compress.batch.single import encode_file as encode_file
    from ardm_compress.codec.drawing import inpaint as inpaint
    from ardm_compress.codec.drawing import plan as plan
    from ardm_compress.codec.drawing import sample as sample
    from ardm_compress.codec.images import decode_images as decode_images
    from ardm_compress.codec.images import encode_image as encode_image
    from ardm_compress.codec.images import encode_images as encode_images
    from ardm_compress.codec.images import salvage_image as salvage_image
    from ardm_compress.codec.sounds import encode_sound as encode_sound
    from ardm_compress.errors import ArdmError as ArdmError
    from ardm_compress.errors import ChecksumError as ChecksumError
    from ardm_compress.errors import FormatError as FormatError
    from ardm_compress.errors import LimitError as LimitError
    from ardm_compress.errors import UnsupportedError as UnsupportedError
    from ardm_compress.options import Limits as Limits
    from ardm_compress.reading import ImageFile as ImageFile
    from ardm_compress.reading import StoredFile as StoredFile
    from ardm_compress.reading import open as open  # noqa: A004  # as gzip and Pillow call it
    from ardm_compress.reading.arrays import decode as decode
    from ardm_compress.reading.arrays import encode as encode
    from ardm_compress.reading.jpeg import JpegFile as JpegFile
    from ardm_compress.reading.sound import SoundFile as SoundFile

    __version__: str

_HOMES = {
    "ArdmError": "errors",
    "ChecksumError": "errors",
    "FormatError": "errors",
    "ImageFile": "reading",
    "JpegFile": "reading.jpeg",
    "LimitError": "errors",
    "Limits": "options",
    "SoundFile": "reading.sound",
    "StoredFile": "reading",
    "UnsupportedError": "errors",
    "decode": "reading.arrays",
    "decode_file": "batch.single",
    "decode_images": "codec.images",
    "encode": "reading.arrays",
    "encode_file": "batch.single",
    "encode_image": "codec.images",
    "encode_images": "codec.images",
    "encode_sound": "codec.sounds",
    "inpaint": "codec.drawing",
    "open": "reading",
    "plan": "codec.drawing",
    "salvage_image": "codec.images",
    "sample": "codec.drawing",
}  # modules of what this one offers

__all__ = list(_HOMES)  # type checkers read the imports above


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("ardm-compress")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
