"""Proving a run: everything is read again and held against what the ledger says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from facegan import layout
from facegan import session as wire
from facegan.checkpoints import ObjectDamagedError, decode_metrics, read
from facegan.errors import DamagedError
from facegan.ledger import Entry, Fold, IllegalEntryError, Ledger, law
from facegan.ledger import fold as folding
from facegan.ledger.entry import GENESIS, SCHEMA
from facegan.session import Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: the object's key, and how."""

    object: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """An entry of a ledger that somebody has seen as its newest: its number and the SHA-256 of its bytes."""

    seq: int
    digest: str


@dataclass(kw_only=True)
class Verdict:
    """What was read, and what is wrong with it.

    `known` is damage that a session found before: the ledger says so, and the steps were trained again.
    """

    entries: int = 0
    objects: int = 0
    size: int = 0
    steps: int = 0
    wrong: list[Finding] = field(default_factory=list)
    known: list[Finding] = field(default_factory=list)


def verify(ledger: Ledger, heads: Mapping[str, Head] | None = None) -> Verdict:
    """Read the whole run and judge it, `heads` being what others than its sessions have seen of it, by their names.

    Raises:
        NoRunError: there is no such run.
        UnreachableError: the storage did not answer, so nothing can be said.
    """
    verdict = Verdict()
    seen = _seen(ledger)
    checked = _chain(ledger, verdict)
    named = {finding.object for finding in verdict.wrong}
    verdict.wrong += [finding for finding in _forgotten(ledger, seen) if finding.object not in named]
    named = {finding.object for finding in verdict.wrong}
    for who, head in (heads or {}).items():
        if (found := lacks(ledger, head, who)) is not None and found.object not in named:
            verdict.wrong.append(found)
    pruned = _pruned(checked)
    known = {item["object"] for entry in checked if entry.kind == "restored" for item in entry.body["damaged"]}
    counted: Counter[int] = Counter()
    for entry in checked:
        if entry.kind == "checkpoint":
            counted.update(_objects(ledger, entry, verdict, pruned, known))
    _steps(checked, counted, verdict)
    if verdict.wrong and checked:
        gone = _let_go_of_since(ledger, checked)
        verdict.wrong = [finding for finding in verdict.wrong if finding.object not in gone]
    return verdict


def _seen(ledger: Ledger) -> dict[int, Heartbeat]:
    """What each session remembers of the ledger; read before the ledger, which only grows."""
    numbers = [int(name) for name in ledger.store.folders(layout.sessions(ledger.run)) if name.isdecimal()]
    beats = {number: wire.read(ledger.store, ledger.run, number) for number in sorted(numbers)}
    return {number: beat for number, beat in beats.items() if beat is not None and beat.seq >= 0}


def _forgotten(ledger: Ledger, seen: Mapping[int, Heartbeat]) -> Iterator[Finding]:
    """Entries that a session has seen and that are gone, or others: a chain cut short looks as good as any."""
    for number, beat in seen.items():
        found = lacks(ledger, Head(seq=beat.seq, digest=beat.digest), f"session {number}")
        if found is not None:
            yield found


def lacks(ledger: Ledger, head: Head, who: str) -> Finding | None:
    """What is wrong with the entry that `who` has seen; `None` if it stands in the ledger as it was."""
    try:
        if ledger.digest_of(head.seq) == head.digest:
            return None
        how = f"is another than {who} has seen"
    except DamagedError:
        how = f"is missing, although {who} has seen it"
    return Finding(object=layout.entry(ledger.run, head.seq), how=how)


def _let_go_of_since(ledger: Ledger, checked: list[Entry]) -> set[str]:
    """States that a session has pruned while they were being read: not damage."""
    try:
        pruned = _pruned(ledger.entries(after=checked[-1].seq))
    except DamagedError:
        return set()
    return {entry.body["key"] + layout.STATE for entry in checked if entry.seq in pruned}


def _pruned(entries: Iterable[Entry]) -> set[int]:
    return {seq for entry in entries if entry.kind == "pruned" for seq in entry.body["checkpoints"]}


def _chain(ledger: Ledger, verdict: Verdict) -> list[Entry]:
    """Every entry: numbered without a gap, chained by hash, legal, its fold as recorded."""
    keys = [key for key in ledger.store.list(layout.ledger(ledger.run)) if layout.entry_seq(key) is not None]
    if not keys:
        ledger.refresh()  # says that there is no such run
    last = max(layout.entry_seq(key) or 0 for key in keys)
    checked: list[Entry] = []
    fold: Fold | None = None
    before: str | None = GENESIS
    for seq in range(last + 1):
        key = layout.entry(ledger.run, seq)
        verdict.entries += 1
        try:
            entry, now = ledger.entry(seq), ledger.digest_of(seq)
        except DamagedError as error:
            verdict.wrong.append(Finding(object=key, how=error.message))
            fold, before = None, None
            continue
        verdict.wrong += [Finding(object=key, how=how) for how in _link(entry, before)]
        if fold is not None or seq == 0:
            verdict.wrong += [Finding(object=key, how=how) for how in _fold(entry, fold)]
        fold, before = folding.from_json(entry.fold), now
        checked.append(entry)
    return checked


def _link(entry: Entry, before: str | None) -> Iterator[str]:
    if before is not None and entry.prev != before:
        yield "breaks the hash chain: it does not follow the entry that stands before it"


def _fold(entry: Entry, before: Fold | None) -> Iterator[str]:
    if entry.schema > SCHEMA:
        return
    try:
        after = law.apply(before, entry.seq, entry.by, entry.kind, entry.body)
    except (IllegalEntryError, KeyError, TypeError) as error:
        yield f"may not stand here: {error}"
        return
    if after != folding.from_json(entry.fold):
        yield "records another state of the run than its entries make"


def _objects(ledger: Ledger, entry: Entry, verdict: Verdict, pruned: set[int], known: set[str]) -> Iterator[int]:
    """Check one checkpoint's objects; yields the steps whose metrics it makes history."""
    for name in entry.body["objects"]:
        if name == layout.STATE and entry.seq in pruned:
            continue
        verdict.objects += 1
        key = entry.body["key"] + name
        try:
            data = read(ledger.store, entry, name)
        except ObjectDamagedError as error:
            found = Finding(object=key, how=error.damage.how)
            (verdict.known if key in known else verdict.wrong).append(found)
            continue
        verdict.size += len(data)
        if name == layout.METRICS and key not in known:  # healed since, but its steps were trained again
            try:
                yield from (point.step for point in decode_metrics(data))
            except DamagedError as error:
                verdict.wrong.append(Finding(object=key, how=error.message))


def _steps(checked: list[Entry], counted: Counter[int], verdict: Verdict) -> None:
    """Each step's metrics once: from 1 to the last committed step, none missing, none twice."""
    reached = max((entry.body["step"] for entry in checked if entry.kind == "checkpoint"), default=0)
    verdict.steps = len(counted)
    missing = [step for step in range(1, reached + 1) if step not in counted]
    twice = [step for step, times in sorted(counted.items()) if times > 1]
    strange = [step for step in sorted(counted) if not 1 <= step <= reached]
    for steps, how in ((missing, "missing"), (twice, "committed twice"), (strange, "of no committed step")):
        if steps:
            shown = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,} ({len(steps):,} steps)"
            verdict.wrong.append(Finding(object=layout.METRICS, how=f"metrics {how}: {shown}"))
