"""Outputs appear whole or not at all, and never over another file unasked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ardm_compress.errors import OutputExistsError
from ardm_compress.files.atomic import write_atomically


@pytest.mark.parametrize("force", [False, True])
def test_a_new_file_is_written_with_ordinary_permissions(tmp_path: Path, force: bool) -> None:
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "out", b"new", force=force)
    assert (tmp_path / "out").read_bytes() == b"new"
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "plain"]


def test_an_existing_file_is_left_untouched(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="-f"):
        write_atomically(tmp_path / "out", b"new", force=False)
    assert (tmp_path / "out").read_bytes() == b"old"


def test_force_replaces_the_content_and_keeps_the_permissions(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    out.chmod(0o600)
    write_atomically(out, b"new", force=True)
    assert out.read_bytes() == b"new"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_force_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputExistsError):
        write_atomically(tmp_path / "link", b"new", force=False)


def test_a_device_is_written_to_and_not_replaced_by_a_file() -> None:
    """As root, a rename onto /dev/null would have made it a plain file for the whole machine."""
    write_atomically(Path(os.devnull), b"gone", force=True)
    assert not Path(os.devnull).is_file()


def appear(path: Path) -> None:
    path.write_bytes(b"theirs")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_that_appears_meanwhile_is_not_clobbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    out = tmp_path / "out"
    without_hard_links(monkeypatch, not links)
    monkeypatch.setattr(os, "fsync", lambda _fd: appear(out))
    with pytest.raises(OutputExistsError):
        write_atomically(out, b"ours", force=False)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"theirs"]


def without_hard_links(monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    def link(_source: Path, _target: Path) -> None:
        raise PermissionError("no hard links on this file system")

    if wanted:
        monkeypatch.setattr(os, "link", link)


def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_hard_links(monkeypatch, True)
    write_atomically(tmp_path / "out", b"new", force=False)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool, failure: type[BaseException]
) -> None:
    def fsync(_fd: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(failure):
        write_atomically(tmp_path / "out", b"new", force=force)
    assert not [*tmp_path.iterdir()]


def test_an_interrupted_replacement_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").write_bytes(b"old")

    def replace(_self: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out", b"new", force=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_an_interrupted_claim_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_hard_links(monkeypatch, True)

    def replace(_self: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out", b"new", force=False)
    assert not [*tmp_path.iterdir()]


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"new", force=True)


def test_names_of_the_greatest_length(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), b"new", force=False)
    assert len([*tmp_path.iterdir()]) == 1
