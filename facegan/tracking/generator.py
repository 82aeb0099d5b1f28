"""The generator of a finished run, as a logged model.

Which logged model is the run's is settled like the run itself: made, then named by a second `tracked`
entry, then filled. A tag with the last step says that it is filled, so one of a run that was made
longer since is filled again. TensorFlow is loaded only when there is one to fill.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from facegan import layout
from facegan.checkpoints import read
from facegan.errors import FaceganError
from facegan.experiment import Experiment
from facegan.ledger import Fold, Ledger, Wish
from facegan.lock import alone
from facegan.tracking.server import Home, Server, TrackingError

BUILD = "facegan.training.export:generator"  # (experiment, state) -> keras.Model
WRITE = "facegan.tracking.keras_model:write"
STEP = "facegan.step"


def log(ledger: Ledger, server: Server, home: Home, say: Callable[[str], object]) -> None:
    """Log the generator as it was after the last step, unless it was logged before.

    Where that cannot be done (no TensorFlow here, a damaged state) it says so and changes nothing: the
    curves are worth having without it.
    """
    fold = ledger.refresh()
    run_id, known = fold.tracked[home.name]["mlflow_run"], fold.tracked[home.name].get("model")
    if known and _is_filled(server, known, fold.steps):
        _link(server, run_id, known, fold.steps)
        return
    try:
        model, write = _build(ledger, fold), _named(WRITE)
    except Exception as error:  # noqa: BLE001 - whatever a framework raises about a state or about this machine
        say(f"the generator is not logged as a model: {_why(error)}")
        return
    use = how_to_use(ledger.created())
    model_id = known or _settle(ledger, server, home)
    with alone(server.lock):  # two at once would write the same local files
        if not _is_filled(server, model_id, fold.steps):
            with server.asking():
                write(server.uri, model_id, model, use)
            server.tag_model(model_id, use | {STEP: str(fold.steps)})
        _link(server, run_id, model_id, fold.steps)


def how_to_use(experiment: Experiment) -> dict[str, str]:
    """What a stranger must know to draw from the model, and its files alone do not say.

    How many numbers a latent has and what they are drawn from, and the values of the images: `tanh` is from
    -1 to 1, `unit` from 0 to 1.
    """
    model = experiment.model
    return {"facegan.latent": str(model.latent), "facegan.noise": model.noise, "facegan.range": model.range}


def _build(ledger: Ledger, fold: Fold) -> Any:  # noqa: ANN401 - a Keras model
    build = _named(BUILD)
    return build(ledger.created(), read(ledger.store, ledger.entry(fold.good[-1][0]), layout.STATE))


def _why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f'"{error.name}" is not installed here'
    return error.message if isinstance(error, FaceganError) else f"{type(error).__name__}: {error}"


def _settle(ledger: Ledger, server: Server, home: Home) -> str:
    """The run's logged model: of two that were made, the ledger names one, and the other is deleted."""
    run_id = ledger.fold.tracked[home.name]["mlflow_run"]
    found = server.find_models(home, run_id)
    candidate = found[0] if found else server.create_model(home, run_id, {"facegan.run": ledger.run})

    def decide(fold: Fold) -> Wish | None:
        if fold.tracked[home.name].get("model"):
            return None
        return Wish(kind="tracked", body={"server": home.name, "mlflow_run": run_id, "model": candidate})

    settled = str(ledger.append(decide).tracked[home.name]["model"])
    for other in server.find_models(home, run_id):
        if other != settled and STEP not in (server.model_tags(other) or {}):
            server.delete_model(other)
    return settled


def _is_filled(server: Server, model_id: str, step: int) -> bool:
    return (server.model_tags(model_id) or {}).get(STEP) == str(step)


def _link(server: Server, run_id: str, model_id: str, step: int) -> None:
    """Show the model on the run's page, once: MLflow refuses the second of two who do it at a time."""
    if _is_linked(server, run_id, model_id):
        return
    try:
        server.link_model(run_id, model_id, step)
    except TrackingError:
        if not _is_linked(server, run_id, model_id):
            raise


def _is_linked(server: Server, run_id: str, model_id: str) -> bool:
    there = server.run(run_id)
    return there is not None and model_id in there.models


def _named(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found
