"""From a name, a file and `--set` to an experiment in which nothing is left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan import catalog, experiment
from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from jobs import recipe


def resolve(named: str | Path, *settings: str, device: str = "cpu", cores: int = 4) -> Experiment:
    return recipe.resolve(str(named), settings, device=device, cores=cores)


def file(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


WHOLE = """
seed = 3
[model]
family = "dcgan-28"
[data]
name = "mnist-5k"
[training]
steps = 40
"""


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_every_experiment_of_the_catalogue_resolves_with_nothing_left_open(name: str) -> None:
    for device in ("cpu", "gpu"):
        found = resolve(name, device=device)
        assert found.training.compile in {"graph", "jit"}
        assert found.training.threads == 4


def test_compile_and_threads_are_settled_by_table_and_machine() -> None:
    assert resolve("dcgan-mnist", device="cpu").training.compile == "graph"
    assert resolve("cogan-mnist", device="cpu").training.compile == "jit"
    assert resolve("dcgan-mnist", device="gpu").training.compile == "jit"
    assert resolve("dcgan-mnist", cores=7).training.threads == 7


def test_what_the_user_settled_is_left_alone() -> None:
    found = resolve("dcgan-mnist", "training.compile=jit", "training.threads=1", cores=8)
    assert (found.training.compile, found.training.threads) == ("jit", 1)


def test_settings_apply_in_order() -> None:
    assert resolve("dcgan-mnist", "training.steps=5", "training.steps=6").training.steps == 6


def test_an_unknown_experiment_is_quoted_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError) as raised:
        resolve("dcgan-minst")
    assert raised.value.message == 'unknown experiment "dcgan-minst"'
    assert raised.value.hint == 'did you mean "dcgan-mnist"? known: cogan-mnist, dcgan-mnist'


def test_an_unknown_key_is_quoted_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError, match=r'unknown key "training\.step"') as raised:
        resolve("dcgan-mnist", "training.step=5")
    assert raised.value.hint is not None
    assert 'did you mean "training.steps"?' in raised.value.hint
    assert all(key in raised.value.hint for key in experiment.known_keys())


def test_an_unknown_data_set_is_quoted_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError, match='unknown data set "faces"') as raised:
        resolve("dcgan-mnist", "data.name=faces")
    assert raised.value.hint == "known: mnist, mnist-5k"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.steps", '"training.steps" is not of the form key=value'),
        ("training.steps=many", 'training.steps takes a whole number, not "many"'),
        ("training.steps=0", 'training.steps must be at least 1, not "0"'),
        ("training.steps=-3", 'training.steps must be at least 1, not "-3"'),
        ("training.steps=1.5", 'training.steps takes a whole number, not "1.5"'),
        ("checkpoint.every_s=0", 'checkpoint.every_s must be more than 0, not "0.0"'),
        ("checkpoint.every_s=nan", 'checkpoint.every_s must be finite, not "nan"'),
        ("checkpoint.keep=1", 'checkpoint.keep must be at least 2, not "1"'),
        ("generator.beta_1=1", 'generator.beta_1 must be less than 1.0, not "1.0"'),
        ("training.compile=fast", 'unknown training.compile "fast"'),
        ("model.family=resnet", 'unknown model family "resnet"'),
        ("seed=-1", 'seed must be at least 0, not "-1"'),
        ("=5", 'unknown key ""'),
    ],
)
def test_a_value_that_does_not_fit_is_quoted(setting: str, said: str) -> None:
    with pytest.raises(BadInputError) as raised:
        resolve("dcgan-mnist", setting)
    assert said in raised.value.message


def test_a_file_is_an_experiment_named_as_the_file(tmp_path: Path) -> None:
    found = resolve(file(tmp_path, WHOLE))
    assert (found.name, found.seed, found.training.steps) == ("mine", 3, 40)
    assert found.training.compile == "graph"
    assert found.checkpoint == experiment.Checkpoint()


def test_a_file_that_extends_changes_only_what_it_says(tmp_path: Path) -> None:
    found = resolve(file(tmp_path, 'extends = "dcgan-mnist"\nname = "longer"\n[training]\nsteps = 9000\n'))
    base = resolve("dcgan-mnist")
    assert (found.name, found.training.steps) == ("longer", 9000)
    assert found.training.batch_size == base.training.batch_size
    assert (found.model, found.generator, found.evaluation) == (base.model, base.generator, base.evaluation)


def test_set_comes_after_the_file(tmp_path: Path) -> None:
    assert resolve(file(tmp_path, WHOLE), "training.steps=50").training.steps == 50


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps = [", "is not TOML"),
        ("[training]\nsteps = 5\n", 'the experiment lacks "model"'),
        (WHOLE + 'speed = "high"\n', 'unknown key "training.speed"'),
        (WHOLE.replace("40", '"40"'), 'training.steps takes a whole number, not "40"'),
        ('extends = "dcgan-mnist"\ntraining = 5\n', '"training" must be a table of keys, not "5"'),
        ('extends = "dcgan"\n', 'unknown experiment "dcgan"'),
        ('extends = "dcgan-mnist"\nname = "A/B"\n', '"A/B" cannot be the id of a run'),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_what_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as raised:
        resolve(file(tmp_path, text))
    assert said in raised.value.message


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r'experiment file ".*nowhere\.toml" cannot be read'):
        resolve(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match=r'experiment file ".*binary\.toml" is not TOML'):
        resolve(tmp_path / "binary.toml")


def test_the_first_entry_says_everything_that_decides_the_bits() -> None:
    chosen = resolve("dcgan-mnist")
    body = recipe.created_body("a-run", chosen)
    assert body["run"] == "a-run"
    assert experiment.from_json(body["experiment"]) == chosen
    assert body["data"] == {"name": "mnist-5k", "digest": datasets.find("mnist-5k").digest}
    assert body["code"]


@pytest.mark.parametrize("run", ["", "A", "a b", "a/b", "../a", "-a", "a" * 64, "ä"])
def test_a_run_id_that_could_leave_its_folder_is_refused(run: str) -> None:
    with pytest.raises(BadInputError, match="cannot be the id of a run"):
        recipe.created_body(run, resolve("dcgan-mnist"))


def test_data_in_the_cache_are_here_and_others_are_refused_with_what_to_type(tmp_path: Path) -> None:
    chosen = resolve("cogan-mnist")
    with pytest.raises(BadInputError, match='data set "mnist" is not on this machine') as raised:
        recipe.require_data(chosen, tmp_path)
    assert raised.value.hint == "facegan-job data prepare mnist"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist.npz").write_bytes(b"")
    recipe.require_data(chosen, tmp_path)
