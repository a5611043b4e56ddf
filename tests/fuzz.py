"""Fuzz a target of targets.py with atheris: ``python tests/fuzz.py TARGET [options of libFuzzer]``.

``make fuzz`` runs all. What it finds is kept in .venv/found/TARGET/; a copy in tests/found/TARGET/ makes it a test.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris

PACKAGE = Path(__file__).parents[1] / "ardm_compress"
COMPILED = [  # by Numba
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if re.search(r"^(import|from) (numba|ardm_compress\.computing)\b", path.read_text("utf-8"), re.MULTILINE)
]

with atheris.instrument_imports(include=["ardm_compress"], exclude=COMPILED):
    from targets import TARGETS, seeds, write_tiny

    from ardm_compress.inference import VARIABLE


def main() -> None:
    """Run one target on inputs that grow from its seeds."""
    name = sys.argv.pop(1)
    corpus, models = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    write_tiny(models)
    os.environ[VARIABLE] = str(models)
    for number, seed in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
