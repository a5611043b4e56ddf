"""The command line. Importing it defines the commands."""

from ardm_compress.cli import bench, decoding, drawing, encoding, facts, training
from ardm_compress.cli.group import main

__all__ = ["bench", "decoding", "drawing", "encoding", "facts", "main", "training"]
