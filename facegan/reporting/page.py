"""The page itself: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from facegan.length import duration
from facegan.reporting import comparison, curves, domains, prose
from facegan.reporting.metrics import COMPARED, JUDGEMENT, TITLES, charts, series
from facegan.reporting.networks import Networks
from facegan.reporting.subject import Subject

DIGEST = re.compile(r"[0-9a-f]{40,}")  # SHA-1, as Git has it, and SHA-256
SHORT = 12  # characters of one that are shown: enough to tell any two apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A run of which nothing can be said, and why."""

    run: str
    why: str


def render(subjects: Sequence[Subject], unreadable: Sequence[Unreadable] = ()) -> str:
    """The page that compares these runs, in this order. The same history gives the same text."""
    environment = Environment(
        loader=PackageLoader("facegan.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"duration": duration, "shortened": _shortened, "domain": domains.shown, "prose": prose.of}
    return environment.get_template("page.html").render(
        subjects=subjects,
        unreadable=unreadable,
        overview=comparison.overview(subjects),
        keys=comparison.keys(subjects),
        charts=[_charts(each, f"run{number}") for number, each in enumerate(subjects)],
        compared=_compared(subjects),
        coarse=curves.COARSE,
        networks=_networks(subjects),
    )


def _charts(subject: Subject, name: str) -> list[Markup]:
    """One chart for losses, one for accuracies, and so on: what this run has of them."""
    batch_size = subject.experiment.training.batch_size
    return [
        _safe(curves.chart(TITLES[kind], held, batch_size=batch_size, name=f"{name}-{kind}"))
        for kind, held in charts(subject.points).items()
    ]


def _compared(subjects: Sequence[Subject]) -> list[Markup]:
    """A chart for each metric that several runs have: those of each step that compare, then evaluations."""
    found: dict[str, list[curves.Line]] = {metric: [] for metric in COMPARED}
    for place, subject in enumerate(subjects):
        judged = [each.name for each in charts(subject.points).get(JUDGEMENT, ())]
        for name, each in series(subject.points).items():
            if name in (*COMPARED, *judged):
                batch_size = subject.experiment.training.batch_size
                line = curves.Line(run=subject.run, place=place, series=each, batch_size=batch_size)
                found.setdefault(name, []).append(line)
    several = {metric: lines for metric, lines in found.items() if len(lines) > 1}
    return [
        _safe(curves.comparison(metric, lines, name=f"compared{number}"))
        for number, (metric, lines) in enumerate(several.items())
    ]


def _networks(subjects: Sequence[Subject]) -> list[tuple[Networks, list[str]]]:
    """Networks whose layers are known, each once, and the runs that train them."""
    found: dict[str, tuple[Networks, list[str]]] = {}
    for subject in subjects:
        if subject.networks.layers:
            found.setdefault(subject.networks.named, (subject.networks, []))[1].append(subject.run)
    return list(found.values())


def _shortened(text: str) -> Markup:
    """A text as it is, but of a digest the beginning, and the whole when it is pointed at."""
    if not DIGEST.fullmatch(text):
        return escape(text)
    return Markup('<span class="digest" title="{}">{}</span>').format(text, text[:SHORT])


def _safe(svg: str) -> Markup:
    """Ours, and escaped where it was drawn: matplotlib escapes the texts that it is given."""
    return Markup(svg)  # noqa: S704
