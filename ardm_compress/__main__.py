"""``python -m ardm_compress``: the same as the console script."""

from __future__ import annotations

from ardm_compress.cli import main

if __name__ == "__main__":
    main(prog_name="ardm-compress")
