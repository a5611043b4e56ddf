"""What the encoder tells the network about a tile as a whole. Standard library only."""

from __future__ import annotations

from typing import Final, NamedTuple

LATENT_LIMIT: Final = 127  # magnitude of a latent

# Styles that the models of images know: colour at full resolution; coarse colour between, on and repeated over even
# positions.
FULL_COLOUR, CENTRED, COSITED, REPEATED = range(4)


class Conditioning(NamedTuple):
    """Style, mirror and latents of a tile of an image; any values decode, and good ones make the file smaller."""

    style: int = 0  # row of the model's style embedding, 0..31
    mirror: int = 0  # the tile is coded upside down (bit 0), left to right (bit 1)
    latents: tuple[int, ...] = ()  # within +-LATENT_LIMIT, the last not 0; those not given are 0


PLAIN: Final = Conditioning()
