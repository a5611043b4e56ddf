"""The documents name every command and option, and the manual pages are those of this version."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click_man.core import write_man_pages

from ardm_compress.cli import main
from ardm_compress.options import PRESETS

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = sorted(main.commands)


def documented(name: str) -> str:
    """What tells of a command: its own document, or the one of all."""
    own = {"bench": "benchmarks.md", "train": "training.md"}.get(name)
    return (DOCS / "cli.md").read_text("utf-8") + ((DOCS / own).read_text("utf-8") if own else "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_documents(name: str) -> None:
    text = documented(name)
    assert f"`{name}" in text
    options = [param for param in main.commands[name].params if isinstance(param, click.Option) and not param.hidden]
    for option in options:
        for word in (*option.opts, *option.secondary_opts):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text), f"{name} {word}"


def test_no_document_names_an_option_that_is_gone() -> None:
    known = {word for command in main.commands.values() for param in command.params
             for word in (*param.opts, *param.secondary_opts)} | {"--help", "--version"}  # fmt: skip
    named = set(re.findall(r"(?<=`)--[a-z-]+", (DOCS / "cli.md").read_text("utf-8")))
    assert named <= known


def test_the_table_of_presets_is_that_of_the_program() -> None:
    rows = re.findall(r"^\| `-(\d)` \| (\w+) \| (\d+) \|", (DOCS / "cli.md").read_text("utf-8"), re.MULTILINE)
    shown = {int(level): (image, int(sound)) for level, image, sound in rows}
    assert shown == {level: (str(preset.image) if preset.image < 999 else "all", preset.sound)
                     for level, preset in PRESETS.items()}  # fmt: skip


def test_manual_pages_are_those_of_this_version(tmp_path: Path) -> None:
    """``make man`` writes them."""
    kept = {path.name: path.read_text("utf-8") for path in (DOCS / "man").glob("*.1")}
    date, version = re.findall(r'"([^"]*)"', kept["ardm-compress.1"].splitlines()[0])[2:4]
    write_man_pages("ardm-compress", main, version=version, date=date, target_dir=str(tmp_path))
    assert {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.1")} == kept


def test_no_text_of_a_manual_page_is_taken_for_a_macro() -> None:
    """That of -9 began with dots, and man showed none of it."""
    for page in (DOCS / "man").glob("*.1"):
        assert not re.findall(r"^\.[^A-Z\\].*", page.read_text("utf-8"), re.MULTILINE), page.name


def test_presets_are_in_the_help_and_in_the_manual() -> None:
    page = (DOCS / "man" / "ardm-compress-encode.1").read_text("utf-8")
    for level, preset in PRESETS.items():
        assert re.search(rf"^\\fB\\-{level}\\fP\n.*\b{preset.sound} of sound", page, re.MULTILINE), level
