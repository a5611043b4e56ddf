"""What commands for many files share: which files, with what bar, and what is said of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import click

from ardm_compress.batch.estimates import Rates, duration
from ardm_compress.batch.failing import WORST_FIRST, attempt
from ardm_compress.batch.settings import SUFFIX, Outcome, no_bar
from ardm_compress.cli.group import FilesBar, complain, printable, progress_bar
from ardm_compress.errors import OptionError
from ardm_compress.files import locations as storage
from ardm_compress.inference import DEVICE, find_model

if TYPE_CHECKING:
    from ardm_compress.batch.inputs import Choice, Job
    from ardm_compress.batch.settings import Bar, Writing


NOTHING: Final[Mapping[str, str]] = {}
WORTH_SAYING: Final = 10.0  # seconds of work from which on an estimate is said
BACKSLASH: Final = "\\"
SHA256SUM: Final = str.maketrans({BACKSLASH: r"\\", "\n": r"\n", "\r": r"\r"})  # its escapes in names


def select_jobs(files: Iterable[str], given: dict[str, Any], choice: Choice, folder: str | None) -> list[Job]:
    """Return the files of a command, and take the options of ``SELECTION`` out of what was given.

    ``choice`` is of the files below folders, and then knows which are skipped.

    What is left says with ``resume`` whether they are several, or from folders: then outputs may be there already.

    Raises:
        UsageError: none are named; OptionError: there are none.
    """
    from ardm_compress.batch.inputs import find_jobs, read_list

    names = [*files, *(read_list(given["files_from"]) if given["files_from"] else [])]
    recursive, _ = given.pop("recursive"), given.pop("files_from")
    if not names:
        raise click.UsageError("no files are named")
    if not recursive and (choice.takes_all or choice.include or choice.exclude):
        raise click.UsageError("--all, --include and --exclude choose among the files below folders: give -r with them")
    jobs = find_jobs(names, choice, recursive=recursive, folder=folder)
    if len(jobs) > 1 and any(job.source == storage.STDIO for job in jobs):
        raise click.UsageError("standard input is worked on by itself: name no other files with it")
    if not jobs:
        what = f"{SUFFIX} files" if SUFFIX in choice.suffixes else "images or sound"
        what = "such files" if choice.takes_all or choice.include else what
        raise OptionError(f"there are no {what} below {', '.join(names)}")
    given["resume"] = recursive or len(jobs) > 1
    return jobs


def output_folder(given: dict[str, Any]) -> str | None:
    """Return the folder for outputs, which -o or --output-dir names, and leave it as --output-dir in what was given.

    Raises:
        UsageError: both name one.
    """
    output = given["output"]
    if output not in (None, storage.STDIO) and (output.endswith("/") or os.path.isdir(output)):
        if given["output_dir"] is not None:
            raise click.UsageError("-o and --output-dir name two outputs")
        given["output_dir"], given["output"] = output, None
    folder: str | None = given["output_dir"]
    return folder


def output_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options of ``OUTPUTS`` but -o and -c out of what was given, as settings of ``batch``."""
    folder = given["output_dir"] is not None
    del given["output_dir"]
    return {name: given.pop(name) for name in ("force", "remove", "dry")} | {"parents": folder}


def name_output(jobs: list[Job], given: dict[str, Any]) -> list[Job]:
    """Give the only job the output that -o or -c names; take these out of ``given``.

    Raises:
        UsageError: there are several jobs, or the output is a terminal.
    """
    output, stdout = given.pop("output"), given.pop("stdout")
    if stdout and output not in (None, storage.STDIO):
        raise click.UsageError("-c and -o name two outputs")
    output = storage.STDIO if stdout else output
    if output is not None:
        if len(jobs) > 1:
            raise click.UsageError(f"one output cannot hold {len(jobs)} files; --output-dir names a folder for them")
        if given["output_dir"] is not None:
            raise click.UsageError("-o and --output-dir name two outputs")
        jobs = [jobs[0]._replace(target=output)]
    if any(job.target == storage.STDIO for job in jobs):
        _check_pipe(given)
    return jobs


def _check_pipe(given: dict[str, Any]) -> None:
    if sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("the output is not written to a terminal: name a file with -o, or send it to a pipe")
    if given["remove"]:
        raise click.UsageError("--rm is not for what is written to standard output")


class Talk(NamedTuple):
    """What a command says, by its options."""

    quiet: bool
    verbose: int  # 1: of each file, 2: also when work on it begins
    as_json: bool
    log: str | None  # name of a file that takes all that 2 says


def talk_settings(given: dict[str, Any]) -> Talk:
    """Take the options of ``TALK`` out of what was given."""
    return Talk(*(given.pop(name) for name in Talk._fields))


class Report:
    """Tells of files, one by one and all together, on stderr."""

    def __init__(self, talk: Talk, *, several: bool, lines: bool, summary: bool) -> None:
        """Say a line of each file if ``lines``, and one of all if ``summary``."""
        self._talk, self._several = talk, several
        self._lines, self._all = lines and not talk.quiet, summary and not talk.quiet
        self._start = time.perf_counter()
        self._done: list[Outcome] = []
        self._say(f"ardm-compress {' '.join(map(printable, sys.argv[1:]))}", shown=False)

    def _say(self, line: str, *, shown: bool) -> None:
        """Say a line, and add it to the log."""
        if shown:
            click.echo(line, err=True)
        if self._talk.log:
            with open(self._talk.log, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def begin(self, names: Iterable[str]) -> None:
        """Of files on which work begins."""
        for name in names:
            self._say(f"{printable(name)}: begun", shown=self._talk.verbose > 1)

    def tell(self, outcome: Outcome) -> None:
        """Of one file."""
        self._done.append(outcome)
        if outcome.code:
            complain(outcome.error)
            self._say(printable(outcome.error), shown=False)
        elif outcome.skipped:
            self._say(f"{printable(outcome.source)}: skipped, {outcome.skipped}", shown=not self._talk.quiet)
        else:
            self._say(_line(outcome), shown=self._lines)

    def good(self, jobs: Iterable[Job]) -> list[Job]:
        """Pick those that did not fail, and were not done before."""
        done = {outcome.source for outcome in self._done if not (outcome.code or outcome.done_before)}
        return [job for job in jobs if job.source in done]

    def close(self) -> int:
        """Of all; returns the exit code."""
        self._say(self._summary(), shown=self._all)
        if self._talk.as_json:
            print_json([_public(outcome) for outcome in self._done], several=self._several)
        return exit_code(self._done)

    def _summary(self) -> str:
        from rich.filesize import decimal

        before = sum(outcome.done_before for outcome in self._done)
        skipped = sum(bool(outcome.skipped) for outcome in self._done)
        failed = sum(bool(outcome.code) for outcome in self._done)
        good = [outcome for outcome in self._done if not (outcome.code or outcome.done_before or outcome.skipped)]
        counts = {"done before": before, "skipped": skipped, "failed": failed}
        others = "".join(f", {count} {what}" for what, count in counts.items() if count)
        seconds = max(1e-3, time.perf_counter() - self._start)
        files = f"{len(good)} file{'' if len(good) == 1 else 's'}"
        if any(outcome.target for outcome in good):
            before, after = sum(outcome.before for outcome in good), sum(outcome.after for outcome in good)
            size = f"{decimal(before)} -> {decimal(after)} ({100 * after / max(1, before):.1f}%)"
            return f"{files}: {size}, {seconds:.1f} s, {max(before, after) / seconds / 1e6:.2f} MB/s{others}"
        return f"{files} ok{others}, {seconds:.1f} s"


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Return the exit code of a command: of what went wrong with any of its files the worst."""
    codes = {outcome.code for outcome in outcomes}
    return next((code for code in WORST_FIRST if code in codes), 0)


def print_json(facts: list[dict[str, Any]], *, several: bool) -> None:
    """Print an object, or of several a list of them."""
    if several or facts:
        click.echo(json.dumps(facts if several else facts[0], indent=2))


def _public(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(outcome).items() if name != "state"}


def _line(outcome: Outcome) -> str:
    source, seconds = printable(outcome.source), f"{outcome.seconds:.1f} s"
    if outcome.done_before:
        return f"{source}: done before, {printable(outcome.target)}"
    back = f", gives back {outcome.comes_back}" if outcome.comes_back else ""
    if not outcome.target:
        return f"{source}: {outcome.before} bytes{back}, {seconds}"
    share = f" ({100 * outcome.after / max(1, outcome.before):.1f}%)" if outcome.note else ""
    how = outcome.note or printable(outcome.target)
    return f"{source}: {outcome.before} -> {outcome.after} bytes{share}, {how}{back}, {seconds}"


def run(
    work: Callable[..., list[Outcome]], how: Writing, jobs: list[Job], talk: Talk, *, label: str,
    together: bool = True, each: Callable[[Outcome], None] | None = None,
    record: Callable[[Outcome], None] | None = None, skipped: Mapping[str, str] = NOTHING,
) -> NoReturn:  # fmt: skip
    """Work on all files, and end the command.

    Args:
        work: a function of ``batch.run``.
        how: its settings.
        jobs: the files.
        talk: what is said.
        label: of the bar of files.
        together: whether small files may go through the network together.
        each: told of every file that did not fail, unless all is printed as JSON at the end.
        record: told of every file that did not fail.
        skipped: files that were found but not taken, and why.
    """
    if how.scheduler is None and not how.dry:
        _check_device()
    one = len(jobs) == 1 and not skipped
    jobs, kept = [job for job in jobs if not job.as_is], [job for job in jobs if job.as_is]
    lines = not how.dry and (talk.verbose or (one and each is None))
    report = Report(talk, several=not one, lines=bool(lines), summary=not (one or how.dry))
    for source, reason in skipped.items():
        report.tell(Outcome(source=source, skipped=reason))
    together, rates = together and not how.dry and not one, Rates()
    tells = how.scheduler is None and not talk.quiet
    if tells and not (how.dry or one):
        _tell_estimate(rates, label, how, jobs, least=WORTH_SAYING)
    sizes = {} if one else {job.source: storage.size(job.source) or 0 for job in jobs}
    with FilesBar(label, sizes, shown=not (one or talk.quiet)) as files:

        def begin(group: list[Job]) -> None:
            for tell in (files.begin, report.begin):
                tell([job.source for job in group])

        worked = _outcomes(work, how, jobs, together, _bar(one and not talk.quiet), begin)
        for outcome in chain(_kept(kept, how), worked):
            report.tell(outcome)
            rates.learn(label, outcome)
            if record and not outcome.code:
                record(outcome)
            if each and not talk.as_json and not outcome.code:
                each(outcome)
            files.end(outcome.source)
    rates.save()
    if tells and how.dry:
        _tell_estimate(rates, label, how, report.good(jobs), least=WORTH_SAYING if one else 0.0)
    click.get_current_context().exit(report.close())


def _kept(jobs: list[Job], how: Writing) -> Iterator[Outcome]:
    """Make links and empty folders again."""
    from ardm_compress.batch.run import keep_as_is

    return (attempt(job, partial(keep_as_is, job, how)) for job in jobs)


def usual_output(job: Job, command: str) -> str:
    """Return where a command writes a file that is given no other name."""
    return job.place + SUFFIX if command == "encode" else job.place.removesuffix(SUFFIX)


def _tell_estimate(rates: Rates, label: str, how: Writing, jobs: Sequence[Job], *, least: float) -> None:
    """Say how long work on local files will take, if it is at least so many seconds."""
    from rich.filesize import decimal

    jobs = [job for job in jobs if storage.local(job.source) and storage.local(job.place)]
    if how.resume and not how.force:
        jobs = [job for job in jobs if not storage.exists(usual_output(job, label))]
    found = rates.estimate(label, jobs)
    processes = max(1, min(how.jobs, found.files))
    seconds = found.seconds / processes
    if found.before and seconds >= least:
        result = "" if label == "test" else f" -> about {decimal(round(found.after))}"
        files = f"{found.files} file{'' if found.files == 1 else 's'}"
        click.echo(f"{files}, {decimal(found.before)}{result}: about {duration(seconds)}", err=True)


def _check_device() -> None:
    """If there is no GPU where one must be used, say that once and not of every file."""
    if os.environ.get(DEVICE, "cpu") not in ("", "cpu", "auto"):
        from ardm_compress.coding.models import loaded

        loaded(find_model("photo"))


def _outcomes(
    work: Callable[..., list[Outcome]], how: Writing, jobs: list[Job], together: bool, bar: Bar,
    begin: Callable[[list[Job]], None],
) -> Iterator[Outcome]:  # fmt: skip
    from ardm_compress.batch.many import group_jobs
    from ardm_compress.batch.run import outcomes

    if how.scheduler is None or how.dry:
        groups = list(group_jobs(jobs, how.jobs, together=together))
        yield from outcomes(work, how, groups, bar, begin)
        return
    from ardm_compress.batch import remote
    from ardm_compress.tasks.cluster.workers import connected

    jobs = remote.absolute_jobs(jobs)
    with connected(how.scheduler, complain) as workers:
        groups = list(group_jobs(jobs, workers.threads, together=together))
        yield from remote.outcomes(workers, work, how, groups)


def _bar(shown: bool) -> Bar:
    return progress_bar if shown else no_bar


def dry_run_teller(how: Writing) -> Callable[[Outcome], None] | None:
    """Return a function that tells where each file would go, or None if the work is to be done."""
    if not how.dry:
        return None

    def tell(outcome: Outcome) -> None:
        done = " (done before)" if outcome.done_before else ""
        click.echo(f"{printable(outcome.source)} -> {printable(outcome.target)}{done}")

    return tell


def manifest_writer(name: str) -> Callable[[Outcome], None]:
    """Return a function that adds the line of sha256sum for each source to a file, unless it is there."""
    path = Path(name)
    known = set(path.read_bytes().splitlines()) if path.exists() else set[bytes]()

    def record(outcome: Outcome) -> None:
        from ardm_compress.formats.contents import Original

        digest = outcome.sha256
        if not digest:  # it was done before
            with storage.opened(outcome.source) as data:
                digest = Original.of(data).sha256.hex()
        source = outcome.source.translate(SHA256SUM)
        line = os.fsencode(f"{'' if source == outcome.source else BACKSLASH}{digest}  {source}")
        if line not in known:
            known.add(line)
            with path.open("ab") as file:
                file.write(line + b"\n")

    return record
