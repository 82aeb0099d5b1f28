"""The run's law: which entry may follow which history, and what state the run is in then."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from facegan import catalog
from facegan.experiment import override, to_json
from facegan.ledger import Fold, IllegalEntryError, State
from facegan.ledger.fold import from_json
from facegan.ledger.fold import to_json as fold_to_json
from facegan.ledger.law import apply

Step = tuple[str, str, Mapping[str, Any]]  # by whom, kind, body
EXPERIMENT = to_json(override(catalog.find("dcgan-mnist").experiment, ["training.steps=20"]))
CREATED: Step = ("user", "created", {"run": "r", "experiment": EXPERIMENT})


def intent(number: int, **more: object) -> Step:
    return "user", "intent", {"session": number, "backend": "local", **more}


def lease(number: int, by: str | None = None, **more: object) -> Step:
    return by or f"h{number}", "lease", {"session": number, "machine": {}, **more}


def restored(by: str, seq: int | None = None, step: int = 0, damaged: Sequence[Mapping[str, Any]] = ()) -> Step:
    return by, "restored", {"checkpoint": seq, "step": step, "damaged": damaged, "determinism": {"device": "toy"}}


def checkpoint(by: str, number: int, step: int, parent: int, **more: object) -> Step:
    objects = {"state.safetensors": {"size": 1, "sha256": "0"}, "metrics.jsonl": {"size": 1, "sha256": "0"}}
    key = f"runs/r/checkpoints/{step}-{number}/"
    body = {"session": number, "step": step, "parent": parent, "key": key, "objects": objects, "took_s": 2.0, **more}
    return by, "checkpoint", body


def report(by: str, number: int, outcome: str = "interrupted") -> Step:
    return by, "report", {"session": number, "outcome": outcome, "step": 0, "why": "because"}


def said(kind: str, **body: object) -> Step:
    return "user", kind, body


def lost(number: int) -> Step:
    return said("lost", session=number, why="gone")


def fold_of(steps: Sequence[Step]) -> Fold:
    fold = None
    for seq, (by, kind, body) in enumerate(steps):
        fold = apply(fold, seq, by, kind, dict(body))
    assert fold is not None
    return fold


ASKED = [CREATED, intent(1)]
LEASED = [*ASKED, lease(1)]
BEGUN = [*LEASED, restored("h1")]
AT_5 = [*BEGUN, checkpoint("h1", 1, 5, -1)]  # entry 4
AT_15 = [*AT_5, checkpoint("h1", 1, 10, 4), checkpoint("h1", 1, 15, 5)]  # entries 5 and 6
AT_20 = [*AT_15, checkpoint("h1", 1, 20, 6)]
BROKEN_OFF = [*AT_15, lost(1), intent(2), lease(2)]
STOPPED = [*AT_5, said("stop"), report("h1", 1)]
CANCELLED = [*AT_5, said("cancel"), report("h1", 1)]

LEGAL: dict[str, tuple[list[Step], Step]] = {
    "data by the holder": (LEASED, ("h1", "data", {"digest": "0"})),
    "the first intent": ([CREATED], intent(1)),
    "an intent beside one that waits": (ASKED, intent(2)),
    "an intent beside the holder": (BEGUN, intent(2)),
    "an intent after a stop by the user's resume": (STOPPED, intent(2, resume=True)),
    "launched": (ASKED, said("launched", session=1, ref={"pid": 1})),
    "launched after the lease": (LEASED, said("launched", session=1, ref={"pid": 1})),
    "launched after the end": ([*ASKED, lost(1)], said("launched", session=1, ref={})),
    "refused": (ASKED, said("refused", session=1, why="no quota", until=None)),
    "a lease of what was asked": (ASKED, lease(1)),
    "a lease over the watched holder": ([*BEGUN, intent(2)], lease(2, over=1)),
    "a lease after the holder was lost": ([*BEGUN, lost(1), intent(2)], lease(2)),
    "a lease before a newer number": ([*ASKED, intent(2)], lease(1)),
    "restored at step 0": (LEASED, restored("h1")),
    "restored at the newest": (BROKEN_OFF, restored("h2", 6, 15)),
    "restored at an older one": (BROKEN_OFF, restored("h2", 5, 10, [{"seq": 6, "object": "x", "how": "y"}])),
    "a checkpoint from step 0": (BEGUN, checkpoint("h1", 1, 5, -1)),
    "a checkpoint after one": (AT_5, checkpoint("h1", 1, 6, 4)),
    "a checkpoint while a stop is out": ([*AT_5, said("stop")], checkpoint("h1", 1, 7, 4)),
    "a checkpoint while a cancel is out": ([*AT_5, said("cancel")], checkpoint("h1", 1, 7, 4)),
    "the oldest state pruned": (AT_15, ("h1", "pruned", {"checkpoints": [4]})),
    "nothing pruned": (AT_15, ("h1", "pruned", {"checkpoints": []})),
    "pruned by the user": ([*AT_15, lost(1)], said("pruned", checkpoints=[4])),
    "a stop": (BEGUN, said("stop")),
    "a stop before anything": ([CREATED], said("stop")),
    "a second stop": (STOPPED, said("stop")),
    "a cancel": (BEGUN, said("cancel")),
    "a cancel after a stop": (STOPPED, said("cancel")),
    "a second cancel": (CANCELLED, said("cancel")),
    "extended": (BEGUN, said("extended", steps=21)),
    "extended after the end": (AT_20, said("extended", steps=40)),
    "an intent after the extension": ([*AT_20, report("h1", 1), said("extended", steps=40)], intent(2)),
    "a report of the holder": (BEGUN, report("h1", 1)),
    "a report before the lease": (ASKED, report("anybody", 1)),
    "a report after a newer intent": ([*BEGUN, intent(2)], report("h1", 1)),
    "lost before the lease": (ASKED, lost(1)),
    "lost after it": (BEGUN, lost(1)),
    "tracked": ([CREATED], said("tracked", server="s", mlflow_run="m")),
    "tracked again, with a model": (
        [CREATED, said("tracked", server="s", mlflow_run="m")],
        said("tracked", server="s", mlflow_run="m", model="g"),
    ),
    "tracked on two servers": (
        [CREATED, said("tracked", server="s", mlflow_run="m")],
        said("tracked", server="t", mlflow_run="n"),
    ),
}

ILLEGAL: dict[str, tuple[list[Step], Step, str]] = {
    "created twice": ([CREATED], CREATED, "may not follow the beginning"),
    "an unknown kind": ([CREATED], said("rewound"), '"rewound" may not follow'),
    "data by another": (LEASED, ("other", "data", {}), "the lease is not this holder's"),
    "data without a lease": (ASKED, ("h1", "data", {}), "the lease is not this holder's"),
    "an intent that leaves a number out": ([CREATED], intent(2), "session 2 does not follow session 0"),
    "an intent of a number there was": (ASKED, intent(1), "session 1 does not follow session 1"),
    "an intent after a stop": (STOPPED, intent(2), "a stop holds"),
    "an intent after a cancel": (CANCELLED, intent(2), "the run is cancelled"),
    "an intent after a cancel, resumed": (CANCELLED, intent(2, resume=True), "the run is cancelled"),
    "an intent after the end": ([*AT_20, report("h1", 1)], intent(2), "the run is finished"),
    "launched, never asked for": (ASKED, said("launched", session=2, ref={}), "session 2 was never asked for"),
    "refused after the lease": (LEASED, said("refused", session=1, why=""), "session 1 was leased"),
    "refused after the end": ([*ASKED, lost(1)], said("refused", session=1, why=""), "session 1 has ended"),
    "a lease never asked for": ([CREATED], lease(1), "session 1 has ended, or was never asked for"),
    "a lease of an ended number": ([*ASKED, lost(1)], lease(1), "session 1 has ended"),
    "a lease of a refused number": ([*ASKED, said("refused", session=1, why="")], lease(1), "session 1 has ended"),
    "a lease of a reported number": ([*BEGUN, report("h1", 1)], lease(1), "session 1 has ended"),
    "a second lease of a number": (LEASED, lease(1), "session 1 was leased before"),
    "a second lease by another": (LEASED, lease(1, "twin", over=1), "session 1 was leased before"),
    "a lease over a holder not named": ([*BEGUN, intent(2)], lease(2), "session 1 holds the lease"),
    "a lease over another than the holder": ([*BEGUN, intent(2)], lease(2, over=7), "session 1 holds the lease"),
    "a lease after a stop": ([*ASKED, said("stop")], lease(1), "the run is stopped"),
    "a lease after a cancel": ([*ASKED, said("cancel")], lease(1), "the run is cancelled"),
    "a lease after the end": ([*AT_15, intent(2), checkpoint("h1", 1, 20, 6)], lease(2, over=1), "the run is finished"),
    "restored by another": (LEASED, restored("other"), "the lease is not this holder's"),
    "restored after the report": ([*LEASED, report("h1", 1)], restored("h1"), "the lease is not this holder's"),
    "restored at step 0 in spite of a history": (BROKEN_OFF, restored("h2"), "never begins again at step 0"),
    "restored at a damaged one": (
        BROKEN_OFF,
        restored("h2", 6, 15, [{"seq": 6, "object": "x", "how": "y"}]),
        "no good checkpoint at entry 6",
    ),
    "restored at another step than the entry's": (BROKEN_OFF, restored("h2", 6, 14), "no good checkpoint at entry 6"),
    "restored at no checkpoint": (BROKEN_OFF, restored("h2", 3, 0), "no good checkpoint at entry 3"),
    "a checkpoint before the restore": (LEASED, checkpoint("h1", 1, 5, -1), "does not continue None"),
    "a checkpoint by another": (BEGUN, checkpoint("other", 1, 5, -1), "the lease is not this holder's"),
    "a checkpoint by who lost it": (BROKEN_OFF, checkpoint("h1", 1, 20, 6), "the lease is not this holder's"),
    "a checkpoint after the report": ([*AT_5, report("h1", 1)], checkpoint("h1", 1, 6, 4), "not this holder's"),
    "a checkpoint of the same step": (AT_5, checkpoint("h1", 1, 5, 4), "does not continue"),
    "a checkpoint of an earlier step": (AT_5, checkpoint("h1", 1, 4, 4), "does not continue"),
    "a checkpoint after another parent": (AT_15, checkpoint("h1", 1, 16, 4), "does not continue"),
    "a checkpoint beyond the last step": (BEGUN, checkpoint("h1", 1, 21, -1), "beyond the run's last"),
    "a checkpoint at another's place": (
        BEGUN,
        checkpoint("h1", 1, 5, -1, key="runs/r/checkpoints/5-2/"),
        "is not this checkpoint's place",
    ),
    "a checkpoint in another run": (
        BEGUN,
        checkpoint("h1", 1, 5, -1, key="runs/q/checkpoints/5-1/"),
        "is not this checkpoint's place",
    ),
    "an object that leads elsewhere": (
        BEGUN,
        checkpoint("h1", 1, 5, -1, objects={"../../x": {"size": 1, "sha256": "0"}}),
        "leads out of the checkpoint",
    ),
    "the last but one pruned": (AT_15, ("h1", "pruned", {"checkpoints": [5]}), "older than the last two"),
    "the last pruned": (AT_15, ("h1", "pruned", {"checkpoints": [4, 6]}), "older than the last two"),
    "one of two pruned": (AT_15[:6], ("h1", "pruned", {"checkpoints": [4]}), "older than the last two"),
    "pruned twice": ([*AT_15, ("h1", "pruned", {"checkpoints": [4]})], said("pruned", checkpoints=[4]), "older than"),
    "a stop after the end": (AT_20, said("stop"), "the run is finished"),
    "a stop after a cancel": (CANCELLED, said("stop"), "the run is cancelled"),
    "a cancel after the end": (AT_20, said("cancel"), "the run is finished"),
    "extended to less": (BEGUN, said("extended", steps=19), "19 steps are no more than 20"),
    "extended to the same": (BEGUN, said("extended", steps=20), "20 steps are no more than 20"),
    "extended after a cancel": (CANCELLED, said("extended", steps=40), "the run is cancelled"),
    "a report of another's session": (BEGUN, report("other", 1), "session 1 is another holder's"),
    "a report of who lost it": ([*BEGUN, intent(2), lease(2, over=1)], report("h1", 1), "session 1 has ended"),
    "a second report": ([*BEGUN, report("h1", 1)], report("h1", 1), "session 1 has ended"),
    "lost twice": ([*BEGUN, lost(1)], lost(1), "session 1 has ended"),
    "lost, never asked for": ([CREATED], lost(1), "never asked for"),
    "tracked elsewhere": (
        [CREATED, said("tracked", server="s", mlflow_run="m")],
        said("tracked", server="s", mlflow_run="n"),
        "on s the run is m",
    ),
}


@pytest.mark.parametrize("case", LEGAL)
def test_it_may_follow(case: str) -> None:
    before, step = LEGAL[case]
    fold_of([*before, step])


@pytest.mark.parametrize("case", ILLEGAL)
def test_it_may_not_follow_and_says_why(case: str) -> None:
    before, step, why = ILLEGAL[case]
    fold_of(before)
    with pytest.raises(IllegalEntryError, match=why):
        fold_of([*before, step])


def test_every_kind_has_a_legal_and_an_illegal_case() -> None:
    kinds = {"data", "intent", "launched", "refused", "lease", "restored", "checkpoint", "pruned", "stop"}
    kinds |= {"cancel", "extended", "report", "lost", "tracked"}
    assert {step[1] for _, step in LEGAL.values()} == kinds
    assert {step[1] for _, step, _ in ILLEGAL.values()} >= kinds


def test_a_ledger_begins_with_created_and_nothing_else() -> None:
    for kind in ("intent", "lease", "stop"):
        with pytest.raises(IllegalEntryError, match='begins with "created"'):
            apply(None, 0, "user", kind, {})
    with pytest.raises(IllegalEntryError, match='begins with "created"'):
        apply(None, 1, "user", "created", dict(CREATED[2]))


# What an entry changes


def test_created_holds_what_is_asked() -> None:
    fold = fold_of([CREATED])
    assert (fold.run, fold.experiment, fold.steps, fold.reached) == ("r", "dcgan-mnist", 20, 0)


def test_a_lease_ends_the_one_before_and_forgets_where_it_was() -> None:
    fold = fold_of([*AT_5, intent(2), lease(2, over=1)])
    assert [session.number for session in fold.open] == [2]
    assert (fold.tip, fold.holds("h1"), fold.holds("h2")) == (None, False, True)


def test_a_lease_leaves_those_that_wait() -> None:
    fold = fold_of([*ASKED, intent(2), intent(3), lease(2)])
    assert [(session.number, session.by) for session in fold.open] == [(1, None), (2, "h2"), (3, None)]


def test_launched_notes_where_a_session_is_and_changes_nothing_else() -> None:
    before = fold_of(ASKED)
    fold = fold_of([*ASKED, said("launched", session=1, ref={"pid": 7})])
    assert fold.open[0].ref == {"pid": 7}
    assert dataclasses.replace(fold, open=before.open) == before
    ended = [*ASKED, lost(1)]
    assert fold_of([*ended, said("launched", session=1, ref={})]) == fold_of(ended)


def test_a_stop_is_lifted_by_the_resume() -> None:
    assert fold_of(STOPPED).stop
    assert not fold_of([*STOPPED, intent(2, resume=True)]).stop


def test_restored_drops_the_damaged_and_opens_gaps_for_lost_metrics() -> None:
    damaged = [
        {"seq": 6, "object": "a", "how": "b", "metrics": [[11, 12], [14, 15]]},
        {"seq": 5, "object": "a", "how": "b"},
    ]
    fold = fold_of([*BROKEN_OFF, restored("h2", 4, 5, damaged)])
    assert (fold.good, fold.tip, fold.reached) == (((4, 5),), (4, 5), 15)
    assert fold.gaps == ((11, 12), (14, 15))
    assert [step for step in range(1, 18) if fold.wants_metrics_of(step)] == [11, 12, 14, 15, 16, 17]


def test_a_checkpoint_closes_the_gap_it_covers() -> None:
    damaged = [{"seq": 6, "object": "a", "how": "b", "metrics": [[11, 15]]}]
    begun = [*BROKEN_OFF, restored("h2", 5, 10, damaged)]
    assert fold_of([*begun, checkpoint("h2", 2, 13, 5)]).gaps == ((14, 15),)
    assert fold_of([*begun, checkpoint("h2", 2, 20, 5)]).gaps == ()


def test_reached_never_falls() -> None:
    begun = [*BROKEN_OFF, restored("h2", 4, 5, [{"seq": seq, "object": "a", "how": "b"} for seq in (5, 6)])]
    assert fold_of([*begun, checkpoint("h2", 2, 8, 4)]).reached == 15


def test_pruned_are_no_longer_good() -> None:
    assert fold_of([*AT_15, said("pruned", checkpoints=[4])]).good == ((5, 10), (6, 15))


def test_the_time_of_an_upload_rises_at_once_and_falls_by_halves() -> None:
    took = [checkpoint("h1", 1, step, parent, took_s=s) for step, parent, s in ((5, -1, 8.0), (6, 4, 1.0), (7, 5, 9.0))]
    assert [fold_of([*BEGUN, *took[:count]]).upload_s for count in (1, 2, 3)] == [8.0, 4.0, 9.0]


def test_tracked_keeps_a_model_once_it_has_one() -> None:
    first = said("tracked", server="s", mlflow_run="m", model="g")
    fold = fold_of([CREATED, first, said("tracked", server="s", mlflow_run="m")])
    assert fold.tracked == {"s": {"mlflow_run": "m", "model": "g"}}


def test_apply_changes_nothing_it_was_given() -> None:
    for before, (by, kind, body) in LEGAL.values():
        fold, given = fold_of(before), json.dumps(body)
        kept = json.dumps(fold_to_json(fold))
        apply(fold, len(before), by, kind, dict(body))
        assert (json.dumps(fold_to_json(fold)), json.dumps(body)) == (kept, given)


def test_a_fold_survives_the_way_into_an_entry_and_back() -> None:
    for before, step in LEGAL.values():
        fold = fold_of([*before, step])
        assert from_json(json.loads(json.dumps(fold_to_json(fold)))) == fold


def test_what_a_newer_version_added_to_a_fold_is_left_out() -> None:
    value = json.loads(json.dumps(fold_to_json(fold_of(BROKEN_OFF))))
    value["unheard"] = value["open"][0]["unheard"] = value["lease"]["unheard"] = value["end"]["unheard"] = 1
    assert from_json(value) == fold_of(BROKEN_OFF)


# States: the first that applies

STATES: list[tuple[str, list[Step], State]] = [
    ("created", [CREATED], State.CREATED),
    ("asked for", ASKED, State.QUEUED),
    ("leased", LEASED, State.RUNNING),
    ("training", AT_5, State.RUNNING),
    ("training, one more asked for", [*AT_5, intent(2)], State.QUEUED),
    ("never leased, lost", [*ASKED, lost(1)], State.INTERRUPTED),
    ("refused", [*ASKED, said("refused", session=1, why="")], State.INTERRUPTED),
    ("lost", [*AT_5, lost(1)], State.INTERRUPTED),
    ("interrupted", [*AT_5, report("h1", 1)], State.INTERRUPTED),
    ("failed", [*AT_5, report("h1", 1, "failed")], State.FAILED),
    ("failed, resumed", [*AT_5, report("h1", 1, "failed"), intent(2)], State.QUEUED),
    ("failed, then lost", [*AT_5, report("h1", 1, "failed"), intent(2), lost(2)], State.INTERRUPTED),
    ("stopped before anything", [CREATED, said("stop")], State.STOPPED),
    ("stopping, asked for", [*ASKED, said("stop")], State.QUEUED),
    ("stopping, training", [*AT_5, said("stop")], State.RUNNING),
    ("stopped", STOPPED, State.STOPPED),
    ("stopped and failed", [*AT_5, said("stop"), report("h1", 1, "failed")], State.STOPPED),
    ("stopped, resumed", [*STOPPED, intent(2, resume=True)], State.QUEUED),
    ("cancelled before anything", [CREATED, said("cancel")], State.CANCELLED),
    ("cancelled, still training", [*AT_5, said("cancel")], State.CANCELLED),
    ("cancelled", CANCELLED, State.CANCELLED),
    ("stopped and cancelled", [*STOPPED, said("cancel")], State.CANCELLED),
    ("finished, not reported", AT_20, State.FINISHED),
    ("finished", [*AT_20, report("h1", 1, "finished")], State.FINISHED),
    ("finished, lost before the report", [*AT_20, lost(1)], State.FINISHED),
    ("finished in spite of a stop", [*AT_15, said("stop"), checkpoint("h1", 1, 20, 6)], State.FINISHED),
    ("finished in spite of a cancel", [*AT_15, said("cancel"), checkpoint("h1", 1, 20, 6)], State.FINISHED),
    ("finished, extended", [*AT_20, report("h1", 1, "finished"), said("extended", steps=40)], State.INTERRUPTED),
]


@pytest.mark.parametrize(("history", "state"), [it[1:] for it in STATES], ids=[it[0] for it in STATES])
def test_the_state_is_the_first_that_applies(history: list[Step], state: State) -> None:
    assert fold_of(history).state is state


def test_stopping_is_a_flag_beside_the_state() -> None:
    stopping = {name for name, history, _ in STATES if fold_of(history).stopping}
    assert stopping == {
        "stopping, asked for",
        "stopping, training",
        "cancelled, still training",
        "finished in spite of a stop",
        "finished in spite of a cancel",
    }
