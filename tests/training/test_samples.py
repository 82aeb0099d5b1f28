"""Pictures are of fixed latents, and the same bytes for the same weights."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from facegan.data import Images
from facegan.experiment import Experiment
from facegan.training import command, samples
from facegan.training.export import description
from facegan.training.gan import build

SAID = samples.text(samples.SYNTHETIC, "r", 1)


@pytest.mark.parametrize(("name", "choice", "domains"), [("dcgan-mnist", "graph", [""]), ("cogan-mnist", "jit", "ab")])
def test_samples_are_png_grids(
    name: str, choice: str, domains: str, make_tiny: Callable[..., Experiment], few: Images
) -> None:
    experiment = make_tiny(name, f"training.compile={choice}")
    trainer = build(experiment, few, "some-run")
    before = trainer.snapshot()()
    first = trainer.samples()
    names = [f"{kind}-{domain}".rstrip("-") for domain in domains for kind in ("grid", "beside")]
    assert list(first) == names
    assert trainer.samples() == first
    assert build(experiment, few, "some-run").samples() == first
    assert build(make_tiny(name, f"training.compile={choice}", "seed=1"), few, "some-run").samples() != first
    assert build(experiment, few, "other-run").samples() != first
    assert trainer.snapshot()() == before, "looking changes nothing"
    for kind, png in first.items():
        with Image.open(io.BytesIO(png)) as picture:
            width = 88 if kind.startswith("grid") else 2 * 88 + samples.GAP
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (width, 58))
            assert "synthetic" in picture.info["Source"]
            assert (picture.info["facegan:run"], picture.info["facegan:step"]) == ("some-run", "0")


def test_the_step_is_in_the_picture(make_tiny: Callable[..., Experiment], few: Images) -> None:
    trainer = build(make_tiny("dcgan-mnist", "training.compile=graph"), few)
    trainer.advance(2)
    with Image.open(io.BytesIO(trainer.samples()["beside"])) as picture:
        assert picture.info == {"Source": samples.REAL_AND_SYNTHETIC, "facegan:run": "", "facegan:step": "2"}


def test_real_images_are_on_the_left(make_tiny: Callable[..., Experiment], few: Images) -> None:
    trainer = build(make_tiny("dcgan-mnist", "training.compile=graph", "samples.count=20"), few)
    with Image.open(io.BytesIO(trainer.samples()["beside"])) as picture:
        sheet = np.asarray(picture)
    cells = [sheet[top : top + 28, left : left + 28] for top in (0, 30, 60, 90) for left in (0, 30, 60, 90)]
    known = {image.tobytes() for image in few.images}
    assert len({cell.tobytes() for cell in cells} & known) == 16
    assert sheet.shape == (118, 2 * 118 + samples.GAP)
    assert sheet[:28, 118 + samples.GAP :][:, :28].tobytes() not in known


def test_many_are_drawn_in_parts() -> None:
    asked = []

    def generate(latents: object) -> list[object]:
        asked.append(len(latents))
        return [tf.reshape(latents, (-1, 1, 1, 2))] * 2

    made = samples.draw(generate, tf.zeros((2 * samples.CHUNK + 3, 2)), "tanh")
    assert asked == [samples.CHUNK, samples.CHUNK, 3]
    assert [each.shape for each in made] == [(2 * samples.CHUNK + 3, 1, 1, 2)] * 2


@pytest.mark.parametrize("name", ["dcgan-mnist", "cogan-mnist"])
def test_what_a_run_can_do_without_it(
    name: str,
    make_tiny: Callable[..., Experiment],
    few: Images,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """`sample` says where its pictures come from; `export` writes what has to be known beside the model."""
    experiment = make_tiny(name, "training.compile=graph", "model.noise=uniform", f"data.digest={'ab' * 32}")
    state = build(experiment, few).snapshot()()
    monkeypatch.setattr(command, "newest", lambda _: ("my-run", experiment, 7, state))
    assert command.sample(["file:///s/runs/my-run", str(tmp_path), "--count", "3"]) == 0
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == (2 if name.startswith("cogan") else 1)
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.info == samples.text(samples.SYNTHETIC, "my-run", 7)
    assert command.export(["file:///s/runs/my-run", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "generator.json").read_text()) == {
        "run": "my-run",
        "experiment": name,
        "step": 7,
        "latent": 100,
        "noise": "uniform",
        "range": "tanh",
        "shape": [28, 28, 1],
        **({"domains": ["as they are", "turned by 90 degrees"]} if len(pictures) > 1 else {}),
        "data": {"name": "mnist-5k", "digest": "ab" * 32},
    }
    model = keras.models.load_model(tmp_path / "generator.keras")
    assert [tuple(output.shape) for output in model.outputs] == [(None, 28, 28, 1)] * len(pictures)


@pytest.mark.parametrize(
    ("domains", "said"),
    [("edges", ["as they are", "edges"]), ("Smiling", ["without Smiling", "with Smiling"])],
)
def test_which_output_is_which_is_said(domains: str, said: list[str], make_tiny: Callable[..., Experiment]) -> None:
    assert description("a", make_tiny("cogan-mnist", f"data.domains={domains}"), 1)["domains"] == said


def test_grid_places_images_row_by_row() -> None:
    images = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 4, 4, 1), np.uint8)
    sheet = samples.grid(images)
    assert sheet.shape == (10, 16, 1)
    assert [int(sheet[0, column, 0]) for column in (0, 6, 12)] == [1, 2, 3]
    assert [int(sheet[6, column, 0]) for column in (0, 6, 12)] == [4, 5, 0]
    assert not sheet[4:6].any()


def test_ranges() -> None:
    assert samples.to_bytes(np.array([-1.0, 0.0, 1.0, 2.0], np.float32), "tanh").tolist() == [0, 128, 255, 255]
    assert samples.to_bytes(np.array([-1.0, 0.0, 0.5, 1.0], np.float32), "unit").tolist() == [0, 0, 128, 255]


def test_colours_survive() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = (255, 0, 7)
    with Image.open(io.BytesIO(samples.png(image, SAID))) as picture:
        assert picture.getpixel((0, 0)) == (255, 0, 7)
