"""``train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ardm_compress.errors import UnsupportedError


@click.command(short_help="Fit a model to your own files.")
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="own", show_default=True, help="Name of the model, as for encode --model.")
@click.option("--steps", type=click.IntRange(min=4), default=12000, show_default=True, help="Training steps in all.")
@click.option("--batch", type=click.IntRange(min=1), default=4096, show_default=True, help="Positions per step.")
@click.option("--hidden", type=click.IntRange(min=16), default=192, show_default=True, help="Width of the network.")
@click.option("--blocks", type=click.IntRange(min=1), default=5, show_default=True, help="Residual blocks.")
@click.option("--small", is_flag=True, help="Of images: the network of photo-fast, for few calls.")
@click.option("--memory", type=click.IntRange(min=1), default=1024, show_default=True, help="MiB of samples held.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all random choices.")
@click.option("--fast", is_flag=True, help="Compile the steps, in bfloat16; needs a C++ compiler: docs/training.md.")
@click.option("--device", default="auto", show_default=True, help="A torch device; auto is a GPU if there is one.")
def train(
    data: Path, run: Path, name: str, steps: int, batch: int, hidden: int, blocks: int, small: bool, memory: int,
    seed: int, fast: bool, device: str,
) -> None:  # fmt: skip
    """Fit a model to the folder DATA of images or of sound; checkpoints and the model are kept in the folder RUN.

    The same command continues what RUN holds, and with more steps goes on from before the learning rate fell. Under
    torchrun (-m ardm_compress train ...) every process takes its share. docs/training.md has an example.
    """
    from ardm_compress.training import defaults

    try:
        from ardm_compress.training.fit import fit
        from ardm_compress.training.train import TrainConfig
    except ImportError as error:
        if error.name != "torch":
            raise
        raise UnsupportedError("train needs PyTorch: pip install torch") from error

    is_sound = defaults.is_sound_folder(data)
    if small and is_sound:
        raise click.UsageError("--small is for folders of images")
    network = defaults.sound_network(hidden, blocks) if is_sound else defaults.image_network(hidden, blocks)
    config = TrainConfig(
        network=network, steps=steps, decay=steps // 4, batch=batch, memory=memory << 20, seed=seed, fast=fast
    )
    if small:
        config = replace(config, network=defaults.small_network(), sampling=defaults.small_sampling())
    file = fit(config, data, run, name=name, device=device)
    click.echo(f"{file}: set ARDM_COMPRESS_MODELS={run} to encode and decode with --model {name}")
