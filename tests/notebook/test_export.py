"""What `facegan-job export` writes: a notebook that is one, the same each time, over nothing, and without a secret."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from facegan.ledger import Wish
from jobs import cli, launch, recipe
from jobs.bundle import SESSION, wheel
from jobs.errors import Exit
from jobs.notebook import rendering
from jobs.notebook.places import COLAB, KAGGLE, PLACES, Place
from jobs.notebook.rendering import Page, render
from tests.cloud.test_killed_training import CloudUser
from tests.e2e.runs import RUN, SHORT
from tests.notebook.conftest import CANARY, Export
from tests.notebook.jupyter import opened

PAGE = (Path(__file__).parents[2] / "docs" / "notebooks.md").read_text(encoding="utf-8")


@pytest.fixture
def created(user: CloudUser) -> CloudUser:
    user.create()
    return user


@pytest.mark.parametrize("place", PLACES)
def test_it_is_a_notebook_without_outputs_whose_code_is_python(place: str, created: CloudUser, export: Export) -> None:
    cells = opened(export(place))["cells"]
    assert [cell["id"] for cell in cells] == ["about", "program", "machine", "access", "train"]
    for cell in cells[1:]:
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        compile(cell["source"], cell["id"], "exec")
    assert created.store_url in cells[0]["source"]
    assert "AWS_SECRET_ACCESS_KEY" in cells[0]["source"]
    assert "infra" not in cells[1]["source"].split('WHEEL = """')[0]


def test_each_place_is_asked_for_its_free_gpu_or_the_one_that_is_named(created: CloudUser, export: Export) -> None:
    assert created
    colab = opened(export("colab"))["metadata"]
    assert (colab["accelerator"], colab["colab"]["gpuType"]) == ("GPU", "T4")
    assert opened(export("colab", "--gpu", "l4", "--force"))["metadata"]["colab"]["gpuType"] == "L4"
    kaggle = opened(export("kaggle"))["metadata"]["kaggle"]
    assert (kaggle["accelerator"], kaggle["isGpuEnabled"], kaggle["isInternetEnabled"]) == ("nvidiaTeslaT4", True, True)


def test_the_same_run_makes_the_same_file(created: CloudUser, export: Export) -> None:
    first = export("colab").read_bytes()
    created.ask()
    assert export("colab").read_bytes() == first


def test_no_other_file_is_written_over(
    created: CloudUser, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "colab.ipynb"
    there.write_text("mine")
    asked = ["export", "colab", RUN, "--store", created.store_url, "-o", str(there)]
    assert cli.run(asked) == Exit.USAGE
    assert there.read_text() == "mine"
    assert "hint: --force" in capsys.readouterr().err
    assert export("colab", "--force") == there
    opened(there)
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_it_can_be_printed(created: CloudUser, export: Export, capsys: pytest.CaptureFixture[str]) -> None:
    written = export("kaggle").read_text()
    capsys.readouterr()
    assert cli.run(["export", "kaggle", RUN, "--store", created.store_url, "-o", "-"]) == 0
    assert capsys.readouterr().out == written


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_of_this_machine_is_in_it(
    place: str, created: CloudUser, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert created
    before = export(place).read_bytes()
    for name in ("AWS_SESSION_TOKEN", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, CANARY)
    after = export(place).read_bytes()
    assert CANARY.encode() not in after
    assert after == before


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("file:///tmp/nowhere", "a notebook on Colab cannot reach the store"),
        ("memory://x", "a notebook on Colab cannot reach the store"),
        ("s3://bucket?endpoint=http://localhost:9000", "its endpoint localhost:9000 is this machine's own"),
        (f"s3://me:{CANARY}@bucket", "holds a user"),
        (f"s3://bucket?endpoint=https://me:{CANARY}@host", "holds a user"),
    ],
)
def test_a_store_that_a_notebook_cannot_reach_or_that_holds_a_password_is_refused(
    store: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["export", "colab", RUN, "--store", store]) == Exit.USAGE
    said = capsys.readouterr().err
    assert words in said
    assert CANARY not in said


def test_where_a_store_is_has_to_be_in_its_url(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://me:{CANARY}@host")
    assert cli.run(["export", "kaggle", RUN, "--store", "s3://bucket/gans"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert 'hint: --store "s3://bucket/gans?endpoint=URL"' in said
    assert CANARY not in said


def test_a_gpu_that_the_place_does_not_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["export", "kaggle", RUN, "--gpu", "p100", "--store", "s3://bucket"]) == Exit.USAGE
    assert "hint: it has T4" in capsys.readouterr().err


def test_a_run_that_is_over_is_not_exported(created: CloudUser, capsys: pytest.CaptureFixture[str]) -> None:
    wishes = [Wish(kind="cancel", body={})]
    created.context.ledger(RUN).append(lambda _fold: wishes.pop() if wishes else None)
    assert cli.run(["export", "colab", RUN, "--store", created.store_url]) == Exit.ERROR
    assert "is cancelled: there is nothing to go on with" in capsys.readouterr().err


def test_a_run_on_two_gpus_is_exported_where_there_are_two(
    user: CloudUser, export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    user.create("training.replicas=2")
    assert cli.run(["export", "colab", RUN, "--store", user.store_url]) == Exit.USAGE
    assert 'training.replicas is "2", and Colab gives 1 x T4' in capsys.readouterr().err
    assert '"replicas": 2' in opened(export("kaggle"))["cells"][1]["source"]


def test_data_that_a_notebook_could_not_read_are_refused(user: CloudUser, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = user.context.ledger(RUN)
    chosen = recipe.resolve("dcgan-mnist", SHORT, device="cpu", cores=1)
    nowhere = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, name="celeba", digest="0" * 64))
    ledger.create(recipe.created_body(RUN, nowhere))
    assert cli.run(["export", "colab", RUN, "--store", user.store_url]) == Exit.USAGE
    said = capsys.readouterr().err
    assert f'data set "celeba" is not in {user.context.store.url}, where a notebook would look' in said
    assert "hint: facegan-job data prepare celeba" in said


def test_what_the_page_shows_is_what_is_typed(
    user: CloudUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = [line for line in PAGE.splitlines() if line.startswith("facegan-job export")]
    assert len(typed) == 2
    launch.create(user.context, "dcgan-celeba-k7f3", recipe.resolve("dcgan-mnist", SHORT, device="cpu", cores=1))
    monkeypatch.setenv("FACEGAN_STORE", user.store_url)
    monkeypatch.chdir(tmp_path)
    for line in typed:
        assert cli.run(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    assert {path.name for path in tmp_path.glob("*.ipynb")} == {"dcgan-celeba-k7f3-colab.ipynb", "mine.ipynb"}


def page(place: Place, scheme: str = "s3") -> Page:
    return Page(place=place, card=place.card(None), run_url=f"{scheme}://bucket/runs/{RUN}", wheel=wheel(SESSION))


@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_it_fits_where_it_is_taken(place: Place, scheme: str) -> None:
    assert len(render(page(place, scheme))) < 933_761


def test_one_that_has_become_too_large_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "literal", lambda _data: "x" * 933_761)
    with pytest.raises(rendering.FaceganError, match="Kaggle is not known to take more than 933,761"):
        render(page(KAGGLE))
    render(page(COLAB))


def test_what_is_known_of_places_is_on_the_page() -> None:
    rows = [
        f"| {place.title} | {fact.what} | `{fact.value}` | {fact.sure.value} | {fact.seen} |"
        for place in PLACES.values()
        for fact in place.facts
    ]
    assert not [row for row in rows if row not in PAGE]
