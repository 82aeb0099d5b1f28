"""The page in a real browser: pictures are drawn, curves are seen, and no request leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from facegan.reporting.command import write
from facegan.reporting.page import render
from facegan.reporting.subject import subject
from facegan.storage.memory import MemoryStore
from tests.browser import blank_page
from tests.reporting import world as here
from tests.unit.jobs import world


@pytest.fixture
def page() -> Iterator[Any]:
    with blank_page(1200, 900) as page:
        yield page


def test_a_person_sees_the_comparison(store: MemoryStore, tmp_path: Path, page: Any) -> None:
    here.finished(store, "one")
    here.finished(store, "two", here.experiment(name="cogan-mnist"), build=here.CoupledToy)
    file = tmp_path / "report.html"
    write(file, render([subject(world.ledger(store, run)) for run in ("one", "two")]))

    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())

    for run in ("one", "two"):
        expect(page.get_by_role("heading", name=run, exact=True)).to_be_visible()
        expect(page.locator("#overview").get_by_role("link", name=run, exact=True)).to_be_visible()
    expect(page.get_by_text("is synthetic: it was made by a generative network")).to_be_visible()

    pictures = page.locator("img").evaluate_all("all => all.map(i => [i.complete, i.naturalWidth, i.clientWidth])")
    assert len(pictures) == (1 + 2) + 8 + 1 + 2 * (8 + 1)
    assert all(complete and natural == 16 and shown > 50 for complete, natural, shown in pictures)

    charts = page.locator("svg")
    assert charts.count() == 4 + 2 * 4  # losses, accuracy and evaluation of both, and four charts a run
    for number in range(charts.count()):
        expect(charts.nth(number)).to_be_visible()
    curve = page.locator("#run0-loss-curve-g_loss path").first
    assert curve.get_attribute("d").count("L") > 10
    box = curve.bounding_box()
    assert box["width"] > 200
    assert box["height"] > 20
    expect(page.locator("#one svg").first.get_by_text("g_loss")).to_be_visible()

    page.get_by_text("in which they do not differ").click()
    expect(page.get_by_text("session.heartbeat_s")).to_be_visible()
    assert page.locator(".differs").count() > 3

    page.get_by_text("Layers of the networks").click()
    expect(page.get_by_role("cell", name="Conv2DTranspose").first).to_be_visible()

    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []


def test_six_runs_are_read_at_once(store: MemoryStore, tmp_path: Path, page: Any) -> None:
    runs = ["one", "two", "coupled-with-a-long-name", "four", "five", "six"]
    for run in runs:
        coupled = run.startswith("coupled")
        chosen = here.experiment("samples.every_steps=20", name="cogan-mnist" if coupled else "dcgan-mnist")
        here.finished(store, run, chosen, build=here.CoupledToy if coupled else here.DrawingToy)
    file = tmp_path / "report.html"
    write(file, render([subject(world.ledger(store, run)) for run in runs]))
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(file.as_uri())

    for run in runs:
        box = page.locator("#overview thead").get_by_role("link", name=run, exact=True).bounding_box()
        assert 0 < box["x"] < box["x"] + box["width"] < 1400, run
    first = page.locator(".pictures img")
    assert all(0 < first.nth(number).bounding_box()["y"] < 700 for number in range(first.count()))
    widths = "[document.documentElement.scrollWidth, document.querySelector('.wide').scrollWidth]"
    whole, table = page.evaluate(widths)
    assert whole <= 1400
    assert table <= 1400
    page.set_viewport_size({"width": 800, "height": 900})
    whole, table = page.evaluate(widths)
    assert whole <= 800 < table, "it scrolls inside the table only"

    page.set_viewport_size({"width": 400, "height": 900})
    whole, _ = page.evaluate(widths)
    assert whole <= 400
    name, run = (page.locator(f"#overview thead th:nth-child({number})").bounding_box() for number in (1, 2))
    assert run["x"] + run["width"] <= 400, "a run's column is seen whole, beside what its rows are called"
    assert name["x"] + name["width"] <= run["x"]
    assert page.locator(".charts svg").first.bounding_box()["width"] > 400, "as large as can be read: it scrolls"
    page.set_viewport_size({"width": 1280, "height": 900})
    first, second = (page.locator(".charts svg").nth(number).bounding_box() for number in (0, 1))
    assert first["y"] == second["y"], "two charts side by side"
