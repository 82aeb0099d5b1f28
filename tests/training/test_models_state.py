"""What a state relies on: weights that are a function of the seed, names that are the same everywhere."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from facegan import models
from facegan.experiment import Model
from facegan.models.network import Networks, Shape, named_variables, variables

FAMILIES: list[tuple[str, Shape]] = [
    ("cogan-28", (28, 28, 1)),
    ("cogan-dense", (28, 28, 1)),
    ("cogan-faces", (64, 64, 3)),
    ("dcgan-28", (28, 28, 1)),
    ("dcgan-64", (64, 64, 3)),
    ("dcgan-plain", (32, 32, 3)),
    ("dcgan-slim", (64, 64, 3)),
    ("dcgan-upsampling", (28, 28, 1)),
]

NAMES = """
import json, sys
sys.path.insert(0, sys.argv[1])
from facegan import models
from facegan.experiment import Model
from facegan.models.network import named_variables
built = [models.build(Model(family=family), tuple(shape), 0) for family, shape in json.loads(sys.argv[2])]
print(json.dumps([list(named_variables(networks)) for networks in built]))
"""


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda param: param[0])
def three(request: pytest.FixtureRequest) -> list[Networks]:
    """The networks of a family by seeds 0, 0 and 1."""
    family, shape = request.param
    keras.backend.clear_session()
    return [models.build(Model(family=family), shape, seed) for seed in (0, 0, 1)]


def test_weights_are_a_function_of_the_seed(three: list[Networks]) -> None:
    one, same, other = ([(name, v.value.numpy()) for name, v in named_variables(each).items()] for each in three)
    differing = set()
    for (name, mine), (twin, equal), (_, others) in zip(one, same, other, strict=True):
        assert name == twin
        assert np.array_equal(mine, equal), name
        if not np.array_equal(mine, others):
            differing.add(name.rpartition("/")[2])
    assert differing - {"gamma"} == differing & {"kernel", "seed_generator_state"}
    assert "kernel" in differing


def test_every_layer_draws_weights_of_its_own(three: list[Networks]) -> None:
    drawn = [v.value.numpy() for kind in three[0].roles.values() for v in variables(kind) if v.name == "kernel"]
    for one, other in itertools.combinations(drawn, 2):
        size = min(one.size, other.size, 100)
        assert not np.array_equal(one.ravel()[:size] / one.std(), other.ravel()[:size] / other.std())


def test_every_dropout_draws_masks_of_its_own(three: list[Networks]) -> None:
    drawn = [
        tuple(v.value.numpy().tolist()) for v in variables(three[0].discriminators) if v.name == "seed_generator_state"
    ]
    assert len(set(drawn)) == len(drawn)


def test_what_dropout_draws_from_is_in_the_state_but_no_parameter() -> None:
    networks = models.build(Model(family="dcgan-plain"), (32, 32, 3), 0)
    (judge,) = networks.discriminators
    assert "discriminator/judge-dropout/seed_generator_state" in named_variables(networks)
    assert sum(int(np.prod(v.shape)) for v in variables([judge])) == networks.counts()["discriminator"] + 2


def test_names_are_the_same_in_every_build_and_every_process() -> None:
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", NAMES, str(repository), json.dumps(FAMILIES[::-1])]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    there = json.loads(printed.splitlines()[-1])[::-1]
    here = [list(named_variables(models.build(Model(family=family), shape, 0))) for family, shape in FAMILIES]
    assert here == there


def test_first_weights_are_spread_as_the_sources_have_them() -> None:
    def spread(family: str, shape: Shape, name: str) -> tuple[float, float]:
        values = named_variables(models.build(Model(family=family), shape, 0))[name].value.numpy()
        return float(values.std()), float(np.abs(values).max())

    assert spread("dcgan-64", (64, 64, 3), "generator/up8/kernel")[0] == pytest.approx(0.02, rel=0.01)
    assert spread("dcgan-64", (64, 64, 3), "generator/project-norm/gamma")[0] == pytest.approx(0.02, rel=0.05)
    assert spread("cogan-faces", (64, 64, 3), "discriminators/judge/features/kernel")[0] == pytest.approx(
        0.02, rel=0.01
    )
    assert spread("cogan-faces", (64, 64, 3), "generators/trunk/grow1-slope/alpha") == (0.0, 0.25)
    wide, largest = spread("cogan-28", (28, 28, 1), "discriminators/trunk/features/kernel")
    assert wide == pytest.approx((2 * 2 / (800 + 500)) ** 0.5, rel=0.01)
    assert largest == pytest.approx(3**0.5 * wide, rel=0.01), "drawn from a uniform distribution"


@pytest.mark.parametrize(
    ("family", "shape", "name", "fans"),
    [
        ("dcgan-slim", (64, 64, 3), "generator/project/kernel", 100 + 8192),
        ("dcgan-plain", (32, 32, 3), "generator/project/kernel", 100 + 4096),
        ("dcgan-upsampling", (28, 28, 1), "generator/project/kernel", 100 + 6272),
        ("cogan-dense", (28, 28, 1), "generators/trunk/g2/kernel", 256 + 512),
    ],
)
def test_first_weights_are_glorots_where_the_sources_leave_them_to_keras(
    family: str, shape: Shape, name: str, fans: int
) -> None:
    values = named_variables(models.build(Model(family=family), shape, 0))[name].value.numpy()
    limit = (6 / fans) ** 0.5
    assert np.abs(values).max() == pytest.approx(limit, rel=0.01)
    assert values.std() == pytest.approx(limit / 3**0.5, rel=0.01)
