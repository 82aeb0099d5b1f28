"""Which metrics share a chart, and charts whose bytes depend on the numbers alone."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from facegan.checkpoints import Point
from facegan.reporting import curves
from facegan.reporting.curves import BINS, COARSE, COLOURS, Line, binned, chart
from facegan.reporting.metrics import Series, charts


def series(count: int, name: str = "d_loss") -> Series:
    return Series(name=name, steps=range(1, count + 1), values=[step % 7 / 7 for step in range(count)])


def test_metrics_are_sorted_by_what_they_are() -> None:
    points = [
        Point(step=step, at=0, values={"d_loss_a": 1.0, "g_loss": 2.0, "d_accuracy_a": 0.5, "d_real": 0.5})
        for step in range(1, 11)
    ]
    points[4] = Point(step=5, at=0, values={**points[4].values, "agreement": 0.25})
    found = charts(points)
    assert {kind: [each.name for each in held] for kind, held in found.items()} == {
        "loss": ["d_loss_a", "g_loss"],
        "accuracy": ["d_accuracy_a"],
        "share": ["d_real"],
        "judgement": ["agreement"],
    }
    assert (found["judgement"][0].steps, found["judgement"][0].values) == ([5], [0.25])
    assert charts([]) == {}


def test_the_accuracy_of_each_domain_takes_the_place_of_their_mean() -> None:
    each = {"d_accuracy": 0.5, "d_accuracy_a": 0.25, "d_accuracy_b": 0.75}
    found = charts([Point(step=1, at=0, values=each)])
    assert [each.name for each in found["accuracy"]] == ["d_accuracy_a", "d_accuracy_b"]
    found = charts([Point(step=1, at=0, values={"d_accuracy": 0.5})])
    assert [each.name for each in found["accuracy"]] == ["d_accuracy"]


def test_runs_on_one_chart_are_thinned_and_keep_their_colours() -> None:
    lines = [Line(run=f"r{place}", place=place, series=series(5_000), batch_size=2) for place in (1, 9)]
    root = ET.fromstring(curves.comparison("g_loss", lines, name="c"))
    found = {each.get("id"): each[0] for each in root.iter() if str(each.get("id")).startswith("c-curve-")}
    assert list(found) == ["c-curve-r1", "c-curve-r9"]
    for path in found.values():
        assert path.get("d", "").count("L") == COARSE - 1
    styles = [path.get("style", "") for path in found.values()]
    assert COLOURS[1] in styles[0]
    assert COLOURS[9 % len(COLOURS)] in styles[1]
    assert ["dasharray" in style for style in styles] == [False, True]


def test_the_same_numbers_are_the_same_bytes() -> None:
    one, other = (chart("Loss", [series(1_000), series(5, "x")], batch_size=4, name="a") for _ in range(2))
    assert one == other
    assert chart("Loss", [series(999)], batch_size=4, name="a") != one


@pytest.mark.parametrize("count", [1, 2, BINS, BINS + 1, 5_000])
def test_a_chart_is_one_svg_that_names_its_curves_and_nothing_on_the_network(count: int) -> None:
    svg = chart("Loss", [series(count)], batch_size=1_000, name="run0")
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    texts = {element.text for element in root.iter() if element.text and element.text.strip()}
    assert {"Loss", "d_loss", "images shown, in thousands"} <= texts
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert all(each and each.startswith("run0-") for each in ids)
    links = [value for element in root.iter() for key, value in element.items() if key.endswith("href")]
    assert all(link.startswith("#run0-") for link in links)
    assert svg.count("http") == svg.count("http://www.w3.org/")  # the names of SVG's own vocabularies


def test_what_a_run_is_called_cannot_break_out_of_a_chart() -> None:
    line = Line(run="</svg><script>", place=0, series=series(3), batch_size=1)
    svg = curves.comparison("digits-sure", [line], name="c")
    assert "<script>" not in svg


def test_many_steps_are_a_mean_within_its_band() -> None:
    held = series(10 * BINS)
    steps, low, mean, high = binned(held)
    assert len(steps) == len(low) == len(mean) == len(high) == BINS
    assert np.all((low <= mean) & (mean <= high))
    np.testing.assert_allclose(mean.mean(), np.mean(held.values), rtol=1e-12)
    assert (low.min(), high.max()) == (min(held.values), max(held.values))


def test_a_gap_in_history_stays_a_gap() -> None:
    steps = [*range(1, 1_000), *range(5_000, 6_000)]
    _, _, mean, _ = binned(Series(name="x", steps=steps, values=[1.0] * len(steps)))
    assert np.isnan(mean[len(mean) // 2])
    assert not np.isnan(mean[[0, -1]]).any()
