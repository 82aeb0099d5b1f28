"""What is compared, as tables: a column a run, and a row where they can differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from facegan.catalog import domains
from facegan.experiment import known_keys
from facegan.length import duration, rounded
from facegan.meaning import spelled
from facegan.reporting.metrics import JUDGEMENT, charts
from facegan.reporting.subject import Subject

NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact of every run."""

    name: str
    cells: Sequence[str]

    @property
    def differs(self) -> bool:
        return len(set(self.cells)) > 1


Table = Mapping[str, Sequence[Row]]
Fact = Callable[[Subject], str]


def overview(subjects: Sequence[Subject]) -> Table:
    """The tables of the comparison, by their heading."""
    return {
        heading: [Row(name=name, cells=[fact(each) for each in subjects]) for name, fact in facts.items()]
        for heading, facts in {**_FACTS, "Result": {**_RESULT, **_judgements(subjects)}}.items()
    }


def keys(subjects: Sequence[Subject]) -> Sequence[Row]:
    """Every key of the experiments, those that differ first."""
    rows = [
        Row(name=key, cells=[spelled(attrgetter(key)(each.experiment)) for each in subjects]) for key in known_keys()
    ]
    return sorted(rows, key=lambda row: not row.differs)


def _parameters(subject: Subject) -> str:
    found = subject.networks
    if not found.parameters:
        return found.known_from
    counted = ", ".join(f"{role} {count:,}" for role, count in found.parameters.items())
    return f"{counted} ({found.known_from})"


def _optimisers(subject: Subject) -> str:
    e = subject.experiment
    each = {"generator": e.generator, "discriminator": e.discriminator}
    return "; ".join(f"{name} Adam {adam.learning_rate:g}, beta_1 {adam.beta_1:g}" for name, adam in each.items())


def _digest(subject: Subject) -> str:
    return str(subject.data.get("digest") or NOTHING)


def _image(subject: Subject) -> str:
    data = subject.experiment.data
    parts = [f"{data.size}x{data.size} pixels" if data.size else "as the set comes", f"crop {data.crop}"]
    parts += [f"only {data.only}"] if data.only else []
    parts += [f"random {data.cut}x{data.cut} windows"] if data.cut else []
    return ", ".join([*parts, *(["mirrored at random"] if data.mirror else [])])


def _count(subject: Subject) -> str:
    return NOTHING if subject.whole.count is None else f"{subject.whole.count:,}"


def _domains(subject: Subject) -> str:
    names = [domains.named(subject.experiment.data, letter) for letter in domains.LETTERS]
    return " / ".join(names) if subject.whole.domains > 1 else "one"


def _shown(subject: Subject) -> str:
    return f"{subject.done.images:,} of {subject.whole.images:,}{subject.whole.of_each}"


def _epochs(subject: Subject) -> str:
    done, whole = subject.done.epochs, subject.whole.epochs
    return NOTHING if done is None or whole is None else f"{rounded(done)} of {rounded(whole)}"


def _steps(subject: Subject) -> str:
    done, whole = subject.done, subject.whole
    return f"{done.steps:,} of {whole.steps:,}, {done.batch_size:,} images{whole.of_each} a step"


def _time(subject: Subject) -> str:
    if not subject.sessions:
        return NOTHING
    about = "" if all(session.stay.reported for session in subject.sessions if session.took) else "about "
    return f"{about}{duration(subject.took_s)}"


def _speed(subject: Subject) -> str:
    """The images of all domains, which are all read: so runs of one domain and of two compare."""
    trained, domains = sum(session.stay.last - session.stay.first for session in subject.sessions), subject.done.domains
    if not subject.took_s or not trained:
        return NOTHING
    of_all = " of both domains" if domains > 1 else ""
    return f"{trained * subject.done.batch_size * domains / subject.took_s:,.1f}{of_all}"


def _machines(subject: Subject) -> str:
    return _in_sessions(session.stay.device for session in subject.sessions)


def _software(subject: Subject) -> str:
    each = (sorted(session.stay.software.items()) for session in subject.sessions)
    return _in_sessions(", ".join(f"{name} {value}" for name, value in software) for software in each)


def _sessions(subject: Subject) -> str:
    ends = Counter(session.stay.outcome for session in subject.sessions)
    told = ", ".join(end if count == 1 else f"{count} {end}" for end, count in ends.items())
    return f"{len(subject.sessions)}: {told}" if ends else "none"


def _joins(subject: Subject) -> str:
    """What may be claimed of the places where one session took up another's work."""
    return _in_sessions(session.stay.join for session in subject.sessions if session.stay.first > 0)


def _in_sessions(texts: Iterable[str]) -> str:
    """What sessions say, each once: the same machine in two sessions is one machine."""
    counts = Counter(text for text in texts if text)
    return (
        "; ".join(text if count == 1 else f"{text}, in {count} sessions" for text, count in counts.items()) or NOTHING
    )


def _judgements(subjects: Sequence[Subject]) -> Mapping[str, Fact]:
    """A row for each evaluation metric that any of the runs has: its newest value."""
    names = dict.fromkeys(
        series.name for each in subjects for series in charts(each.points).get(JUDGEMENT, ()) if series.values
    )
    return {name: _newest(name) for name in names}


def _newest(name: str) -> Fact:
    def fact(subject: Subject) -> str:
        held = [(point.step, point.values[name]) for point in subject.points if name in point.values]
        return f"{held[-1][1]:.4g} at step {held[-1][0]:,}" if held else NOTHING

    return fact


_FACTS: Mapping[str, Mapping[str, Fact]] = {
    "Architecture": {
        "experiment": lambda s: s.experiment.name,
        "family": lambda s: s.experiment.model.family,
        "parameters": _parameters,
        "latents": lambda s: f"{s.experiment.model.latent}, {s.experiment.model.noise}",
        "value range": lambda s: "[-1, 1]" if s.experiment.model.range == "tanh" else "[0, 1]",
    },
    "Training": {
        "optimisers": _optimisers,
        "batch size": lambda s: f"{s.experiment.training.batch_size:,}",
        "schedule": lambda s: s.experiment.training.schedule,
        "program": lambda s: s.code or NOTHING,
    },
    "Data": {
        "name": lambda s: s.experiment.data.name,
        "images": _count,
        "shown as": _image,
        "domains": _domains,
        "SHA-256": _digest,
    },
    "Length": {"images shown": _shown, "epochs": _epochs, "steps": _steps},
    "Time and machines": {
        "time in sessions": _time,
        "images/s, start included": _speed,
        "sessions": _sessions,
        "machines": _machines,
        "software": _software,
        "joins": _joins,
    },
}
_RESULT: Mapping[str, Fact] = {"state": lambda s: s.state}
