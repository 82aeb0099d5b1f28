"""What the page says of runs, and that nothing in a run can say something else."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from facegan.reporting import comparison, curves
from facegan.reporting.page import Unreadable, render
from facegan.reporting.subject import Subject, subject
from facegan.spent import STARTING
from facegan.storage.memory import MemoryStore
from tests.reporting import world as here
from tests.unit.jobs import world


class Parsed(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes the time of a page; not every test looks at curves."""
    monkeypatch.setattr(curves, "_svg", lambda _figure, _axes, name: f'<svg id="{name}"></svg>')


def two(store: MemoryStore) -> list[Subject]:
    here.finished(store, "one")
    here.finished(store, "two", here.experiment("seed=5", "training.batch_size=32"), sessions=2)
    return [subject(world.ledger(store, run)) for run in ("one", "two")]


def cells(subjects: list[Subject]) -> dict[str, list[str]]:
    return {row.name: list(row.cells) for rows in comparison.overview(subjects).values() for row in rows}


def test_the_comparison_says_what_the_thesis_compares(store: MemoryStore) -> None:
    found = cells(two(store))
    assert found["family"] == ["dcgan-28", "dcgan-28"]
    assert found["parameters"][0] == "generator 359,553, discriminator 36,705 (as in the catalogue's dcgan-mnist)"
    assert found["images shown"] == ["2,560 of 2,560", "1,280 of 1,280"]
    assert found["epochs"] == ["0.51 of 0.51", "0.26 of 0.26"]
    assert found["steps"][1] == "40 of 40, 32 images a step"
    assert found["images"] == ["5,000", "5,000"]
    assert found["sessions"] == ["1: finished", "2: failed, finished"]
    assert found["machines"] == ["toy", "toy, in 2 sessions"]
    assert found["joins"] == ["-", "exact"]
    assert found["state"] == ["finished", "finished"]
    assert re.fullmatch(r"0\.\d+ at step 40", found["digits-sure"][0])


def test_keys_that_differ_come_first_and_are_marked(store: MemoryStore) -> None:
    rows = comparison.keys(two(store))
    assert {row.name for row in rows if row.differs} == {"seed", "training.batch_size"}
    assert [row.differs for row in rows] == sorted((row.differs for row in rows), reverse=True)
    assert dict(zip(("one", "two"), next(row.cells for row in rows if row.name == "seed"), strict=True)) == {
        "one": "0",
        "two": "5",
    }


def test_the_same_history_is_the_same_page(store: MemoryStore) -> None:
    two(store)
    pages = {render([subject(world.ledger(store, run)) for run in ("one", "two")]) for _ in range(2)}
    assert len(pages) == 1


def test_the_page_holds_all_of_it_and_asks_for_nothing(store: MemoryStore) -> None:
    page = render(two(store))
    parsed = Parsed(page)
    pictures = [attrs for tag, attrs in parsed.tags if tag == "img"]
    assert len(pictures) == 2 + 2 * (8 + 1)
    assert all(str(attrs["src"]).startswith("data:image/png;base64,") for attrs in pictures)
    assert all("ynthetic" in str(attrs["alt"]) for attrs in pictures)
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "iframe", "object", "video"})
    links = [attrs["href"] for tag, attrs in parsed.tags if tag in {"a", "link", "image"} and attrs.get("href")]
    assert all(str(link).startswith(("#", "data:")) for link in links)
    assert "Comparison of 2 runs" in parsed.text
    assert "Every generated picture on this page is synthetic" in parsed.text
    assert "Synthetic: run one at step 40, 2,560 images shown" in parsed.text
    assert "Left: real images of mnist-5k. Right, synthetic: run two at step 40" in parsed.text
    for heading in ("Loss", "Accuracy of the discriminators", "Evaluation", "Real and generated", "Sessions"):
        assert heading in parsed.text


@pytest.mark.usefixtures("no_curves")
def test_what_a_run_says_is_text_and_never_markup(store: MemoryStore) -> None:
    page = render(two(store), [Unreadable(run="three", why='<script>alert("x")</script>')])
    assert "<script" not in page
    assert "<b>out of memory" not in page
    assert "&lt;b&gt;out of memory" in page
    assert "three" in Parsed(page).text


@pytest.mark.usefixtures("no_curves")
def test_the_last_pictures_come_first_and_in_one_row(store: MemoryStore) -> None:
    world.create(store, "empty", here.experiment())
    page = render([*two(store), subject(world.ledger(store, "empty"))])
    row = page[page.index('<tr class="pictures">') : page.index('<tr class="group">')]
    assert page.index("<img") > page.index("<tr class="), "no picture stands before it"
    assert [attrs["src"] for tag, attrs in Parsed(row).tags if tag == "img"] == [
        subject(world.ledger(store, run)).strips[0][-1].url for run in ("one", "two")
    ]
    assert row.count("none yet") == 1
    assert page.index("Keys of the experiments") > page.index("<svg") > page.index("<img")


def test_every_metric_of_each_step_that_compares_is_one_chart_of_all_runs(store: MemoryStore) -> None:
    both = two(store)
    page = render(both)
    for number, metric in enumerate(("d_loss", "g_loss", "d_accuracy", "digits-sure")):
        assert all(f'id="compared{number}-curve-{run}"' in page for run in ("one", "two")), metric
    alone = render(both[:1])
    assert "compared0" not in alone
    assert "Smoothed" not in alone
    assert "g_loss the sum" not in page, "there are no two domains"


@pytest.mark.usefixtures("no_curves")
def test_layers_are_shown_once_for_all_runs_that_have_them(store: MemoryStore) -> None:
    here.finished(store, "a", here.experiment(name="cogan-mnist"), build=here.CoupledToy)
    here.finished(store, "other", here.experiment("model.latent=7"))
    text = Parsed(render([*two(store), *(subject(world.ledger(store, run)) for run in ("a", "other"))])).text
    assert text.count("Conv2DTranspose 28 x 28 x 1 513") == 1
    assert "one, two: as in the catalogue's dcgan-mnist" in text
    assert "generators: 2,826,528 parameters" in text
    assert "Dense 512 131,584 a and b" in text
    assert "Dense 784 803,600 b" in text
    assert "Layers of the networks" not in Parsed(render([subject(world.ledger(store, "other"))])).text


@pytest.mark.usefixtures("no_curves")
def test_a_digest_is_as_long_as_it_must_be_and_whole_when_pointed_at(store: MemoryStore) -> None:
    (found, _) = two(store)
    digest = found.data["digest"]
    page = render([found])
    assert page.count(f'<span class="digest" title="{digest}">{digest[:12]}</span>') == 2
    assert page.count(digest) == 2


@pytest.mark.usefixtures("no_curves")
def test_many_keys_that_differ_are_folded(store: MemoryStore) -> None:
    few = render(two(store))
    assert "<details open>\n<summary>Keys of the experiments: 2 in which they differ" in few
    here.finished(store, "a", here.experiment(name="cogan-mnist-edges"), build=here.CoupledToy)
    many = render([subject(world.ledger(store, run)) for run in ("one", "a")])
    assert "<details open>" not in many
    assert re.search(r"<details>\n<summary>Keys of the experiments: \d\d in which they differ", many)


@pytest.mark.usefixtures("no_curves")
def test_one_run_alone(store: MemoryStore) -> None:
    page = render(two(store)[:1])
    parsed = Parsed(page)
    assert "Run one" in parsed.text
    assert not [attrs for _, attrs in parsed.tags if attrs.get("class") == "differs"]


def test_a_run_without_a_checkpoint_says_so(store: MemoryStore) -> None:
    world.create(store, "empty", here.experiment())
    text = Parsed(render([subject(world.ledger(store, "empty"))])).text
    assert "Nothing is committed yet" in text
    assert "0 of 2,560" in text
    assert "created" in text


def test_a_run_that_goes_on_is_shown_as_far_as_it_is_committed(store: MemoryStore) -> None:
    world.create(store, "a", here.experiment())
    world.ask(store, "a")
    world.train(store, 1, "a", build=here.BreakingToy)
    found = subject(world.ledger(store, "a"))
    assert (found.done.steps, found.whole.steps, found.points[-1].step) == (20, 40, 20)
    assert "the run is failed and ends after 2,560 images shown" in Parsed(render([found])).text


@pytest.mark.usefixtures("no_curves")
def test_coupled_networks_show_both_domains(store: MemoryStore) -> None:
    here.finished(store, "a", here.experiment(name="cogan-mnist"), build=here.CoupledToy)
    found = subject(world.ledger(store, "a"))
    text = Parsed(render([found])).text
    for words in ("as they are", "turned by 90 degrees"):
        assert f"The same latents through time: {words}" in text
        assert f"Real and generated: {words}" in text
        assert f"Left: real images of mnist, {words}. Right, synthetic: run a at step 40" in text
        assert f"synthetic, {words}, 1,280 images shown" in text
    assert "d_loss is the mean over both, and g_loss the sum" in text
    assert cells([found])["domains"] == ["as they are / turned by 90 degrees"]
    assert "1,280 images of each domain shown" in text
    assert "A change of" not in text


@pytest.mark.usefixtures("no_curves")
def test_runs_of_one_domain_and_of_two_are_compared_in_the_same_units(store: MemoryStore) -> None:
    here.finished(store, "a", here.experiment("training.batch_size=64", name="cogan-mnist"), build=here.CoupledToy)
    both = [*two(store)[:1], subject(world.ledger(store, "a"))]
    both = [
        replace(each, sessions=tuple(replace(s, parts={**s.parts, STARTING: 20_000}) for s in each.sessions))
        for each in both
    ]
    found = cells(both)
    assert found["images shown"] == ["2,560 of 2,560", "2,560 of 2,560 of each domain"]
    assert found["steps"] == ["40 of 40, 64 images a step", "40 of 40, 64 images of each domain a step"]
    plain, coupled = found["images/s, start included"]
    assert coupled == f"{2 * float(plain):,.1f} of both domains"
    assert "Of two domains, the images shown are those of each" in Parsed(render(both)).text


@pytest.mark.usefixtures("no_curves")
def test_the_catalogue_s_prose_is_not_said_of_what_was_changed(store: MemoryStore) -> None:
    changed = here.experiment("data.domains=negative", name="cogan-mnist-edges")
    here.finished(store, "a", changed, build=here.CoupledToy)
    text = Parsed(render([subject(world.ledger(store, "a"))])).text
    assert "A change of cogan-mnist-edges, in data.domains. " in text
    assert "edges of digits" not in text


def test_a_run_made_longer_is_as_long_as_it_is_now(store: MemoryStore) -> None:
    here.finished(store, "a")
    world.append(store, "extended", "a", steps=80)
    assert cells([subject(world.ledger(store, "a"))])["steps"] == ["40 of 80, 64 images a step"]
