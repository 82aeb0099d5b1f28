"""From what the user typed to a resolved experiment: the recipe with nothing left open."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from facegan import __version__, catalog, experiment, layout, prepared
from facegan.catalog import compile as compiling
from facegan.catalog import datasets, families, fitting
from facegan.errors import BadInputError
from facegan.experiment import Data, Experiment, Json
from facegan.prepared import Manifest
from facegan.prepared.selection import MADE, fits, require_columns
from facegan.storage.base import ObjectStore
from jobs.shelf import Copy, Look, described, empty


def resolve(
    named: str, settings: Sequence[str], *, device: str, cores: int, look: Look = empty, there: Collection[str] = ()
) -> Experiment:
    """The experiment of that name or file, with the user's settings and the machine's choices made.

    Compile choice and threads come from a table and the number of cores, and are fixed from here on:
    measured at every start, they would differ between sessions, and with them the bits. So is the array
    of prepared data, by its digest, and the length, in steps. `look` finds what is prepared. Of the data sets that are
    `there`, where the run is to begin, the digest is left open if none is: its first session prepares them.

    Raises:
        BadInputError: no such experiment, file, key or data set, or a value that does not fit; not just one
            prepared array fits, and says what to type; or parts that do not go together.
    """
    chosen = experiment.override(load(named), settings)
    training = replace(chosen.training, images=None)  # the steps follow from it, and are what counts from here on
    if training.compile == "auto":
        training = replace(training, compile=compiling.choose(chosen.model.family, device, training.replicas))
    if training.threads == 0:
        training = replace(training, threads=cores)
    coupled = families.find(chosen.model.family).domains > 1
    data, columns = _settled(chosen.data, look, there, coupled=coupled)
    settled = replace(chosen, training=training, data=data)
    fitting.require(settled, columns)
    return settled


def created_body(run: str, chosen: Experiment, images: int | None = None) -> Json:
    """What the run's first ledger entry says. `images` is how many it is shown, where that was counted."""
    counted = {} if images is None else {"count": images}
    return {
        "run": layout.check_run_id(run),
        "experiment": experiment.to_json(chosen),
        "code": __version__,
        "data": {"name": chosen.data.name, "digest": chosen.data.digest, **counted},
    }


def require_gpus(chosen: Experiment, there: int | None) -> None:
    """Refuse more replicas than a session would have GPUs. `None`: the place cannot tell, and the session will.

    Raises:
        BadInputError: there are fewer.
    """
    replicas = chosen.training.replicas
    if replicas == 1 or there is None or there >= replicas:
        return
    found = {0: "no GPU", 1: "one GPU"}.get(there, f"{there} GPUs")
    raise BadInputError(
        f'training.replicas is "{replicas}", and a session would have {found} there',
        hint=f"--set training.replicas={max(there, 1)}",
    )


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
    digest = str(data.digest)
    if home is not None and prepared.folder_of(home, data.name, digest).exists():
        return
    if next(store.list(layout.dataset_manifest(data.name, digest)), None) is not None:
        return
    place = "on this machine" if home is not None else "where the session runs"
    raise BadInputError(f'data set "{data.name}" is neither {place} nor in {store.url}', hint=prepare_line(data))


def data_is_here(name: str, home: Path) -> tuple[bool, str]:
    """Whether anything of this data set can be read on this machine, and what to type if not."""
    known = datasets.find(name)
    if known.package is not None:
        return importlib.util.find_spec(known.package) is not None, "pip install 'facegan-job[demo]'"
    return next(prepared.list_local(home, name), None) is not None, prepare_line(Data(name=name))


def prepare_line(data: Data) -> str:
    """The command that prepares these data."""
    known = datasets.DATASETS.get(data.name)
    words = ["facegan-job data prepare", data.name]
    words += [] if known is not None and known.downloads else ["--source PATH"]
    words += [] if data.size is None else [f"--size {data.size}"]
    words += [] if data.crop == "none" else [f"--crop {data.crop}"]
    return " ".join(words)


def _settled(data: Data, look: Look, there: Collection[str], *, coupled: bool) -> tuple[Data, Sequence[str]]:
    """The same data with the digest of the one array that fits, all that is asked of it checked; and its columns.

    Only `coupled` networks ask for domains. Where none fits, and the set is `there`, its digest stays open.
    """
    layout.check_dataset(data.name)
    pinned = datasets.pinned(data)
    if pinned is not None and pinned.startswith(data.digest or ""):
        known = datasets.find(data.name)
        _require_chosen(data, known.columns, coupled=coupled)
        _require_cut(data, *datasets.shape(replace(data, cut=None))[:2])
        return replace(data, digest=pinned), known.columns
    _require_array(data)
    if _is_to_be_prepared(data, look, there):
        return _unsettled(data, coupled=coupled)
    manifest = _the_one(data, look).manifest
    _require_chosen(data, manifest.columns, coupled=coupled)
    _require_cut(data, manifest.height, manifest.width)
    data = replace(data, size=_size(data, manifest), digest=manifest.digest)
    wanted = datasets.shape(replace(data, cut=None))
    if wanted != manifest.shape:
        raise BadInputError(
            f"the prepared images of {data.name} are {_times(manifest.shape)}, not {_times(wanted)}",
            hint=prepare_line(data),
        )
    return data, manifest.columns


def _is_to_be_prepared(data: Data, look: Look, there: Collection[str]) -> bool:
    """Whether the run's first session has to prepare its data. It has no detector of faces to cut them with."""
    if data.name not in there or data.digest is not None or data.crop == "face":
        return False
    return not any(fits(copy.manifest, data) for copy in look(data.name))


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
        raise BadInputError(
            f'"{data.name}" comes as it is: {_times(datasets.shape(Data(name=data.name)))}, digest {known.digest}',
            hint=f"--set data.name=mnist, and: {prepare_line(replace(data, name='mnist'))}",
        )


def _the_one(data: Data, look: Look) -> Copy:
    """The only prepared array that fits.

    Which images of the set it holds (`limit`, `domains`) is no part of fitting: where several fit, the user says.

    Raises:
        BadInputError: none fits, or several do.
    """
    there = look(data.name, data.digest)
    if not there and data.name not in datasets.DATASETS:
        raise experiment.unknown("data set", data.name, {*datasets.DATASETS, *(c.manifest.name for c in look(None))})
    if data.digest is not None:
        named = [copy for copy in there if copy.manifest.digest.startswith(data.digest)]
        return _only(named, f'prepared "{data.name}" with digest "{data.digest}"', there, data)
    fitting = [copy for copy in there if fits(copy.manifest, data)]
    size = "" if data.size is None else f" at {data.size} px"
    return _only(fitting, f'prepared "{data.name}"{size} with crop {data.crop}', there, data)


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
        raise BadInputError(f'no window of "{data.cut}" pixels (data.cut) fits into images of {height}x{width}')


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def load(named: str) -> Experiment:
    """The experiment of that name in the catalogue, or of that file, as it is written.

    Raises:
        BadInputError: there is none, or it is not one.
    """
    if not named.endswith(".toml"):
        return catalog.find(named).experiment
    path = Path(named)
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f'experiment file "{named}" cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise BadInputError(f'experiment file "{named}" is not TOML: {error}') from error
    base = tree.pop("extends", None)
    tree.setdefault("name", path.stem)
    layout.check_run_id(str(tree["name"]))
    below = {} if base is None else experiment.to_json(catalog.find(str(base)).experiment)
    return experiment.from_json(experiment.merged(below, tree))


def content(body: Json, *, is_open: bool) -> Json:
    """What makes a run: of data that were left open when it was created, not which array they have become since."""
    said = {key: body[key] for key in ("run", "experiment", "data")}
    if not is_open:
        return said
    experiment = {**body["experiment"], "data": {**body["experiment"]["data"], "digest": None}}
    return {**said, "experiment": experiment, "data": body["data"]["name"]}
