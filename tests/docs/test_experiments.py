"""The page on experiments says of every key, data domain, schedule and family what the program does."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path

from facegan import experiment, meaning
from facegan.catalog import families
from facegan.experiment import Experiment, known_keys
from facegan.prepared.selection import MADE

PAGE = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the rows of the table that has this heading, codes without their quotes."""
    table = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_key_with_what_it_takes_its_default_and_its_meaning() -> None:
    expected = []
    for key, field in known_keys().items():
        group, _, name = key.rpartition(".")
        owner = typing.get_type_hints(Experiment)[group] if group else Experiment
        takes = meaning.fits(typing.get_type_hints(owner)[name], field.metadata)
        default = meaning.default(field) or "must be said"
        if key == "training.steps":
            default = "follows from `training.images"
        expected.append([key, takes, default, meaning.MEANINGS[key]])
    assert rows("key") == expected


def test_every_schedule() -> None:
    assert [row[0] for row in rows("schedule")] == list(known_keys()["training.schedule"].metadata["choices"])


def test_every_kind_of_domains() -> None:
    assert [row[0] for row in rows("domains")][:-1] == list(MADE)


def test_every_family_with_the_shapes_that_it_makes() -> None:
    made = {
        name: ", ".join("x".join(map(str, shape)) for shape in family.shapes) or "any"
        for name, family in families.FAMILIES.items()
    }
    assert {name: shapes for name, shapes, _ in rows("family")} == made
    for name, _, said in rows("family"):
        assert ("first_dropout" in said) == families.find(name).first_dropout, name


def test_every_key_that_the_text_names_is_one() -> None:
    groups = {key.partition(".")[0] for key in known_keys() if "." in key}
    named = set(re.findall(rf"`((?:{'|'.join(groups)})\.[a-z_]+)`", PAGE))
    assert named >= {"training.images", "data.domains"}
    assert named - {"generator.json", "generator.keras"} <= set(known_keys()), "and the files that come out"


def test_the_files_it_shows_are_experiments() -> None:
    files = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(files) == 2
    for text in files:
        tree = tomllib.loads(text)
        if tree.pop("extends", None) is None:
            assert experiment.from_json({"name": "mine", **tree}).training.steps == 10
