"""Preparing a data set on this machine: from what a person has, or from where it is published."""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from facegan import prepared
from facegan.catalog import datasets
from facegan.data import download, preparing, sources
from facegan.data.source import Source
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.lock import alone
from facegan.prepared import Manifest, spelled


def options(data: Data) -> preparing.Options:
    """How the array that an experiment asks for is prepared."""
    return preparing.Options(name=data.name, size=data.size, crop=data.crop)


def make(asked: preparing.Options, path: Path | None, home: Path, say: Callable[[str], object]) -> Manifest:
    """Prepare a data set from a file or folder, or else from a download. It is then on this machine.

    One process of a machine does it at a time. It is made in a hidden folder, named by what was asked, so
    that after a kill the same command goes on there; `prepared.install` gives it its name. What is refused
    leaves nothing.

    Raises:
        BadInputError: it cannot be downloaded, or `path` is not such a source, or is one of a set whose digest is
            known beforehand and makes another; says what to do.
        FaceganError: there is no room on the disk.
    """
    partial = unfinished(asked, home)
    with alone(partial.with_name(".lock"), lambda: say(f"another process is preparing {asked.name}: waiting")):
        found = _downloaded(asked, home, say) if path is None else path
        source = sources.open_source(asked.name, found)
        asked = replace(asked, origin=_origin(source, found, is_published=path is None))
        partial.mkdir(exist_ok=True)
        try:
            prepared.require_room(_bytes(asked, source), partial)
            manifest = preparing.prepare(asked, source, partial, say)
            _require_faithful(manifest, found, partial)
        finally:
            with contextlib.suppress(OSError):  # it holds something, which is the usual case
                partial.rmdir()
        prepared.install(partial, manifest, home)
        shutil.rmtree(partial, ignore_errors=True)  # still there when the same data had been made before
    return manifest


def _downloaded(asked: preparing.Options, home: Path, say: Callable[[str], object]) -> Path:
    return download.fetch(asked.name, home / "downloads", say, spelled.options(asked))


def unfinished(asked: preparing.Options, home: Path) -> Path:
    """Where a data set is made on this machine, until it is whole."""
    return home / "data" / asked.name / f".made-{hashlib.sha256(repr(asked).encode()).hexdigest()[:16]}"


def _require_faithful(manifest: Manifest, path: Path, partial: Path) -> None:
    """Take no other array for a set whose digest everybody knows, as long as it is asked for whole and as it comes."""
    known = datasets.pinned(Data(name=manifest.name, size=manifest.size, crop=manifest.crop))
    is_whole = manifest.limit is None and manifest.domains is None
    if is_whole and known not in {None, manifest.digest}:
        shutil.rmtree(partial)
        raise BadInputError(
            f'"{path}" is not "{manifest.name}": it makes {manifest.count:,} images with the digest '
            f"{manifest.digest[:12]}…, not {str(known)[:12]}…",
            hint="give another copy with --source PATH; or save these as PNG files, and prepare them under a name of "
            "your own",
        )


def _bytes(asked: preparing.Options, source: Source) -> int:
    """The most that the images will take; 0 where only the pictures say how large they are."""
    known = datasets.DATASETS.get(asked.name)
    if asked.size is None and (known is None or known.shape is None):
        return 0
    return preparing.most(asked, source) * math.prod(datasets.shape(Data(name=asked.name, size=asked.size)))


def _origin(source: Source, path: Path, *, is_published: bool) -> str:
    """What an array was made of, for whoever has only its manifest: no name that a person gave."""
    where = f"the published {path.name}" if is_published else "a folder" if path.is_dir() else f"a {path.suffix} file"
    return f"{len(source.items):,} pictures in {where}"
