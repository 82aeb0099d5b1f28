"""The generator of a finished run, as a real logged Keras model; and when it cannot be one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facegan import catalog
from facegan.catalog import datasets
from facegan.experiment import Experiment
from facegan.storage.memory import MemoryStore
from facegan.tracking import generator
from facegan.tracking.server import Server
from tests.tracking.world import Mlflow, Run


def tiny_generator(_recipe: Any, state: bytes) -> Any:
    """A Keras model whose one weight is the first of the toy's state."""
    import json

    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    weight = json.loads(state)["weights"][0] / 1e6
    model.layers[0].set_weights([np.full((3, 1), weight)])
    return model


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("toy_export")
    module.build = tiny_generator  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_export", module)
    monkeypatch.setattr(generator, "BUILD", "toy_export:build")


def model_of(mlflow: Mlflow) -> Any:
    run = mlflow.the_run()
    (found,) = mlflow.client.search_logged_models([run.info.experiment_id])
    assert found.name == "generator"
    assert [output.model_id for output in run.outputs.model_outputs] == [found.model_id]
    return mlflow.client.get_logged_model(found.model_id)


def metadata(mlflow: Mlflow) -> dict[str, str]:
    """What is written in the logged model's own files, which may be copied to where no MLflow is."""
    import mlflow as real

    real.set_tracking_uri(mlflow.uri)
    return dict(real.models.get_model_info(f"models:/{model_of(mlflow).model_id}").metadata)


def answer(mlflow: Mlflow) -> float:
    """What the logged model makes of ones."""
    import mlflow as real
    import numpy as np

    real.set_tracking_uri(mlflow.uri)
    loaded = real.keras.load_model(f"models:/{model_of(mlflow).model_id}")
    return float(loaded(np.ones((1, 3), np.float32))[0, 0])


@pytest.mark.usefixtures("export")
def test_it_is_logged_when_the_run_is_finished(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session(dies_after=12)
    mlflow.sync(memory_run)
    assert not mlflow.client.search_logged_models([mlflow.the_run().info.experiment_id])
    memory_run.session()
    mlflow.sync(memory_run)
    (settled,) = memory_run.ledger().refresh().tracked.values()
    model = model_of(mlflow)
    assert model.model_id == settled["model"]
    assert str(model.status) == "READY"
    first = answer(mlflow)
    folder = Path(model.artifact_location.removeprefix("file://"))
    assert {"MLmodel", "requirements.txt"} <= {path.name for path in folder.iterdir()}
    assert "keras==" in (folder / "requirements.txt").read_text()
    assert "signature:" in (folder / "MLmodel").read_text()
    use = {"facegan.latent": "100", "facegan.noise": "normal", "facegan.range": "tanh"}
    assert use.items() <= model.tags.items()
    assert metadata(mlflow).items() >= use.items()
    assert mlflow.the_run().info.status == "FINISHED"

    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    mlflow.sync(memory_run)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == files

    memory_run.say("extended", steps=30)
    memory_run.session()
    mlflow.sync(memory_run)
    assert model_of(mlflow).model_id == model.model_id
    assert model_of(mlflow).tags["facegan.step"] == "30"
    assert answer(mlflow) != first


def test_without_what_it_takes_it_says_so_and_the_rest_is_copied(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session()
    following = mlflow.copy(memory_run)
    assert following.update().points == len(memory_run.committed())
    following.update()
    assert len([note for note in mlflow.notes if '"no_such_framework" is not installed here' in note]) == 1
    assert not mlflow.client.search_logged_models([mlflow.the_run().info.experiment_id])


@pytest.mark.usefixtures("export")
def test_what_it_takes_and_makes_is_the_experiment_s_own(mlflow: Mlflow) -> None:
    run = Run(store=MemoryStore()).begin("model.range=unit", "model.noise=uniform", "model.latent=7")
    run.session()
    mlflow.sync(run)
    use = {"facegan.latent": "7", "facegan.noise": "uniform", "facegan.range": "unit"}
    assert use.items() <= model_of(mlflow).tags.items()
    assert metadata(mlflow).items() >= use.items()


@pytest.mark.usefixtures("export")
def test_a_damaged_last_state_is_no_model(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session()
    last = [entry for entry in memory_run.ledger().entries() if entry.kind == "checkpoint"][-1]
    memory_run.store.delete(f"{last.body['key']}state.safetensors")
    assert mlflow.sync(memory_run).points == len(memory_run.committed())
    assert any("state.safetensors is missing" in note for note in mlflow.notes)
    assert not mlflow.client.search_logged_models([mlflow.the_run().info.experiment_id])


def state_of(recipe: Experiment) -> bytes:
    """The generators' part of a state, as training would have it."""
    import safetensors.numpy

    from facegan import models
    from facegan.models.network import named_variables

    networks = models.build(recipe.model, datasets.shape(recipe.data), recipe.seed + 1)
    return safetensors.numpy.save({name: v.numpy() for name, v in named_variables(networks).items()})


@pytest.mark.parametrize("name", ["dcgan-mnist", "cogan-mnist", "cogan-mnist-edges", "variant-cifar10"])
def test_the_catalogue_s_own_generators_load_back_equal(mlflow: Mlflow, name: str) -> None:
    import keras
    import mlflow as real
    import numpy as np

    from facegan.tracking import keras_model
    from facegan.training import export

    recipe = catalog.find(name).experiment
    model = export.generator(recipe, state_of(recipe))
    server = Server(mlflow.uri, mlflow.client)
    home = server.home(recipe.name)
    model_id = server.create_model(home, server.create_run(home, "run", 1, {}), {})
    keras_model.write(mlflow.uri, model_id, model, generator.how_to_use(recipe))
    loaded = real.keras.load_model(f"models:/{model_id}")
    latents = np.random.default_rng(0).normal(size=(2, recipe.model.latent)).astype(np.float32)
    made, expected = (keras.tree.flatten(each(latents)) for each in (loaded, model))
    assert len(made) == len(expected)
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_array_equal(one, other)
