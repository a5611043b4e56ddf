"""Compiled code reads inside its arrays, which Numba checks where NUMBA_BOUNDSCHECK says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ONE_MIXTURE = """
import numpy as np
from ardm_compress.inference import config, kernels
nodes = config.logistic_nodes()
rises = np.append(np.diff(nodes), 0).astype(np.uint32)
rows = np.empty((1, 16), np.float32)
one = np.ones((1, 1), np.float32)
kernels.frequencies(np.full((1, 1), 512, np.int32), one, one, nodes.astype(np.uint32), rises,
                    np.zeros(1, np.int64), np.ones(1, np.int64), 1, 16, 0, rows)
print(int(rows.sum()))
"""


def test_places_without_a_mixture_are_in_the_table_too(tmp_path: Path) -> None:
    """Frequencies are of several positions at once; of too few, infinity times 0 pointed far behind the table."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ONE_MIXTURE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (1 << 24) - 16
