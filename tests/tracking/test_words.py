"""What MLflow is told of a run before it has begun."""

from __future__ import annotations

from typing import Any

import pytest

from facegan.experiment import to_json
from facegan.ledger import Entry
from facegan.tracking.words import params
from jobs import recipe
from tests.unit.jobs import world


def created(images: int | None) -> Entry:
    body = recipe.created_body("a-run", world.experiment("data.only=label=3"), images)
    return Entry(seq=0, prev="", at="", by="", nonce="", kind="created", body=body, fold={})


def test_every_key_is_a_parameter_and_so_is_the_number_of_images() -> None:
    found = params(created(500))
    expected: dict[str, Any] = to_json(world.experiment("data.only=label=3"))
    assert set(found) == {"name", "seed", "data.count"} | {
        f"{group}.{name}" for group, keys in expected.items() if isinstance(keys, dict) for name in keys
    }
    assert (found["data.only"], found["data.count"], found["data.limit"]) == ("label=3", "500", "none")
    assert found["data.mirror"] == "false", "as --set takes it"


@pytest.mark.parametrize("said", [{}, {"count": None}])
def test_a_number_that_nobody_counted_is_not_guessed(said: dict[str, None]) -> None:
    entry = created(None)
    entry.body["data"].update(said)
    assert "data.count" not in params(entry)
