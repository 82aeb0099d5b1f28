"""What goes wrong in a rehearsal: a function of the seed, and of what it happens to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.rehearsal.terms import DAY_S, HOUR_S, Terms

AT_ONCE = frozenset({"local", "docker"})  # the user's own machines have no queue, and know what they have made
MOST_HIDDEN_S = 50.0
CANCELS = 1 / 3  # of the users who say something


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """How much goes wrong, and for how long. Shares are of 1.

    Requests of places: `silent`. Sessions: `unborn` never begin, `vanished` ones their place forgets before they do,
    `breaking` ones fail, `hanging` ones come to a step that never ends, `cut` ones die at an operation of the store.
    Places are silent, and the store is down, so many times a week, for some hours or minutes. One answer of the store
    in `lost` gets lost. Machines are taken `haste` times as often as elsewhere. Watches are `killed`, or have a
    `twin`, and beside all of them one may be `staying`. From `until_s` on, nothing of it happens any more.
    Sessions: `queued` ones wait for hours. Places: those that are `slow` do not know at once what they have made,
    `forgetful` ones not for long what has ended, and `denying` ones let nobody in, or take no such session, for hours
    or for good. To runs: of so many, the user `says` something: stop, and resume later, or cancel.
    """

    silent: float = 0.0
    unborn: float = 0.0
    vanished: float = 0.0
    breaking: float = 0.0
    hanging: float = 0.0
    cut: float = 0.0
    silences: int = 1
    outages: int = 1
    lost: float = 0.0
    haste: float = 1.0
    killed: float = 0.0
    twin: float = 0.0
    staying: float = 0.0
    queued: float = 0.0
    slow: float = 0.0
    forgetful: float = 0.0
    denying: float = 0.0
    says: float = 0.0
    until_s: float = 10 * 365 * DAY_S


FAIR = Troubles(silent=0.02, unborn=0.02, vanished=0.02, hanging=0.02, killed=0.02, twin=0.02)
"""As weeks are."""

HARSH = Troubles(
    silent=0.2,
    unborn=0.08,
    vanished=0.08,
    breaking=0.05,
    hanging=0.05,
    cut=0.3,
    silences=4,
    outages=4,
    lost=0.01,
    haste=2.0,
    killed=0.3,
    twin=0.3,
    staying=0.3,
    queued=0.05,
    slow=0.3,
    forgetful=0.3,
    denying=0.2,
    says=0.1,
    until_s=5 * DAY_S,
)
"""As no week should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What a session is in for: it begins after `wait_s`, and `how` it ends, unless it does so by itself before.

    `after_s` is how long it has, `at_operation` which operation of the store is its last, and `torn` says that this
    operation is done. `hidden_s` is how long its place does not know of it.
    """

    wait_s: float
    how: str = "lives"  # lives, unborn, vanishes, breaks, hangs
    after_s: float | None = None
    at_operation: int | None = None
    torn: bool = False
    hidden_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A process that watches: at which of its operations it dies, if at any, and when another begins beside it."""

    at_operation: int | None = None
    torn: bool = False
    twin_after_s: float | None = None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """From when to when a place says no to everybody, and which kind of no."""

    begins: float
    ends: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Everything that a seed says."""

    seed: int
    troubles: Troubles
    days: float

    def luck(self, *of: object) -> random.Random:
        return random.Random("/".join(map(str, (self.seed, *of))))  # noqa: S311 - the same each time is the point

    def answer(self, place: str, count: int, now: float, terms: Terms) -> str:
        """What a place says when it is asked for its next session: ok, capacity, or nothing, having made one or not."""
        luck = self.luck("answer", place, count)
        if self._bad(now) and luck.random() < self.troubles.silent:
            return luck.choice(("silent, made", "silent, not made"))
        return "capacity" if luck.random() < terms.crowded else "ok"

    def stay(self, run: str, number: int, place: str, now: float, terms: Terms) -> Stay:
        found = self._stay(run, number, place, now, terms)
        luck, troubles = self.luck("queue", run, number, place, now), self.troubles
        if not self._bad(now) or place in AT_ONCE:
            return found
        wait_s = luck.uniform(HOUR_S / 2, 6 * HOUR_S) if luck.random() < troubles.queued else found.wait_s
        return replace(found, wait_s=wait_s, hidden_s=luck.uniform(0.0, MOST_HIDDEN_S) if self.is_slow(place) else 0.0)

    def is_slow(self, place: str) -> bool:
        return self.luck("slow", place).random() < self.troubles.slow

    def is_forgetful(self, place: str) -> bool:
        return self.luck("memory", place).random() < self.troubles.forgetful

    def denials(self, place: str) -> Sequence[Denial]:
        luck = self.luck("denials", place)
        if luck.random() >= self.troubles.denying:
            return ()
        begins, until_s = luck.choice((0.0, luck.uniform(0.0, DAY_S))), self.troubles.until_s
        ends = luck.choice((begins + luck.uniform(HOUR_S / 2, DAY_S), until_s))
        return (Denial(begins=begins, ends=min(ends, until_s), kind=luck.choice(("auth", "invalid"))),)

    def words(self, run: str) -> Sequence[tuple[float, str]]:
        """What the user says of a run, and when."""
        luck = self.luck("words", run)
        if luck.random() >= self.troubles.says:
            return ()
        at = luck.uniform(0.0, 1.5 * DAY_S)
        if luck.random() < CANCELS:
            return ((at, "cancel"),)
        return ((at, "stop"), (at + luck.uniform(HOUR_S / 2, 1.25 * DAY_S), "resume"))

    def _stay(self, run: str, number: int, place: str, now: float, terms: Terms) -> Stay:
        luck, troubles = self.luck("stay", run, number, place), self.troubles
        low, likely, high = terms.wait_s
        wait_s = luck.triangular(low, high, likely)
        haste = troubles.haste if self._bad(now) else 1.0
        after_s = None if terms.life_s is None else max(60.0, luck.expovariate(haste / terms.life_s))
        drawn = luck.random()
        if not self._bad(now):
            return Stay(wait_s=wait_s, after_s=after_s)
        for how, share in (
            ("unborn", troubles.unborn),
            ("vanishes", troubles.vanished),
            ("breaks", troubles.breaking),
            ("hangs", troubles.hanging),
        ):
            if drawn < share:
                return Stay(wait_s=wait_s, how=how, after_s=luck.uniform(0.0, 5 * HOUR_S))
            drawn -= share
        cut = luck.randrange(luck.choice((12, 200))) if drawn < troubles.cut else None
        return Stay(wait_s=wait_s, after_s=after_s, at_operation=cut, torn=luck.random() < 0.5)  # noqa: PLR2004

    def visit(self, count: int, now: float) -> Visit:
        luck = self.luck("visit", count)
        dies, doubled = luck.random() < self.troubles.killed, luck.random() < self.troubles.twin
        if not self._bad(now):
            return Visit()
        return Visit(
            at_operation=luck.randrange(luck.choice((6, 40))) if dies else None,
            torn=luck.random() < 0.5,  # noqa: PLR2004
            twin_after_s=luck.uniform(0.0, 3.0) if doubled else None,
            elsewhere=luck.random() < 0.5,  # noqa: PLR2004
        )

    def staying(self) -> Visit | None:
        """A process that watches on and on, until it is killed; none in most weeks."""
        luck = self.luck("staying")
        if luck.random() >= self.troubles.staying:
            return None
        return Visit(at_operation=luck.randrange(3000), torn=luck.random() < 0.5, elsewhere=True)  # noqa: PLR2004

    def silences(self, place: str) -> Sequence[tuple[float, float]]:
        """When a place does not answer: from, to."""
        return self._times(self.luck("silences", place), self.troubles.silences, (HOUR_S / 2, 4 * HOUR_S))

    def outages(self) -> Sequence[tuple[float, float]]:
        """When the store does not answer."""
        return self._times(self.luck("outages"), self.troubles.outages, (60.0, HOUR_S))

    def _bad(self, now: float) -> bool:
        return now < self.troubles.until_s

    def _times(self, luck: random.Random, most: int, lasts_s: tuple[float, float]) -> Sequence[tuple[float, float]]:
        until_s = min(self.troubles.until_s, self.days * DAY_S)
        count = round(most * until_s / (7 * DAY_S))
        begins = sorted(luck.uniform(0.0, until_s) for _ in range(count))
        return [(at, at + luck.uniform(*lasts_s)) for at in begins]
