"""How long a training is, or how far it has come: in images shown, in epochs and in steps.

The catalogue counts in images, because neither steps nor epochs can be compared between batch sizes and
data sets. The other two are derived here, in one place, for all who print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facegan.catalog import families
from facegan.catalog.datasets import DATASETS
from facegan.experiment import Data, Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """So many steps, each of which shows `batch_size` real images of each of the `domains`.

    `count` is how many images there are to be shown, of all domains together; `None` where that is not known.
    """

    steps: int
    batch_size: int
    domains: int = 1
    count: int | None = None

    @property
    def images(self) -> int:
        """The real images shown, of each domain; one that is shown again counts again."""
        return self.steps * self.batch_size

    @property
    def of_each(self) -> str:
        """What belongs after a number of those images, where there are several domains."""
        return " of each domain" if self.domains > 1 else ""

    @property
    def epochs(self) -> float | None:
        """How often each image was shown, on average over those of all domains; `None` where none were counted."""
        return self.domains * self.images / self.count if self.count else None

    def __str__(self) -> str:
        parts = [f"{self.images:,} images{self.of_each} shown", f"{_plural(self.steps, 'step')} of {self.batch_size:,}"]
        if self.epochs is not None:
            in_both = " in both" if self.domains > 1 else ""
            parts.insert(1, f"{rounded(self.epochs)} epochs of {self.count:,}{in_both}")
        return ", ".join(parts)


def length(experiment: Experiment, *, steps: int | None = None, count: int | None = None) -> Length:
    """The whole length of an experiment, or so many `steps` of it. `count` as in `Length`."""
    return Length(
        steps=experiment.training.steps if steps is None else steps,
        batch_size=experiment.training.batch_size,
        domains=families.find(experiment.model.family).domains,
        count=count,
    )


def images_of(data: Data, body: Mapping[str, Any]) -> int | None:
    """How many images a run is shown: as its first entry counted them, in what it says of its data (`body`).

    An entry of an earlier version counts none: then as the data set is known to have.
    """
    counted: int | None = body.get("count")
    return expected(data) if counted is None else counted


def expected(data: Data) -> int | None:
    """How many images there will be to be shown, as far as that is known before they are prepared."""
    known = DATASETS.get(data.name)
    whole = known.count if known is not None else None
    if data.only is not None:
        whole = known.of_each if known is not None and data.only.startswith("label=") else None
        if whole is None:
            return None
    return data.limit if whole is None else min(whole, data.limit or whole)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def rounded(number: float) -> str:
    """A number of epochs with as many digits as say something: "0.24", "38.4", "128"."""
    if number >= 100 or number == 0:  # noqa: PLR2004
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def duration(seconds: float) -> str:
    """A length of time as a person says it, to the nearest second: "4h 24m", "3m 20s", "12s"."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours >= 24:  # noqa: PLR2004
        return f"{hours // 24}d {hours % 24}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
