"""A session on a copy of the run: what goes along, what may come back, and that it comes back once and whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from facegan import layout
from facegan.errors import BadInputError, NotHolderError, SessionExit
from facegan.experiment import override
from facegan.ledger import Entry, Fold, IllegalEntryError, law
from facegan.ledger import fold as folding
from facegan.ledger.entry import LARGEST_ENTRY, decode, digest, encode
from facegan.ledger.fold import OpenSession
from facegan.pruning import Policy, sweep
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs.carrying.bringing import bring
from jobs.carrying.freezing import require_here
from jobs.carrying.judging import Head, judge
from jobs.carrying.packing import Luggage, pack, unpack
from jobs.carrying.spoilt import SpoiltError
from tests.fakes import driving
from tests.fakes.driving import RUN, Session, TimedToy, Timeline, append, ask, contents, create, judged, ledger_of
from tests.fakes.killing import Death, Killed, MortalStore

PLACE = "hand"  # the backend that the driven sessions say they are of


def part(store: ObjectStore, number: int, *, budget_s: float | None, holder: str = "") -> SessionExit:
    """A session of so many seconds, each of them a step."""
    timeline = Timeline()
    session = Session(
        store=store,
        holder=holder or f"holder-{number}",
        number=number,
        timeline=timeline,
        build=lambda experiment: TimedToy(experiment, timeline),
        budget_s=budget_s,
    )
    return session.run()


def carried(home: ObjectStore, *, budget_s: float | None = None) -> tuple[int, dict[str, bytes]]:
    """Ask for a session on a copy, and run it there: its number, and what it left."""
    number = ask(home, backend=PLACE, carried=True, ref={"kernel": "a"})
    along = unpack(Luggage(ledger=ledger_of(home)).packed())
    copy = MemoryStore()
    for key, data in along.items():
        copy.put(key, data)
    part(copy, number, budget_s=budget_s)
    return number, {key: copy.get(key) for key in copy.list("") if key not in along}


def begun() -> MemoryStore:
    home = MemoryStore()
    create(home)
    return home


def take(home: ObjectStore, number: int, left: Mapping[str, bytes]) -> Fold:
    return bring(ledger_of(home), number, pack(left))


def test_two_on_a_copy_and_one_at_home_between_them_are_an_untouched_run() -> None:
    home = begun()
    take(home, *carried(home, budget_s=9))
    assert 0 < ledger_of(home).refresh().reached < 20
    assert not judged(home).wrong
    part(home, ask(home), budget_s=9)
    take(home, *carried(home))
    driving.assert_untouched(home)


def test_what_comes_back_is_byte_for_byte_what_the_session_wrote() -> None:
    home = begun()
    number, left = carried(home)
    take(home, number, left)
    there = contents(home)
    assert {key: there[key] for key in left} == left
    assert layout.heartbeat(RUN, number) in left


def test_of_checkpoints_the_newest_that_is_whole_goes_along() -> None:
    home = begun()
    part(home, ask(home), budget_s=17)
    good = ledger_of(home).refresh().good
    assert len(good) == 2
    ask(home, backend=PLACE, carried=True)
    states = [layout.checkpoint(RUN, step, 1) + layout.STATE for _, step in good]
    along = unpack(Luggage(ledger=ledger_of(home)).packed())
    assert [state in along for state in states] == [False, True]
    assert layout.heartbeat(RUN, 1) in along
    home.put(states[1], b"damaged")
    along = unpack(Luggage(ledger=ledger_of(home)).packed())
    assert [state in along for state in states] == [True, True]


def test_states_that_were_pruned_on_the_copy_go_at_home_too() -> None:
    home = begun()
    part(home, ask(home), budget_s=9)
    first = layout.checkpoint(RUN, ledger_of(home).refresh().good[0][1], 1) + layout.STATE
    assert first in contents(home)
    take(home, *carried(home))
    assert first not in contents(home)
    driving.assert_untouched(home)


@pytest.mark.parametrize("death", [Death.BEFORE, Death.AFTER])
def test_killed_anywhere_and_repeated_it_is_brought_home_once(death: Death) -> None:
    template = begun()
    part(template, ask(template), budget_s=9)
    number, left = carried(template)
    before = contents(template)
    take(template, number, left)
    at, reached = 0, True
    while reached:
        home = MemoryStore()
        for key, data in before.items():
            home.put(key, data)
        mortal = MortalStore(home, at, death)
        reached = False
        try:
            take(mortal, number, left)
        except Killed:
            reached = True
        if ledger_of(home).refresh().carried:
            wrong = {(finding.object.rpartition("/")[2], finding.how) for finding in judged(home).wrong}
            assert wrong <= {(layout.STATE, "is missing")}, "only states that were pruned on the copy, further on"
            if not ledger_of(home).refresh().finished:
                assert Session(store=home, holder="at home").run() == NotHolderError.exit_code, "nobody sees that"
            take(home, number, left)
        assert not judged(home).wrong, f"{death} {at}"
        there, wanted = contents(home), contents(template)
        spare = {key for key in there.keys() - wanted.keys() if key.startswith(layout.checkpoints(RUN))}
        assert spare <= {left.key for left in sweep(ledger_of(home), Policy(newest=9, every=None))}
        assert {key: there[key] for key in there.keys() - spare} == wanted, f"{death} {at}"
        at += 1
    assert at > 12


def test_one_that_did_not_report_stays_open_with_what_it_made() -> None:
    home = begun()
    number, left = carried(home, budget_s=9)
    last = max(key for key in left if key.startswith(layout.ledger(RUN)))
    del left[last]
    fold = take(home, number, left)
    assert fold.carried is not None
    assert fold.carried.by == f"holder-{number}"
    assert fold.reached > 0
    assert not judged(home).wrong


# --- nothing that comes back is believed ----------------------------------------------------------

Entries = dict[int, Entry]


def forged(left: Mapping[str, bytes], fold: Fold, change: Callable[[Entry], Entry]) -> dict[str, bytes]:
    """What a hostile machine could leave: changed entries, chained and sealed anew, with the folds that they make."""
    made, before = dict(left), None
    for key in sorted(key for key in left if key.startswith(layout.ledger(RUN))):
        entry = change(decode(left[key], key))
        if before is not None and entry.prev != "f" * 64:
            entry = dataclasses.replace(entry, prev=before)
        try:
            fold = law.apply(fold, entry.seq, entry.by, entry.kind, entry.body)
            entry = dataclasses.replace(entry, fold=folding.to_json(fold))
        except (IllegalEntryError, KeyError):
            pass
        made[key] = encode(entry)
        before = digest(made[key])
    return made


def of(which: str, /, **changes: Any) -> Callable[[Entry], Entry]:
    def change(entry: Entry) -> Entry:
        return entry if entry.kind != which else dataclasses.replace(entry, **changes)

    return change


def saying(kind: str, **body: object) -> Callable[[Entry], Entry]:
    def change(entry: Entry) -> Entry:
        return entry if entry.kind != kind else dataclasses.replace(entry, body={**entry.body, **body})

    return change


HOSTILE: Mapping[str, Callable[[Entry], Entry]] = {
    "another number": saying("checkpoint", session=7),
    "another run's objects": saying("checkpoint", key="runs/other/checkpoints/5-1/"),
    "a name that leads out": saying(
        "checkpoint",
        objects={"../../x": {"size": 1, "sha256": "0" * 64}, layout.STATE: {"size": 1, "sha256": "0" * 64}},
    ),
    "an object that is not there": saying("checkpoint", objects={layout.STATE: {"size": 1, "sha256": "0" * 64}}),
    "a second holder": of("report", by="somebody"),
    "a step beyond the last": saying("checkpoint", step=10**6, key=f"runs/{RUN}/checkpoints/1000000-1/"),
    "a link that is none": of("checkpoint", prev="f" * 64),
    "a cancel": of("report", kind="cancel", body={}),
    "a stop": of("report", kind="stop", body={}),
    "a longer run": of("report", kind="extended", body={"steps": 99}),
    "the next intent": of("report", kind="intent", body={"session": 2, "backend": "x"}),
    "a newer form": of("report", schema=99),
    "more than is read": saying("report", padding="x" * LARGEST_ENTRY),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_forged_entry_is_refused_and_nothing_is_written(name: str) -> None:
    home = begun()
    number, left = carried(home)
    require_refused(home, number, forged(left, ledger_of(home).refresh(), HOSTILE[name]))


def require_refused(home: ObjectStore, number: int, left: Mapping[str, bytes]) -> None:
    before = contents(home)
    with pytest.raises(SpoiltError):
        take(home, number, left)
    assert contents(home) == before


def test_an_untouched_forgery_is_taken() -> None:
    """What the test above changes is all that it is refused for."""
    home = begun()
    number, left = carried(home)
    take(home, number, forged(left, ledger_of(home).refresh(), lambda entry: entry))
    driving.assert_untouched(home)


@pytest.mark.parametrize(
    "key",
    [
        "runs/other/ledger/00000000.json",
        f"runs/{RUN}/sessions/7/heartbeat.json",
        f"runs/{RUN}/checkpoints/5-7/state.safetensors",
        f"runs/{RUN}/ledger/000000000001.json",
        "/etc/passwd",
        "../x",
    ],
)
def test_an_object_that_is_none_of_its_business_is_refused(key: str) -> None:
    home = begun()
    number, left = carried(home)
    require_refused(home, number, {**left, key: b"x"})


@pytest.mark.parametrize("part", ["images/000000", "manifest.json"])
def test_of_an_array_that_it_had_no_time_to_name_nothing_is_taken(part: str) -> None:
    home = begun()
    number, left = carried(home)
    key = layout.dataset("mnist", "0" * 64) + part
    take(home, number, {**left, key: b"x"})
    assert ledger_of(home).refresh().finished
    assert key not in contents(home)


def test_a_gap_a_damaged_object_and_a_cut_entry_are_refused() -> None:
    home = begun()
    number, left = carried(home)
    entries = sorted(key for key in left if key.startswith(layout.ledger(RUN)))
    require_refused(home, number, {key: data for key, data in left.items() if key != entries[1]})
    require_refused(home, number, {key: data for key, data in left.items() if key != entries[0]})
    require_refused(home, number, {**left, entries[1]: left[entries[1]][:-5]})
    state = next(key for key in left if key.endswith(layout.STATE))
    require_refused(home, number, {**left, state: left[state] + b"x"})


def test_a_heartbeat_that_has_seen_what_is_not_there_is_left_out() -> None:
    """It would keep everybody out of the run, for ever."""
    home = begun()
    number, left = carried(home)
    other = begun()
    append(ledger_of(other), "intent", session=1, backend="x")
    beat = layout.heartbeat(RUN, number)
    taken = judge(head(home), number, {**left, beat: left[beat].replace(b'"seq":', b'"seq":1')})
    assert taken.beat is None


def head(home: ObjectStore) -> Head:
    ledger = ledger_of(home)
    fold = ledger.refresh()
    return Head(seq=ledger.head[0], digest=ledger.head[1], fold=fold)


def test_what_comes_after_the_session_was_given_up_is_refused() -> None:
    home = begun()
    number, left = carried(home)
    append(ledger_of(home), "lost", session=number, why="it is over at its place, and left nothing")
    require_refused(home, number, left)
    part(home, ask(home), budget_s=None)
    require_refused(home, number, left)
    driving.assert_untouched(home)


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 100])
def test_what_cannot_be_unpacked_is_refused(data: bytes) -> None:
    home = begun()
    number, _ = carried(home)
    with pytest.raises(SpoiltError):
        bring(ledger_of(home), number, data)


# --- while it is away -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("stop", {}),
        ("cancel", {}),
        ("extended", {"steps": 99}),
        ("intent", {"session": 2, "backend": "local"}),
        ("launched", {"session": 1, "ref": {}}),
        ("tracked", {"server": "s", "mlflow_run": "m"}),
        ("pruned", {"checkpoints": []}),
    ],
)
def test_while_it_is_away_nothing_else_is_appended(kind: str, body: dict[str, object]) -> None:
    home = begun()
    carried(home)
    before = contents(home)
    with pytest.raises(IllegalEntryError, match="carries the ledger"):
        append(ledger_of(home), kind, **body)
    assert contents(home) == before
    with pytest.raises(BadInputError, match="with a copy of the run"):
        require_here(ledger_of(home).refresh())


@pytest.mark.parametrize("number", [None, 2])
def test_while_it_is_away_a_process_at_home_steps_aside(number: int | None) -> None:
    home = begun()
    carried(home)
    before = contents(home)
    session = Session(store=home, holder="at home", number=number)
    assert session.run() == NotHolderError.exit_code
    assert "with a copy of the run" in "".join(session.said)
    assert contents(home) == before


def test_its_number_is_leased_by_its_place_alone() -> None:
    home = begun()
    number = ask(home, backend="kaggle", carried=True, ref={})
    before = contents(home)
    assert Session(store=home, holder="typed by hand", number=number).run() == NotHolderError.exit_code
    assert contents(home) == before


def test_none_is_sent_away_while_another_may_live() -> None:
    home = begun()
    ask(home)
    with pytest.raises(IllegalEntryError, match="is open"):
        ask(home, backend="kaggle", carried=True)


def test_an_older_ledger_has_no_such_sessions() -> None:
    value = folding.to_json(Fold(run=RUN, experiment="x", steps=1, open=(OpenSession(number=1, backend="local"),)))
    del value["open"][0]["carried"]
    assert folding.from_json(value).carried is None


def test_the_array_that_a_run_is_trained_on_goes_along() -> None:
    """The one that it has settled on, whole; where it has settled on none, those that it might take; no other set's."""
    home = MemoryStore()
    mine, other = "ab" * 32, "cd" * 32
    for name, array in (("faces", mine), ("faces", other), ("celeba", mine)):
        home.put(f"{layout.dataset(name, array)}images/000000", array.encode())
    create(home, override(driving.SHORT, ["data.name=faces", f"data.digest={mine}"]))
    along = unpack(Luggage(ledger=ledger_of(home)).packed())
    assert [key for key in along if key.startswith("datasets/")] == [f"{layout.dataset('faces', mine)}images/000000"]


class Contended(MemoryStore):
    """Before the entry that is put as number `at` from now on, another command has found out that a session is lost."""

    at: int | None = None
    lost: int = 0

    def put_new(self, key: str, data: bytes) -> bool:
        if self.at is not None and key.startswith(layout.ledger(RUN)):
            self.at, now = (None, True) if self.at == 0 else (self.at - 1, False)
            if now:
                append(ledger_of(self, "other"), "lost", session=self.lost, why="given up")
        return super().put_new(key, data)


def test_who_finds_out_meanwhile_that_it_is_lost_keeps_every_state_at_home() -> None:
    """What the session had let go of in its copy is still the run's here."""
    home = begun()
    part(home, ask(home), budget_s=9)
    number, left = carried(home)
    for at in range(sum(key.startswith(layout.ledger(RUN)) for key in left)):
        store = Contended()
        for key, data in contents(home).items():
            store.put(key, data)
        store.at, store.lost = at, number
        bring(ledger_of(store), number, pack(left))
        assert store.at is None
        assert ledger_of(store).refresh().end.kind == "lost"
        assert at > 0 or not judged(store).wrong
        if not ledger_of(store).refresh().finished:
            assert Session(store=store, holder="next", number=ask(store)).run() is SessionExit.FINISHED, at
