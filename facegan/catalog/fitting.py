"""Whether the parts of an experiment go together: what a session would refuse, refused before there is one.

The session's own checks ask the networks and the images themselves. These ask what is known of them, which takes
neither a framework nor a machine that is paid for.
"""

from __future__ import annotations

from collections.abc import Sequence

from facegan.catalog import datasets, families
from facegan.errors import BadInputError
from facegan.experiment import Experiment, Training

AGREEING = ("edges", "negative")  # second domains that can be made of what the first one's generator makes
UNREADABLE = ("edges",)  # second domains of digits that cannot be made digits again


def require(experiment: Experiment, columns: Sequence[str]) -> None:
    """Refuse an experiment that cannot be trained. `columns` are those of its data, which are settled.

    Raises:
        BadInputError: family, shape, metric, replicas or times do not go together.
    """
    data = experiment.data
    families.require(experiment.model, datasets.shape(data), cut=data.cut is not None)
    _require_metric(experiment, columns)
    require_split(experiment.training)
    session = experiment.session
    if session.lease_s < 2 * session.heartbeat_s:
        raise BadInputError(
            f'a session.lease_s of "{session.lease_s:g}" is too short for signs of life every '
            f"{session.heartbeat_s:g} s (session.heartbeat_s): a session that lives would be taken for a silent one",
            hint=f"--set session.lease_s={2 * session.heartbeat_s:g} or more",
        )


def require_split(training: Training) -> None:
    """Refuse a step that cannot be taken by so many replicas.

    Raises:
        BadInputError: the batch is not split evenly, or the step would be compiled for one device.
    """
    batch, replicas = training.batch_size, training.replicas
    if batch % replicas:
        raise BadInputError(
            f'a training.batch_size of "{batch}" cannot be split evenly over {replicas} replicas (training.replicas)',
            hint=f"--set training.batch_size={-(-batch // replicas) * replicas}",
        )
    if replicas > 1 and training.compile == "jit":
        raise BadInputError(
            f'training.compile is "jit": XLA compiles a step for one device, not for {replicas} (training.replicas)',
            hint="--set training.compile=graph",
        )


def _require_metric(experiment: Experiment, columns: Sequence[str]) -> None:
    metric, domains = experiment.evaluation.metric, experiment.data.domains
    coupled = families.find(experiment.model.family).domains > 1
    if metric == "agreement" and not (coupled and domains in AGREEING):
        found = f'they are "{domains}"' if coupled else f'"{experiment.model.family}" has one'
        raise BadInputError(
            f'"agreement" needs two domains, the second made of the first, and {found}',
            hint=f"{'--set data.domains=edges (or negative), or ' if coupled else ''}--set evaluation.metric=none",
        )
    if metric != "digits-sure":
        return
    shape = datasets.shape(experiment.data)
    if shape != families.DIGIT or "label" not in columns:
        found = f"{'x'.join(map(str, shape))}{'' if 'label' in columns else ', without labels'}"
        raise BadInputError(
            f'"digits-sure" needs labelled digits of 28x28x1, and "{experiment.data.name}" is of {found}',
            hint="--set evaluation.metric=none",
        )
    if coupled and domains in UNREADABLE:
        raise BadInputError(
            f'"digits-sure" cannot read the second domain, "{domains}"',
            hint="--set evaluation.metric=agreement",
        )
