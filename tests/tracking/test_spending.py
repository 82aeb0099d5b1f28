"""What a run cost, as MLflow is told of it: by the prices in its intents, as often as it is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facegan import hours
from facegan.spending import spending
from facegan.storage.memory import MemoryStore
from tests.tracking.world import Mlflow, Run


def tags(mlflow: Mlflow) -> dict[str, float]:
    said = mlflow.the_run().data.tags
    return {name: float(said[f"facegan.spent_{name}"]) for name in ("usd", "hours", "unknown_hours")}


@pytest.mark.parametrize("price", [{"usd_h": 0.5, "market": "spot"}, None])
def test_mlflow_is_told_what_a_run_cost(new_mlflow: Callable[[], Mlflow], price: dict[str, object] | None) -> None:
    store = MemoryStore()
    run, mlflow = Run(store=store).begin(), new_mlflow()
    run.say("intent", session=1, backend="ec2", price=price)
    run.say("lost", session=1, why="gone")
    store.times = lambda prefix: {key: 3600.0 * at for at, key in enumerate(store.list(prefix))}  # type: ignore[method-assign]
    mlflow.sync(run)
    spent = spending(hours.read(run.ledger()).sessions)
    assert spent.hours == 1.0
    expected = {"usd": 0.5, "unknown_hours": 0.0} if price else {"usd": 0.0, "unknown_hours": 1.0}
    assert tags(mlflow) == {"hours": 1.0, **expected}
    mlflow.sync(run)
    assert tags(mlflow) == {"hours": 1.0, **expected}
