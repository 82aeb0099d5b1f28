"""A user's store behind a gate that reads the policies of whoever asks, and enforces them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from facegan.accounts import Credentials
from facegan.experiment import Experiment
from facegan.storage import ObjectStore, open_store
from jobs import credentials
from jobs.context import Context
from tests.cloud.gate import Gate
from tests.fakes.driving import (
    SHORT,
    ask,
    create,
    ledger_of,
)
from tests.unit.jobs import world

USER = "AKIAUSERUSERUSERUSER"
ROLE = "arn:aws:iam::123456789012:role/gans"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bucket:
    """A user's store behind the gate."""

    gate: Gate
    prefix: str
    url: str
    monkeypatch: pytest.MonkeyPatch
    opened: dict[str, ObjectStore] = dataclasses.field(default_factory=dict)

    def as_user(self) -> ObjectStore:
        return self.with_keys({"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": "secret"})

    def with_keys(self, environment: dict[str, str]) -> ObjectStore:
        """The store as whoever has this environment sees it."""
        self.become(environment)
        key = environment["AWS_ACCESS_KEY_ID"]
        if key not in self.opened:
            store: Any = open_store(self.url)
            assert store._client is not None  # made now, in the environment as it is
            self.opened[key] = store
        return self.opened[key]

    def become(self, environment: dict[str, str]) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            self.monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)

    def context(self, home: Path) -> Context:
        store = self.as_user()
        made = world.context(home, store)
        return dataclasses.replace(made, settings=dataclasses.replace(made.settings, home=home))

    def mint(self, home: Path, role: str | None = None) -> Credentials:
        return credentials.mint(self.context(home), ledger_of(self.as_user()), role)


def begin(bucket: Bucket, experiment: Experiment = SHORT) -> ObjectStore:
    """A run whose first session was asked for, and the store as its user sees it."""
    store = bucket.as_user()
    create(store, experiment)
    ask(store)
    return store
