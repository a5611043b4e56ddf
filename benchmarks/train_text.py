"""Train the model of text: ``python benchmarks/train_text.py CORPUS FOLDER``, some minutes of one core.

CORPUS is what ``benchmarks/text_corpus.py`` has gathered. First the table learns from ``train.txt``, in one pass: the
odds of a bit are the sum of a weight for each context, found by hashing, and each weight follows the gradient (AdaGrad,
Duchi et al. 2011). Then the coder itself runs over ``held.txt``, which the table has not seen: the maps and the mixers'
weights that it ends with are those that files start from. FOLDER gets the model and its manifest, to be named in
ARDM_COMPRESS_MODELS.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ardm_compress.coding.ans import Stack, read_stacks
from ardm_compress.coding.text.bits import (
    INPUTS,
    MATCH_CLASSES,
    ODDS,
    ODDS_CLASSES,
    ONE,
    PLACES,
    SEEN_CLASSES,
    code_bytes,
    new_room,
    new_state,
)
from ardm_compress.coding.text.hashing import CONTEXTS, hash_contexts, next_words, nibble_hash, u32, u64
from ardm_compress.coding.text.tile import TextModel
from ardm_compress.computing import compiled

SIZES = np.array([17, 19, 20, 20, 20, 19, 20, 20])  # log2 of each context's weights
RATE, FIRST_SQUARES = 0.15, 0.1
UNIT = 16  # integers per nat
EVERY = 500  # documents between reports
SHORT = 8192  # bytes of every second document that the mixers learn from
FIRST_SEEN = 10  # observations that maps begin with


@compiled
def learn_table(
    data: Any, ends: Any, order: Any, weights: Any, squares: Any, sizes: Any, starts: Any, rate: Any
) -> float:  # fmt: skip
    """Fit the table to documents; the nats that they cost on the way."""
    found, lines = np.zeros(CONTEXTS, np.uint32), np.zeros(CONTEXTS, np.int64)
    nats = 0.0
    for d in order:
        past, word, last = u64(0), u32(0), u32(0)
        for i in range(ends[d], ends[d + 1]):
            hash_contexts(past, word, last, found)
            byte, node = data[i], 1
            for place in range(7, -1, -1):
                if place in (7, 3):
                    prefix = 0 if place == 7 else 16 + (byte >> 4)
                    for k in range(CONTEXTS):
                        line = np.int64(nibble_hash(found[k], u32(prefix)) >> u32(36 - sizes[k]))
                        lines[k] = starts[k] + (line << 4)
                    node = 1
                odds = np.float32(0)
                for k in range(CONTEXTS):
                    odds += weights[lines[k] + node]
                bit = (byte >> place) & 1
                chance = 1 / (1 + np.exp(-odds))
                nats -= np.log(chance if bit else 1 - chance)
                slope = np.float32(chance - bit)
                for k in range(CONTEXTS):
                    at = lines[k] + node
                    squares[at] += slope * slope
                    weights[at] -= rate * slope / np.sqrt(squares[at])
                node = 2 * node + bit
            past = (past << u64(8)) | u64(byte)
            word, last = next_words(word, last, byte)
    return nats


def train_table(corpus: Path) -> NDArray[np.int8]:
    """Return the table that one pass over the corpus gives."""
    data, ends = np.fromfile(corpus / "train.txt", np.uint8), np.load(corpus / "train.npy")
    order = np.random.default_rng(1).permutation(len(ends) - 1)
    weights = np.zeros((1 << SIZES).sum(), np.float32)
    squares = np.full(len(weights), FIRST_SQUARES, np.float32)
    starts = np.cumsum(1 << SIZES) - (1 << SIZES)
    for first in range(0, len(order), EVERY):
        own = order[first : first + EVERY]
        nats = learn_table(data, ends, own, weights, squares, SIZES, starts, np.float32(RATE))
        size = int((ends[own + 1] - ends[own]).sum())
        click.echo(f"documents to {first + len(own)}: {nats / math.log(2) / size:.4f} bits per byte")
    return np.rint(weights * UNIT).clip(-127, 127).astype(np.int8)


def fresh() -> dict[str, NDArray[Any]]:
    """Return what has seen no text."""
    chances = (np.arange(4096) + 0.5) / 4096
    odds = (np.arange(4096) - ODDS - 1) / 256
    classes = ((np.arange(ODDS_CLASSES) - ODDS_CLASSES / 2) * 128 + 64) / 256

    def slots(p: NDArray[np.float64]) -> NDArray[np.uint32]:
        return np.rint(p * (1 << 22)).astype(np.uint32) << np.uint32(10) | np.uint32(FIRST_SEEN)

    row = np.zeros(INPUTS, np.int32)
    row[: 2 * CONTEXTS] = round(0.12 * 65536)
    row[2 * CONTEXTS + 1 : 2 * CONTEXTS + 4] = round(0.5 * 65536)
    row[2 * CONTEXTS + 5] = round(0.2 * 65536)
    return {
        "tables.stretch": np.rint(256 * np.log(chances / (1 - chances))).clip(-ODDS, ODDS).astype(np.int32),
        "tables.squash": np.rint(65536 / (1 + np.exp(-odds))).clip(16, 65520).astype(np.int32),
        "sizes": SIZES.astype(np.int32),
        "maps": np.tile(slots(1 / (1 + np.exp(-classes))), (CONTEXTS, SEEN_CLASSES)),
        "match_map": slots(1 - 0.5 / (np.arange(MATCH_CLASSES) + 4)),
        "weights.place": np.tile(row, (PLACES, 1)),
        "weights.bits": np.tile(row, (256, 1)),
        "weights.byte": np.tile(row, (256, 1)),
        "weights.final": np.full((PLACES, 3), 65536 // 3, np.int32),
    }


def learn(model: TextModel, data: NDArray[np.uint8]) -> float:
    """Code a text and keep what is learned from text to text; the bits that it takes."""
    words, state = read_stacks([b""])
    symbols = np.zeros(8 * len(data), np.uint32)
    code_bytes(
        data.copy(), 0, len(data), model.pretrained, model.learned, new_state(len(data)), new_room(),
        Stack(words[0], state[0]), symbols, False,
    )  # fmt: skip
    ones, sizes = (symbols & 1).astype(bool), (symbols >> 1).astype(np.float64)
    return float(-np.log2(np.where(ones, sizes, ONE - sizes) / ONE).sum())


def train_mixers(corpus: Path, tensors: dict[str, NDArray[Any]]) -> None:
    """Let the maps and the mixers' weights, which are written to, learn from texts that the table has not seen."""
    data, ends = np.fromfile(corpus / "held.txt", np.uint8), np.load(corpus / "held.npy")
    model = TextModel.of(tensors)
    click.echo(f"all of them as one: {learn(model, data) / len(data):.4f} bits per byte")
    bits, count = 0.0, 0
    for number in np.random.default_rng(3).permutation(len(ends) - 1):
        own = data[ends[number] : ends[number + 1]][: SHORT if number % 2 else None]
        bits, count = bits + learn(model, own), count + len(own)
    click.echo(f"one by one: {bits / count:.4f} bits per byte")


@click.command(help=__doc__)
@click.argument("corpus", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--table", type=click.Path(exists=True, path_type=Path), help="of an earlier run, .npy")
def main(corpus: Path, folder: Path, table: Path | None) -> None:
    """Train, and write the model."""
    folder.mkdir(parents=True, exist_ok=True)
    own = train_table(corpus) if table is None else np.load(table)
    np.save(folder / "table.npy", own)
    tensors = {**fresh(), "table": own}
    train_mixers(corpus, tensors)
    config = {"axes": -1, "channels": 1, "contexts": CONTEXTS, "table": len(own)}
    sources = (corpus / "sources.txt").read_text("utf-8") if (corpus / "sources.txt").exists() else ""
    made = save(tensors, {"config": json.dumps(config), "training": sources})
    (folder / "text.safetensors").write_bytes(made)
    entry = {"name": "text", "file": "text.safetensors", "sha256": hashlib.sha256(made).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps([{**entry, "order": "causal", "period": 1}], indent=2) + "\n")
    click.echo(f"{folder / 'text.safetensors'}: {len(made)} bytes, SHA-256 {entry['sha256']}")


if __name__ == "__main__":
    main()
