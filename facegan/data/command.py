"""`python -m facegan data prepare NAME`: the heavy half of `facegan-job data prepare`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from facegan import layout, prepared, progress
from facegan.catalog import CATALOG, datasets, families
from facegan.data import attributes, download, making
from facegan.data.crop import CROPS
from facegan.data.preparing import Options
from facegan.data.skipping import listed
from facegan.errors import BadInputError, DamagedError
from facegan.experiment import Data
from facegan.home import home
from facegan.prepared import Manifest
from facegan.prepared.selection import condition, fits
from facegan.prepared.spelled import bring_line, described, prepare_line
from facegan.prepared.spelled import options as typed
from facegan.storage import ObjectStore, open_store
from facegan.storage.base import NotFoundError
from facegan.storage.retry import PatientStore


def main(arguments: Sequence[str]) -> int:
    """Make one array of a data set, keep it on this machine, and put it into a store."""
    parser = argparse.ArgumentParser(prog="python -m facegan data", description=main.__doc__)
    parser.add_argument("verb", choices=["prepare"])
    parser.add_argument("name")
    parser.add_argument("--source", type=Path, help="the file or folder that was downloaded")
    parser.add_argument("--size", type=int, help="pixels, both ways")
    parser.add_argument("--crop", default="none", help=", ".join(CROPS))
    parser.add_argument("--limit", type=int, help="at most so many images")
    parser.add_argument("--domains", help="a column: as many images with it as without")
    parser.add_argument("--store", required=True, help="URL of the store it is put into")
    asked = parser.parse_args(arguments)
    known = datasets.DATASETS.get(layout.check_dataset(asked.name))
    options = Options(name=asked.name, size=asked.size, crop=asked.crop, limit=asked.limit, domains=asked.domains)
    if known is not None and known.package is not None:
        _require_plain(options, asked.source, known.package)
        sys.stdout.write(f"{known.name} comes inside the Python package {known.package}: nothing has to be prepared\n")
        return 0
    _prepare(options, asked.source, PatientStore(open_store(asked.store), time.sleep))
    return 0


def _require_plain(options: Options, source: Path | None, package: str) -> None:
    """Refuse to make something else of a set that a package brings, whole and of one size."""
    inside = f'"{options.name}" comes inside the Python package {package}'
    if source is not None:
        raise BadInputError(
            f'{inside}, and not from "{source}"',
            hint="prepare pictures of your own under another name: facegan-job data prepare my-pictures --source …",
        )
    if _wanted(options) != _wanted(Options(name=options.name)):
        raise BadInputError(
            f"{inside}, and is taken as it is: without --size, --crop, --limit and --domains",
            hint="facegan-job submit … --set data.limit=1000 shows a part of it; data prepare mnist makes another size",
        )


def _prepare(options: Options, source: Path | None, store: ObjectStore) -> None:
    """A source that is given is always read: when nothing in it has changed, its array has the digest it had.

    Without one, every array that was prepared like this is brought to where it is missing. Where there are only others,
    and nothing is downloaded, they are listed.
    """
    if source is not None:
        _require_source(source)
    home().mkdir(parents=True, exist_ok=True)  # a store in a folder is unreachable while the folder above is missing
    before = _before(options.name, store)
    fitting = [] if source is not None else [found for found in before if _asked(found) == _wanted(options)]
    if before and not fitting and source is None and options.name not in download.PUBLISHED:
        raise _otherwise(options, before, store)
    for manifest in fitting:
        _bring(manifest, store)
    news = "prepared before"
    if not fitting:
        made = making.make(options, source, home(), progress.show)
        fitting = [made]
        news = "unchanged" if made.digest in {found.digest for found in before} else ""
    for manifest in fitting:
        prepared.upload(prepared.folder_of(home(), manifest.name, manifest.digest), store, progress.show)
        told = _account(manifest, news, store, {found.digest: found for found in (*before, manifest)}.values())
        sys.stdout.write("".join(f"{line}\n" for line in told))


def _require_source(path: Path) -> None:
    try:
        there = path.exists()
    except OSError as error:  # in a folder that may not be entered
        hint = "make the folders that it is in readable, or give --source another place"
        raise BadInputError(f'"{path}" cannot be read: {error.strerror}', hint=hint) from error
    if not there:
        raise BadInputError(f'there is no "{path}"', hint="--source takes the file or folder that was downloaded")


def _before(name: str, store: ObjectStore) -> list[Manifest]:
    """Every array of that name, here or in the store; what is damaged is passed over with a word."""

    def pass_over(of: str, digest: str, error: DamagedError) -> None:
        sys.stderr.write(f"{of} {digest[:12]}… is passed over: {error.message}\n")

    found = [*prepared.find_stored(store, name, pass_over), *prepared.find_local(home(), name, pass_over)]
    return list({manifest.digest: manifest for manifest in found}.values())


def _otherwise(options: Options, there: Sequence[Manifest], store: ObjectStore) -> BadInputError:
    """There are arrays of that name, and each was prepared in another way: how, and what to type for either."""
    wanted = " ".join(typed(options)) or "no option"
    listed = "; ".join(f"{described(it)} ({' '.join(typed(it)) or 'no option'})" for it in there)
    first = "it" if len(there) == 1 else "the first"
    return BadInputError(
        f'nothing of "{options.name}" was prepared with {wanted}; there is: {listed}',
        hint=f"{bring_line(there[0], store.url)} takes {first}; {prepare_line(options)} makes another",
    )


def _asked(manifest: Manifest) -> tuple[object, ...]:
    return manifest.size, manifest.crop, manifest.limit, manifest.domains


def _wanted(options: Options) -> tuple[object, ...]:
    return options.size, options.crop, options.limit, options.domains


def _bring(manifest: Manifest, store: ObjectStore) -> None:
    """See to it that an array is on this machine, and whole.

    Raises:
        DamagedError: it is damaged here, and not in the store.
    """
    try:
        prepared.mend(store, manifest.name, manifest.digest, home(), progress.show)
    except NotFoundError:
        prepared.require_whole(prepared.folder_of(home(), manifest.name, manifest.digest))


def _account(manifest: Manifest, news: str, store: ObjectStore, there: Iterable[Manifest]) -> list[str]:
    """What was made, where it is, and what to type next."""
    shape = f"{manifest.height}x{manifest.width}x{manifest.channels}"
    folder = prepared.folder_of(home(), manifest.name, manifest.digest)
    return [
        f"{manifest.name}: {manifest.count:,} images of {shape}, {manifest.size_bytes / 1e6:,.1f} MB"
        + (f", {news}" if news else ""),
        f"  of       {manifest.source}",
        f"  skipped  {listed(manifest.skipped) or 'none'}",
        f"  columns  {', '.join(manifest.columns) or 'none'}",
        *([f"  left     {manifest.left_over:,}, as asked: {manifest.part}"] if manifest.left_over else []),
        f"  digest   {manifest.digest}",
        f"  in       {folder} and {store.url}",
        f"next: {_next(manifest, there)}",
    ]


def _next(manifest: Manifest, there: Iterable[Manifest]) -> str:
    """A command that trains on it, and on no other array."""
    by_digest = [f"data.digest={manifest.digest[:12]}"]
    more = by_digest if _is_one_of_several(manifest, there) else []
    for name, entry in CATALOG.items():
        data = entry.experiment.data
        is_coupled = families.find(entry.experiment.model.family).domains > 1
        is_fair = is_coupled or manifest.is_fair
        if data.name == manifest.name and fits(manifest, data) and is_fair and _has(manifest, data.only):
            return _submit(name, [*_domains(manifest, data.domains), *more])
    more = more if manifest.is_fair else by_digest  # not every experiment is one of coupled networks
    own = [f"data.name={manifest.name}", f"data.size={manifest.height}", f"data.crop={manifest.crop}"]
    return f"{_submit('EXPERIMENT', [*own, *_domains(manifest), *more])}; facegan-job experiments lists them"


def _has(manifest: Manifest, only: str | None) -> bool:
    """Whether an array has an image that meets the condition: one of `cifar10` may be of other kinds alone."""
    if only is None:
        return True
    column, value = condition(only)
    table = prepared.folder_of(home(), manifest.name, manifest.digest) / layout.ATTRIBUTES
    known = attributes.read(table, manifest.columns, manifest.count)
    return column in known and bool((known[column] == value).any())


def _is_one_of_several(manifest: Manifest, there: Iterable[Manifest]) -> bool:
    """Whether `submit` would take another array, or ask which is meant."""
    pinned = datasets.pinned(Data(name=manifest.name, size=manifest.size, crop=manifest.crop))
    if pinned is not None:
        return manifest.digest != pinned
    same = Data(name=manifest.name, size=manifest.height, crop=manifest.crop)
    return any(fits(it, same) and it.digest != manifest.digest for it in there)


def _domains(manifest: Manifest, already: str | None = None) -> list[str]:
    return [] if manifest.domains in {None, already} else [f"data.domains={manifest.domains}"]


def _submit(name: str, settings: Iterable[str]) -> str:
    return " ".join([f"facegan-job submit {name}", *(f"--set {setting}" for setting in settings)])
