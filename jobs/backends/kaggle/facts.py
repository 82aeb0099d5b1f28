"""What is known of Kaggle: limits, accelerators, refusals. One dated table, and how sure each line of it is.

Nothing here was tried on a live account by this project. When Kaggle changes, this is the file to change, and
docs/kaggle.md shows it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.backends.known import Fact, Sure, Words

SEEN = "2026-10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU by the name users type, `shape` as Kaggle spells it, and how many of them a session is given."""

    gpu: str
    shape: str
    cards: int
    sure: Sure
    seen: str = SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A GPU that Kaggle had: it gives something else without a word when asked for it."""

    gpu: str
    shape: str
    since: str
    sure: Sure


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set of Kaggle's users that is one of those known here by name; `inside` is where in it that is."""

    data: str
    ref: str
    inside: str
    sure: Sure
    seen: str = SEEN


SOURCE_BYTES = Fact(
    what="largest source of a kernel that was seen to be taken, in bytes; 1,141,256 were refused",
    value=933_761,
    sure=Sure.FIELD,
    seen=SEEN,
)
SESSION_S = Fact(what="longest session with a GPU or none, in seconds", value=12 * 3600, sure=Sure.DOCS, seen=SEEN)
GPU_WEEK_S = Fact(what="time with GPUs in a week, in seconds; asked live", value=30 * 3600, sure=Sure.DOCS, seen=SEEN)
GPU_SESSIONS = Fact(what="sessions with a GPU at once", value=2, sure=Sure.FIELD, seen=SEEN)
CORES = Fact(what="cores of a session, with a GPU or none", value=4, sure=Sure.BELIEVED, seen=SEEN)
LONGEST_NAME = Fact(what="longest name and title, in characters", value=50, sure=Sure.SOURCE, seen=SEEN)
NUMBERS = (SOURCE_BYTES, SESSION_S, GPU_WEEK_S, GPU_SESSIONS, CORES, LONGEST_NAME)

ACCELERATORS = (Accelerator(gpu="T4", shape="NvidiaTeslaT4", cards=2, sure=Sure.SOURCE),)
RETIRED = (Retired(gpu="P100", shape="NvidiaTeslaP100", since="2026-09-15", sure=Sure.SOURCE),)

SOURCES = (
    Source(data="celeba", ref="jessicali9530/celeba-dataset", inside="", sure=Sure.FIELD),
    Source(data="mnist", ref="hojjatk/mnist-dataset", inside="", sure=Sure.BELIEVED),
    Source(data="cifar10", ref="pankrzysiu/cifar10-python", inside="", sure=Sure.BELIEVED),
    Source(data="imdb-wiki", ref="abhikjha/imdb-wiki-faces-dataset", inside="", sure=Sure.BELIEVED),
)

LATER = "facegan-job resume RUN when one of them has ended"
AGAIN = "type the same again later"
CHECK_SITE = "look at the account's settings on kaggle.com: phone verification gives GPUs and internet"
REFUSALS: Sequence[Words] = (
    Words(part="batch gpu session count", kind="capacity", hint=LATER, sure=Sure.FIELD, seen=SEEN),
    Words(part="batch cpu session", kind="capacity", hint=LATER, sure=Sure.FIELD, seen=SEEN),
    Words(
        part="weekly gpu quota",
        kind="quota",
        hint="facegan-job resume RUN after that, or --backend another",
        sure=Sure.FIELD,
        seen=SEEN,
    ),
    Words(part="too many requests", kind="uncertain", hint=AGAIN, sure=Sure.BELIEVED, seen=SEEN),
    Words(part="try again", kind="uncertain", hint=AGAIN, sure=Sure.BELIEVED, seen=SEEN),
    Words(part="internal error", kind="uncertain", hint=AGAIN, sure=Sure.BELIEVED, seen=SEEN),
    Words(part="phone verification", kind="auth", hint=CHECK_SITE, sure=Sure.BELIEVED, seen=SEEN),
    Words(part="verify your phone", kind="auth", hint=CHECK_SITE, sure=Sure.BELIEVED, seen=SEEN),
    Words(
        part="unknown accelerator",
        kind="invalid",
        hint="facegan-job backends lists what there is",
        sure=Sure.BELIEVED,
        seen=SEEN,
    ),
    Words(
        part="invalid machine shape",
        kind="invalid",
        hint="facegan-job backends lists what there is",
        sure=Sure.BELIEVED,
        seen=SEEN,
    ),
    Words(
        part="source is too large",
        kind="invalid",
        hint="this is a defect: the source is measured first",
        sure=Sure.BELIEVED,
        seen=SEEN,
    ),
    Words(part="title must be", kind="invalid", hint="choose another --name", sure=Sure.BELIEVED, seen=SEEN),
    Words(part="slug must be", kind="invalid", hint="choose another --name", sure=Sure.BELIEVED, seen=SEEN),
    Words(
        part="notebook not found",
        kind="invalid",
        hint="is it the account that --backend kaggle used before?",
        sure=Sure.FIELD,
        seen=SEEN,
    ),
)
"""Looked at from the first to the last. A push that was refused with words that are only believed is looked for."""

NAME_TAKEN = Words(part="already in use", kind="taken", hint="another name is tried", sure=Sure.FIELD, seen=SEEN)
"""Of a data set: somebody, most likely an earlier try of ours, made one of this name."""


def accelerator(gpu: str) -> Accelerator | None:
    """The accelerator that users call so; letters of either case."""
    return next((each for each in ACCELERATORS if each.gpu.lower() == gpu.lower()), None)


def source(data: str) -> Source | None:
    """The data set at Kaggle that holds the one of that name here."""
    return next((each for each in SOURCES if each.data == data), None)


def retired(gpu: str) -> Retired | None:
    return next((each for each in RETIRED if each.gpu.lower() == gpu.lower()), None)
