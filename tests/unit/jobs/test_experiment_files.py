"""An experiment in a file of one's own: what it may say, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan import experiment
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from jobs import recipe


def resolve(named: str | Path, *settings: str) -> Experiment:
    return recipe.resolve(str(named), settings, device="cpu", cores=4)


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
        ('extends = ["dcgan-mnist"]\n', "extends takes the name of one experiment, not \"['dcgan-mnist']\""),
        ('extends = "./other.toml"\n', 'and no other file, unlike "./other.toml"'),
        ('extends = "dcgan-mnist"\nname = "A/B"\n', '"A/B" cannot be the id of a run'),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_what_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as raised:
        resolve(file(tmp_path, text))
    assert said in raised.value.message


def test_a_slip_in_extends_is_told_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match='unknown key "extend"') as raised:
        resolve(file(tmp_path, 'extend = "dcgan-mnist"\n'))
    assert str(raised.value.hint).startswith('did you mean "extends"? known: checkpoint, ')


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r'experiment file ".*nowhere\.toml" cannot be read'):
        resolve(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match=r'experiment file ".*binary\.toml" is not TOML') as raised:
        resolve(tmp_path / "binary.toml")
    assert raised.value.hint


def test_a_path_that_does_not_end_as_a_file_of_ours_does(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(WHOLE)
    with pytest.raises(BadInputError, match=r'an experiment file ends in \.toml, unlike ".*mine\.txt"') as raised:
        resolve(tmp_path / "mine.txt")
    assert raised.value.hint == f"mv {tmp_path / 'mine.txt'} {tmp_path / 'mine.txt'}.toml"
    (tmp_path / "mine.TOML").write_text(WHOLE)
    assert resolve(tmp_path / "mine.TOML").training.steps == 40
    with pytest.raises(BadInputError, match=f'"{tmp_path}" is a folder'):
        resolve(tmp_path)


def test_a_folder_that_is_called_as_an_experiment_hides_it_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dcgan-mnist").mkdir()
    assert resolve("dcgan-mnist").name == "dcgan-mnist"


def test_a_file_begins_with_a_mark_where_windows_wrote_it(tmp_path: Path) -> None:
    assert resolve(file(tmp_path, f"\N{ZERO WIDTH NO-BREAK SPACE}{WHOLE}")).seed == 3


@pytest.mark.parametrize("name", ["my exp.toml", "Mine.toml", f"{'a' * 64}.toml"])
def test_a_file_whose_name_cannot_be_an_experiments_says_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="says no name for its experiment") as raised:
        resolve(file(tmp_path, WHOLE, name))
    assert 'write name = "…" into it' in str(raised.value.hint)
    assert resolve(file(tmp_path, f'name = "mine"{WHOLE}', name)).name == "mine"
