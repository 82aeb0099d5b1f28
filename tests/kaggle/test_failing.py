"""What a session can lack, each in its own words: said before anything is sent, or at its very start."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

import pytest

from facegan import experiment
from facegan.errors import BadInputError
from jobs import launch, orders, recipe
from jobs.backends.base import Order
from jobs.backends.kaggle import kernel, script
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.submitting import backend, hand, order
from tests.kaggle.test_script import parts

CELEBA = "jessicali9530/celeba-dataset"
MADE = {"number": 1, "run_url": "s3://b/runs/r", "gpu": "T4", "replicas": 1, "prepares": None, "grace_s": 60.0}


@pytest.fixture
def service(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> Kaggle:
    kaggle.set(queue_s=1.0, dataset_hidden_s=1.0, dataset_processing_s=1.0)
    for name, value in kaggle.client_environment().items():
        monkeypatch.setenv(name, value)
    return kaggle


def started(**more: object) -> dict[str, Any]:
    """What the script defines for such an order."""
    return parts(script.render({**MADE, **more}, None))


def test_a_data_set_that_the_session_does_not_find_is_named(service: Kaggle, tmp_path: Path) -> None:
    (tmp_path / "celeba").mkdir()
    (tmp_path / "celeba" / "one.jpg").touch()
    service.datasets.publish(CELEBA, tmp_path / "celeba")
    service.set(unmounted=frozenset({CELEBA}))
    here = backend(tmp_path)
    asked = Order(run=order().run, run_url=order().run_url, number=1, prepares="celeba")
    ref = here.submit(asked, hand)
    service.over(kernel.name(asked))
    why = here.fate(ref).why
    assert f"the data set {CELEBA} is not attached" in why
    assert "facegan-job data prepare" in why


@pytest.mark.parametrize("where", [f"datasets/{CELEBA}", CELEBA.partition("/")[2]])
def test_attached_data_are_found_in_both_layouts(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = started(prepares={"ref": CELEBA, "inside": "part"})
    monkeypatch.setitem(scope, "INPUT", tmp_path)
    with pytest.raises(RuntimeError, match="is not attached"):
        scope["attached"]()
    (tmp_path / where / "part").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="is not attached"):
        scope["attached"]()
    (tmp_path / where / "part" / "one.jpg").touch()
    assert scope["attached"]() == str(tmp_path / where / "part")
    assert started()["attached"]() is None


def cards(monkeypatch: pytest.MonkeyPatch, names: str, **more: object) -> dict[str, Any]:
    """What is found on a machine whose `nvidia-smi` lists these."""
    scope = started(**more)

    def run(command: list[str], **_how: object) -> types.SimpleNamespace:
        return types.SimpleNamespace(stdout=names if "name" in command[1] else "580.65.06\n580.65.06\n")

    fake = types.SimpleNamespace(run=run, SubprocessError=OSError)
    monkeypatch.setitem(scope, "subprocess", fake)
    found: dict[str, Any] = scope["given_cards"]()
    return found


def test_the_cards_and_their_driver_are_found_for_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cards(monkeypatch, "Tesla T4\nTesla T4\n", replicas=2)
    assert found == {"gpus": ["Tesla T4", "Tesla T4"], "driver": "580.65.06"}


@pytest.mark.parametrize(
    ("names", "replicas", "words"),
    [
        ("Tesla T4\n", 2, "2 replicas were asked for, and Kaggle gave 1 x T4"),
        ("Tesla P100-PCIE-16GB\n", 1, "a T4 was asked for, and Kaggle gave a Tesla P100-PCIE-16GB"),
        ("", 1, "a T4 was asked for, and Kaggle gave no GPU: is there quota"),
    ],
)
def test_too_few_cards_and_other_ones_end_the_session_at_once(
    monkeypatch: pytest.MonkeyPatch, names: str, replicas: int, words: str
) -> None:
    with pytest.raises(RuntimeError, match=re.escape(words)):
        cards(monkeypatch, names, replicas=replicas)


SHOW = "import os, sys; print('shown', os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True)"


@pytest.mark.parametrize(("gpu", "replicas", "shown"), [("T4", 1, "0"), ("T4", 2, "0,1"), (None, 1, "None")])
def test_as_many_cards_are_shown_as_the_experiment_has_replicas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gpu: str | None, replicas: int, shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "program" / "facegan").mkdir(parents=True)
    (tmp_path / "program" / "facegan" / "__init__.py").touch()
    (tmp_path / "program" / "facegan" / "__main__.py").write_text(SHOW)
    code = started(gpu=gpu, replicas=replicas)["session"](b"{}", tmp_path, 10.0)
    assert (code, capsys.readouterr().out) == (0, f"shown {shown}\n")


def test_more_replicas_than_there_are_cards_are_refused_before_anything_is_sent(
    service: Kaggle, boring_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = world.signed_in(service, "s3://bucket/gans?endpoint=http://127.0.0.1:1", boring_environment, monkeypatch)
    where = world.place(context, "T4")
    asked = orders.order(context, "a-run", orders.first(where))
    chosen = recipe.resolve("dcgan-mnist", ["training.compile=graph"], device="gpu", cores=4)
    twice = experiment.override(chosen, ["training.batch_size=12", "training.replicas=2"])
    assert orders.suited(context, where, asked, twice).replicas == 2
    thrice = experiment.override(chosen, ["training.batch_size=12", "training.replicas=3"])
    with pytest.raises(BadInputError, match=r'training\.replicas is "3"') as refused:
        orders.suited(context, where, asked, thrice)
    assert "--set training.replicas=2" in str(refused.value.hint)
    assert not [one for one in service.faults.requests if "SaveKernel" in one.call or "Dataset" in one.call]


def test_a_gpu_that_tensorflow_cannot_use_ends_the_session_and_the_ledger_names_the_cards(
    kaggle: Kaggle, boring_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in's cards are those of its `nvidia-smi` alone."""
    kaggle.set(queue_s=1.0, dataset_hidden_s=1.0, dataset_processing_s=1.0)
    with world.bucket(monkeypatch) as store:
        context = world.signed_in(kaggle, store, boring_environment, monkeypatch)
        where = world.place(context, "T4")
        settings = ["training.compile=graph", "training.batch_size=8", "training.replicas=2"]
        launch.create(context, world.RUN, recipe.resolve("dcgan-mnist", settings, device="gpu", cores=1))
        world.submit(context, where)
        session = kaggle.over(world.name(context, 1))
        assert "TensorFlow sees none here" in session.log.plain()
        (lease,) = world.said(context, "lease")
        assert lease["machine"]["gpus"] == ["Tesla T4", "Tesla T4"]
        assert lease["machine"]["driver"] == "580.65.06"
        request = kaggle.kernel(world.name(context, 1)).versions[0].request
        assert (request["machineShape"], parts(request["text"])["ORDER"]["replicas"]) == ("NvidiaTeslaT4", 2)
