"""What an entry must look like before anything in it is believed.

The ledger is read by whoever has a right to, and may have been written by anybody who ever had one. So
every entry that was read is held against its form, before a key in it is fetched or a number in it is
counted with. That it may stand where it stands is another question: the law's (`fold`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from facegan import layout
from facegan.errors import DamagedError
from facegan.experiment import EXACT, Json
from facegan.ledger.entry import SCHEMA, Entry
from facegan.storage.base import LARGEST

DEEPEST = 20  # how deep free JSON (an experiment, a machine) may be nested
_SHA256 = re.compile(r"[0-9a-f]{64}")

Form: TypeAlias = Callable[[Any], bool]


def text(value: Any) -> bool:  # noqa: ANN401 - any JSON, here and below
    return isinstance(value, str)


def flag(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, bool)


def amount(value: Any) -> bool:  # noqa: ANN401
    """A finite number that is not negative."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def whole(least: int = 0, most: int = EXACT) -> Form:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def digest(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def free(value: Any) -> bool:  # noqa: ANN401
    """Any JSON object that is not nested absurdly."""
    layer = [value]
    for _ in range(DEEPEST):
        layer = [inner for outer in layer for inner in _within(outer)]
        if not layer:
            return isinstance(value, Mapping)
    return False


def _within(value: Any) -> list[Any]:  # noqa: ANN401
    if isinstance(value, Mapping):
        return [*value.values()]
    return value if isinstance(value, list) else []


def perhaps(form: Form) -> Form:
    return lambda value: value is None or form(value)


def each(form: Form) -> Form:
    return lambda value: isinstance(value, (list, tuple)) and all(form(item) for item in value)


def pair(form: Form) -> Form:
    return lambda value: each(form)(value) and len(value) == 2  # noqa: PLR2004


def named(form: Form, name: Form = text) -> Form:
    return lambda value: isinstance(value, Mapping) and all(name(key) and form(item) for key, item in value.items())


def of(**forms: Form) -> Form:
    """An object with these fields, and whatever a newer version added. A field may lack if `None` fits it."""
    return lambda value: isinstance(value, Mapping) and all(form(value.get(key)) for key, form in forms.items())


NUMBER = whole(1)
STEP = whole()
RANGES = each(pair(STEP))
OBJECTS = named(of(size=whole(0, LARGEST), sha256=digest), layout.is_object_name)
PLACE: Mapping[str, Form] = {
    "host": perhaps(text),
    "gpu": perhaps(text),
    "bundle": perhaps(free),
    "ref": perhaps(free),
}
DAMAGE = of(seq=STEP, object=text, how=text, metrics=perhaps(RANGES))
SPENT = perhaps(named(amount))  # seconds of each kind (facegan.spent); entries of older versions have none
BUDGET: Mapping[str, Form] = dict.fromkeys(("budget_usd", "max_hours", "price_usd_h"), perhaps(amount))
RELAY = of(backends=each(text), gpu=perhaps(text), auto=perhaps(flag), **BUDGET)
PRICE = of(usd_h=perhaps(amount), market=text)  # what an hour was believed to cost (jobs.prices)

KINDS: Mapping[str, Form] = {
    "created": of(
        run=text, experiment=of(name=text, training=of(steps=whole(1))), data=perhaps(of(count=perhaps(STEP)))
    ),
    "data": of(session=NUMBER, name=layout.is_dataset, digest=digest, count=whole(1)),
    "intent": of(
        session=NUMBER,
        backend=text,
        **PLACE,
        machine=perhaps(free),
        resume=perhaps(flag),
        relay=perhaps(RELAY),
        carried=perhaps(flag),
        price=perhaps(PRICE),
        limit_s=perhaps(amount),
    ),
    "launched": of(session=NUMBER, ref=perhaps(free)),
    "refused": of(session=NUMBER, why=text, refusal=perhaps(text), until=perhaps(text)),
    "lease": of(session=NUMBER, machine=perhaps(free), ref=perhaps(free), over=perhaps(NUMBER)),
    "restored": of(checkpoint=perhaps(STEP), step=STEP, damaged=each(DAMAGE), determinism=named(text), spent=SPENT),
    "checkpoint": of(
        session=NUMBER, step=NUMBER, parent=whole(-1), key=text, objects=OBJECTS, took_s=amount, spent=SPENT
    ),
    "pruned": of(checkpoints=each(STEP)),
    "stop": of(),
    "cancel": of(),
    "extended": of(steps=NUMBER),
    "report": of(session=NUMBER, outcome=text, why=text, spent=SPENT),
    "lost": of(session=NUMBER, why=text),
    "tracked": of(server=text, mlflow_run=text, model=perhaps(text)),
}

HEAD = of(schema=whole(1), seq=STEP, prev=digest, at=text, by=text, nonce=text, kind=text)

FOLD = of(
    run=text,
    experiment=text,
    steps=STEP,
    reached=STEP,
    good=each(pair(STEP)),
    tip=perhaps(pair(whole(-1))),
    gaps=RANGES,
    newest=STEP,
    open=each(
        of(
            number=NUMBER,
            backend=text,
            **PLACE,
            by=perhaps(text),
            machine=perhaps(free),
            carried=perhaps(flag),
            limit_s=perhaps(amount),
        )
    ),
    lease=perhaps(of(session=NUMBER, by=text, seq=STEP)),
    end=perhaps(of(session=NUMBER, kind=text, outcome=text, why=text, backend=perhaps(text), host=perhaps(text))),
    stop=flag,
    cancel=flag,
    upload_s=amount,
    determinism=named(text),
    tracked=named(of(mlflow_run=text, model=perhaps(text))),
    data=perhaps(digest),
)


def require(entry: Entry, run: str, seq: int) -> Entry:
    """The entry itself, when it is one of this run and of this number, whatever it says.

    Raises:
        DamagedError: it is not; names the entry, and how.
    """
    for fits, how in _questions(entry, run, seq):
        if not fits():  # each is asked only when those before it were answered well: it may rest on them
            raise DamagedError(
                f'the ledger entry "{layout.entry(run, seq)}" {how}',
                hint="it was not written by this program: see who may write to the store; nothing was changed",
            )
    return entry


def _questions(entry: Entry, run: str, seq: int) -> tuple[tuple[Callable[[], bool], str], ...]:
    head: Json = {name: getattr(entry, name) for name in ("schema", "seq", "prev", "at", "by", "nonce", "kind")}
    return (
        (lambda: HEAD(head), "begins as no entry does"),
        (lambda: entry.seq == seq, f"calls itself entry {entry.seq!r}"),
        (lambda: entry.kind in KINDS or entry.schema > SCHEMA, f"is of an unknown kind, {entry.kind!r}"),
        (
            lambda: free(entry.body) and KINDS.get(entry.kind, free)(entry.body),
            f"says of {entry.kind!r} what cannot be",
        ),
        (lambda: _holds_a_fold(entry, run), "holds a state of the run that cannot be"),
        (lambda: entry.kind != "checkpoint" or _names_its_own(entry, run), "names objects that are not its own"),
    )


def _holds_a_fold(entry: Entry, run: str) -> bool:
    return FOLD(entry.fold) and entry.fold["run"] == run and all(seq <= entry.seq for seq, _ in entry.fold["good"])


def _names_its_own(entry: Entry, run: str) -> bool:
    body = entry.body
    return layout.STATE in body["objects"] and body["key"] == layout.checkpoint(run, body["step"], body["session"])
