"""`python -m facegan report <run-url>… -o FILE`: write the page that compares runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from facegan import layout
from facegan.errors import BadInputError, DamagedError, SessionExit
from facegan.ledger import Ledger, Writer
from facegan.reporting.page import Unreadable, render
from facegan.reporting.subject import Subject, subject
from facegan.storage import open_store
from facegan.storage.retry import PatientStore

INTEGRITY = 104  # what `facegan-job` answers wherever something is damaged


def main(arguments: Sequence[str]) -> int:
    """Write one page that compares runs, from what they have committed. Changes no run.

    What is damaged is named and left out; the page is written all the same, unless no run can be read.
    """
    parser = argparse.ArgumentParser(prog="python -m facegan report", description=main.__doc__)
    parser.add_argument("run_url", nargs="+", help="where a run is: <store>/runs/<run>")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--json", action="store_true", help="say what was written as JSON")
    asked = parser.parse_args(arguments)
    if asked.output.is_dir():
        raise BadInputError(
            f'"{asked.output}" is a folder', hint=f"name the file to write: -o {asked.output / 'report.html'}"
        )
    subjects, unreadable = read(asked.run_url)
    write(asked.output, render(subjects, unreadable))
    damaged = [str(damage) for each in subjects for damage in each.damaged] + [each.why for each in unreadable]
    if asked.json:
        said = {"report": str(asked.output), "runs": [each.run for each in subjects], "damaged": damaged}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
    else:
        sys.stdout.write(f"{asked.output}\n")
    _tell(subjects, unreadable)
    return INTEGRITY if damaged else SessionExit.FINISHED


def read(urls: Sequence[str]) -> tuple[list[Subject], list[Unreadable]]:
    """Each run once, in the order in which they were named, and those of which nothing can be said.

    Raises:
        DamagedError: there is no run that can be read.
        NoRunError: one does not exist.
        UnreachableError: a store did not answer.
    """
    subjects: list[Subject] = []
    unreadable: list[Unreadable] = []
    damage: DamagedError | None = None
    for url in dict.fromkeys(urls):
        ledger = _ledger(url)
        try:
            subjects.append(subject(ledger))
        except DamagedError as error:
            damage = error
            unreadable.append(Unreadable(run=ledger.run, why=error.message))
    if damage and not subjects:
        raise damage
    return subjects, unreadable


def write(path: Path, page: str) -> None:
    """The whole file or none: somebody may be looking at the one before.

    Raises:
        OSError: it cannot be written there; names the file that was asked for. Nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _tell(subjects: Sequence[Subject], unreadable: Sequence[Unreadable]) -> None:
    for each in subjects:
        for damage in each.damaged:
            _say(f"error: {damage}", f"facegan-job verify {each.run}")
        if not each.points:
            _say(f"run {each.run} has committed nothing yet: the page says so", f"facegan-job status {each.run}")
    for other in unreadable:
        _say(f"error: run {other.run} cannot be read: {other.why}", f"facegan-job verify {other.run}")


def _say(text: str, hint: str) -> None:
    sys.stderr.write(f"{text}\nhint: {hint}\n")


def _ledger(url: str) -> Ledger:
    store_url, run = layout.split_run_url(url)
    store = PatientStore(open_store(store_url), time.sleep)
    return Ledger(store, run, Writer(holder="reader", wall_s=time.time, new_id=lambda: secrets.token_hex(8)))
