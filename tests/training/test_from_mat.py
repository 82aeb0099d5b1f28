"""From a `.mat` file and pictures, as the makers of IMDB-WIKI publish them, to steps of the thesis' network."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from facegan.catalog import CATALOG
from facegan.data import load, making
from facegan.experiment import override
from facegan.training.gan import build
from tests.data.hostile import fill, jpeg
from tests.data.test_imdb_wiki import mat

SETTINGS = ("data.size=16", "training.batch_size=2", "training.steps=2", "training.threads=1", "training.compile=graph")


def test_what_a_mat_file_says_is_trained_on(tmp_path: Path) -> None:
    names = [f"{n:02d}/{n}_1950-01-01_1990.jpg" for n in range(8)]
    faces = {f"wiki_crop/{name}": jpeg(n, 40, 40) for n, name in enumerate(names)}
    table = mat("wiki", [(name, 1990, n % 2, 3.0, math.nan) for n, name in enumerate(names)])
    folder = fill(tmp_path / "imdb-wiki", faces | {"wiki_crop/wiki.mat": table})
    experiment = override(CATALOG["cogan-imdb-wiki"].experiment, [*SETTINGS, "evaluation.metric=none"])
    made = making.make(making.options(experiment.data), folder, tmp_path, print)
    assert (made.count, made.shape, made.columns) == (8, (16, 16, 3), ("age", "gender"))
    for domains in ("quarter-turn", "gender"):
        data = replace(experiment.data, digest=made.digest, domains=domains)
        images = load(data, tmp_path, None, print)
        assert images.columns["gender"].tolist() == [0, 1] * 4
        assert images.columns["age"].tolist() == [40] * 8
        trainer = build(replace(experiment, data=data), images)
        before = trainer.snapshot()()
        rows = trainer.advance(2)
        assert trainer.step == experiment.training.steps == len(rows)
        assert all(math.isfinite(value) for row in rows for value in row.values())
        assert trainer.snapshot()() != before
