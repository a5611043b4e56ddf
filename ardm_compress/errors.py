"""The package's deliberate errors. Imports nothing; every layer may raise these."""

from __future__ import annotations


class ArdmError(Exception):
    """Base of every deliberate error."""


class FormatError(ArdmError, ValueError):
    """The bytes break the specification (docs/format.md)."""

    def __init__(self, message: str, *, offset: int | None = None, section: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.section = section


class ChecksumError(FormatError):
    """Bytes or decoded samples differ from what was written: the file is damaged."""


class LimitError(ArdmError):
    """Valid, but over a limit (pixels, samples, calls, bytes)."""


class UnsupportedError(ArdmError):
    """Needs another version, model or kind of input; the message says which is supported."""


class AlreadyCompressedError(UnsupportedError):
    """The file is compressed already, lossily or by this program, and is best kept as it is."""


class OptionError(ArdmError):
    """An option that this kind of file does not take."""


class ModelError(ArdmError):
    """A model file is missing, damaged, or computes other integers on this machine."""


class SourceChangedError(ArdmError):
    """An input has changed while it was read: its output is not to be relied on."""


class OutputExistsError(ArdmError):
    """The output file is already there and overwriting was not asked for."""
