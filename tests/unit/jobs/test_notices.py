"""Notices: what is worth one, that each goes out once, and that none can harm the watch."""

from __future__ import annotations

import dataclasses
import http.server
import json
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import BadInputError, FaceganError
from facegan.ledger import Fold, Ledger
from facegan.spending import Cost, Spending
from facegan.storage.memory import MemoryStore
from jobs import ingredients, orders
from jobs.budget import Budget
from jobs.notices import sending
from jobs.notices.events import Notice, NotSentError, notices
from jobs.notices.kept import Claim, Kept, Rested
from jobs.notices.sending import Target
from jobs.notices.telling import STALE_S, Teller
from jobs.supervision.actions import GiveUp, Leave, Rest, Wait
from jobs.supervision.policy import Allowed
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli

NOW = world.WALL_S
HOUR = 3_600.0
SPENT = Spending(costs=(Cost(number=1, ms=9 * 3_600_000, usd_h=1.0),))


def fold_of(prepare: Any) -> Fold:
    store = MemoryStore()
    prepare(store)
    return world.ledger(store).refresh()


@pytest.mark.parametrize(
    ("prepare", "rest", "budget", "found"),
    [
        (world.finished, Leave(why="done", over=True), Budget(), ["finished 12"]),
        (world.failed, Wait(why="waits", until=NOW + 60), Budget(), ["failed 1"]),
        (world.failed, GiveUp(why="twice"), Budget(), ["failed 1", "given-up 1"]),
        (lambda store: (world.failed(store), world.ask(store, number=2)), Leave(why="alive"), Budget(), ["failed 1"]),
        (world.interrupted, Wait(why="its quota is used up", until=NOW + HOUR), Budget(), ["waiting 1"]),
        (world.interrupted, Wait(why="half a minute", until=NOW + 30), Budget(), []),
        (world.interrupted, Leave(why="alive"), Budget(usd=10.0), ["budget 10.0/None"]),
        (world.interrupted, Leave(why="alive"), Budget(usd=10.1), []),
        (world.interrupted, Leave(why="alive"), Budget(hours=9.5), ["budget None/9.5"]),
    ],
)
def test_what_is_worth_a_notice(prepare: Any, rest: Rest, budget: Budget, found: list[str]) -> None:
    told = [*notices(fold_of(prepare), rest, NOW, budget, None if budget.is_open else SPENT)]
    assert [each.key for each in told] == found
    for each in told:
        assert json.loads(json.dumps(each.to_json()))["text"].startswith(f"{world.RUN}: {each.event.replace('-', ' ')}")


NOTICE = Notice(event="finished", key="finished 12", run="a", why="all", state="finished", step=12, steps=12)


def command(*arguments: str) -> Target:
    return Target(arguments=(sys.executable, "-S", *arguments))


def test_a_command_is_run_with_the_notice_on_its_standard_input(tmp_path: Path) -> None:
    program = "import os, sys; open(sys.argv[1], 'w').write(os.environ['FACEGAN_EVENT'] + sys.stdin.read())"
    command("-c", program, str(tmp_path / "got")).send(NOTICE)
    assert (tmp_path / "got").read_text() == "finished" + json.dumps(NOTICE.to_json())


def test_a_command_that_fails_hangs_or_is_not_there_is_not_sent() -> None:
    with pytest.raises(NotSentError, match="ended with 3"):
        command("-c", "raise SystemExit(3)").send(NOTICE)
    with pytest.raises(NotSentError, match="did not end within"):
        Target(arguments=("sh", "-c", "sleep 60 & sleep 60")).send(NOTICE, patience_s=0.3)
    with pytest.raises(NotSentError, match="cannot be run"):
        Target(arguments=("no-such-program",)).send(NOTICE)


class Hook(http.server.BaseHTTPRequestHandler):
    got: list[tuple[str, Any]]
    answer = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append((self.path, json.loads(body)))
        self.send_response(self.answer)
        if self.answer == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    kind = type("OneHook", (Hook,), {"got": []})
    with http.server.HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/T0/secret-token", kind
        server.shutdown()
        thread.join()


def test_an_address_is_posted_to(hook: tuple[str, type[Hook]]) -> None:
    url, kind = hook
    Target(url=url).send(NOTICE)
    assert kind.got == [("/T0/secret-token", NOTICE.to_json())]


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_an_address_that_refuses_is_not_followed_elsewhere_nor_repeated(
    answer: int, hook: tuple[str, type[Hook]]
) -> None:
    url, kind = hook
    kind.answer = answer
    with pytest.raises(NotSentError, match=f"127.0.0.1 answered {answer}") as error:
        Target(url=url).send(NOTICE)
    assert "secret" not in str(error.value), "the address of a chat room is the right to write into it"
    assert len(kind.got) == 1


@pytest.mark.parametrize("text", ["http://example.org/secret-1", "echo 'secret-1"])
def test_what_cannot_be_sent_to_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadInputError) as error:
        sending.parse(text)
    assert "secret-1" not in f"{error.value} {error.value.hint}"


def test_what_can_be_sent_to() -> None:
    assert sending.parse(" ") is None
    assert sending.parse("notify-send 'a b'") == Target(arguments=("notify-send", "a b"))
    assert sending.parse("https://example.org/x") == Target(url="https://example.org/x")
    assert sending.parse("http://localhost:1/x") == Target(url="http://localhost:1/x")


def test_a_claim_is_one_watchs_until_it_is_settled_and_then_nobodys(tmp_path: Path) -> None:
    one, other = Kept(tmp_path, "s"), Kept(tmp_path, "s")
    assert one.claim("a", "k", NOW) is Claim.NOW
    assert other.claim("a", "k", NOW + 1) is Claim.LATER
    assert Kept(tmp_path, "another store").claim("a", "k", NOW) is Claim.NOW
    one.settle("a", "k", NOW, sent=True)
    assert other.claim("a", "k", NOW + 1e9) is Claim.NEVER


def test_one_that_was_killed_while_it_sent_is_sent_again_and_one_that_fails_three_times_no_more(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "s")
    assert kept.claim("a", "k", NOW) is Claim.NOW
    assert kept.claim("a", "k", NOW + 61) is Claim.NOW
    kept.settle("a", "k", NOW + 61, sent=False)
    assert kept.claim("a", "k", NOW + 122) is Claim.LATER, "twice as long after the second"
    assert kept.claim("a", "k", NOW + 190) is Claim.NOW
    kept.settle("a", "k", NOW + 190, sent=False)
    assert kept.claim("a", "k", NOW + 1e9) is Claim.NEVER


class Telling:
    """A teller with a list in the place of the world."""

    def __init__(self, home: Path, store: MemoryStore, *, now: float = NOW) -> None:
        base = world.context(home, store)
        settings = dataclasses.replace(base.settings, notify="some-program")
        self.now = now
        self.context = dataclasses.replace(base, settings=settings, writer=world.writer(wall_s=lambda: self.now))
        self.complaints: list[str] = []
        self.sent: list[str] = []
        self.fails = False
        allowed = Allowed(settings=settings)
        self.teller = Teller(context=self.context, allowed=allowed, complain=self.complain)
        self.teller._target = self  # type: ignore[assignment]

    def complain(self, _run: str, error: FaceganError) -> None:
        self.complaints.append(error.message)

    def send(self, notice: Notice) -> None:
        self.sent.append(notice.key)
        if self.fails:
            raise NotSentError("no")

    def heed(self, ledger: Ledger, rest: Rest) -> None:
        ledger.refresh()
        self.teller.heed(ledger, rest)


def test_each_event_is_told_once_by_whoever_watches(home: Path, store: MemoryStore) -> None:
    ledger = world.interrupted(store)
    first, second = Telling(home, store), Telling(home, store)
    for rest in (Wait(why="quota", until=NOW + HOUR), Wait(why="quota still", until=NOW + HOUR), GiveUp(why="no")):
        first.heed(ledger, rest)
        first.heed(ledger, rest)
        second.heed(ledger, rest)
    assert (first.sent, second.sent) == (["waiting 1", "given-up 1"], [])
    assert first.complaints == second.complaints == []


def test_what_a_session_was_given_is_not_spent_when_it_is_asked_for(home: Path, store: MemoryStore) -> None:
    world.create(store)
    relay = {"backends": ["local"], "gpu": None, "max_hours": 10.0}
    world.ask(store, relay=relay, limit_s=36_000.0, price={"usd_h": 0.0, "market": "on demand"})
    told, ledger = Telling(home, store), world.ledger(store)
    told.heed(ledger, Leave(why="session 1 is alive"))
    assert told.sent == []
    assert orders.committed(ledger).hours == 10.0


def refusals(home: Path) -> Iterator[str]:
    """Why places cannot run a session, in the words of those who say so: some name the store."""
    for url in ("s3://secret-bucket/mine", (home / "store").as_uri()):
        store = MemoryStore()
        store.url = url
        here = world.context(home, store)
        for name in ("kaggle", "colab", "ec2", "gce", "batch", "gradient"):
            try:
                orders.place(here, name, None, fetch=False)
            except FaceganError as error:
                yield error.message
        try:
            ingredients.require_data(world.experiment("data.name=celeba").data, None, store, {})
        except FaceganError as error:
            yield error.message
    yield f'there is no run "r" in {url}'


def test_no_notice_says_where_the_store_is(home: Path, store: MemoryStore) -> None:
    messages = [*refusals(home)]
    assert sum("s3://secret-bucket/mine" in each for each in messages) + sum("file://" in each for each in messages) > 3
    world.interrupted(store)
    for url in ("s3://secret-bucket/mine", (home / "store").as_uri() + "/"):
        told, ledger = Telling(home, store), world.ledger(store)
        ledger.refresh()
        context = dataclasses.replace(told.context, store=Named(store, url))  # type: ignore[arg-type]
        told.teller.context = context
        for message in messages:
            for rest in (GiveUp(why=f"no backend is left. kaggle: {message}"), Wait(why=message, until=NOW + HOUR)):
                for notice in told.teller._notices(ledger, rest):
                    assert url.rstrip("/") not in json.dumps(notice.to_json())
                    assert str(home) not in json.dumps(notice.to_json())


class Named:
    """A store under another name."""

    def __init__(self, store: MemoryStore, url: str) -> None:
        self._store, self.url = store, url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_run_that_is_removed_and_made_anew_is_told_of_again(cli: Cli, home: Path, file_store: Any) -> None:
    kept = Kept(home, file_store.url)
    world.finished(file_store)
    assert kept.claim(world.RUN, "finished 12", NOW) is Claim.NOW
    kept.settle(world.RUN, "finished 12", NOW, sent=True)
    kept.rest(world.RUN, Rested(seq=5, why="waits"))
    assert kept.claim("another", "finished 12", NOW) is Claim.NOW
    assert cli("rm", world.RUN, "--yes").code == 0
    assert kept.claim(world.RUN, "finished 12", NOW) is Claim.NOW
    assert kept.rests() == {}
    assert kept.claim("another", "finished 12", NOW) is Claim.LATER


def test_what_happened_days_ago_is_no_news(home: Path, store: MemoryStore) -> None:
    told = Telling(home, store, now=NOW + STALE_S + 1)
    told.heed(world.finished(store), Leave(why="done", over=True))
    assert told.sent == []


def test_a_notice_that_fails_is_tried_again_and_harms_nobody(home: Path, store: MemoryStore) -> None:
    ledger, told = world.finished(store), Telling(home, store)
    told.fails = True
    for wait_s in (0, 15, 15, 60, 60, 120, 240, 480):
        told.now += wait_s
        told.heed(ledger, Leave(why="done", over=True))
    assert told.sent == ["finished 12"] * 3
    assert told.complaints == ['the notice "finished" did not go out: no'] * 3


def test_a_home_that_cannot_be_written_to_harms_nobody_and_nothing_is_sent_over_and_over(
    home: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, told = world.finished(store), Telling(home, store)

    def full(*_: Any) -> Claim:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Kept, "claim", full)
    told.heed(ledger, Leave(why="done", over=True))
    assert (told.sent, len(told.complaints)) == ([], 1)


def test_ps_says_what_a_watch_has_decided_as_long_as_the_run_has_not_moved(
    cli: Cli, home: Path, file_store: Any
) -> None:
    world.interrupted(file_store)
    Kept(home, file_store.url).rest(world.RUN, Rested(seq=5, why="kaggle: its quota is used up"))
    assert "kaggle: its quota is used up; checkpoint 4 is committed" in cli("ps").out
    world.append(file_store, "tracked", server="s", mlflow_run="m")
    assert "session 1: received SIGTERM; checkpoint 4 is committed" in cli("ps").out


def test_a_decision_whose_time_is_over_is_said_to_be_old(cli: Cli, home: Path, file_store: Any) -> None:
    world.interrupted(file_store)
    kept = Kept(home, file_store.url)
    kept.rest(world.RUN, Rested(seq=5, why="kaggle: used up", until=4e9))
    assert "kaggle: used up; checkpoint 4 is committed" in cli("ps").out
    kept.rest(world.RUN, Rested(seq=5, why="kaggle: used up", until=time.time() - 7_200))
    said = cli("ps").out
    assert "kaggle: used up; that was 2h" in said
    assert "ago, and no watch has looked here since; checkpoint 4 is committed" in said


def test_watch_tells_of_a_run_that_it_finds_finished(
    cli: Cli, file_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "WALL_S", 4e9)  # by the clock of whoever wrote it, it is just over
    world.finished(file_store)
    got = tmp_path / "got"
    monkeypatch.setenv("FACEGAN_NOTIFY", f"sh -c 'cat >>{got}'")
    monkeypatch.setattr("jobs.heavy.has", lambda _package: False)
    for _ in range(2):
        assert cli("watch", world.RUN, "--once").code == 0
    assert json.loads(got.read_text())["event"] == "finished"
