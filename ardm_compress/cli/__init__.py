"""The command line. Each command's module is imported once the command is used."""

from ardm_compress.cli.group import main

__all__ = ["main"]
