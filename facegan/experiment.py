"""What to train, as frozen data.

An `Experiment` is everything that decides the bits of a training (model, data, optimisers, length,
seed, compile choice, threads) and how a session of it behaves. It is resolved once, on the user's
machine, written into the run's first ledger entry and never changed again, except that a run may be
made longer.

Keys are spelled `group.field` (`training.steps`) in the catalogue, in a user's TOML file and on the
command line (`--set training.steps=500`).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from facegan.errors import BadInputError
from facegan.setting import Limits, check, is_nothing, parse, unknown

Json: TypeAlias = dict[str, Any]

# A slip of the finger is refused where it is typed. Runs are older than these bounds, and what one was created with is
# no slip: that has only the bound `frozen_below`.
EXACT = 2**53  # whole numbers that every reader of JSON agrees on
LONGEST = 10**11  # steps or images, which nobody will live to see
A_SIZE = {"least": 1, "below": 100_000, "frozen_below": EXACT}  # of what memory holds at once
A_COUNT = {"least": 1, "below": LONGEST, "frozen_below": EXACT}
SECONDS = {"above": 0.0, "below": 1e9, "frozen_below": math.inf}
ABOVE_ZERO = {"above": 0.0}


def _one_of(*choices: str) -> Limits:
    return {"choices": choices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Which networks, by the name of their family in `facegan.models`.

    `noise` is the distribution of the latent vector, of `latent` components. The value range of the
    images belongs to the model: `tanh` is [-1, 1], `unit` is [0, 1]. `first_dropout` is the rate of a
    Dropout after the first convolution of the discriminator, in the families that leave it open.
    """

    family: str
    latent: int = field(default=100, metadata=A_SIZE)
    noise: str = field(default="normal", metadata=_one_of("normal", "uniform"))
    range: str = field(default="tanh", metadata=_one_of("tanh", "unit"))
    first_dropout: float = field(default=0.0, metadata={"least": 0.0, "below": 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Which images, by their name in `facegan.catalog.datasets`, and how they are shown.

    `size` (pixels, both ways) and `crop` say how they were prepared; `None` is as the data set comes.
    `digest` names one prepared array among several that fit, and is settled before the run is created.
    Of that array `only` keeps the rows whose column has a value (`label=0`), and `limit` the first so
    many of them. While training, `cut` shows a random window of so many pixels, and `mirror` every
    other image mirrored, at random. Coupled networks see two `domains` of the images: `quarter-turn`
    (half of them as they are, the others turned by 90 degrees), `edges` or `negative` (the others as
    those), or the name of a column (those without it, and those with it).
    """

    name: str
    size: int | None = field(default=None, metadata=A_SIZE)
    crop: str = field(default="none", metadata=_one_of("none", "reference", "center", "face"))
    only: str | None = None
    limit: int | None = field(default=None, metadata=A_COUNT)
    cut: int | None = field(default=None, metadata=A_SIZE)
    mirror: bool = False
    domains: str = "quarter-turn"
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam:
    """One network's optimiser (Kingma & Ba 2015). Keras' epsilon, 1e-7.

    `weight_decay` times each kernel is added to its gradient, as Caffe does (not decoupled, and not on
    biases or normalisation).
    """

    learning_rate: float = field(default=2e-4, metadata=ABOVE_ZERO)
    beta_1: float = field(default=0.5, metadata={"least": 0.0, "below": 1.0})
    weight_decay: float = field(default=0.0, metadata={"least": 0.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Length and shape of the training.

    The length is `images`, the real images shown (of each domain), or `steps`, the generator updates. Where
    `images` is said, `steps` follows from it and `batch_size`. `schedule` is how the discriminator learns
    in a step: `together` (one update on the mean of the losses on real and on fake images, which pass
    apart), `apart` (an update on real images, then one on fake ones), `mixed` (one update on one batch of
    both, so that batch normalisation sees both). `fresh_latents`: the generator learns on latents of its
    own, not on those the discriminator saw. `warm_up` is how many updates the discriminator gets on images
    of uniform noise before the first step. `compile` is `graph` (plain `tf.function`) or `jit` (XLA), whose
    random numbers differ; `auto` is settled by a table before the run is created. So is `threads` (CPU
    threads; 0 means settle it), because sums come out differently on another number of them.
    `replicas` is over how many GPUs of one machine each batch is split, evenly; another number is other bits.
    `steps_per_call` is how many steps one call of the compiled function makes; it changes no bit.
    """

    steps: int = field(default=0, metadata=A_COUNT)
    images: int | None = field(default=None, metadata=A_COUNT)
    batch_size: int = field(default=64, metadata=A_SIZE)
    schedule: str = field(default="together", metadata=_one_of("together", "apart", "mixed"))
    fresh_latents: bool = False
    warm_up: int = field(default=0, metadata={**A_COUNT, "least": 0})
    compile: str = field(default="auto", metadata=_one_of("auto", "graph", "jit"))
    threads: int = field(default=0, metadata={"least": 0, "below": 1_000, "frozen_below": EXACT})
    replicas: int = field(default=1, metadata=A_SIZE)
    steps_per_call: int = field(default=1, metadata=A_SIZE)

    def __post_init__(self) -> None:
        if self.images is not None:
            object.__setattr__(self, "steps", -(-self.images // self.batch_size))
        if self.steps == 0:
            raise BadInputError('the experiment lacks "training.steps"', hint='or its length in "training.images"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Pictures of fixed latents: every `every_steps` steps, and at the last, `count` in a grid."""

    every_steps: int = field(default=250, metadata=A_COUNT)
    count: int = field(default=64, metadata=A_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A judgement of `count` fixed-latent samples every `every_steps` steps, and at the last.

    `metric` names it in `facegan.metrics`; `none` judges nothing.
    """

    metric: str = field(default="none", metadata=_one_of("none", "digits-sure", "agreement"))
    every_steps: int = field(default=250, metadata=A_COUNT)
    count: int = field(default=500, metadata=A_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """When the state is committed, and how many states are kept (never fewer than two).

    `every_s` is a cadence that gives way when the storage is slower; `every_steps`, when given, says
    exactly at which steps instead. The newest `keep` states are kept, and the first at or after every
    multiple of `keep_every` steps.
    """

    every_s: float = field(default=60.0, metadata=SECONDS)
    every_steps: int | None = field(default=None, metadata=A_COUNT)
    keep: int = field(default=5, metadata={**A_COUNT, "least": 2})
    keep_every: int | None = field(default=None, metadata=A_COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """How a session behaves. Seconds.

    `heartbeat_s`: between two heartbeats. `lease_s`: how long a silent holder is watched before its
    lease may be taken over. `stall_s`: without a step for so long, the session gives up. `budget_s`:
    wall-clock time the session may use from its start, when the place it runs at has a limit.
    """

    heartbeat_s: float = field(default=5.0, metadata=SECONDS)
    lease_s: float = field(default=60.0, metadata=SECONDS)
    stall_s: float = field(default=600.0, metadata=SECONDS)
    budget_s: float | None = field(default=None, metadata=SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One recipe. Equal recipes have equal `to_json`."""

    name: str
    model: Model
    data: Data
    training: Training
    generator: Adam = field(default_factory=Adam)
    discriminator: Adam = field(default_factory=Adam)
    samples: Samples = field(default_factory=Samples)
    evaluation: Evaluation = field(default_factory=Evaluation)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    session: Session = field(default_factory=Session)
    seed: int = field(default=0, metadata={"least": 0, "below": 2**31})


def to_json(experiment: Experiment) -> Json:
    """The experiment as nested JSON objects, every field written out."""
    return dataclasses.asdict(experiment)


def from_json(value: Mapping[str, Any]) -> Experiment:
    """The inverse of `to_json`, for what somebody typed; checks every value.

    Raises:
        BadInputError: an unknown or missing key, a value of the wrong type or out of its range.
    """
    return _experiment(value, lambda limits: limits)


def frozen(value: Mapping[str, Any]) -> Experiment:
    """The same, for what a run was created with: a number that nobody may type any more stands.

    Raises:
        BadInputError: as above.
    """
    return _experiment(
        value, lambda limits: {**limits, "below": limits["frozen_below"]} if "frozen_below" in limits else limits
    )


def override(experiment: Experiment, settings: Iterable[str]) -> Experiment:
    """Apply `key=value` texts in order, as `--set` takes them.

    Raises:
        BadInputError: not of that form, an unknown key, a value that does not fit.
    """
    tree = to_json(experiment)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise BadInputError(
                f'"{setting}" is not of the form key=value', hint="for example --set training.steps=500"
            )
        _put(tree, key.strip(), text.strip())
    return from_json(tree)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """The JSON form of an experiment with each of the tables of `changes` laid over it, key by key.

    Raises:
        BadInputError: the changes say the length twice.
    """
    length = changes.get("training")
    if isinstance(length, Mapping) and not any(is_nothing(length.get(key)) for key in ("steps", "images")):
        raise BadInputError(
            'the length is said twice, in "training.steps" and in "training.images"', hint="leave one of them out"
        )
    tree = {group: dict(value) if isinstance(value, Mapping) else value for group, value in base.items()}
    for group, value in changes.items():
        if not isinstance(value, Mapping) or not isinstance(tree.get(group), dict):
            tree[group] = value
            continue
        for name, item in value.items():
            _say(tree, group, name, item)
    return tree


def known_keys() -> dict[str, dataclasses.Field[Any]]:
    """Every key that can be overridden, with its field: type, default and range."""
    found: dict[str, dataclasses.Field[Any]] = {}
    for outer in dataclasses.fields(Experiment):
        group = _types(Experiment)[outer.name]
        if dataclasses.is_dataclass(group):
            found |= {f"{outer.name}.{inner.name}": inner for inner in dataclasses.fields(group)}
        elif outer.name != "name":
            found[outer.name] = outer
    return found


def _put(tree: Json, key: str, text: str) -> None:
    """Set one key of the JSON form from its text."""
    known = known_keys()
    if key not in known:
        raise unknown_key(key, known)
    group, _, name = key.rpartition(".")
    owner = _types(Experiment)[group] if group else Experiment
    _say(tree, group, name, parse(key, text, _types(owner)[name], known[key]))


def _say(tree: Json, group: str, name: str, value: Any) -> None:  # noqa: ANN401 - JSON
    """Set one key. A length said in steps takes the place of one said in images; the other way it follows."""
    (tree[group] if group else tree)[name] = value
    if (group, name) == ("training", "steps"):
        tree[group]["images"] = None


def _experiment(value: Mapping[str, Any], limited: Callable[[Limits], Limits]) -> Experiment:
    built = _build(Experiment, value, "", limited)
    assert isinstance(built, Experiment)
    return built


def _build(kind: type[Any], value: Any, prefix: str, limited: Callable[[Limits], Limits]) -> object:  # noqa: ANN401
    """Build one dataclass from its JSON object, checking keys, types and ranges: what is `limited` of a field's."""
    if not isinstance(value, Mapping):
        table = prefix.rstrip(".")
        hint = f"write [{table}], and its keys in the lines below"
        raise BadInputError(f'"{table}" must be a table of keys, not "{value}"', hint=hint)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            raise unknown_key(f"{prefix}{key}", [f"{prefix}{name}" for name in fields])
    built: dict[str, Any] = {}
    for name, spec in fields.items():
        if name not in value:
            if spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
                raise BadInputError(
                    f'the experiment lacks "{prefix}{name}"',
                    hint='a file says it, or begins with extends = "NAME"; facegan-job experiments lists names',
                )
            continue
        wanted = _types(kind)[name]  # type: ignore[arg-type] # a class can be hashed
        if dataclasses.is_dataclass(wanted):
            built[name] = _build(typing.cast("type[Any]", wanted), value[name], f"{prefix}{name}.", limited)
        else:
            built[name] = check(f"{prefix}{name}", value[name], wanted, spec, limited(spec.metadata))
    return typing.cast("object", kind(**built))


@functools.cache
def _types(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def unknown_key(key: str, known: Iterable[str]) -> BadInputError:
    """The error for a key that there is not, with the known ones, and before them what may have been meant.

    That is the same field of other groups, or else what is spelled most like it beside it.
    """
    names = sorted(known)
    if within := [name for name in names if name.startswith(f"{key}.")]:
        return BadInputError(f'"{key}" is no key, but a table of them', hint=f"its keys: {', '.join(within)}")
    group, _, field_name = key.rpartition(".")
    meant = [each for each in known_keys() if each.rpartition(".")[2] == field_name]
    beside = {name.rpartition(".")[2]: name for name in names if name.rpartition(".")[0] == group}
    if not meant and beside:
        meant = [beside[each] for each in difflib.get_close_matches(field_name, beside, n=1)]
    if not meant and not (group and beside):
        meant = difflib.get_close_matches(key, names, n=1)
    return unknown("key", key, names, meant)
