"""Checks of what the tool needs here. Each says what it proves, and each can fail."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence

from facegan import process
from facegan.accounts import has_account, open_account
from facegan.catalog.datasets import DATASETS
from facegan.errors import FaceganError
from facegan.process import Life
from facegan.storage.base import ObjectStore
from jobs import credentials, heavy, ingredients
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Check
from jobs.context import Context

LEAST_FREE_BYTES = 2 * 10**9
OLDEST_PYTHON = (3, 11)


def examine(context: Context) -> list[Check]:
    """Every check, in the order in which a run would meet them."""
    return [
        python(sys.version_info[:2]),
        *(packages(name, heavy.has) for name in EXTRAS),
        home(context),
        space(shutil.disk_usage(_existing(context)).free),
        evidence(),
        store(context),
        *account(context),
        *(data(name, context) for name in DATASETS),
        *(found for name in BACKENDS for found in place(name, context)),
    ]


def python(version: tuple[int, ...]) -> Check:
    text = ".".join(map(str, version))
    return Check(
        name="python", ok=version >= OLDEST_PYTHON, found=f"version {text}", hint="install Python 3.11 or newer"
    )


EXTRAS = {
    "train": ("tensorflow", "numpy", "PIL", "safetensors"),
    "track": ("mlflow",),
}


def packages(extra: str, has: Callable[[str], bool]) -> Check:
    """Proves that what a session, or a sync, imports is installed. Imports nothing."""
    missing = [name for name in EXTRAS[extra] if not has(name)]
    found = f"{', '.join(missing)} not installed" if missing else f"{', '.join(EXTRAS[extra])} installed"
    return Check(name=f"packages: {extra}", ok=not missing, found=found, hint=f"pip install 'facegan-job[{extra}]'")


def home(context: Context) -> Check:
    """Proves that a file can be made in FACEGAN_HOME."""
    folder = context.settings.home
    probe = folder / f"doctor-{context.writer.new_id()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Check(
            name="home", ok=False, found=f'"{folder}": {error.strerror}', hint="set FACEGAN_HOME to a folder of yours"
        )
    return Check(name="home", ok=True, found=f"{folder} can be written")


def space(free_bytes: int) -> Check:
    return Check(
        name="space",
        ok=free_bytes >= LEAST_FREE_BYTES,
        found=f"{free_bytes / 1e9:.1f} GB free",
        hint="free 2 GB or more",
    )


def evidence(life: Callable[[dict[str, object]], Life] = process.life) -> Check:
    """Proves that a live process is told from a dead one: this process lives, one of another start does not."""
    mine = process.this_process()
    other = {**mine, "start": "0"}
    told = life(mine) is Life.ALIVE and life(other) is Life.GONE
    return Check(
        name="processes", ok=told, found="told apart" if told else "cannot be told apart", hint="is /proc mounted?"
    )


def store(context: Context) -> Check:
    """Proves the store's promise: an object can be created once, and only once, and is read back."""
    key = f"doctor/{context.writer.new_id()}"
    try:
        fault = _fault(context.store, key)
    except FaceganError as error:
        return Check(name="store", ok=False, found=error.message, hint=error.hint or "is the URL right?")
    found = fault or f"{context.store.url} creates each object once"
    return Check(name="store", ok=not fault, found=found, hint="choose another --store: no run is safe there")


def _fault(at: ObjectStore, key: str) -> str:
    try:
        if not at.put_new(key, b"first"):
            return f"{at.url} says that a new object exists already"
        if at.put_new(key, b"second"):
            return f"{at.url} creates an object twice: it ignores the condition"
        if at.get(key) != b"first":
            return f"{at.url} does not give back what was written"
        if key not in at.list("doctor/"):
            return f"{at.url} does not list what was written"
    finally:
        at.delete(key)
    return ""


def account(context: Context) -> list[Check]:
    """Looks at what docs/storage.md asks of a bucket, and for credentials that outlived their sessions."""
    if not has_account(context.store.url):
        return []
    try:
        found = [
            Check(name=each.name, ok=each.ok, found=each.found, hint=each.hint)
            for each in open_account(context.store.url).bucket()
        ]
    except FaceganError as error:
        found = [Check(name="bucket", ok=None, found=error.message, hint=error.hint or "")]
    return [*found, left_over(context)]


def left_over(context: Context) -> Check:
    """Proves that no credentials outlived the sessions they were minted for."""
    try:
        runs = credentials.left_over(context)
    except FaceganError as error:
        return Check(name="credentials", ok=None, found=error.message, hint=error.hint or "")
    return Check(
        name="credentials",
        ok=not runs,
        found=f"of runs without a session: {', '.join(runs)}" if runs else "none outlived its session",
        hint=f"facegan-job credentials revoke {runs[0]}" if runs else "",
    )


def data(name: str, context: Context) -> Check:
    """Good to know: an experiment on data that is not here is refused with the same hint."""
    there, hint = ingredients.data_is_here(name, context.settings.home)
    return Check(name=f"data: {name}", ok=True if there else None, found="here" if there else "not here", hint=hint)


def place(name: str, context: Context) -> Sequence[Check]:
    """What a backend needs, where it is set up. One that cannot be looked at is no fault of this machine's."""
    try:
        return open_backend(name, context.settings).checks()
    except FaceganError as error:
        return [Check(name=name, ok=None, found=error.message, hint=error.hint or "")]


def _existing(context: Context) -> str:
    folder = context.settings.home
    while not folder.exists():
        folder = folder.parent
    return os.fspath(folder)
