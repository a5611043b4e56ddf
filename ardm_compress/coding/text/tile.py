"""A tile of a text <-> its stream, and the model file that it is coded with. Numba, NumPy.

docs/format.md section 17 is normative.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from safetensors.numpy import load

from ardm_compress.coding.ans import CompiledPushed, Intervals, Stack, check_payload, read_stacks
from ardm_compress.coding.text.bits import ONE, SETS, Learned, Pretrained, code_bytes, new_room, new_state
from ardm_compress.coding.text.hashing import CONTEXTS
from ardm_compress.errors import FormatError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.loop import Progress
    from ardm_compress.inference import ModelFile

CHUNK: Final = 1 << 14  # bytes between reports of progress
NO_SYMBOLS: Final = np.zeros(1, np.uint32)


class TextModel(NamedTuple):
    """What every tile starts from."""

    pretrained: Pretrained
    learned: Learned

    @classmethod
    def of(cls, tensors: dict[str, NDArray[Any]]) -> TextModel:
        """Make it of a model file's arrays."""
        sizes = tensors["sizes"].astype(np.int64)
        weights = tensors["weights.place"], tensors["weights.bits"], tensors["weights.byte"]
        assert len(sizes) == CONTEXTS
        assert len(weights) == SETS
        return cls(
            Pretrained(
                tensors["tables.stretch"], tensors["tables.squash"], tensors["table"], sizes,
                np.cumsum(1 << sizes) - (1 << sizes),
            ),
            Learned(tensors["maps"], tensors["match_map"], weights, tensors["weights.final"]),
        )  # fmt: skip

    def start(self) -> Learned:
        """Copy what goes on being learned."""
        maps, match_map, weights, final = self.learned
        first, second, third = (each.copy() for each in weights)
        return Learned(maps.copy(), match_map.copy(), (first, second, third), final.copy())


@cache
def text_model(entry: ModelFile) -> TextModel:
    """Read and check a model file, once for a process.

    Raises:
        ModelError: it is missing, or not the one that the manifest names.
    """
    tensors = load(entry.read())
    if "table" not in tensors:
        raise ModelError(f"model {entry.name} is not one of text")
    return TextModel.of(tensors)


def _code(
    model: TextModel, data: NDArray[np.uint8], stack: Stack, symbols: NDArray[np.uint32], progress: Progress,
    *, decoding: bool,
) -> None:  # fmt: skip
    learned, state, room = model.start(), new_state(len(data)), new_room()
    for start in range(0, len(data), CHUNK):
        stop = min(start + CHUNK, len(data))
        code_bytes(data, start, stop, model.pretrained, learned, state, room, stack, symbols, decoding)
        progress()


def _read_stack(payload: bytes) -> Stack:
    check_payload(payload)
    words, state = read_stacks([payload])
    return Stack(words[0], state[0])


def encode_tile(model: TextModel, data: bytes, progress: Progress) -> bytes:
    """Entropy-code a tile; ``progress`` is called after every CHUNK of its bytes."""
    symbols = np.empty(8 * len(data), np.uint32)
    _code(model, np.frombuffer(data, np.uint8).copy(), _read_stack(b""), symbols, progress, decoding=False)
    pushed = CompiledPushed(1)
    for start in range(8 * (len(symbols) // 8 // CHUNK * CHUNK), -1, -8 * CHUNK):
        own = symbols[start : start + 8 * CHUNK]
        ones, sizes = (own & 1).astype(np.bool_), own >> np.uint32(1)
        lefts = np.where(ones, np.uint32(0), sizes)
        pushed.push(Intervals(lefts, np.where(ones, sizes, np.uint32(ONE) - sizes)))
    return pushed.to_bytes()[0]


def decode_tile(model: TextModel, size: int, payload: bytes, progress: Progress) -> bytes:
    """Inverse of ``encode_tile``.

    Raises:
        FormatError: the payload holds more or other than its bytes, as far as that shows.
    """
    data, stack = np.zeros(size, np.uint8), _read_stack(payload)
    _code(model, data, stack, NO_SYMBOLS, progress, decoding=True)
    if stack.state.any():
        raise FormatError("a payload holds more than its text: the file is damaged", section="payload")
    return data.tobytes()
