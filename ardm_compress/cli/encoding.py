"""``encode``."""

from __future__ import annotations

from typing import Any

import click

from ardm_compress.batch.inputs import Choice
from ardm_compress.batch.settings import SUFFIX, Encoding
from ardm_compress.cli.batch import (
    dry_run_teller,
    manifest_writer,
    name_output,
    output_folder,
    output_settings,
    run,
    select_jobs,
    talk_settings,
)
from ardm_compress.cli.options import (
    BUDGET,
    FILES,
    LOCATION,
    OUTPUTS,
    SELECTION,
    TALK,
    WORK,
    Function,
    Grouped,
    options,
    work_settings,
)
from ardm_compress.inference import find_model
from ardm_compress.options import AUTO, DEFAULT_PRESET, PRESETS

MODELS = click.option("--model", help="Name of the model: by default photo, none for sound; auto tries all for images.")

CHOICE = (
    click.option("--all", "takes_all", is_flag=True,
                 help="Of folders: take files of all kinds; what is neither image nor sound is stored, packed."),
    click.option("--include", metavar="PATTERN", multiple=True,
                 help="Of folders: take only files that match, whatever their suffix. As in .gitignore; repeatable."),
    click.option("--exclude", metavar="PATTERN", multiple=True,
                 help="Of folders: leave out files that match. As in .gitignore; repeatable."),
)  # fmt: skip


def _presets(command: Function) -> Function:
    """-1 to -9."""
    for level, preset in reversed(PRESETS.items()):
        best = preset.image_model == AUTO
        calls = "All network calls" if best else f"{preset.image} network calls"
        calls += f" of {preset.image_model}" if preset.image_model and not best else ""
        text = f"{calls} for a tile of an image, {preset.sound} of sound"
        text += "; the best of all models" if best else ""
        text += "; the default" if level == DEFAULT_PRESET else ""
        command = click.option(f"-{level}", "level", flag_value=level, type=int, help=f"{text}.")(command)
    return command


@click.command(cls=Grouped, short_help="Compress images, sound and texts.")
@FILES
@options(*SELECTION, *CHOICE, *OUTPUTS)
@_presets
@options(
    BUDGET,
    MODELS,
    click.option("--verify/--no-verify", default=True, show_default=True, help="Decode and compare before writing."),
    click.option("--strip", is_flag=True, help="Of PNG and WebP files: leave out metadata. Others keep theirs."),
    click.option("--force-pixels", is_flag=True, help="Of lossy images: code their pixels, as of a PNG file."),
    click.option("--strict", is_flag=True, help="Refuse image files that would be stored as they are."),
    click.option("--rm-inexact", "remove_inexact", is_flag=True,
                 help="As --rm, also of PNG, WebP and FLAC files: their content comes back, not the same bytes."),
    click.option("--manifest", type=LOCATION, help="Add the SHA-256 of each FILE to this file, as sha256sum does."),
    *TALK,
    *WORK,
)  # fmt: skip
def encode(files: tuple[str, ...], **given: Any) -> None:
    """Compress each image or sound FILE to FILE.ardm, which gets its time and permissions.

    FILE may be -, which is standard input; its output is then standard output, if -o names no other.
    """
    from ardm_compress.batch.run import encode_group
    from ardm_compress.formats import FOLDER_SUFFIXES

    talk = talk_settings(given)
    takes_all = given.pop("takes_all")
    choice = Choice(FOLDER_SUFFIXES, SUFFIX, takes_all, takes_all, given.pop("include"), given.pop("exclude"))
    jobs = name_output(select_jobs(files, given, choice, output_folder(given)), given)
    manifest, inexact, removes = given.pop("manifest"), given.pop("remove_inexact"), given["remove"]
    given["remove"] = removes or inexact
    exact = removes and not inexact
    how = Encoding(**output_settings(given), **work_settings(given), any_kind=takes_all, exact=exact, **given)
    if how.remove and not how.verify:
        raise click.UsageError("--rm is only for what is verified")
    if takes_all and how.strict:
        raise click.UsageError("--strict refuses what --all stores")
    if how.model not in (None, AUTO):
        find_model(how.model)  # if there is none of that name, that is said once, not of every file
    record = manifest_writer(manifest) if manifest and not how.dry else None
    run(encode_group, how, jobs, talk, label="encode", each=dry_run_teller(how), record=record, skipped=choice.skipped)
