"""What is measured of a coder, and what one is. Standard library and ``inputs`` only."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ardm_compress.bench.inputs import Input


class Measured(NamedTuple):
    """What a coder has made of a file, which came back exactly."""

    size: int  # bytes
    encode_seconds: float
    decode_seconds: float | None  # None where files of this kind are read by everything
    memory: float | None = None  # MiB of the process at its peak, if that is known
    calls: int | None = None  # of the network


class Coder(Protocol):
    """One way to code files of a kind, with all its settings."""

    @property
    def name(self) -> str:
        """As tables show it."""

    @property
    def kind(self) -> str:
        """IMAGE, SOUND or JPEG."""

    @property
    def version(self) -> str:
        """Of what codes, with its name: what another version has measured says nothing of this one."""

    def missing(self) -> str:
        """Name what to install before the coder can be used; empty if nothing is missing."""

    def measure(self, source: Input) -> Measured:
        """Encode and decode a file.

        Raises:
            UnsupportedError: it cannot take this file; ChecksumError: something else came back.
        """
