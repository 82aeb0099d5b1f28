"""Entries written by somebody else than this program: refused by name, and before a byte they name is fetched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan import checkpoints
from facegan import session as wire
from facegan.checkpoints import decode_metrics
from facegan.errors import DamagedError, SessionExit
from facegan.history import History
from facegan.ledger.entry import LARGEST_ENTRY, digest
from facegan.pruning import Policy, remove, sweep
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import RUN, Session, append, begun, contents, declare_lost, judged, ledger_of
from tests.fakes.killing import Death, Killed, MortalStore, WatchedStore

Json = dict[str, Any]
STATE = "state.safetensors"


@pytest.fixture
def store() -> MemoryStore:
    """A run with checkpoints whose session died: what is appended now is what the next one reads first."""
    store = begun("memory", Path())
    with pytest.raises(Killed):
        Session(store=MortalStore(store, 40, Death.BEFORE), holder="first", number=1).run()
    declare_lost(store)
    assert isinstance(store, MemoryStore)
    return store


def entry(seq: int) -> str:
    return f"runs/{RUN}/ledger/{seq:08d}.json"


def newest(store: MemoryStore) -> int:
    return len(list(store.list(f"runs/{RUN}/ledger/"))) - 1


def sealed(fields: Json) -> bytes:
    """An entry as anybody can write one: whole, with a check that fits."""
    fields.pop("check", None)
    return seal(json.dumps(fields, separators=(",", ":")).encode())


def seal(data: bytes) -> bytes:
    return data[:-1] + b',"check":"' + digest(data[:-1]).encode() + b'"}\n'


def forged(store: MemoryStore, change: Callable[[Json], object], *, of: str = "checkpoint") -> str:
    """Append an entry like the newest of a kind, changed, as well linked as any; and one that is honest after it.

    What the forged one names is all there is to continue from. Its key is returned.
    """
    ledger = ledger_of(store)
    ledger.refresh()
    seq = newest(store) + 1
    like = [it for it in ledger.entries() if it.kind == of][-1]
    fields = json.loads(store.get(entry(like.seq)))
    fields |= {"seq": seq, "prev": ledger.head[1]}
    last = json.loads(store.get(entry(seq - 1)))
    fields["fold"] = {**last["fold"], "good": [[seq, fields.get("step", 0)]]}
    change(fields)
    store.put(entry(seq), sealed(fields))
    return entry(seq)


def objects(name: str, **said: object) -> Callable[[Json], object]:
    return lambda it: it["objects"].update({name: {"size": 1, "sha256": "0" * 64, **said}})


def says(**what: object) -> Callable[[Json], object]:
    return lambda it: it.update(what)


def folds(**what: object) -> Callable[[Json], object]:
    return lambda it: it["fold"].update(what)


def nested(depth: int) -> Json:
    found: Json = {}
    for _ in range(depth):
        found = {"in": found}
    return found


HOSTILE: dict[str, Callable[[Json], object]] = {
    "an absolute key": says(key="/etc/"),
    "a key that leads out": says(key=f"runs/{RUN}/checkpoints/../../../"),
    "another run's key": says(key="runs/other/checkpoints/15-1/"),
    "another session's key": says(key=f"runs/{RUN}/checkpoints/15-9/"),
    "the ledger as its key": says(key=f"runs/{RUN}/ledger/"),
    "a key that is no text": says(key=["runs"]),
    "an absolute name": objects("/etc/passwd"),
    "a name that leads out": objects("../../other/state.safetensors"),
    "a name with an empty part": objects("a//b"),
    "a name with a line feed": objects("a\nb"),
    "a size beyond all": objects(STATE, size=10**18),
    "a size beyond a put": objects(STATE, size=(5 << 30) + 1),
    "a size below nothing": objects(STATE, size=-1),
    "a size that is no number": objects(STATE, size="12"),
    "a size that is true": objects(STATE, size=True),
    "half a byte": objects(STATE, size=0.5),
    "no digest": objects(STATE, sha256=""),
    "a digest that is no text": objects(STATE, sha256=7),
    "no objects": says(objects={}),
    "objects in a list": says(objects=[STATE]),
    "a step that is a text": says(step="15"),
    "a step below nothing": says(step=-5),
    "a step beyond all numbers": says(step=10**40),
    "no step": lambda it: it.pop("step"),
    "another number": says(seq=1),
    "a broken prev": says(prev="ab" * 32),
    "a prev that is no digest": says(prev="?"),
    "a prev that is no text": says(prev=None),
    "an unknown kind": says(kind="exec"),
    "a kind that is no text": says(kind={"a": 1}),
    "a schema below all": says(schema=0),
    "a schema that is a text": says(schema="1"),
    "a fold of another run": folds(run="other"),
    "a fold without steps": folds(steps=None),
    "a good checkpoint that is to come": folds(good=[[999, 15]]),
    "a good one that is a text": folds(good=["ab"]),
    "a good one of three": folds(good=[[1, 2, 3]]),
    "a tip that is no pair": folds(tip=[1]),
    "sessions that are none": folds(open=[7]),
    "a lease that is a text": folds(lease="me"),
    "a fold that is a list": says(fold=[]),
    "an entry nested absurdly": says(more=nested(60)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_entry_is_refused_by_name_before_a_byte_is_fetched(what: str, store: MemoryStore) -> None:
    key = forged(store, HOSTILE[what])
    assert_refused(store, key)


def assert_refused(store: MemoryStore, key: str) -> None:
    """By a session, by whoever reads the run, by whoever prunes it, and by `verify`."""
    before = contents(store)
    watched = WatchedStore(store)
    session = Session(store=watched, holder="second")
    assert session.run() is SessionExit.FAILED
    assert key in "\n".join(session.said)
    assert "Traceback" not in "\n".join(session.said)
    for use in (checkpoints.restore, lambda it: list(History(ledger=it).checkpoints()), prune):
        with pytest.raises(DamagedError, match=key):
            use(ledger_of(watched))
    assert key in {found.object for found in judged(store).wrong}
    assert contents(store) == before
    elsewhere = [
        it for it in watched.operations if not it.key.startswith((f"runs/{RUN}/ledger", f"runs/{RUN}/sessions"))
    ]
    assert elsewhere == []


def prune(ledger: Any) -> None:
    list(remove(ledger, sweep(ledger, Policy(newest=2))))


def test_bytes_that_no_reader_survives_unprepared(store: MemoryStore) -> None:
    deep = b'{"schema":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    digits = b'{"schema":1,"seq":' + b"9" * 50_000 + b"}"
    head = json.loads(store.get(entry(newest(store))))
    nan = sealed({**head, "took_s": 0}).replace(b'"took_s":0', b'"took_s":NaN')
    huge = b'{"schema":1,"a":"' + b"a" * LARGEST_ENTRY + b'"}'
    key = entry(newest(store) + 1)
    for data in (seal(deep), seal(digits), seal(nan[: nan.rindex(b',"check"')] + b"}"), seal(huge), seal(b"{}")):
        store.put(key, data)
        assert_refused(store, key)


def test_a_hostile_checkpoint_among_the_good_ones_is_refused_although_honest_entries_follow(store: MemoryStore) -> None:
    key = forged(store, says(key="runs/other/checkpoints/15-1/"))
    fields = json.loads(store.get(key))
    follower = {
        **json.loads(store.get(entry(newest(store) - 1))),
        "seq": fields["seq"] + 1,
        "prev": digest(store.get(key)),
    }
    follower["fold"] = fields["fold"]
    store.put(entry(follower["seq"]), sealed(follower))
    watched = WatchedStore(store)
    session = Session(store=watched, holder="second")
    assert session.run() is SessionExit.FAILED
    assert key in "\n".join(session.said)
    assert not [it for it in watched.operations if "/checkpoints/" in it.key]


def test_good_ones_that_are_no_checkpoints_are_refused(store: MemoryStore) -> None:
    forged(store, folds(good=[[1, 15]]), of="lost")
    with pytest.raises(DamagedError, match=entry(1)):
        checkpoints.restore(ledger_of(store))


def test_a_named_object_that_has_grown_beyond_its_size_is_never_read(store: MemoryStore) -> None:
    last = [it for it in ledger_of(store).entries() if it.kind == "checkpoint"][-1]
    key = last.body["key"] + STATE
    store.put(key, bytes(50_000_000))
    found = checkpoints.restore(ledger_of(store))
    assert [damage.object for damage in found.damaged] == [key]
    assert "has more than" in found.damaged[0].how
    assert found.step < last.body["step"]


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{",
        b'{"step":1}',
        b'{"step":"1","at":1}',
        b'{"step":1,"at":1,"loss":"x"}',
        b"[" * 100_000,
        b"\xff",
        b"7",
    ],
)
def test_metrics_that_are_none_are_damage(data: bytes) -> None:
    with pytest.raises(DamagedError, match="as metrics"):
        decode_metrics(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"x" * 10_000_000, b'{"check":1}'])
def test_a_heartbeat_that_is_none_is_none(data: bytes, store: MemoryStore) -> None:
    store.put(f"runs/{RUN}/sessions/1/heartbeat.json", data)
    assert wire.read(store, RUN, 1) is None
    assert Session(store=store, holder="second").run() is SessionExit.FINISHED


def test_nobody_writes_what_nobody_would_read(store: MemoryStore) -> None:
    before = contents(store)
    with pytest.raises(DamagedError, match="of 'extended' what cannot be"):
        append(ledger_of(store), "extended", steps=10**40)
    assert contents(store) == before
