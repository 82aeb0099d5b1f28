"""Curves as SVG: the same numbers give the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facegan.reporting.metrics import Series

LOOK: Mapping[str, Any] = MappingProxyType(
    {
        "svg.hashsalt": "facegan",  # ids in the file would be random otherwise
        "svg.fonttype": "none",  # text stays text: found by a search, read aloud
        "text.parse_math": False,  # a name with dollars in it is a name
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
    }
)
NO_DATES = MappingProxyType({"Date": None, "Creator": None})
# Okabe & Ito's colours, which people who confuse some can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLES = ("-", "--", ":")  # for more runs than there are colours
COARSE = 100  # ranges of steps of a run that is one of several on a chart, where bands would hide each other
BINS = 300  # a chart has no room for more points; each shows the mean of its steps, over the span of them
SIZE = (6.8, 2.6)  # inches, at 72 points each


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One metric of a run among others. `place` is the run's on the page, which gives it its colour on every chart."""

    run: str
    place: int
    series: Series
    batch_size: int


def chart(title: str, series: Sequence[Series], *, batch_size: int, name: str) -> str:
    """One run's curves over the images shown (thousands): an `<svg>` element. `name` is unique on the page."""
    with style.context(dict(LOOK), after_reset=True):  # whatever the user's own matplotlibrc says
        figure, axes = _axes(title)
        for place, each in enumerate(series):
            _draw(axes, each, batch_size, COLOURS[place % len(COLOURS)], each.name)
        return _svg(figure, axes, name)


def comparison(metric: str, lines: Sequence[Line], *, name: str) -> str:
    """One metric of several runs over the images shown, smoothed: a line a run."""
    with style.context(dict(LOOK), after_reset=True):  # whatever the user's own matplotlibrc says
        figure, axes = _axes(metric)
        for line in lines:
            _draw_thinned(axes, line)
        return _svg(figure, axes, name)


def _axes(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_xlabel("images shown, in thousands")
    return figure, axes


def _draw(axes: Axes, series: Series, batch_size: int, colour: str, label: str) -> None:
    """A line; where many steps share a point, within the band from their lowest to their highest value."""
    if len(series.steps) <= BINS:
        shown = np.asarray(series.steps) * batch_size / 1000.0
        marker = "o" if len(series.steps) <= BINS // 6 else None
        axes.plot(
            shown, series.values, color=colour, label=label, gid=f"curve-{label}", linewidth=1.2, marker=marker,
            markersize=3,
        )  # fmt: skip
        return
    steps, low, mean, high = binned(series)
    shown = steps * batch_size / 1000.0
    axes.fill_between(shown, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(shown, mean, color=colour, label=label, gid=f"curve-{label}", linewidth=1.2)


def _draw_thinned(axes: Axes, line: Line) -> None:
    """The means of at most `COARSE` ranges of steps; a single value is a mark."""
    steps, means = np.asarray(line.series.steps, float), np.asarray(line.series.values, float)
    if len(steps) > COARSE:
        steps, _, means, _ = binned(line.series, COARSE)
    axes.plot(
        steps * line.batch_size / 1000.0, means, color=COLOURS[line.place % len(COLOURS)],
        linestyle=STYLES[line.place // len(COLOURS) % len(STYLES)], label=line.run, gid=f"curve-{line.run}",
        linewidth=1.2, marker="o" if len(line.series.steps) <= BINS // 6 else None, markersize=3,
    )  # fmt: skip


def binned(series: Series, bins: int = BINS) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Middle step, lowest, mean and highest value of each of so many equal ranges of steps; NaN where there is none."""
    steps, values = np.asarray(series.steps, float), np.asarray(series.values, float)
    edges = np.linspace(steps[0], steps[-1] + 1, bins + 1)
    place = np.searchsorted(edges, steps, side="right") - 1
    low, mean, high = (np.full(bins, np.nan) for _ in range(3))
    for number in np.unique(place):
        held = values[place == number]
        low[number], mean[number], high[number] = held.min(), held.mean(), held.max()
    return (edges[:-1] + edges[1:]) / 2.0, low, mean, high


def _svg(figure: Figure, axes: Axes, name: str) -> str:
    axes.margins(x=0.01)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict(NO_DATES))
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]  # without the prologue, which names a page on the network
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Several of them stand on one page: their ids must not meet.
    return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
