"""Prepared data as a person reads and types them: one array in a few words, and the command that makes or brings it."""

from __future__ import annotations

import shlex
from typing import Protocol

from facegan.catalog import datasets
from facegan.experiment import Data
from facegan.prepared.manifest import Manifest


class Asked(Protocol):
    """How an array is made: what its manifest says, or what was typed."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    @property
    def crop(self) -> str: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def domains(self) -> str | None: ...


def described(manifest: Manifest) -> str:
    """One array in a few words, of which the last are what `data.digest` takes."""
    count = f"{manifest.count:,} of {manifest.height}x{manifest.width}x{manifest.channels}"
    more = [f"crop {manifest.crop}", *([manifest.part] if manifest.part else [])]
    return f"{count}, {', '.join(more)}, {manifest.digest[:12]}"


def options(of: Data | Asked) -> list[str]:
    """The options of `data prepare` with which such an array is made, ready for a shell.

    An experiment says a size and a crop. Its limit and its domains choose among the images of an array, and make none.
    """
    limit, domains = (None, None) if isinstance(of, Data) else (of.limit, of.domains)
    said = (
        ("--size", of.size),
        ("--crop", None if of.crop == "none" else of.crop),
        ("--limit", limit),
        ("--domains", domains),
    )
    # a manifest may come from anybody, and this is typed as it stands
    return [f"{option} {shlex.quote(str(value))}" for option, value in said if value is not None]


def prepare_line(of: Data | Asked) -> str:
    """The command that makes these data of what a person has, or of a download."""
    known = datasets.DATASETS.get(of.name)
    source = [] if known is not None and known.downloads else ["--source PATH"]
    return " ".join(["facegan-job data prepare", of.name, *source, *options(of)])


def bring_line(of: Data | Asked, store_url: str) -> str:
    """The command that puts an array into a store, typed on a machine where it was made in this way."""
    return " ".join(["facegan-job data prepare", of.name, *options(of), f"--store {shlex.quote(store_url)}"])
