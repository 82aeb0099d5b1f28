"""What the catalogue's prose says of a run: only what is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from facegan.catalog import CATALOG
from facegan.experiment import Experiment, known_keys

DESCRIBED = ("model.", "data.")  # what the catalogue's sentences are about: groups
LEFT_OPEN = ("samples.", "evaluation.", "checkpoint.", "session.")  # how it is watched and kept: groups
# Said beside it (the length), settled for each run, or another training of the same recipe.
OF_A_RUN = frozenset(
    {
        "seed",
        "data.digest",
        "training.steps",
        "training.images",
        "training.compile",
        "training.threads",
        "training.replicas",
        "training.steps_per_call",
    }
)


def of(experiment: Experiment) -> Sequence[str]:
    """Sentences, without their full stops: the catalogue's of the experiment of that name, where they are true of it.

    Of one that has the name and other networks or data, what was changed; nothing of one with a name of its own.
    """
    entry = CATALOG.get(experiment.name)
    if entry is None:
        return ()
    changed = _changes(entry.experiment, experiment)
    if any(key.startswith(DESCRIBED) for key in changed):
        return (f"A change of {experiment.name}, in {', '.join(changed)}",)
    said = (entry.summary, f"Source: {entry.source}")
    return (*said, f"Changed: {', '.join(changed)}") if changed else said


def _changes(known: Experiment, other: Experiment) -> Sequence[str]:
    """The keys of the recipe in which they differ."""
    recipe = [key for key in known_keys() if key not in OF_A_RUN and not key.startswith(LEFT_OPEN)]
    return [key for key in recipe if attrgetter(key)(known) != attrgetter(key)(other)]
