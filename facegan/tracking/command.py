"""`python -m facegan sync <run-url>…`: copy what runs have committed to MLflow."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import secrets
import sys
import time
from collections.abc import Sequence

from facegan import layout
from facegan.errors import BadInputError, FaceganError, SessionExit
from facegan.ledger import Ledger, Writer
from facegan.storage import open_store
from facegan.storage.retry import PatientStore
from facegan.tracking import words
from facegan.tracking.address import without_credentials
from facegan.tracking.server import Server
from facegan.tracking.settle import LEDGER
from facegan.tracking.sync import Copy, Progress

URI_VARIABLE = "MLFLOW_TRACKING_URI"
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Copy what runs have committed to MLflow. Killed at any moment, it may simply be started again."""
    asked = _parser().parse_args(arguments)
    uri = asked.tracking_uri or os.environ.get(URI_VARIABLE)
    if not uri:
        raise BadInputError("no tracking server is named", hint=f"give --tracking-uri, or set {URI_VARIABLE}")
    ledgers = [_ledger(url) for url in dict.fromkeys(asked.run_url)]
    server = Server.open(uri, asked.artifacts)
    copies = [
        Copy(ledger=ledger, server=server, say=_say, accepted=url in asked.accept)
        for url, ledger in zip(dict.fromkeys(asked.run_url), ledgers, strict=True)
    ]
    try:
        return _watch(copies, asked.watch, asked.json)
    except KeyboardInterrupt:
        return INTERRUPTED


def head(arguments: Sequence[str]) -> int:
    """Print which entry of a run's ledger MLflow was told of last, as JSON; null if of none."""
    parser = argparse.ArgumentParser(prog="python -m facegan head", description=head.__doc__)
    parser.add_argument("run_url", help="<store>/runs/<run>")
    asked = parser.parse_args(arguments)
    ledger = _ledger(asked.run_url)
    server = Server.open(os.environ.get(URI_VARIABLE, ""))
    place = server.home(ledger.fold.experiment)
    found = server.runs_tagged(place, LEDGER, ledger.digest_of(0))
    seen = [told for told in (words.head_of(there.tags) for there in found) if told is not None]
    newest = max(seen, key=lambda told: told.seq, default=None)
    sys.stdout.write(json.dumps(dataclasses.asdict(newest) if newest else None) + "\n")
    return SessionExit.FINISHED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m facegan sync", description=main.__doc__)
    parser.add_argument(
        "run_url", nargs="*", help="<store>/runs/<run>; with none, only an embedded database is made ready"
    )
    parser.add_argument("--tracking-uri", help=f"the MLflow server; {URI_VARIABLE} where it holds a password")
    parser.add_argument("--artifacts", help="folder or URI for the artifacts of new experiments")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="RUN-URL",
        help="its ledger is taken as it is, whatever was seen",
    )
    parser.add_argument(
        "--watch", type=float, metavar="SECONDS", help="again and again, until terminated or left alone"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    return parser


def _ledger(url: str) -> Ledger:
    store_url, run = layout.split_run_url(url)
    store = PatientStore(open_store(store_url), time.sleep)
    return Ledger(store, run, Writer(holder=_new_id(), wall_s=time.time, new_id=_new_id))


def _watch(copies: Sequence[Copy], every_s: float | None, as_json: bool) -> int:
    """Update once, or until the process that started this one is gone. Being killed needs no preparation."""
    parent = os.getppid()
    shown: dict[int, object] = {}
    while True:
        code: int = SessionExit.FINISHED
        for number, copy in enumerate(copies):
            try:
                now: Progress | str = copy.update()
            except FaceganError as error:
                code = SessionExit.FAILED
                now = f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else "")
            if _news(now) != shown.get(number):
                _show(now, as_json)
                shown[number] = _news(now)
        if every_s is None:
            return code
        until = time.monotonic() + every_s
        while (left := until - time.monotonic()) > 0:
            if os.getppid() != parent:
                return SessionExit.FINISHED
            time.sleep(min(left, 1.0))


def _news(now: Progress | str) -> object:
    """What makes a line worth printing again."""
    return dataclasses.replace(now, new_points=0, new_images=0) if isinstance(now, Progress) else now


def _show(now: Progress | str, as_json: bool) -> None:
    if isinstance(now, str):
        _say(now)
    elif as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(now)) + "\n")
    else:
        sys.stdout.write(
            f"{now.run}  MLflow run {now.mlflow_run}: {now.points:,} points (+{now.new_points:,}), "
            f"{now.images:,} images (+{now.new_images:,}), up to entry {now.seq}\n"
        )
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{without_credentials(text)}\n")
    sys.stderr.flush()


def _new_id() -> str:
    return secrets.token_hex(8)
