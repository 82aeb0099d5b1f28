"""SIGKILL to real trainings on real servers, then resume: the same bytes, curves and pictures as untouched.

Two at a time, each below a prefix of its own. What became of a run is read from a copy of its objects, by what
reads it where the store is a folder (`tests/e2e`).
"""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.storage import ObjectStore, open_store
from facegan.storage.file import FileStore
from jobs import context as contexts
from jobs import settings
from jobs.context import Context
from tests.cloud import servers
from tests.e2e import children
from tests.e2e.children import Moment
from tests.e2e.outcome import Outcome, entries
from tests.e2e.runs import RUN, STEPS, User
from tests.fakes.killing import Death

BEFORE, TORN, AFTER = Death.BEFORE, Death.TORN, Death.AFTER
VERBS = {"ledger", "state", "list", "get", "delete"}
KINDS = VERBS | {"metrics", "sample", "heartbeat", "output"}

# Torn is in the middle of the request: see `die_in_the_next_request`.
ON_S3 = [
    Moment(kind="ledger", count=1, when=TORN),  # the lease
    Moment(kind="ledger", count=4, when=AFTER),  # the second checkpoint's entry
    Moment(kind="state", count=2, when=TORN),
    Moment(kind="metrics", count=2, when=AFTER),
    Moment(kind="sample", count=1, when=BEFORE),
    Moment(kind="heartbeat", count=3, when=TORN),
    Moment(kind="output", count=2, when=AFTER),
    Moment(kind="list", count=12, when=TORN),
    Moment(kind="get", count=2, when=AFTER),
    Moment(kind="delete", count=1, when=TORN),
]
# Each verb once, with the largest object and the conditional write: metrics, pictures, heartbeats and output go
# up by the same `put` as the state does, and what a session makes of their loss is the same on every store.
ON_GS = [
    Moment(kind="ledger", count=4, when=TORN),
    Moment(kind="state", count=2, when=TORN),
    Moment(kind="list", count=12, when=BEFORE),
    Moment(kind="get", count=2, when=TORN),
    Moment(kind="delete", count=1, when=AFTER),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudUser(User):
    """A user whose store is in a cloud. Their home's own store is where its objects are copied to."""

    store_url: str
    variables: Mapping[str, str]

    @property
    def context(self) -> Context:
        environment = {"FACEGAN_HOME": str(self.home), "FACEGAN_STORE": self.store_url}
        return contexts.real(settings.load(environment=environment, folder=self.home))

    def start(self, number: int | None = None, moment: Moment | None = None) -> children.ForkServerProcess:
        return children.start(self.home, self.url, number, moment, self.variables)

    def outcome(self) -> Outcome:
        copied(open_store(self.store_url), self.home / "store")
        return User.outcome(self)


def copied(store: ObjectStore, folder: Path) -> None:
    """Copy every object, over nothing that an earlier copy left."""
    shutil.rmtree(folder, ignore_errors=True)
    copy = FileStore(folder)
    for key in store.list("runs/"):
        copy.put(key, store.get(key))


def store_url(url: str, prefix: str) -> str:
    place, mark, options = url.partition("?")
    return f"{place}/{prefix}{mark}{options}"


def untouched(user: CloudUser) -> Outcome:
    user.create()
    assert user.session() == 0
    found = user.outcome()
    assert found.step == STEPS
    assert sorted(found.metrics) == list(range(1, STEPS + 1))
    assert user.is_whole()
    return found


def killed_and_resumed(user: CloudUser, moment: Moment) -> Outcome:
    user.create()
    assert user.session(user.ask(), moment) == -signal.SIGKILL, f"{moment} never came"
    assert user.resume() == 0, moment
    found = user.outcome()
    assert user.is_whole(), moment
    assert not [entry for entry in entries(user.home, RUN) if "over" in entry], f"{moment}: it waited for the dead"
    return found


def require_that_no_kill_changes_anything(url: str, home: Path, moments: Sequence[Moment]) -> None:
    servers.require("tensorflow", "safetensors", "mlxtend")
    children.ready()
    variables = {name: os.environ[name] for name in (*servers.NOBODY, "STORAGE_EMULATOR_HOST") if name in os.environ}

    def user(name: str) -> CloudUser:
        (home / name).mkdir()
        return CloudUser(home=home / name, store_url=store_url(url, f"trained/{name}"), variables=variables)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wanted = pool.submit(untouched, user("untouched"))
        found = {
            str(moment): pool.submit(killed_and_resumed, user(str(moment).replace(" ", "-")), moment)
            for moment in moments
        }
        for moment, outcome in found.items():
            assert outcome.result() == wanted.result(), moment


@pytest.mark.parametrize(("moments", "kinds"), [(ON_S3, KINDS), (ON_GS, VERBS)], ids=["s3", "gs"])
def test_every_kind_of_operation_is_among_the_moments(moments: Sequence[Moment], kinds: Collection[str]) -> None:
    assert {moment.kind for moment in moments} == kinds
    assert {moment.when for moment in moments} == set(Death)


def test_killed_and_resumed_on_s3_it_ends_like_the_untouched(s3_url: str, boring_environment: Path) -> None:
    require_that_no_kill_changes_anything(s3_url, boring_environment, ON_S3)


def test_killed_and_resumed_on_gcs_it_ends_like_the_untouched(gs_url: str, boring_environment: Path) -> None:
    require_that_no_kill_changes_anything(gs_url, boring_environment, ON_GS)
