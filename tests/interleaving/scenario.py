"""The histories that are explored: who meets whom, in how small a world, and what may go wrong there.

`EVERY_DAY` are explored with every run of the tests, `LONG` have larger budgets. A frozen session needs no name
of its own: wherever two sessions meet, each may stand still at any operation for as long as the other likes.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.interleaving.explorer import Faults, Scenario
from tests.interleaving.program import (
    brief_session,
    cancel,
    extend,
    resume,
    session,
    slim_session,
    stop,
    user,
)
from tests.interleaving.world import Program

CRASH, LOST, LATE, ONE_OF_EACH = Faults(crash=1), Faults(lost=1), Faults(late=1), Faults(1, 1, 1)


def together(name: str, names: str, program: Program, **more: object) -> Scenario:
    """Several processes of one program, started together."""
    return Scenario(name=name, programs=dict.fromkeys(names, program), twins=names, **more)  # type: ignore[arg-type]


def twice(name: str, program: Program, **more: object) -> Scenario:
    """One session number, started twice."""
    return together(f"number 1 started twice, {name}", "ab", program, submitted=True, **more)


def with_user(name: str, one: Program, *commands: Callable[..., None], **more: object) -> Scenario:
    """The session that was submitted, and its user."""
    then = more.pop("then", None)
    programs = {"a": one, "user-b": user(*commands, then=then)}  # type: ignore[arg-type]
    return Scenario(name=name, programs=programs, submitted=True, **more)  # type: ignore[arg-type]


EVERY_DAY = [
    together("two sessions by hand, one may crash", "ab", session(), steps=1, faults=CRASH),
    together("two sessions by hand, two looks, slim", "ab", slim_session(), looks=2, steps=1),
    twice("one may crash", session(1), faults=CRASH),
    twice("an answer lost", session(1), steps=1, faults=LOST),
    twice("a put lands late", session(1), steps=1, faults=LATE),
    twice("an answer lost and not asked again", session(1, patient=False), steps=1, faults=LOST),
    twice("a put lands late, not asked again", session(1, patient=False), steps=1, faults=LATE),
    twice("with heartbeats", session(1, beats=True), steps=1),
    twice("old states are pruned", session(1), steps=3, keep=2),
    twice("one of each fault, brief", brief_session(1), steps=1, faults=ONE_OF_EACH),
    together("three sessions, brief", "abc", brief_session(1), submitted=True, steps=1),
    with_user("stop, faults", session(1, beats=True), stop, faults=ONE_OF_EACH),
    with_user("stop and resume", session(1, beats=True), stop, resume, then=slim_session, steps=1),
    with_user("cancel, a put lands late", session(1, beats=True), cancel, faults=LATE),
    with_user("declared lost, wakes up, may crash", slim_session(1), resume, then=slim_session, steps=1, faults=CRASH),
    Scenario(
        name="two sessions, and a user who stops",
        programs={"a": slim_session(1), "b": slim_session(1), "user-c": user(stop)},
        twins="ab",
        submitted=True,
        steps=1,
    ),
]

EXTENDED = with_user("extended, faults", session(1, beats=True), extend(3), faults=ONE_OF_EACH)

LONG = [
    together("three sessions, slim", "abc", slim_session(1), submitted=True, steps=1),
    together("two sessions by hand, three steps, one may crash", "ab", session(), steps=3, faults=CRASH),
    together("two sessions by hand, an answer lost", "ab", session(), faults=LOST),
    together("two sessions by hand, a put lands late", "ab", session(), faults=LATE),
    together("two sessions by hand, two looks", "ab", session(), looks=2),
    together("three sessions, brief, one may crash", "abc", brief_session(1), submitted=True, faults=CRASH),
    twice("one of each fault, slim", slim_session(1), steps=1, faults=ONE_OF_EACH),
    twice("two answers lost, not asked again", session(1, patient=False), steps=1, faults=Faults(lost=2)),
    twice("two puts land late, not asked again", session(1, patient=False), steps=1, faults=Faults(late=2)),
    with_user("cancel, faults", session(1, beats=True), cancel, faults=ONE_OF_EACH),
    together("two sessions by hand, two steps, one may crash", "ab", session(), faults=CRASH),
    with_user("declared lost, wakes up", session(1, beats=True), resume, then=session, faults=CRASH),
    with_user("stop and resume, one may crash", session(1, beats=True), stop, resume, then=session, faults=CRASH),
    Scenario(
        name="two sessions, and a user who stops and resumes",
        programs={"a": brief_session(1), "b": brief_session(1), "user-c": user(stop, resume, then=brief_session)},
        twins="ab",
        submitted=True,
        steps=1,
    ),
    Scenario(
        name="two sessions, and a user who cancels",
        programs={"a": session(1, beats=True), "b": session(1, beats=True), "user-c": user(cancel)},
        twins="ab",
        submitted=True,
        steps=1,
    ),
]
