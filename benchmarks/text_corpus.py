"""Gather the text that the model of text is trained on, from Debian packages and what lies on this machine.

python benchmarks/text_corpus.py FOLDER [--packages]

Packages are fetched by ``apt-get download`` and only unpacked. Markup is taken off most pages, and prose comes in
three manners: as it is, and some of it as collections for language models have it, words apart from punctuation, rare
words replaced. FOLDER gets ``train.txt`` and ``held.txt`` with an index of documents each, and ``sources.txt``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import html
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PROSE = {  # packages, and the most megabytes that are taken of each
    "anarchism": 6, "debian-history": 2, "debian-handbook": 3, "debian-reference-en": 2, "debian-faq": 1,
    "developers-reference": 1, "debian-policy": 1, "bible-kjv-text": 3, "fortunes": 3, "fortunes-min": 1,
    "dict-gcide": 10, "dict-foldoc": 6, "dict-devil": 1, "jargon-text": 2, "miscfiles": 2, "perl-doc": 3,
    "gnome-user-docs": 2, "libreoffice-help-en-us": 3, "gimp-help-en": 2, "installation-guide-amd64": 1,
    "aptitude-doc-en": 1, "git-doc": 2, "bash-doc": 1, "glibc-doc": 1, "manpages": 2, "manpages-dev": 2,
    "linux-doc-6.1": 5, "debmake-doc": 1, "maint-guide": 1, "nethack-common": 1, "bsdgames": 1,
    "apache2-doc": 2,
}  # fmt: skip
DATA = {".py": 3, ".json": 2, ".xml": 2, ".html": 2, ".svg": 1, ".csv": 1, ".md": 2, ".rst": 2, ".log": 1, ".h": 1,
        ".js": 1, ".css": 1, ".tex": 1, ".toml": 1, ".yaml": 1, ".ini": 1, ".c": 1}  # fmt: skip  # megabytes by ending
ROOTS = ("/usr/lib/python3", "/usr/share", "/usr/lib/python3.11", "/usr/local/lib", "/var/log", "/etc")
COMMON = re.compile(rb"\b(the|of|and|to|in|is|that|for|with|as)\b")
MARKUP = re.compile(r"<(script|style|head)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
TOKEN = re.compile(r"\w+(?:'s)?|\n|[^\w\s]")
HELD = 61  # one document in so many is never trained on
TOKENISED = 4  # and one in so many is tokenised
RARE_FROM = 30_000  # words by number that have more frequent ones before them are rare


def unpacked(file: Path) -> bytes:
    """Return a file's bytes, of packed ones what is in them."""
    data = file.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def number_of(name: str) -> int:
    """Return a number that a name always has."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def as_text(data: bytes) -> str | None:
    """Return UTF-8 text; None where there is none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        if len(data) < 1 << 20:
            return None
        text = data.decode("utf-8", "replace")
    return None if "\0" in text else text


def without_markup(page: str) -> str:
    """Take tags off a page, and the empty lines that they leave."""
    text = html.unescape(MARKUP.sub(" ", page))
    text = re.sub(r"[ \t\xa0]+", " ", text)
    return re.sub(r"\s*\n\s*\n\s*", "\n\n", text).strip() + "\n"


def reflowed(text: str) -> str:
    """Join the lines of paragraphs, which may be indented."""
    return re.sub(r"(?<=[\w,;.)}\]\"'])\n[ \t]*(?=[\w({\"'])", " ", text)


def package_files(package: str, folder: Path) -> Iterator[Path]:
    """Yield the files of a package, fetched and unpacked if it is not yet there."""
    place = folder / "unpacked" / package
    if not place.is_dir():
        found = next(iter((folder / "debs").glob(f"{package}_*.deb")), None)
        if found is None:
            subprocess.run(["apt-get", "download", package], cwd=folder / "debs", check=True)
            found = next((folder / "debs").glob(f"{package}_*.deb"))
        place.parent.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", str(found), str(place)], check=True)
    for file in sorted(place.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield file


def package_documents(package: str, folder: Path, most: int) -> Iterator[str]:
    """Yield the English documents of a package, ``most`` bytes at most, spread over all of it."""
    endings = (".png", ".jpg", ".css", ".js", ".svg", ".gif", ".ico", ".mo", ".pdf", ".epub", ".xml", ".po", ".index")
    left = most
    for file in sorted(package_files(package, folder), key=lambda f: number_of(str(f.relative_to(folder)))):
        if file.name.lower().endswith(endings) or left <= 0:
            continue
        try:
            data = unpacked(file)
        except (OSError, EOFError):
            continue
        text = as_text(data)
        if text is None or len(data) < 500 or len(COMMON.findall(data)) * 400 < len(data):
            continue
        if re.search(r"<(html|body|p)\b", text[:4000], re.IGNORECASE) and number_of(file.name) % 12:
            text = without_markup(text)
        if number_of(file.name) % 2 or package.startswith("dict-"):
            text = reflowed(text)
        if len(text) > left:
            start = number_of(file.name) % max(1, len(text) - left)
            text = text[start : start + left]
        left -= len(text)
        yield text


def machine_documents(ending: str, most: int) -> Iterator[str]:
    """Yield files of this machine, ``most`` bytes at most, few of each folder."""
    left, seen = most, Counter[str]()
    files = [f for root in ROOTS for f in Path(root).rglob(f"*{ending}") if f.is_file() and not f.is_symlink()]
    for file in sorted(files, key=lambda f: number_of(str(f))):
        folder = str(file.parent)
        if left <= 0:
            return
        if seen[folder] >= 3 and ending != ".log":
            continue
        seen[folder] += 1
        try:
            text = as_text(file.read_bytes()[: 1 << 17])
        except OSError:
            continue
        if text and len(text) > 100:
            left -= len(text)
            yield text


def documents(text: str) -> Iterator[str]:
    """Cut a long text into documents where paragraphs end."""
    while len(text) > 1 << 16:
        end = text.find("\n\n", 1 << 15)
        end = 1 << 15 if not 0 < end < 1 << 16 else end + 2
        yield text[:end]
        text = text[end:]
    yield text


def tokenised(text: str, known: set[str] | None) -> str:
    """Put blanks around punctuation and between words, and ``<unk>`` for what is not ``known``."""
    text = reflowed(text)
    text = re.sub(r"(?<=\w)([-,.])(?=\w)", r" @\1@ ", text)
    lines = []
    for line in text.split("\n"):
        tokens = re.findall(r"@[-,.]@|\w+|'s\b|[^\w\s]", line)
        if known is not None:
            tokens = [t if not t.isalpha() or t in known else "<unk>" for t in tokens]
        lines.append(" " + " ".join(tokens) + " " if tokens else " ")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Gather all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    (folder / "debs").mkdir(parents=True, exist_ok=True)
    found: list[tuple[str, bool]] = []  # and whether it is prose
    sources, paragraphs = [], set[int]()

    def take(name: str, texts: Iterator[str], *, prose: bool) -> None:
        total = 0
        for text in texts:
            for part in documents(text):
                kept = []
                for paragraph in part.split("\n\n"):
                    key = hash(paragraph)
                    if len(paragraph) < 80 or key not in paragraphs:
                        kept.append(paragraph)
                    paragraphs.add(key)
                part = "\n\n".join(kept)
                if len(part) > 100:
                    found.append((part, prose))
                    total += len(part)
        sources.append(f"{total:9d} {name}")
        print(sources[-1], flush=True)

    for package, most in PROSE.items():
        take(package, package_documents(package, folder, most << 20), prose=True)
    for ending, most in DATA.items():
        take(f"*{ending}", machine_documents(ending, most << 20), prose=False)
    words = Counter(w for text, prose in found if prose for w in re.findall(r"[^\W\d_]+", text))
    known = {word for word, _ in words.most_common(RARE_FROM)}
    parts: dict[str, list[bytes]] = {"train": [], "held": []}
    for number, (text, prose) in enumerate(found):
        kind = number_of(f"{number}")
        if prose and kind % TOKENISED == 0:
            text = tokenised(text, known if kind // TOKENISED % 2 else None)
        parts["held" if number % HELD == 0 else "train"].append(text.encode())
    for name, own in parts.items():
        (folder / f"{name}.txt").write_bytes(b"".join(own))
        np.save(folder / f"{name}.npy", np.cumsum([0, *map(len, own)]))
        print(name, sum(map(len, own)), len(own))
    (folder / "sources.txt").write_text("\n".join(sources) + "\n")


if __name__ == "__main__":
    sys.exit(main())
