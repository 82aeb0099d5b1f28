"""Credentials that run out in the middle: the session ends, and the run goes on exactly with new ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan import layout
from facegan.errors import SessionExit
from facegan.experiment import Experiment
from facegan.storage import ExpiredError, ObjectStore
from tests.cloud.bucket import Bucket, begin
from tests.fakes.driving import (
    Session,
    assert_untouched,
    begun,
    contents,
    ledger_of,
    raw_entries,
    take_over,
)
from tests.fakes.killing import WatchedStore
from tests.fakes.toy import ToyTrainer


def test_credentials_that_run_out_end_the_session_and_nothing_else(bucket: Bucket, home: Path) -> None:
    begin(bucket)
    minted = bucket.mint(home)
    key = minted.environment["AWS_ACCESS_KEY_ID"]
    session = Session(store=bucket.with_keys(dict(minted.environment)), holder="first", number=1)
    session.build = lambda experiment: RunningOut(experiment, lambda: bucket.gate.expired.add(key))
    assert session.run() is SessionExit.INTERRUPTED
    said = "\n".join(session.said)
    assert "ExpiredToken" in said
    assert "hint: these credentials were made for a limited time: make new ones" in said
    assert "defect" not in said
    assert "Traceback" not in said
    fold = ledger_of(bucket.as_user()).refresh()
    assert fold.reached == 10
    assert fold.open, "nothing could be written of its end"
    again = bucket.with_keys(dict(bucket.mint(home).environment))
    assert take_over(again, "second") is SessionExit.FINISHED
    assert_untouched(bucket.as_user())


class RunningOut(ToyTrainer):
    """A toy during whose training time runs out."""

    def __init__(self, experiment: Experiment, run_out: Callable[[], object]) -> None:
        super().__init__(experiment)
        self._run_out = run_out

    def advance(self, steps: int) -> Any:
        if self.step >= 11:
            self._run_out()
        return super().advance(steps)


class ExpiringStore(WatchedStore):
    """A store whose credentials are good for so many operations."""

    def __init__(self, store: ObjectStore, at: int) -> None:
        super().__init__(store)
        self._at = at

    def _do(self, verb: str, key: str, act: Callable[[], Any], tear: Callable[[], None]) -> Any:
        del tear
        if self._count(verb, key).number >= self._at:
            raise ExpiredError("the token has expired")
        return act()


def test_at_whatever_operation_they_run_out_the_run_goes_on_exactly() -> None:
    """Every operation of a session, with a toy in a store in memory."""
    whole = WatchedStore(begun("memory", Path()))
    assert Session(store=whole, holder="first", number=1).run() is SessionExit.FINISHED
    for at in range(len(whole.operations)):
        store = begun("memory", Path())
        session = Session(store=ExpiringStore(store, at), holder="first", number=1)
        assert session.run() is SessionExit.INTERRUPTED, (whole.operations[at], session.said)
        assert not any("failed" in text or "Traceback" in text for text in session.said)
        before = contents(store)
        assert take_over(store, "second") is SessionExit.FINISHED
        assert_untouched(store)
        assert not set(before).difference(contents(store), pruned(store)), "nothing was lost"


def pruned(store: ObjectStore) -> set[str]:
    """The states that entries say were deleted."""
    entries = raw_entries(store)
    seqs = [seq for entry in entries if entry["kind"] == "pruned" for seq in entry["checkpoints"]]
    return {f"{entries[seq]['key']}{layout.STATE}" for seq in seqs}


@pytest.mark.parametrize("at", [0, 5, 17, 30])
def test_whenever_they_run_out_the_run_goes_on_exactly(bucket: Bucket, home: Path, at: int) -> None:
    begin(bucket)
    minted = bucket.mint(home)
    key = minted.environment["AWS_ACCESS_KEY_ID"]
    store = bucket.with_keys(dict(minted.environment))
    bucket.gate.expire_after[key] = at
    code = Session(store=store, holder="first", number=1).run()
    assert code is SessionExit.INTERRUPTED
    assert take_over(bucket.with_keys(dict(bucket.mint(home).environment)), "second") is SessionExit.FINISHED
    assert_untouched(bucket.as_user())


def test_an_expired_store_says_so(bucket: Bucket, home: Path) -> None:
    begin(bucket)
    minted = bucket.mint(home)
    store = bucket.with_keys(dict(minted.environment))
    bucket.gate.expired.add(minted.environment["AWS_ACCESS_KEY_ID"])
    with pytest.raises(ExpiredError):
        store.get("a")
