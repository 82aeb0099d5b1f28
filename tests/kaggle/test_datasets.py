"""Data that Kaggle has itself: attached, prepared by the first session that lives to do it, and fixed for good."""

from __future__ import annotations

import csv
import dataclasses
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan import session
from facegan.catalog.datasets import DATASETS
from facegan.data import making
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.ledger import State
from facegan.prepared import find_stored, folder_of, upload
from facegan.verify import verify
from jobs import context as contexts
from jobs import ingredients, launch, recipe, settings
from jobs.backends.kaggle import facts, kernel
from jobs.backends.local import LocalBackend
from jobs.context import Context
from jobs.orders import Place
from jobs.refusals import InvalidJob
from jobs.shelf import shelf
from tests.cloud.proxy import Proxy
from tests.container.moments import Moment
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.submitting import order
from tests.kaggle.world import QUICK, RUN
from tests.waiting import until

CELEBA = "jessicali9530/celeba-dataset"
FACES = 800
STEPS, CADENCE = 20, 4
SHORT = (
    *QUICK,
    "data.name=celeba",
    "data.size=32",
    "data.crop=center",
    "data.only=none",
    "data.limit=64",
    "training.warm_up=0",
    "training.images=none",
    f"training.steps={STEPS}",
    "training.batch_size=8",
    f"checkpoint.every_steps={CADENCE}",
    "session.heartbeat_s=0.1",
)


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real faces and their attributes, laid out as in Kaggle's data set."""
    shared = Path(__file__).parents[3] / "shared" / "data" / "celeba_test_faces"
    if not shared.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{shared} is not there")
        pytest.skip("no real faces here: ../shared/data/celeba_test_faces")
    root = tmp_path_factory.mktemp("celeba-dataset")
    folder = root / "img_align_celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(shared / "faces128.zip") as faces:
        names = sorted(name for name in faces.namelist() if name.endswith(".jpg"))[:FACES]
        for name in names:
            (folder / Path(name).name).write_bytes(faces.read(name))
    kept = {path.name for path in folder.iterdir()}
    with (shared / "list_attr_celeba.csv").open(newline="") as file, (root / "list_attr_celeba.csv").open("w") as out:
        rows = csv.reader(file)
        csv.writer(out).writerow(next(rows))
        csv.writer(out).writerows(row for row in rows if row[0] in kept)
    return root


@pytest.fixture
def context(
    kaggle: Kaggle, between: Proxy, monkeypatch: pytest.MonkeyPatch, boring_environment: Path
) -> Iterator[Context]:
    kaggle.set(queue_s=5.0, dataset_hidden_s=2.0, dataset_processing_s=4.0)
    with world.bucket(monkeypatch) as store:
        yield world.signed_in(kaggle, store.replace(between.upstream, between.url), boring_environment, monkeypatch)


def begin(context: Context, where: Place, steps: int = STEPS) -> None:
    look, there = shelf(context.settings.home, context.store, print), where.backend.capabilities().data_there
    asked = [*SHORT, f"training.steps={steps}"]
    chosen = recipe.resolve("variant-cifar10", asked, device="cpu", cores=1, look=look, there=there)
    ingredients.require_data(chosen.data, None, context.store, there)
    launch.create(context, RUN, chosen)
    world.submit(context, where)


@pytest.fixture(scope="module")
def untouched(celeba: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What a run on this machine comes to, on data that this machine prepared: its state, and the data's digest."""
    home = tmp_path_factory.mktemp("untouched")
    settled = settings.load(environment={"FACEGAN_HOME": str(home), "FACEGAN_STORE": f"file://{home}/store"})
    context = contexts.real(settled)
    made = making.make(making.options(Data(name="celeba", size=32, crop="center")), celeba, home, print)
    look = shelf(home, context.store, print)
    launch.create(context, RUN, recipe.resolve("variant-cifar10", SHORT, device="cpu", cores=1, look=look))
    command = [sys.executable, "-m", "facegan", "run", f"{context.store.url}/runs/{RUN}"]
    subprocess.run(command, env={**os.environ, "FACEGAN_HOME": str(home)}, check=True, capture_output=True)
    return world.newest_state(context), made.digest


def test_a_data_set_of_kaggles_is_prepared_once_and_fixed_for_every_session(
    kaggle: Kaggle, context: Context, between: Proxy, celeba: Path, untouched: tuple[str, str]
) -> None:
    """The first session is killed before the store has all that it prepared, while the first part is on its way there;
    the second is cut off at the cap; the third takes what is there.

    That it is the cap the session does not know: it counts on Kaggle's 12 hours, and these are over at once, while
    its second checkpoint is on its way.
    """
    kaggle.datasets.publish(CELEBA, celeba)
    between.plan = kill = Moment(kind="data", act=lambda: killed(context, kaggle, 1))
    begin(context, world.place(context))
    request = kaggle.kernel(world.name(context, 1)).versions[0].request
    assert request["datasetDataSources"][1:] == [CELEBA]

    until(kill.over.is_set)
    assert "preparing celeba:" in kaggle.over(world.name(context, 1)).log.plain()
    assert not find_stored(context.store)

    kaggle.set(layout="old")
    between.plan = cap = Moment(kind="state", count=2, act=lambda: cut_off(context, kaggle, 2))
    world.resume(context, world.place(context))
    until(cap.over.is_set)
    assert kaggle.over(world.name(context, 2)).why == "cut off"
    require_little_was_lost(context)

    kaggle.datasets.withdraw(CELEBA)
    world.resume(context, world.place(context))
    assert len(kaggle.kernel(world.name(context, 3)).versions[0].request["datasetDataSources"]) == 1
    printed = world.end(context, 3, kaggle)
    assert world.fold(context).state is State.FINISHED, printed
    assert "preparing celeba" not in printed
    (settled,) = world.said(context, "data")
    assert (world.newest_state(context), settled["digest"]) == untouched
    assert settled["count"] == FACES
    assert not verify(context.ledger(RUN)).wrong


def test_without_a_bucket_an_array_that_was_prepared_there_comes_home_and_goes_along(
    kaggle: Kaggle, celeba: Path, untouched: tuple[str, str], monkeypatch: pytest.MonkeyPatch, boring_environment: Path
) -> None:
    kaggle.set(queue_s=5.0, dataset_hidden_s=2.0, dataset_processing_s=4.0)
    kaggle.datasets.publish(CELEBA, celeba)
    context = world.signed_in(kaggle, f"file://{boring_environment}/store", boring_environment, monkeypatch)
    where = dataclasses.replace(world.place(context), carried=True)
    begin(context, where, 2 * CADENCE)
    printed = world.end(context, 1, kaggle)
    assert "preparing celeba" in printed
    assert not launch.bury(context, context.ledger(RUN)).open
    assert [manifest.digest for manifest in find_stored(context.store)] == [untouched[1]]

    kaggle.datasets.withdraw(CELEBA)
    launch.resume(context, context.ledger(RUN), where, STEPS, print)
    printed = world.end(context, 2, kaggle)
    assert "preparing celeba" not in printed
    assert launch.bury(context, context.ledger(RUN)).state is State.FINISHED, printed
    (settled,) = world.said(context, "data")
    assert (world.newest_state(context), settled["digest"]) == untouched
    assert not verify(context.ledger(RUN)).wrong


def killed(context: Context, kaggle: Kaggle, number: int) -> None:
    name = world.name(context, number)
    until(lambda: "preparing celeba:" in kaggle.session(name).log.plain())  # its words may be on their way
    kaggle.session(name).cancel()
    kaggle.over(name)


def cut_off(context: Context, kaggle: Kaggle, number: int) -> None:
    kaggle.clock.skip(hours=12)
    kaggle.over(world.name(context, number))


def require_little_was_lost(context: Context) -> None:
    """The second checkpoint was on its way, and the third is due when that has come: nothing was trained beyond it."""
    beat = session.read(context.store, RUN, 2)
    assert beat is not None
    assert world.fold(context).reached == CADENCE
    assert beat.step <= 3 * CADENCE


def test_a_run_that_is_submitted_again_is_the_same_run_although_its_data_are_prepared_by_now(
    kaggle: Kaggle, context: Context, celeba: Path
) -> None:
    kaggle.set(queue_s=1e6)
    kaggle.datasets.publish(CELEBA, celeba)
    begin(context, world.place(context))
    made = making.make(
        making.options(Data(name="celeba", size=32, crop="center")), celeba, context.settings.home, print
    )
    upload(folder_of(context.settings.home, made.name, made.digest), context.store, print)
    begin(context, world.place(context))
    assert len(kaggle.kernels.sessions()) == 1
    with pytest.raises(BadInputError, match="with other content"):
        launch.create(context, RUN, recipe.resolve("dcgan-mnist", SHORT[:4], device="cpu", cores=1))


def test_one_that_is_not_there_any_more_is_refused_with_its_own_words(context: Context) -> None:
    with pytest.raises(InvalidJob) as refused:
        begin(context, world.place(context))
    assert refused.value.message == f'Kaggle could not attach data set "{CELEBA}"'
    assert "facegan-job data prepare" in str(refused.value.hint)
    assert world.fold(context).state is State.INTERRUPTED


def test_a_place_without_the_data_is_refused_before_it_is_asked(context: Context, celeba: Path, kaggle: Kaggle) -> None:
    kaggle.set(queue_s=1e6)
    kaggle.datasets.publish(CELEBA, celeba)
    begin(context, world.place(context))
    kaggle.session(world.name(context, 1)).destroy()
    elsewhere = Place(backend=LocalBackend(context.settings), gpu=None)
    with pytest.raises(BadInputError, match='"local" has no "celeba"'):
        world.resume(context, elsewhere)
    assert world.fold(context).newest == 1


def test_without_kaggle_it_says_how_to_prepare_them(context: Context) -> None:
    with pytest.raises(BadInputError, match="there is no prepared"):
        recipe.resolve(
            "dcgan-celeba", [], device="cpu", cores=1, look=shelf(context.settings.home, context.store, print)
        )


def test_a_set_that_no_data_set_of_kaggles_holds_is_refused() -> None:
    with pytest.raises(InvalidJob, match='known to hold "my-faces"'):
        kernel.source(dataclasses.replace(order(), prepares="my-faces"))
    assert kernel.source(order()) is None
    assert {each.data for each in facts.SOURCES} <= set(DATASETS)
