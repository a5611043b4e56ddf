"""Bytes that come and go: ranges in memory and on disk, fields, atomic writes, paths and URLs."""
