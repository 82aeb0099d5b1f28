"""Pictures under the names that MLflow's own `log_image` gives."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from facegan.tracking import images
from tests.tracking.world import Mlflow, PictureTrainer, Run, picture

RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_the_names_are_those_of_a_real_log_image(memory_run: Run, mlflow: Mlflow) -> None:
    """MLflow's image grid finds pictures by these names alone: the pattern is its own, and may change."""
    memory_run.session(dies_after=6)
    mlflow.sync(memory_run)
    ours = mlflow.the_run()
    (at,) = {at for metric, step, _, at in mlflow.points() if (metric, step) == ("loss", 5)}
    theirs = mlflow.client.create_run(ours.info.experiment_id)
    image = Image.open(io.BytesIO(picture(5)))
    mlflow.client.log_image(theirs.info.run_id, image, key="samples/grid", step=5, timestamp=at, synchronous=True)
    names = [
        {RANDOM.sub("*", item.path) for item in mlflow.client.list_artifacts(run.info.run_id, "images")}
        for run in (ours, theirs)
    ]
    assert len(names[0]) == 2
    assert names[0] == names[1]
    tag = mlflow.client.get_run(theirs.info.run_id).data.tags["mlflow.loggedImages"]
    assert ours.data.tags["mlflow.loggedImages"] == tag


def test_the_small_copy_is_a_picture(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session(dies_after=6)
    mlflow.sync(memory_run)
    folder = Path(mlflow.the_run().info.artifact_uri.removeprefix("file://")) / "images"
    (small,) = folder.glob("*.webp")
    with Image.open(small) as image:
        assert (image.format, image.size) == ("WEBP", (8, 8))


def test_names_are_read_back() -> None:
    name = images.stem("a" * 32, "samples/grid-a", 1500, 1_700_000_000_000)
    found = images.parse({f"{name}.png": 7, f"{name}+compressed.webp": 3, "mine.png": 1})
    assert found == {("samples/grid-a", 1500): 7}
    assert name == images.stem("a" * 32, "samples/grid-a", 1500, 1_700_000_000_000)
    assert name != images.stem("b" * 32, "samples/grid-a", 1500, 1_700_000_000_000)


def test_every_picture_of_a_run_is_copied_under_its_own_name_and_step(
    memory_run: Run, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coupled networks draw a grid for each domain, and every training shows real images beside generated ones."""
    names = ("grid-a", "grid-b", "beside-a", "beside-b")
    monkeypatch.setattr(PictureTrainer, "samples", lambda self: {name: picture(self.step) for name in names})
    memory_run.session(dies_after=12)
    mlflow.sync(memory_run)
    memory_run.session()
    mlflow.sync(memory_run)
    held = images.parse(dict.fromkeys(mlflow.image_files(), None))
    assert sorted(held) == sorted((f"samples/{name}", step) for name in names for step in (5, 10, 15, 20))
    root = Path(mlflow.the_run().info.artifact_uri.removeprefix("file://")) / "images"
    assert all(path.read_bytes() == picture(int(path.name.split("+")[2])) for path in root.glob("*.png"))
