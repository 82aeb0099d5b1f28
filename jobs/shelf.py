"""Prepared data as a command sees them: what is on this machine, and what is in a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facegan import prepared
from facegan.errors import DamagedError
from facegan.prepared import Manifest
from facegan.storage.base import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One prepared array, and where it is."""

    manifest: Manifest
    here: bool
    stored: bool


class Look(Protocol):
    """Finds every prepared array, or those of one name.

    What is damaged is passed over, but for what is wanted by the beginning of its digest: where that is
    damaged wherever it is, `DamagedError` is raised.
    """

    def __call__(self, name: str | None = None, wanted: str | None = None, /) -> Sequence[Copy]: ...


def shelf(home: Path, store: ObjectStore, say: Callable[[str], object]) -> Look:
    """What is on this machine or in that store. Each look costs the store a listing, and a request an array.

    `say` is told of each that is damaged, and passed over.
    """

    def look(name: str | None = None, wanted: str | None = None, /) -> Sequence[Copy]:
        damaged: dict[str, DamagedError] = {}

        def pass_over(of: str, digest: str, error: DamagedError) -> None:
            damaged.setdefault(digest, error)
            say(f"{of} {digest[:12]}… is passed over: {error.message}")

        here = {(found.name, found.digest): found for found in prepared.find_local(home, name, pass_over)}
        stored = {(found.name, found.digest): found for found in prepared.find_stored(store, name, pass_over)}
        there = stored | here
        if wanted and not any(digest.startswith(wanted) for _, digest in there):
            for error in (error for digest, error in damaged.items() if digest.startswith(wanted)):
                raise error
        return [
            Copy(manifest=manifest, here=address in here, stored=address in stored)
            for address, manifest in sorted(there.items(), key=lambda pair: pair[0])
        ]

    return look


def empty(_name: str | None = None, _wanted: str | None = None, /) -> Sequence[Copy]:
    """A shelf with nothing on it."""
    return ()
