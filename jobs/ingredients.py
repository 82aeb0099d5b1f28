"""The data that a recipe asks for: which prepared array is meant, and whether a session can read it."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from facegan import layout, prepared
from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.prepared import Manifest
from facegan.prepared.selection import MADE, fits, require_columns
from facegan.prepared.spelled import described, prepare_line
from facegan.setting import unknown
from facegan.storage.base import ObjectStore
from jobs.shelf import Copy, Look


def settled(data: Data, look: Look, there: Collection[str], *, coupled: bool) -> tuple[Data, Sequence[str]]:
    """The same data with the digest of the one array that fits, all that is asked of it checked; and its columns.

    An array that was chosen by its digest may have another crop than the experiment's: then its own is what they have.
    Only `coupled` networks ask for domains. Where none fits, and the set is `there`, its digest stays open.

    Raises:
        BadInputError: none fits, or several do, and what to type; or what is asked of it is not in it.
    """
    layout.check_dataset(data.name)
    pinned = datasets.pinned(data)
    if pinned is not None and pinned.startswith(data.digest or ""):
        known = datasets.find(data.name)
        _require_chosen(data, known.columns, coupled=coupled)
        _require_cut(data, *datasets.shape(replace(data, cut=None))[:2])
        return replace(data, digest=pinned), known.columns
    _require_array(data)
    if _is_to_be_prepared(data, look, there, coupled=coupled):
        return _unsettled(data, coupled=coupled)
    manifest = _the_one(data, look, coupled=coupled).manifest
    _require_chosen(data, manifest.columns, coupled=coupled)
    _require_cut(data, manifest.height, manifest.width)
    data = replace(data, size=_size(data, manifest), crop=manifest.crop, digest=manifest.digest)
    wanted = datasets.shape(replace(data, cut=None))
    if wanted != manifest.shape:
        raise BadInputError(
            f"the prepared images of {data.name} are {_times(manifest.shape)}, not {_times(wanted)}",
            hint=prepare_line(data),
        )
    return data, manifest.columns


def require_data(data: Data, home: Path | None, store: ObjectStore, there: Collection[str] = ()) -> None:
    """Refuse what a session could not read: what is neither in the run's store nor on its machine.

    `home` is FACEGAN_HOME of this machine, when sessions run here; `there` are the data sets that the place where they
    run has itself.

    Raises:
        BadInputError: it is not there; says how to get it there.
    """
    known = datasets.DATASETS.get(data.name)
    if known is not None and known.package is not None:
        if home is not None and importlib.util.find_spec(known.package) is None:
            raise BadInputError(
                f'data set "{data.name}" is not on this machine', hint="pip install 'facegan-job[demo]'"
            )
        return
    if data.name in there:
        return
    called = f'data set "{data.name}"'
    if data.digest is not None:
        if home is not None and prepared.folder_of(home, data.name, data.digest).exists():
            return
        if next(store.list(layout.dataset_manifest(data.name, data.digest)), None) is not None:
            return
        called = f'prepared "{data.name}" {data.digest[:12]}…'  # others of that name may be there
    place = "on this machine" if home is not None else "where the session runs"
    raise BadInputError(f"{called} is neither {place} nor in {store.url}", hint=prepare_line(data))


def data_is_here(name: str, home: Path) -> tuple[bool, str]:
    """Whether this data set can be read on this machine, and what to type if not.

    Where one array of it has a digest that is known beforehand, that one is meant; else any will do.
    """
    known = datasets.find(name)
    if known.package is not None:
        return importlib.util.find_spec(known.package) is not None, "pip install 'facegan-job[demo]'"
    found = [digest for _, digest in prepared.list_local(home, name) if known.digest in {None, digest}]
    return bool(found), prepare_line(Data(name=name))


def _is_to_be_prepared(data: Data, look: Look, there: Collection[str], *, coupled: bool) -> bool:
    """Whether the run's first session has to prepare its data. It has no detector of faces to cut them with."""
    if data.name not in there or data.digest is not None or data.crop == "face":
        return False
    return not any(fits(copy.manifest, data) and _is_fair(copy, data, coupled=coupled) for copy in look(data.name))


def _unsettled(data: Data, *, coupled: bool) -> tuple[Data, Sequence[str]]:
    """Data that are not prepared yet, what is asked of them checked as far as they are known beforehand."""
    known = datasets.find(data.name)
    if known.columns:
        _require_chosen(data, known.columns, coupled=coupled)
    _require_cut(data, *datasets.shape(replace(data, cut=None))[:2])
    return data, known.columns


def _require_chosen(data: Data, columns: Sequence[str], *, coupled: bool) -> None:
    """Refuse a choice by columns that are not there; what domains are called says nothing where there is one."""
    require_columns(data if coupled else replace(data, domains=MADE[0]), columns)


def _require_array(data: Data) -> None:
    """Refuse to look for prepared arrays of a set that is read where it is, as it is."""
    known = datasets.DATASETS.get(data.name)
    if known is not None and known.package is not None:
        by_digest = "--set data.digest=none" if data.digest is not None else None
        raise BadInputError(
            f'"{data.name}" comes as it is: {_times(datasets.shape(Data(name=data.name)))}, digest {known.digest}',
            hint=by_digest or f"--set data.name=mnist, and: {prepare_line(replace(data, name='mnist'))}",
        )


def _the_one(data: Data, look: Look, *, coupled: bool) -> Copy:
    """The only prepared array that fits.

    How many images of the set it holds (`limit`) is no part of fitting: where several fit, the user says. One that
    holds as many with an attribute as without is no fair share of its set: taken for these domains alone, or by digest.

    Raises:
        BadInputError: none fits, or several do.
    """
    there = look(data.name, data.digest)
    if not there and data.name not in datasets.DATASETS:
        raise _unknown(data, {*datasets.DATASETS, *(copy.manifest.name for copy in look(None))})
    if data.digest is not None:
        named = [copy for copy in there if copy.manifest.digest.startswith(data.digest)]
        return _only(named, f'prepared "{data.name}" with digest "{data.digest}"', there, data)
    fitting = [copy for copy in there if fits(copy.manifest, data)]
    size = "" if data.size is None else f" at {data.size} px"
    called = f'prepared "{data.name}"{size} with crop {data.crop}'
    fair = [copy for copy in fitting if _is_fair(copy, data, coupled=coupled)]
    if fitting and not fair:
        raise _uneven(fitting, called, data)
    return _only(fair, called, there, data)


def _is_fair(copy: Copy, data: Data, *, coupled: bool) -> bool:
    """Whether an array shows a fair share of its set, or was made for the domains that are asked for."""
    return copy.manifest.is_fair or (coupled and copy.manifest.domains == data.domains)


def _uneven(fitting: Sequence[Copy], called: str, data: Data) -> BadInputError:
    manifest = fitting[0].manifest
    listed = "; ".join(described(copy.manifest) for copy in fitting)
    return BadInputError(
        f"of {called} there is only what has as many images with an attribute as without: {listed}",
        hint=f"{prepare_line(data)}; or --set data.digest={manifest.digest[:12]} takes it as it is",
    )


def _unknown(data: Data, known: Collection[str]) -> BadInputError:
    error = unknown("data set", data.name, known)
    return BadInputError(error.message, hint=f"{error.hint}; your own: {prepare_line(data)}")


def _only(fitting: Sequence[Copy], called: str, there: Sequence[Copy], data: Data) -> Copy:
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        listed = "; ".join(described(copy.manifest) for copy in fitting)
        raise BadInputError(
            f"there are {len(fitting)} of {called}: {listed}",
            hint=f"--set data.digest={fitting[0].manifest.digest[:12]} takes the first",
        )
    others = "; ".join(described(copy.manifest) for copy in there)
    raise BadInputError(f"there is no {called}" + (f"; there is: {others}" if others else ""), hint=prepare_line(data))


def _size(data: Data, manifest: Manifest) -> int | None:
    """`data.size`, read off the array where neither the user nor the data set says it."""
    known = datasets.DATASETS.get(data.name)
    if data.size is not None or (known is not None and known.shape is not None):
        return data.size
    if manifest.height != manifest.width:
        raise BadInputError(
            f"the prepared images of {data.name} are {_times(manifest.shape)}, and networks take square ones",
            hint=prepare_line(replace(data, size=64)),
        )
    return manifest.height


def _require_cut(data: Data, height: int, width: int) -> None:
    if data.cut is not None and data.cut > min(height, width):
        raise BadInputError(
            f'no window of "{data.cut}" pixels (data.cut) fits into images of {height}x{width}',
            hint="--set data.cut=none shows them whole",
        )


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
