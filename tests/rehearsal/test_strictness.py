"""What a week holds its supervisor to, shown by defects that have to be seen: queues, words, grounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import pytest

from facegan import checkpoints
from facegan.ledger import Entry, Wish, law
from facegan.process import Life
from facegan.storage.base import ObjectStore
from jobs import word
from jobs.backends.base import Fate
from jobs.rehearsal import machine, reasons
from jobs.rehearsal.history import End, Line
from jobs.rehearsal.machine import Machine
from jobs.rehearsal.place import Spot
from jobs.rehearsal.script import Script, Troubles
from jobs.rehearsal.terms import DAY_S, HOUR_S, Terms
from jobs.rehearsal.weeks import week
from jobs.rehearsal.world import Outcome, Play, Role, rehearse
from jobs.supervision import decision, places, watching
from jobs.supervision.past import Relay
from jobs.supervision.seen import Policy, Sighting

Patch = pytest.MonkeyPatch
CALM = Troubles(silences=0, outages=0, until_s=2 * DAY_S)
HOME = Terms(speeds={"T4": 1.0}, wait_s=(60.0, 60.0, 60.0))
SHORT_LIVED = dataclasses.replace(HOME, life_s=2 * HOUR_S)
QUEUED = dataclasses.replace(HOME, wait_s=(2 * HOUR_S,) * 3)
SLOW = dataclasses.replace(CALM, slow=1.0)
STOP, CANCEL, RESUME = (HOUR_S, "stop"), (HOUR_S, "cancel"), (10 * HOUR_S, "resume")


def played(here: Terms = HOME, troubles: Troubles = CALM, seed: int = 1) -> Outcome:
    return rehearse(
        Play(
            seed=seed,
            days=14.0,
            relay=Relay(backends=("ec2",), gpu="T4"),
            roles=[Role(run="run", steps=40, step_s=600.0)],
            troubles=troubles,
            resumes=20,
            to_end=True,
            places={"ec2": here},
        )
    )


FATE, SIGHT, READ_WHOLE, AFTER = Spot.fate, places._sight, checkpoints.read_whole, decision._after


def hasty(spot: Spot, ref: Mapping[str, object]) -> Fate:
    """A place that says of what waits in its queue that it is gone."""
    found = spot._site.machines.get((str(ref["run"]), int(str(ref["number"]))))
    waits = found is not None and found.began is None and found.ended is None
    return Fate(life=Life.GONE, why="it is gone") if waits else FATE(spot, ref)  # type: ignore[arg-type]


def impatient(*seen: object) -> Sighting:
    """A watch that takes what has not leased and is not known yet for gone."""
    found = SIGHT(*seen)  # type: ignore[arg-type]
    unsaid = found.life is Life.UNKNOWN and seen[2].by is None  # type: ignore[attr-defined]
    return dataclasses.replace(found, life=Life.GONE, why="it is silent") if unsaid else found


def suspicious(store: ObjectStore, entry: Entry) -> tuple[dict[str, bytes], list[checkpoints.Damage]]:
    """A session that takes what is whole for damaged, now and then."""
    whole, _ = READ_WHOLE(store, entry)
    damage = checkpoints.Damage(seq=entry.seq, object=entry.body["key"], how="is not what was committed")
    return dict(whole), [damage] if entry.body["step"] % 2 else []


def credulous(run: str, troubles: Sequence[decision.Ended], *rest: object) -> decision._Standing:
    """A watch for which a place that says no once says no for ever."""
    if troubles and troubles[0].refusal in decision.FOR_GOOD:
        return decision._Standing(backend=troubles[0].backend, until=None, why=troubles[0].why)
    return AFTER(run, troubles, *rest)  # type: ignore[arg-type]


def lingering(there: Machine) -> None:
    """A machine that does not end with its session."""
    machine.run_session(there._surroundings())
    there.around.clock.sleep(1e9)


def at_once(patch: Patch) -> None:
    patch.setattr(decision, "MISSING_S", 0.0)
    patch.setattr(watching, "MISSING_S", 0.0)


def unheard(said: tuple[float, str]) -> Callable[[Patch], None]:
    """The user's word is written down, and nobody goes by it."""

    def plant(patch: Patch) -> None:
        patch.setattr(Script, "words", lambda _script, _run: (said,))
        patch.setitem(law._RULES, said[1], lambda fold, _fact: fold)
        patch.setattr(
            word, "cancel", lambda _context, ledger: ledger.append(lambda _fold: Wish(kind="cancel", body={}))
        )

    return plant


def allowing(field: str, count: int) -> Callable[[Patch], None]:
    """A policy that gives up too early."""
    return lambda patch: patch.setitem(Policy.__init__.__kwdefaults__, field, count)  # type: ignore[arg-type]


DEFECTS: dict[str, tuple[Callable[[Patch], None], str, Terms, Troubles]] = {
    "a place lies that a session in its queue is gone": (
        lambda patch: patch.setattr(Spot, "fate", hasty),
        "while it waited at ec2",
        QUEUED,
        CALM,
    ),
    "what is silent and not leased is taken for gone": (
        lambda patch: patch.setattr(places, "_sight", impatient),
        "while it waited at ec2",
        QUEUED,
        SLOW,
    ),
    "what a place does not know yet is taken for missing": (at_once, "while it waited at ec2", QUEUED, SLOW),
    "what is whole is taken for damaged": (
        lambda patch: patch.setattr(checkpoints, "read_whole", suspicious),
        "was taken for damaged",
        SHORT_LIVED,
        CALM,
    ),
    "a machine does not end": (
        lambda patch: patch.setattr(Machine, "_live", lingering),
        "is still at ec2, and the run is over",
        HOME,
        CALM,
    ),
    "one failure is taken for two": (
        allowing("failures", 1),
        "given up without ground: 1 sessions failed",
        HOME,
        dataclasses.replace(CALM, breaking=0.5),
    ),
    "sessions that committed nothing are not counted": (
        allowing("fruitless", 2),
        "given up without ground: 2 sessions in a row",
        HOME,
        dataclasses.replace(CALM, unborn=0.5, cut=0.3),
    ),
    "a place that says no once is never asked again": (
        lambda patch: patch.setattr(decision, "_after", credulous),
        "given up without ground: no backend is left",
        HOME,
        dataclasses.replace(CALM, denying=1.0),
    ),
    "a place that says no for good is asked on and on": (
        lambda patch: patch.setattr(decision, "FOR_GOOD", frozenset()),
        "which had said twice that it never will",
        HOME,
        dataclasses.replace(CALM, denying=1.0),
    ),
    "a stop is not heeded": (unheard(STOP), "the user has said stop", SHORT_LIVED, CALM),
    "a cancel is not heeded": (unheard(CANCEL), "the run is cancelled", SHORT_LIVED, CALM),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, words, here, troubles = DEFECTS[defect]
    assert not played(here, troubles).broken
    plant(monkeypatch)
    broken = [played(here, troubles, seed).broken for seed in range(1, 9)]  # some defects need luck to show
    assert any(words in each for each in broken), broken


def test_what_the_user_stops_waits_for_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "words", lambda _script, _run: (STOP, RESUME))
    outcome = played()
    assert not outcome.broken
    asked = [event.at for event in outcome.events if event.what == "asked"]
    assert len(asked) == 2
    assert asked[1] > RESUME[0]
    assert outcome.endings[0].at is not None


def test_what_the_user_cancels_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "words", lambda _script, _run: (CANCEL,))
    outcome = played(SHORT_LIVED)
    assert not outcome.broken
    assert outcome.endings[0].at is None
    assert outcome.events[-1].at < DAY_S


def test_weeks_have_all_that_they_are_to_have() -> None:
    plays = [week(seed) for seed in range(60)]
    scripts = [(Script(seed=play.seed, troubles=play.troubles, days=play.days), play) for play in plays]
    words = {what for script, play in scripts for role in play.roles for _, what in script.words(role.run)}
    assert words == {"stop", "resume", "cancel"}
    kinds = {each.kind for script, play in scripts for name in play.relay.backends for each in script.denials(name)}
    assert kinds == {"auth", "invalid"}
    stays = [script.stay("run", 1, "ec2", 0.0, HOME) for script, _ in scripts]
    assert any(stay.wait_s > HOUR_S / 2 for stay in stays)
    assert any(stay.hidden_s > 0.0 for stay in stays)
    assert any(script.is_forgetful("ec2") for script, _ in scripts)
    assert all(play.relay.budget.usd is not None for play in plays if play.relay.auto)
    assert any(play.relay.auto for play in plays)
    assert any(play.raises for play in plays)


def test_a_reason_that_nobody_knows_is_none() -> None:
    line = Line(steps=40)
    assert not reasons.holds("because", line, 0.0, ("ec2",), affords=True)
    assert not reasons.holds("the budget is used up", line, 0.0, ("ec2",), affords=True)
    assert reasons.holds("the budget is used up", line, 0.0, ("ec2",), affords=False)


def test_what_the_user_has_answered_gives_no_ground_any_more() -> None:
    failed = [
        End(number=n, place="ec2", outcome="failed", began=0, step=0, at=float(n), leased=True, restored=True)
        for n in (1, 2)
    ]
    line, why = Line(steps=40, ends=failed), "2 sessions failed at step 0"
    assert reasons.holds(why, line, DAY_S, ("ec2",), affords=True)
    line.resumed_at.append(10.0)
    assert not reasons.holds(why, line, DAY_S, ("ec2",), affords=True)
