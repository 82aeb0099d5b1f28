"""Data that nobody has prepared before a run began: made inside one of its sessions, once, and uploaded.

Some places have the known data sets already: a session there is shown one, and prepares it as the user's machine
would. What it uploads is what every later session reads, wherever it runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from facegan import prepared
from facegan.catalog import datasets
from facegan.data import making
from facegan.errors import BadInputError, DamagedError
from facegan.experiment import Data
from facegan.prepared import Manifest
from facegan.prepared.selection import is_made_for
from facegan.prepared.spelled import bring_line
from facegan.storage.base import NotFoundError, ObjectStore


def settle(
    data: Data, source: Path | None, home: Path, store: ObjectStore, say: Callable[[str], object]
) -> Manifest | None:
    """The array that an experiment's data are from now on, whole in the store; `None` where it said so before.

    One that an earlier session uploaded, and was killed before it could say so, is taken as it is. Killed while it
    prepares or uploads, the same machine goes on with what is there.

    Args:
        data: What the experiment says of them.
        source: Where on this machine they are to be prepared from, if they are here.
        home: FACEGAN_HOME of this machine.
        store: The store of the run.
        say: Is given a line of progress a few times a second.

    Raises:
        BadInputError: they are neither in the store nor on this machine, or `source` is not such a set.
        DamagedError: the set has a digest that is known beforehand, and this is another.
        UnreachableError: the store did not answer.
    """
    known = datasets.DATASETS.get(data.name)
    if known is not None and known.package is not None:
        return None
    digest = data.digest or datasets.pinned(data)
    if digest is not None:
        if source is not None and not _is_there(store, data.name, digest):
            _require(digest, _make(data, source, home, store, say), bring_line(data, store.url))
        return None
    found = next(
        (one for one in prepared.find_stored(store, data.name, _pass_over(say)) if is_made_for(one, data)), None
    )
    if found is not None:
        say(f"{data.name} {found.digest[:12]}… was prepared before")
        return found
    if source is None:
        raise BadInputError(
            f'"{data.name}" is neither prepared in {store.url} nor to be found on this machine',
            hint=f"{bring_line(data, store.url)}, on a machine that has it",
        )
    return _make(data, source, home, store, say)


def _make(data: Data, source: Path, home: Path, store: ObjectStore, say: Callable[[str], object]) -> Manifest:
    made = making.make(making.options(data), source, home, say)
    prepared.upload(prepared.folder_of(home, made.name, made.digest), store, say)
    say(f"prepared {data.name}: {made.count:,} images, {made.digest[:12]}…")
    return made


def _require(digest: str, made: Manifest, line: str) -> None:
    """Refuse another array than the run wants; `line` is typed where that one is."""
    if made.digest != digest:
        raise DamagedError(
            f'what was prepared of "{made.name}" is {made.digest[:12]}…, and the run wants {digest[:12]}…',
            hint=f"put that one into the store of the run: {line}",
        )


def _is_there(store: ObjectStore, name: str, digest: str) -> bool:
    with contextlib.suppress(NotFoundError, DamagedError):
        prepared.read_stored(store, name, digest)
        return True
    return False


def _pass_over(say: Callable[[str], object]) -> prepared.local.PassOver:
    def pass_over(name: str, digest: str, error: DamagedError) -> None:
        say(f"{name} {digest[:12]}… is passed over: {error.message}")

    return pass_over
