"""A rehearsal as a picture: when which place had the run, and how far it came. Plain SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from jobs.rehearsal.machine import Machine
from jobs.rehearsal.terms import DAY_S
from jobs.rehearsal.world import Outcome

WIDTH, LEFT, RIGHT, TOP = 900, 80, 20, 30
CURVE, ROW, BAR = 150, 34, 18
COLOURS = ("#3b6fb6", "#d9822b", "#3f9c5f", "#8d5fb0", "#b0474f", "#6b7a86")
INK, FAINT = "#333333", "#d5d9dd"


def draw(outcome: Outcome) -> str:
    """The whole picture. Sessions are bars, pale while they wait to begin; a cross is one that was ended."""
    canvas = _Canvas(outcome)
    return "\n".join([canvas.head(), *canvas.grid(), *canvas.curve(), *canvas.bars(), "</svg>\n"])


class _Canvas:
    """Where things are: time from left to right, steps above, a row for each place below."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._places = [used.place for used in outcome.used]
        ends = [ending.at or outcome.play.days * DAY_S for ending in outcome.endings]
        self._until = max(DAY_S, *ends)
        self._bottom = TOP + CURVE + 20 + ROW * len(self._places)

    def head(self) -> str:
        height = self._bottom + 30
        title = "; ".join(
            f"{ending.run}: {ending.reached:,} of {ending.steps:,} steps" for ending in self._outcome.endings
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            f'font-size="12" fill="{INK}">\n<title>{escape(title)}</title>\n'
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
        )

    def grid(self) -> Iterator[str]:
        for day in range(int(self._until // DAY_S) + 1):
            x = self._x(day * DAY_S)
            yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{self._bottom}" stroke="{FAINT}"/>'
            yield f'<text x="{x}" y="{self._bottom + 18}">day {day + 1}</text>'
        for share in (0, 50, 100):
            y = TOP + CURVE * (100 - share) // 100
            yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share} %</text>'
            yield f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="{FAINT}"/>'

    def curve(self) -> Iterator[str]:
        """How many of the steps are committed: level while nothing trains."""
        for ending in self._outcome.endings:
            points = [(at, step) for run, at, step in self._outcome.progress if run == ending.run]
            path = [f"M{self._x(0.0)},{self._y(0.0)}"]
            path += [f"H{self._x(at)} V{self._y(step / ending.steps)}" for at, step in points]
            yield f'<path d="{" ".join(path)}" fill="none" stroke="{INK}" stroke-width="1.5"/>'

    def bars(self) -> Iterator[str]:
        for row, place in enumerate(self._places):
            y = TOP + CURVE + 20 + ROW * row
            yield f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(place)}</text>'
            for machine in self._outcome.stays:
                if machine.place == place:
                    yield from self._bar(machine, y, COLOURS[row % len(COLOURS)])

    def _bar(self, machine: Machine, y: int, colour: str) -> Iterator[str]:
        ended = self._until if machine.ended is None else machine.ended
        began = ended if machine.began is None else machine.began
        title = f"<title>session {machine.number}: {escape(machine.why)}</title>"
        yield self._rect(machine.asked, began, y, f'fill="{colour}" fill-opacity="0.35"', title)
        yield self._rect(began, ended, y, f'fill="{colour}"', title)
        if machine.why and machine.why != "its process has ended":
            x = self._x(ended)
            yield f'<path d="M{x - 4},{y + 5} l8,8 m0,-8 l-8,8" stroke="{INK}" stroke-width="1.5"/>'

    def _rect(self, begins: float, ends: float, y: int, style: str, inner: str) -> str:
        x, until = self._x(begins), self._x(ends)
        return f'<rect x="{x}" y="{y}" width="{max(0.5, until - x):.1f}" height="{BAR}" {style}>{inner}</rect>'

    def _x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(at, self._until) / self._until, 1)

    def _y(self, share: float) -> float:
        return round(TOP + CURVE * (1.0 - share), 1)
