"""From what the user typed to a resolved experiment: the recipe with nothing left open."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from facegan import __version__, catalog, experiment, layout
from facegan.catalog import compile as compiling
from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Experiment, Json


def resolve(named: str, settings: Sequence[str], *, device: str, cores: int) -> Experiment:
    """The experiment of that name or file, with the user's settings and the machine's choices made.

    Compile choice and threads come from a table and the number of cores, and are fixed from here on:
    measured at every start, they would differ between sessions, and with them the bits.

    Raises:
        BadInputError: no such experiment, file, key or data set, or a value that does not fit.
    """
    chosen = experiment.override(_load(named), settings)
    datasets.find(chosen.data.name)
    training = chosen.training
    if training.compile == "auto":
        training = replace(training, compile=compiling.choose(chosen.model.family, device))
    if training.threads == 0:
        training = replace(training, threads=cores)
    return replace(chosen, training=training)


def created_body(run: str, chosen: Experiment) -> Json:
    """What the run's first ledger entry says."""
    digest = datasets.find(chosen.data.name).digest
    return {
        "run": layout.check_run_id(run),
        "experiment": experiment.to_json(chosen),
        "code": __version__,
        "data": {"name": chosen.data.name, "digest": digest},
    }


def data_is_here(name: str, home: Path) -> tuple[bool, str]:
    """Whether a session on this machine could read the data set, and what to type if not."""
    data = datasets.find(name)
    if data.package is not None:
        return importlib.util.find_spec(data.package) is not None, "pip install 'facegan-job[demo]'"
    return (home / "data" / data.file).exists(), f"facegan-job data prepare {data.name}"


def require_data(chosen: Experiment, home: Path) -> None:
    """Refuse what a session on this machine could not read.

    Raises:
        BadInputError: the data set is not here; says how to get it.
    """
    here, hint = data_is_here(chosen.data.name, home)
    if not here:
        raise BadInputError(f'data set "{chosen.data.name}" is not on this machine', hint=hint)


def _load(named: str) -> Experiment:
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
    if base is not None:
        tree = _merged(experiment.to_json(catalog.find(str(base)).experiment), tree)
    return experiment.from_json(tree)


def _merged(base: Json, changes: Json) -> dict[str, Any]:
    """The base with each of the file's tables laid over it, key by key."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
