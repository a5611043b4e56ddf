"""Compressed sizes of a small corpus, kept in sizes.csv: a test fails where one differs by more than 0.1 %.

    python benchmarks/sizes.py    # records the sizes of this version, for a change that is meant

Every file is decoded again and compared before its size counts.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from corpus import corpus

from ardm_compress.codec import images, sounds
from ardm_compress.container import Kind, parse
from ardm_compress.formats import SOUND, kind_of
from ardm_compress.formats.catalogue import same_image

FILE = Path(__file__).with_name("sizes.csv")
BUDGETS = {"photo-160": (8, 96), "photo-32": (96,), "voice": (16, 512)}  # of the others the usual one
TOLERANCE = 0.001


def size(data: bytes, budget: int | None) -> int:
    """Bytes of a compressed file, once it has come back."""
    if kind_of(data).medium == SOUND:
        coded = sounds.encode_sound(data, budget=budget)
        same = sounds.decode_sound(coded) == data
    else:
        coded = images.encode_image(data, budget=budget)
        file = parse(coded)
        same = (b"".join(file.parts()) == data if file.kind is Kind.STORED
                else same_image(images.decode_image(coded), data, strip=False, force_pixels=False))  # fmt: skip
    if not same:
        raise SystemExit("a file did not come back")
    return len(coded)


def keys() -> list[tuple[str, str]]:
    """List what is measured, by name and budget; no budget is the usual one."""
    return [(name, str(budget or "")) for name in corpus() for budget in BUDGETS.get(name, (None,))]


def measured() -> dict[tuple[str, str], int]:
    """Sizes by name and budget."""
    files = corpus()
    return {(name, budget): size(files[name], int(budget) if budget else None) for name, budget in keys()}


def recorded() -> dict[tuple[str, str], int]:
    """Read the sizes that were recorded last."""
    with FILE.open(newline="") as file:
        return {(row["name"], row["calls"]): int(row["bytes"]) for row in csv.DictReader(file)}


def main() -> None:
    """Record the sizes of this version, and print what has changed."""
    before, now = recorded() if FILE.exists() else {}, measured()
    with FILE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "calls", "bytes"])
        writer.writerows([*key, count] for key, count in now.items())
    for key, count in now.items():
        if before.get(key) != count:
            print(*key, before.get(key, "new"), "->", count)


if __name__ == "__main__":
    main()
