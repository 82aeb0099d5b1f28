"""The table of GPUs and prices: its form, that it says what the backends say, and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facegan.catalog import CATALOG
from facegan.errors import BadInputError
from facegan.spending import Spending
from jobs import prices, rates
from jobs.backends import BACKENDS, open_backend
from jobs.backends.colab import facts as of_colab
from jobs.backends.ec2 import facts as of_ec2
from jobs.backends.gce import facts as of_gce
from jobs.backends.gradient import facts as of_gradient
from jobs.backends.kaggle import facts as of_kaggle
from jobs.backends.vm import ON_DEMAND, SPOT
from jobs.budget import Budget
from jobs.prices import FREE, OWN, SAID, Offered, Price
from jobs.settings import Settings

MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
NOBODY = 1e9  # dollars an hour that nobody would ask
Row = tuple[str, Sequence[str], int, int]

ELSEWHERE = [name for name in BACKENDS if name not in prices.AT_HOME]
ASKED = [prices.TABLE_OF.get(name, name) for name in ELSEWHERE]
UNKNOWN_MEMORY = 0
SAID_THERE: dict[str, list[Row]] = {
    "kaggle": [(each.gpu, (each.shape,), each.cards, UNKNOWN_MEMORY) for each in of_kaggle.ACCELERATORS],
    "colab": [(each.gpu, (each.gpu,), 1, UNKNOWN_MEMORY) for each in of_colab.ACCELERATORS],
    "ec2": [(each.gpu, each.types, 1, each.memory_gib) for each in of_ec2.ACCELERATORS],
    "gce": [(each.gpu, each.types, 1, each.memory_gib) for each in of_gce.ACCELERATORS],
    "gradient": [(each.gpu, (each.gpu,), 1, each.memory_gib) for each in of_gradient.ACCELERATORS],
}
WITHOUT_THERE = {"ec2": of_ec2.WITHOUT, "gce": of_gce.WITHOUT, "gradient": (of_gradient.WITHOUT.value,)}


def rows(backend: str) -> list[Offered]:
    return [row for row in prices.table() if row.backend == backend]


@pytest.mark.parametrize("row", prices.table(), ids=lambda row: f"{row.backend}-{row.gpu or 'cpu'}")
def test_every_row_is_dated_sourced_and_makes_sense(row: Offered) -> None:
    assert MONTH.fullmatch(row.seen)
    assert row.seen <= f"{datetime.now(UTC):%Y-%m}"
    assert row.source
    assert row.cards >= 1
    assert bool(row.gpu) == bool(row.memory_gib)
    assert not row.gpu or row.called
    for usd in (row.spot_usd, row.on_demand_usd):
        assert not usd or len(usd) == len(row.called)
        assert all(0.0 < each < NOBODY for each in usd)
    assert not (row.free and (row.spot_usd or row.on_demand_usd))
    assert bool(row.region) == bool(row.on_demand_usd), "a price is of a region"
    for spot, whole in zip(row.spot_usd, row.on_demand_usd, strict=bool(row.spot_usd)):
        assert spot <= whole


def test_no_gpu_of_a_backend_is_there_twice() -> None:
    names = [(row.backend, row.gpu.lower()) for row in prices.table()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("backend", sorted(set(ASKED)))
def test_it_says_what_the_backend_itself_says(backend: str, tmp_path: Path) -> None:
    """The backend's own table decides what is asked for; this one says what that costs."""
    there = SAID_THERE[backend]
    here = [row for row in rows(backend) if row.gpu]
    assert [row.gpu for row in here] == [gpu for gpu, *_ in there]
    for row, (_, called, cards, memory_gib) in zip(here, there, strict=True):
        assert (tuple(row.called), row.cards) == (tuple(called), cards)
        assert memory_gib in {UNKNOWN_MEMORY, row.memory_gib}
    (without,) = (row for row in rows(backend) if not row.gpu)
    assert tuple(without.called) == tuple(WITHOUT_THERE.get(backend, ()))
    able = open_backend(backend, Settings(home=tmp_path, store="", backend="local", tracking="")).capabilities()
    assert able.session_s is not None
    assert {row.session_h for row in rows(backend)} == {able.session_s / 3600}


def test_the_table_is_of_no_backend_that_is_not_there() -> None:
    assert {row.backend for row in prices.table()} == set(ASKED)


def test_the_dearest_of_the_machines_that_may_be_tried_is_counted() -> None:
    assert prices.price("ec2", "t4", ON_DEMAND).usd_h == 0.752
    assert prices.price("gce", "L4", ON_DEMAND).usd_h == 0.854


def test_spot_at_a_price_that_is_not_known_is_counted_at_what_it_does_not_exceed() -> None:
    found = prices.price("ec2", "T4")
    assert (found.usd_h, found.market, found.most) == (0.752, SPOT, True)
    assert str(found) == "at most 0.752 USD an hour (spot, us-east-1, 2026-04)"


@pytest.mark.parametrize(
    ("backend", "gpu", "said", "expected"),
    [
        ("kaggle", "T4", 0.5, (0.0, FREE)),
        ("colab", "T4", None, (0.0, FREE)),
        ("colab", "A100", None, (None, ON_DEMAND)),
        ("colab", "A100", 1.5, (1.5, SAID)),
        ("ec2", "T4", 0.2, (0.2, SAID)),
        ("ec2", "no-such-gpu", None, (None, SPOT)),
        ("local", None, 0.5, (0.0, OWN)),
        ("docker", None, None, (0.0, OWN)),
        ("gradient", None, None, (None, ON_DEMAND)),
    ],
)
def test_what_an_hour_costs(backend: str, gpu: str | None, said: float | None, expected: tuple[float, str]) -> None:
    found = prices.price(backend, gpu, said=said)
    assert (found.usd_h, found.market) == expected


@pytest.mark.parametrize(
    ("backend", "host", "expected"),
    [
        ("ec2", "us-east-1", 0.752),
        ("batch", "us-east-1", 0.752),
        ("ec2", "eu-west-1", None),
        ("batch", "us-west-2", None),
        ("gce", "us-central1", 0.73),
        ("gce", "us-central1-a", 0.73),
        ("gce", "a-project/us-central1-a", 0.73),
        ("gce", "europe-west4-a", None),
        ("gradient", "a-project", 0.76),
    ],
)
def test_a_price_is_of_its_region_alone(backend: str, host: str, expected: float | None) -> None:
    found = prices.price(backend, "A4000" if backend == "gradient" else "T4", host=host)
    assert found.usd_h == expected
    assert prices.price("ec2", "T4", host="eu-west-1", said=0.3).usd_h == 0.3
    if expected is None:
        assert not found.most
        assert "not known in" in str(found)
        assert Budget(usd=5.0).refuses(Spending(), found.usd_h)


def test_a_box_that_is_rented_costs_what_the_user_says() -> None:
    assert prices.price("docker", "T4", host="ssh://me@gpu-box", said=0.3).usd_h == 0.3


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    assert str(Price(usd_h=None, market=SPOT)) == "a price that is not known"


@pytest.mark.parametrize("text", ["-1", "much", "inf", "nan", "1,5"])
def test_an_amount_is_an_amount(text: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(f'price must be an amount in US dollars, not "{text}"')):
        prices.parse(text)
    assert prices.parse("") is None
    assert prices.parse("0.25") == 0.25


@pytest.mark.parametrize("row", rates.table(), ids=lambda row: row.experiment)
def test_every_rate_is_of_an_experiment_as_the_catalogue_has_it(row: rates.Rate) -> None:
    chosen = CATALOG[row.experiment].experiment
    assert row.batch_size == chosen.training.batch_size
    assert 0.0 < row.low <= row.steps_per_s <= row.high
    assert MONTH.fullmatch(row.seen)
    assert row.source
    found = rates.rate(chosen, row.gpu.lower())
    assert found is not None
    assert found[0].likely == row.steps_per_s
    assert row.sure.value in found[1]


def test_a_rate_that_nobody_measured_is_not_guessed() -> None:
    chosen = CATALOG["dcgan-celeba"].experiment
    assert rates.rate(chosen, "H100") is None
    assert rates.rate(chosen, None) is None
    assert rates.rate(CATALOG["dcgan-mnist"].experiment, "T4") is None
