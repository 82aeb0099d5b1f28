"""What a session on a copy leaves at Kaggle: brought home whole, waited for, or believed lost."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.ledger import Fold
from facegan.storage.memory import MemoryStore
from jobs import losing
from jobs.backends.base import Order
from jobs.backends.kaggle import kernel, returned
from jobs.backends.kaggle.backend import KaggleBackend
from jobs.carrying.packing import Luggage, pack, unpack
from tests.fakes import driving
from tests.fakes.driving import RUN, Session, ask, contents, create, judged, ledger_of
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import DROP
from tests.kaggle.calling import push
from tests.kaggle.submitting import backend

EXIT = "facegan-exit: 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A user's own store, with a run whose first session is at Kaggle; and what that will have left, packed."""

    store: MemoryStore
    packed: bytes

    @property
    def kernel(self) -> str:
        return kernel.name(Order(run=RUN, run_url=f"{self.store.url.rstrip('/')}/runs/{RUN}", number=1))

    def files(self, **changes: bytes) -> dict[str, bytes]:
        label = json.dumps(returned._label(self.packed)).encode()
        return {returned.LEFT: self.packed, returned.LABEL: label, **changes}

    def bring(self, place: KaggleBackend) -> Fold:
        ledger = ledger_of(self.store)
        session = ledger.refresh().carried
        assert session is not None
        return losing.bring_home(ledger, place, session, "its session is over at Kaggle")

    def require_waiting(self, place: KaggleBackend) -> None:
        before = contents(self.store)
        assert self.bring(place).carried is not None
        assert contents(self.store) == before


@pytest.fixture
def home() -> Home:
    store = MemoryStore()
    create(store)
    ask(store, backend="hand", carried=True, ref={"kernel": "ada/x"})
    along = unpack(Luggage(ledger=ledger_of(store)).packed())
    copy = MemoryStore()
    for key, data in along.items():
        copy.put(key, data)
    Session(store=copy, holder="at kaggle", number=1).run()
    return Home(store=store, packed=pack({key: copy.get(key) for key in copy.list("") if key not in along}))


def leave(service: Kaggle, home: Home, files: Mapping[str, bytes], *, says: str = EXIT, fails: bool = False) -> None:
    """A session of the run's kernel that leaves these files, says this, and is over."""
    coded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    text = f"import base64\nfor name, data in {coded!r}.items():\n    open(name, 'wb').write(base64.b64decode(data))\n"
    push(service, home.kernel, f"{text}print({says!r}, flush=True)\n" + ("raise RuntimeError\n" if fails else ""))
    service.over(home.kernel)


def test_what_is_whole_is_brought_home(service: Kaggle, here: KaggleBackend, home: Home) -> None:
    leave(service, home, home.files())
    home.bring(here)
    driving.assert_untouched(home.store)


def test_of_one_that_failed_too_and_over_several_pages(service: Kaggle, here: KaggleBackend, home: Home) -> None:
    service.set(page_files=1)
    leave(service, home, home.files(), fails=True)
    home.bring(here)
    driving.assert_untouched(home.store)


@pytest.mark.parametrize("code", [500, DROP])
def test_while_any_answer_is_lost_nothing_is_concluded(service: Kaggle, home: Home, tmp_path: Path, code: int) -> None:
    """Each of the requests it takes, among them a page of the list and the file itself."""
    service.set(page_files=1)
    leave(service, home, home.files())
    asked, nth = len(service.faults.requests), 1
    backend(tmp_path).left(Order(run=RUN, run_url=f"{home.store.url.rstrip('/')}/runs/{RUN}", number=1))
    took = len(service.faults.requests) - asked
    for nth in range(1, took + 1):
        service.faults.fail(code=code, nth=nth, times=99)
        home.require_waiting(backend(tmp_path / str(nth)))
        service.faults.clear()
    assert took >= 6
    home.bring(backend(tmp_path))
    driving.assert_untouched(home.store)


@pytest.mark.parametrize(
    "change",
    [
        {"left.bin": b"PK cut short"},
        {"left.json": b'{"size": 12, "sha'},
        {"left.json": b'{"size": 12, "sha256": "00"}'},
        {"left.json": b"[]"},
    ],
)
def test_what_does_not_come_whole_is_waited_for(
    service: Kaggle, here: KaggleBackend, home: Home, change: dict[str, bytes]
) -> None:
    leave(service, home, {**home.files(), **change})
    home.require_waiting(here)
    home.require_waiting(here)


@pytest.mark.parametrize("missing", [returned.LEFT, returned.LABEL])
def test_what_must_be_there_and_is_not_listed_is_waited_for(
    service: Kaggle, here: KaggleBackend, home: Home, missing: str
) -> None:
    """It ended by itself, or said that it did: both come after the files."""
    files = home.files()
    del files[missing]
    leave(service, home, files, fails=True)
    home.require_waiting(here)
    service.clock.skip(hours=1)
    home.require_waiting(here)


def test_one_that_left_nothing_is_lost_on_the_second_look(service: Kaggle, home: Home, tmp_path: Path) -> None:
    leave(service, home, {}, says="up", fails=True)
    now = [1000.0]
    here = backend(tmp_path, wall_s=lambda: now[0])
    home.require_waiting(here)
    now[0] += 60.0
    fold = home.bring(here)
    assert not fold.open
    assert fold.end is not None
    assert (fold.end.kind, fold.end.why) == ("lost", "its session is over at Kaggle")
    leave(service, home, home.files())
    with pytest.raises(AssertionError):
        home.bring(here)  # there is none to bring: what comes late finds its number ended
    assert not judged(home.store).wrong


def test_what_is_whole_and_cannot_be_taken_ends_the_number(service: Kaggle, here: KaggleBackend, home: Home) -> None:
    """Else a run would wait for ever for an answer that it has."""
    forged = pack({**unpack(home.packed), "runs/other/ledger/00000000.json": b"x"})
    leave(service, home, {"left.bin": forged, "left.json": json.dumps(returned._label(forged)).encode()})
    fold = home.bring(here)
    assert fold.end is not None
    assert "cannot be taken" in fold.end.why
    assert not list(home.store.list("runs/other/"))
    assert fold.reached == 0
