"""From what the user typed to a resolved experiment: the recipe with nothing left open."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path

from facegan import __version__, catalog, experiment, layout
from facegan.catalog import compile as compiling
from facegan.catalog import families, fitting
from facegan.errors import BadInputError
from facegan.experiment import Experiment, Json
from jobs import ingredients
from jobs.shelf import Look, empty

WRITTEN = 'a text file such as extends = "dcgan-mnist", then [training], then images = 6400'
KEYS = ("extends", *(field.name for field in fields(Experiment)))
"""What a file says at its top."""


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
    data, columns = ingredients.settled(chosen.data, look, there, coupled=coupled)
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


def load(named: str) -> Experiment:
    """The experiment of that name in the catalogue, or of that file, as it is written.

    Raises:
        BadInputError: there is none, or it is not one.
    """
    path = Path(named)
    if path.suffix.lower() != ".toml":
        if "/" in named and path.is_dir():
            raise BadInputError(f'"{named}" is a folder, and an experiment is a file', hint=f'ls "{path}"')
        if "/" in named or path.is_file():
            raise BadInputError(f'an experiment file ends in .toml, unlike "{named}"', hint=f"mv {named} {named}.toml")
        return catalog.find(named).experiment
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors begin a file with a mark
    except OSError as error:
        raise BadInputError(f'experiment file "{named}" cannot be read: {error.strerror}', hint="ls *.toml") from error
    except ValueError as error:
        raise BadInputError(f'experiment file "{named}" is not TOML: {error}', hint=WRITTEN) from error
    for key in tree:
        if key not in KEYS:
            raise experiment.unknown_key(key, KEYS)
    below = _extended(tree.pop("extends", None))
    if "name" not in tree:
        tree["name"] = _called_as(path)
    layout.check_run_id(str(tree["name"]))
    return experiment.from_json(experiment.merged(below, tree))


def _extended(base: object) -> Json:
    """What a file changes that extends this one of the catalogue; of one that extends nothing, nothing."""
    if base is None:
        return {}
    if not isinstance(base, str):
        raise BadInputError(f'extends takes the name of one experiment, not "{base}"', hint=WRITTEN)
    if base.endswith(".toml"):
        raise BadInputError(
            f'a file extends an experiment of the catalogue, and no other file, unlike "{base}"',
            hint="facegan-job experiments lists them",
        )
    return experiment.to_json(catalog.find(base).experiment)


def _called_as(path: Path) -> str:
    """The name of the experiment in a file that says none: the file's.

    Raises:
        BadInputError: the file's name cannot be one.
    """
    try:
        return layout.check_run_id(path.stem)
    except BadInputError as error:
        raise BadInputError(
            f'the file "{path}" says no name for its experiment, and its own, "{path.stem}", cannot be one',
            hint=f'write name = "…" into it: {error.hint}',
        ) from error


def content(body: Json, *, is_open: bool) -> Json:
    """What makes a run: of data that were left open when it was created, not which array they have become since."""
    said = {key: body[key] for key in ("run", "experiment", "data")}
    if not is_open:
        return said
    experiment = {**body["experiment"], "data": {**body["experiment"]["data"], "digest": None}}
    return {**said, "experiment": experiment, "data": body["data"]["name"]}
