"""The explorer can fail: each rule of the product, broken, is found.

Every mutation breaks real code, by itself where one guard stands alone and in all places where several stand
behind each other. The histories are those that pass unbroken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from facegan import checkpoints, layout, lease
from facegan import session as wire
from facegan.checkpoints import Restored
from facegan.errors import NotHolderError
from facegan.lease import Claim
from facegan.ledger import Fold, Ledger, Wish, law
from facegan.ledger.fold import OpenSession
from facegan.ledger.law import Fact
from facegan.ledger.ledger import Decide
from facegan.storage.base import NotFoundError, ObjectStore
from tests.interleaving.explorer import Explored, Scenario
from tests.interleaving.program import cancel, resume, session, slim_session, stop
from tests.interleaving.scenario import CRASH, LOST, together, twice, with_user
from tests.interleaving.world import Violation, YieldingStore

Explore = Callable[[Scenario], Explored]
Patch = pytest.MonkeyPatch

TWICE = twice("broken", session(1))
BY_HAND = together("two sessions by hand, broken", "ab", session())
STOPPED = with_user("stopped, broken", slim_session(1), stop, steps=1)
CANCELLED = with_user("cancelled, broken", slim_session(1), cancel, steps=1)
LOST_WAKES = with_user("declared lost, broken", slim_session(1), resume, steps=1)


def _lease_rule(change: Callable[[Fold, Fact], tuple[Fold, Fact]]) -> Callable[[Fold, Fact], Fold]:
    rule = law._RULES["lease"]
    return lambda fold, fact: rule(*change(fold, fact))


def fencing_is_off(patch: Patch) -> None:
    """Whoever ever leased goes on."""
    patch.setattr(Fold, "holds", lambda fold, _by: fold.lease is not None)


def nobody_is_in_the_way(patch: Patch) -> None:
    """A lease is taken over without a word about whose."""

    def always_over(fold: Fold, fact: Fact) -> tuple[Fold, Fact]:
        return fold, dataclasses.replace(fact, body={**fact.body, **_over(fold)})

    patch.setitem(law._RULES, "lease", _lease_rule(always_over))
    patch.setattr(lease, "_lease", _leasing(asks_whose=False))


def what_happened_after_the_watch_is_ignored(patch: Patch) -> None:
    """The watch is right, and the lease does not ask whether anything was appended since."""
    patch.setattr(lease, "_lease", _leasing(asks_whose=True))


def _leasing(*, asks_whose: bool) -> Callable[..., None]:
    """`lease._lease` without its last look at the holder, and maybe without asking who that is."""

    def leasing(ledger: Ledger, claim: Claim, number: int, watched: OpenSession | None, _seen: int) -> None:
        def decide(fold: Fold) -> Wish | None:
            if fold.holds(ledger.writer.holder):
                return None
            other = fold.holder and (watched is None or fold.holder.by != watched.by)
            unwanted = fold.stop or fold.cancel or fold.finished or not lease._is_free(fold, number)
            if unwanted or (asks_whose and other):
                raise lease._ContenderError
            return Wish(kind="lease", body={"session": number, "machine": claim.machine, **_over(fold)})

        ledger.append(decide)

    return leasing


def _over(fold: Fold) -> dict[str, int]:
    return {"over": fold.holder.number} if fold.holder else {}


def created_if_absent_in_two_steps(patch: Patch) -> None:
    """A storage that looks first and writes then."""

    def put_new(store: YieldingStore, key: str, data: bytes) -> bool:
        try:
            store.get(key)
        except NotFoundError:
            store.put(key, data)
            return True
        return False

    patch.setattr(YieldingStore, "put_new", put_new)


def own_bytes_are_not_known_again(patch: Patch) -> None:
    """Whatever stands where one wanted to write is another's."""

    def create_next(ledger: Any, data: bytes) -> bool:
        if created := ledger.store.put_new(_next_key(ledger), data):
            ledger._read(ledger.seq + 1, data)
        else:
            ledger.refresh()
        return bool(created)

    patch.setattr(Ledger, "_create_next", create_next)


def all_bytes_are_ones_own(patch: Patch) -> None:
    """Whatever stands where one wanted to write is what one wrote."""

    def create_next(ledger: Any, data: bytes) -> bool:
        ledger.store.put_new(_next_key(ledger), data)
        ledger._read(ledger.seq + 1, data)
        return True

    patch.setattr(Ledger, "_create_next", create_next)


def _next_key(ledger: Ledger) -> str:
    return f"runs/{ledger.run}/ledger/{ledger.seq + 1:08d}.json"


def a_number_is_leased_again(patch: Patch) -> None:
    def forget(fold: Fold, fact: Fact) -> tuple[Fold, Fact]:
        free = tuple(dataclasses.replace(s, by=None) if s.number == fact.body["session"] else s for s in fold.open)
        return dataclasses.replace(fold, open=free), fact

    patch.setitem(law._RULES, "lease", _lease_rule(forget))
    patch.setattr(lease, "_is_free", lambda fold, number: fold.session(number) is not None)
    patch.setattr(lease, "_report", lambda *_: None)  # it would report for the number, which has an owner


def lost_ends_nothing(patch: Patch) -> None:
    patch.setitem(law._RULES, "lost", lambda fold, _fact: fold)


def stop_is_forgotten(patch: Patch) -> None:
    patch.setitem(law._RULES, "stop", lambda fold, _fact: fold)


def cancel_is_forgotten(patch: Patch) -> None:
    patch.setitem(law._RULES, "cancel", lambda fold, _fact: fold)


def appending_is_no_sign_of_life(patch: Patch) -> None:
    patch.setattr(lease, "_appended", lambda *_: False)


def heartbeats_are_no_sign_of_life(patch: Patch) -> None:
    patch.setattr(wire, "read", lambda *_: None)


def the_oldest_checkpoint_is_restored(patch: Patch) -> None:
    def oldest(ledger: Ledger) -> Restored:
        fold = ledger.refresh()
        if not fold.good:
            return Restored(step=0, state=None)
        seq, step = fold.good[0]
        whole, _ = checkpoints.read_whole(ledger.store, ledger.entry(seq))
        return Restored(step=step, state=whole[layout.STATE])

    patch.setattr(checkpoints, "restore", oldest)


def decided_once_for_all_tries(patch: Patch) -> None:
    """The wish is taken on the fold of the first try, and put behind whatever came since."""

    def append(ledger: Any, decide: Decide) -> Fold:
        fold = ledger.refresh()
        wish = decide(fold)
        while wish is not None:
            data = ledger._encoded(ledger.seq + 1, wish.kind, wish.body, fold)
            if ledger._create_next(data):
                break
        return ledger.fold

    patch.setattr(Ledger, "append", append)


def committed_before_it_is_there(patch: Patch) -> None:
    """The entry first, the objects then."""
    commit = checkpoints.commit

    def entry_first(ledger: Ledger, **what: Any) -> Fold:
        store = ledger.store
        ledger.store = waiting = _Deferring(store)
        fold = commit(ledger, **what)
        ledger.store = store
        for key, data in waiting.objects.items():
            store.put(key, data)
        return fold

    patch.setattr(checkpoints, "commit", entry_first)


class _Deferring:
    """A store that keeps what is put for later."""

    def __init__(self, store: ObjectStore) -> None:
        self.objects: dict[str, bytes] = {}
        self.put_new, self.get, self.list = store.put_new, store.get, store.list

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data


def a_lost_lease_is_not_told(patch: Patch) -> None:
    """Committing for nobody is taken for committing."""
    commit = checkpoints.commit

    def quiet(ledger: Ledger, **what: Any) -> Fold:
        try:
            return commit(ledger, **what)
        except NotHolderError:
            return ledger.fold

    patch.setattr(checkpoints, "commit", quiet)


MUTATIONS: Sequence[tuple[Callable[[Patch], None], Scenario, str]] = [
    (fencing_is_off, TWICE, 'holds the run", and it does not'),
    (nobody_is_in_the_way, TWICE, "without 1 looks"),
    (created_if_absent_in_two_steps, TWICE, "what was history is not any more"),
    (own_bytes_are_not_known_again, dataclasses.replace(TWICE, faults=LOST), "ended with .*73"),
    (all_bytes_are_ones_own, TWICE, "ended with .*FAILED"),
    (a_number_is_leased_again, TWICE, "a second time"),
    (lost_ends_nothing, LOST_WAKES, "does not hold the run any more"),
    (stop_is_forgotten, STOPPED, "leases a stopped run"),
    (cancel_is_forgotten, CANCELLED, "leases a cancelled run"),
    (appending_is_no_sign_of_life, BY_HAND, "without 1 looks since"),
    (what_happened_after_the_watch_is_ignored, BY_HAND, "without 1 looks since"),
    (heartbeats_are_no_sign_of_life, BY_HAND, "whose heartbeat moved"),
    (the_oldest_checkpoint_is_restored, dataclasses.replace(BY_HAND, steps=3), "leaves out what was committed"),
    (decided_once_for_all_tries, TWICE, "leases a finished run"),
    (committed_before_it_is_there, dataclasses.replace(TWICE, faults=CRASH), "verify finds"),
    (a_lost_lease_is_not_told, TWICE, "is not in the ledger"),
]


@pytest.mark.parametrize(("break_it", "scenario", "found"), MUTATIONS, ids=[m[0].__name__ for m in MUTATIONS])
def test_a_broken_rule_is_found(
    break_it: Callable[[Patch], None], scenario: Scenario, found: str, explore: Explore, monkeypatch: Patch
) -> None:
    break_it(monkeypatch)
    with pytest.raises(Violation, match=found):
        explore(scenario)


@pytest.mark.parametrize("scenario", [TWICE, LOST_WAKES, STOPPED, CANCELLED], ids=lambda scenario: scenario.name)
def test_unbroken_nothing_is_found(scenario: Scenario, explore: Explore) -> None:
    explore(scenario)
