"""The notebook's file: a page of text, the program in a folded cell, and three short cells to run.

The same run, place and program make the same bytes: no time, no random id, nothing of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from facegan import layout
from facegan.errors import FaceganError
from facegan.experiment import Json
from jobs.bundle import Wheel
from jobs.notebook.places import Card, Place, metadata
from jobs.startscript import filled, literal, template

GRACE_S = 60.0  # between the wish to stop a session and its end
MARGIN_S = 300.0  # of a machine's life, not planned with
PROGRAM = "The program: nothing to read here, nothing to change"

NEEDED = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
}
MEANT = {
    "s3": "a key of yours that may use the bucket, and `AWS_SESSION_TOKEN` where the key is a temporary one",
    "gs": "what is in the JSON file of a service account's key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is written down: the run at this URL, on so many cards of one kind of one place, with this program."""

    place: Place
    card: Card
    run_url: str
    wheel: Wheel
    replicas: int = 1


def render(page: Page) -> bytes:
    """The whole file.

    Raises:
        FaceganError: it is larger than the place is known to take.
    """
    _, run = layout.split_run_url(page.run_url)
    whole = {
        "cells": [
            _text("about", _about(page, run)),
            _folded("program", f"# @title {PROGRAM}\n{_program(page)}"),
            _code("machine", "machine = look()  # look(cpu=True) trains where there is no GPU, too"),
            _code("access", "access = credentials()"),
            _code("train", "train(machine, access)  # run this cell again to go on"),
        ],
        "metadata": metadata(page.place, page.card),
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    data = (json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    limit = page.place.source_bytes
    if limit is not None and len(data) > limit:
        raise FaceganError(
            f"the notebook has {len(data):,} bytes, and {page.place.title} is not known to take more than {limit:,}",
            hint="this is a defect: the program has become too large",
        )
    return data


def _about(page: Page, run: str) -> str:
    store, _ = layout.split_run_url(page.run_url)
    scheme = store.partition("://")[0]
    names = " and ".join(f"`{name}`" for name in NEEDED[scheme])
    place = page.place
    return f"""# {run}

This notebook goes on with the training `{run}` in the store `{store}`, exactly where its last session ended: on a
machine like the last one's, to the same bytes. It was made by facegan-job {page.wheel.version}.

1. {place.opening}. It asks for a {page.card.gpu}; if there is none: {_lower(place.accelerator)}.
2. It needs {names}: {MEANT[scheme]}. {place.secrets}. Where there are none, the notebook asks for them. They are
   not written into it.
3. Leave it open. It makes checkpoints as the experiment says (`checkpoint.every_s`), and whatever happens to this
   machine costs no more than what came after the last. To end it, interrupt the last cell: it makes a last one first.
4. Run the last cell again to go on, as often as you like, here or anywhere. Opened twice, one of the two trains, and
   the other says so and ends.

On your own machine, `facegan-job status {run}` and `facegan-job logs {run} -f` show how far it is, and
`facegan-job stop {run}` stops it.
"""


def _program(page: Page) -> str:
    place = page.place
    order: Json = {
        "place": place.name,
        "run_url": page.run_url,
        "gpu": page.card.gpu,
        "shows": page.card.shows,
        "replicas": page.replicas,
        "grace_s": GRACE_S,
        "session_s": place.session_s,
        "margin_s": MARGIN_S,
        "marker": place.marker.value,
        "wheel": {"name": page.wheel.name, "sha256": page.wheel.sha256},
        **{name: getattr(place, name) for name in ("accelerator", "internet", "secrets", "renew")},
    }
    return filled(template("notebook"), order, literal(page.wheel.data)).rstrip("\n")


def _text(name: str, source: str) -> Json:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": _lines(source)}


def _code(name: str, source: str) -> Json:
    empty: Json = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "id": name, "metadata": {}, "source": _lines(source), **empty}


def _folded(name: str, source: str) -> Json:
    """A cell whose source is not shown: as Colab, Kaggle and Jupyter each want to be told."""
    folded: Json = {"cellView": "form", "_kg_hide-input": True, "jupyter": {"source_hidden": True}}
    return {**_code(name, source), "metadata": folded}


def _lines(source: str) -> Sequence[str]:
    return source.rstrip("\n").splitlines(keepends=True)


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
