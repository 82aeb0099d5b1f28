"""The page on data says how CelebA is prepared for each experiment that trains on it."""

from __future__ import annotations

import re
from pathlib import Path

from facegan.catalog import CATALOG
from facegan.prepared.spelled import prepare_line

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_preparation_of_celeba() -> None:
    rows = re.findall(r"^\| `(--size [^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    said = {experiment: options for options, listed in rows for experiment in re.findall(r"`([^`]+)`", listed)}
    assert said == {
        name: prepare_line(entry.experiment.data).removeprefix("facegan-job data prepare celeba --source PATH ")
        for name, entry in CATALOG.items()
        if entry.experiment.data.name == "celeba"
    }
