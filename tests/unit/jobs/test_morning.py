"""What `ps` answers in the morning: why a run is as it is, in words."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from facegan import session as wire
from facegan.errors import FaceganError
from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs import allowances
from jobs.backends.base import Allowance
from jobs.cli import ps
from jobs.run import view
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli

SATURDAY = datetime(2023, 11, 18, 5, tzinfo=UTC)
SAID = "Saturday 18 November at 05:00 UTC"


def why(store: ObjectStore, later_s: float = 0.0) -> str:
    return view(world.ledger(store), world.WALL_S + later_s).why


def beat(store: ObjectStore, left_s: Any) -> None:
    at = datetime.fromtimestamp(world.WALL_S, UTC).isoformat()
    heart = wire.Heartbeat(counter=1, seq=2, digest="", phase="training", at=at, left_s=left_s)
    wire.write(store, world.RUN, 1, heart)


@pytest.mark.parametrize(
    ("left_s", "said"),
    [
        (250.0, "training; session limit in 4m 00s; checkpoint 4 is committed"),
        (5.0, "training; session limit in 0s; checkpoint 4 is committed"),
        (None, "training; checkpoint 4 is committed"),
        ("soon", "training; checkpoint 4 is committed"),
    ],
)
def test_a_session_that_has_a_limit_says_how_near_it_is(left_s: Any, said: str, store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())
    beat(store, left_s)
    assert why(store, 10.0) == said


def test_the_heartbeat_of_a_session_with_a_limit_has_what_is_left_of_it(store: MemoryStore) -> None:
    world.create(store, chosen=world.experiment("session.budget_s=1000"))
    world.ask(store)
    world.train(store)
    found = wire.read(store, world.RUN, 1)
    assert found is None or found.left_s is None or 0.0 <= found.left_s <= 1000.0
    keys = [key for key in store.list("runs/") if key.endswith("heartbeat.json")]
    assert json.loads(store.get(keys[0]))["left_s"] == 1000.0


@pytest.mark.parametrize(
    ("refusal", "until", "said"),
    [
        ("quota", SATURDAY, f"waits for local's quota until {SAID}; nothing is committed yet"),
        ("capacity", SATURDAY, f"waits for local's room until {SAID}; nothing is committed yet"),
        ("quota", None, "session 1: no more hours; nothing is committed yet"),
        ("quota", datetime(2023, 11, 1, tzinfo=UTC), "session 1: no more hours; nothing is committed yet"),
    ],
)
def test_a_refusal_says_until_when(refusal: str, until: datetime | None, said: str, store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    more = {} if until is None else {"until": until.isoformat()}
    world.append(store, "refused", session=1, why="no more hours", refusal=refusal, **more)
    world.append(store, "tracked", server="s", mlflow_run="m")
    assert why(store) == said


def test_ps_asks_places_only_when_it_is_told_to_and_each_once(
    cli: Cli, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.interrupted(file_store, "a")
    world.interrupted(file_store, "b")
    asked: list[list[str]] = []

    def ask(places: dict[str, object], _patience_s: float) -> dict[str, object]:
        asked.append([*places])
        return {"local": Allowance(what="GPU time", left_s=0.0, of_s=108_000.0, resets_at=SATURDAY)}

    monkeypatch.setattr(allowances, "ask", ask)
    assert "QUOTA" not in cli("ps").out
    assert asked == []
    said = cli("ps", "--quota")
    assert asked == [["local"]]
    header, *rows = said.out.splitlines()
    assert header.split() == [*ps.HEADER[:7], "QUOTA", *ps.HEADER[7:]]
    assert all("0.0 of 30 h left" in row for row in rows)
    assert all("waits for local's quota until Saturday 18 November at 05:00 UTC; checkpoint 4" in row for row in rows)


def test_a_watched_list_asks_again_after_five_minutes(
    home: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def ask(places: dict[str, object], _patience_s: float) -> dict[str, object]:
        asked.append(len(places))
        return dict.fromkeys(places, FaceganError("it says nothing"))

    monkeypatch.setattr(allowances, "ask", ask)
    time = world.Clock()
    quotas = ps._Quotas(context=world.context(home, store, time))
    for _ in range(4):
        quotas.ask(["local", "local"])
        time.sleep(100.0)
    assert asked == [1, 0, 0, 1]
    assert ps._with_quota({"backend": "", "was_on": "local", "why": "x"}, quotas.said)["quota"] == "no answer"


def test_a_run_over_is_remembered_with_all_that_a_row_needs(store: MemoryStore) -> None:
    found = view(world.finished(store), world.WALL_S)
    assert set(found.to_json()) == {each.name for each in dataclasses.fields(found)}
    assert found.seq == len(world.entries(store)) - 1
