"""What commands say of prices and budgets, what becomes history of it, and what it stops."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from facegan import hours
from facegan.hours.stays import Stay
from facegan.ledger import Fold
from facegan.ledger import fold as folding
from facegan.ledger.form import KINDS
from facegan.runtime import shorter
from facegan.spending import HOUR_MS, spending
from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs import launch, orders, settings
from jobs.backends.vm import SPOT
from jobs.budget import Budget
from jobs.context import Context
from jobs.errors import JobError
from jobs.planning.prospects import Estimate
from jobs.prices import FREE, OWN, Price
from jobs.supervision.costing import Foreseen
from jobs.supervision.past import Past, Relay
from jobs.supervision.policy import Allowed
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli
from tests.unit.jobs.world import RUN, FakeBackend

ON_SPOT = Price(usd_h=0.5, market=SPOT, most=True, seen="2026-11", sure="believed", region="us-east-1")
HOUR = {"asked": 0, "launched": HOUR_MS, "ended": 3 * HOUR_MS, "has_reported": True, "outcome": "interrupted"}


def stay(number: int = 1, **said: object) -> Stay:
    return Stay(**{"number": number, "backend": "ec2", **HOUR, "price": {"usd_h": 0.5}, **said})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "usd", "unknown"),
    [
        ({}, 1.0, 0.0),
        ({"price": None}, 0.0, 2.0),
        ({"price": {"usd_h": None}}, 0.0, 2.0),
        ({"outcome": "refused"}, 0.0, 0.0),
        ({"launched": None}, 1.5, 0.0),
        ({"outcome": "lost", "has_reported": False, "leased": HOUR_MS, "heard": 2 * HOUR_MS}, 0.625, 0.0),
        ({"outcome": "lost", "has_reported": False, "leased": HOUR_MS, "heard": 2.9 * HOUR_MS}, 1.0, 0.0),
        ({"outcome": "lost", "has_reported": False}, 1.0, 0.0),
    ],
    ids=["reported", "older", "unknown", "refused", "never written down", "silent", "found", "never began"],
)
def test_a_session_is_paid_from_its_launch_to_its_end(said: dict[str, object], usd: float, unknown: float) -> None:
    found = spending([stay(**said)])
    assert (found.usd, found.unknown_hours) == (usd, unknown)


def test_one_that_has_not_begun_counts_to_now_and_one_that_fell_silent_as_long_as_it_may_hang() -> None:
    asked = stay(ended=None, has_reported=False, outcome="open")
    assert spending([asked]).usd == 0.0
    assert spending([asked], now_s=3 * 3600.0).usd == 1.0
    begun = stay(ended=None, has_reported=False, leased=HOUR_MS, heard=2 * HOUR_MS, outcome="open")
    assert spending([begun], now_s=2.1 * 3600.0).usd == 0.55
    assert spending([begun], now_s=9 * 3600.0).usd == 0.625


def test_how_long_one_may_hang_is_the_run_s_own(context: Context, store: MemoryStore) -> None:
    launch.create(context, RUN, world.experiment("session.stall_s=1200"))
    world.append(store, "intent", session=1, backend="local")
    assert [stay.stall for stay in hours.read(world.ledger(store)).sessions] == [1_200_000]


def test_where_waiting_costs_nothing_it_does_not_count() -> None:
    assert spending([stay(backend="batch", leased=2 * HOUR_MS)]).usd == 0.5
    waits = stay(backend="batch", ended=None, has_reported=False, outcome="open")
    assert spending([waits], now_s=9 * 3600.0).hours == 0.0
    assert spending([waits], {1: 3600.0}).hours == 1.0, "it may yet begin"


def test_what_may_live_on_is_counted_with_all_that_it_was_given() -> None:
    now = stay(ended=None, has_reported=False, leased=HOUR_MS, heard=2 * HOUR_MS, outcome="open")
    assert spending([now]).usd == 0.5
    assert spending([now], {1: 4 * 3600.0}).usd == 2.0


def test_time_at_a_price_that_is_not_known_is_said_and_never_free() -> None:
    assert str(spending([stay(), stay(2, price=None)])) == (
        "1.00 USD in 4.0 h, and 2.0 h of them at a price that is not known"
    )
    assert str(spending([stay(price={"usd_h": 0.0})])) == "nothing, in 2.0 h"


def paid(budget: Budget | None = None, price: Price | None = ON_SPOT) -> orders.Place:
    relay = None if budget is None else Relay(backends=("local",), budget=budget).to_json()
    return dataclasses.replace(world.place(FakeBackend()), price=price, relay=relay)


def submit(context: Context, where: orders.Place) -> Fold:
    ledger = launch.create(context, RUN, world.experiment())
    return launch.submit(context, ledger, where, world.quiet)


class TestHistory:
    """The price that was believed, and how long the budget let the session take, are in its intent."""

    def test_they_are_written_down(self, context: Context, store: MemoryStore) -> None:
        fold = submit(context, paid(Budget(usd=1.0, hours=9.0)))
        intent = world.entries(store)[1]
        assert intent["price"] == ON_SPOT.to_json()
        assert intent["limit_s"] == 7200.0
        assert intent["relay"] == {"backends": ["local"], "gpu": None, "budget_usd": 1.0, "max_hours": 9.0}
        assert fold.open[0].limit_s == 7200.0
        assert orders.order(context, RUN, fold.open[0]).limit_s == 7200.0
        assert world.is_whole(store)

    def test_a_command_that_finds_an_intent_keeps_to_what_it_says(self, context: Context, store: MemoryStore) -> None:
        world.create(store)
        world.ask(store, limit_s=1800.0)
        told: list[float | None] = []

        class Told(FakeBackend):
            def submit(self, order: orders.Order, hand: launch.Hand) -> dict[str, object]:
                told.append(order.limit_s)
                return super().submit(order, hand)

        launch.submit(context, world.ledger(store), world.place(Told()), world.quiet)
        assert told == [1800.0]

    def test_an_intent_of_an_older_version_says_neither(self, context: Context, store: MemoryStore) -> None:
        fold = submit(context, paid(price=None))
        assert not {"price", "limit_s", "relay"} & world.entries(store)[1].keys()
        assert fold.open[0].limit_s is None
        as_it_was = {name: value for name, value in folding.to_json(fold).items() if name != "open"}
        sessions = [dataclasses.asdict(each) for each in fold.open]
        for each in sessions:
            del each["limit_s"]
        assert folding.from_json({**as_it_was, "open": sessions}) == fold

    @pytest.mark.parametrize(
        "said",
        [
            {"price": {"usd_h": -1.0, "market": "spot"}},
            {"price": {"usd_h": "much", "market": "spot"}},
            {"price": {"usd_h": 1.0}},
            {"limit_s": -5.0},
            {"limit_s": "long"},
            {"relay": {"backends": [], "budget_usd": "much"}},
            {"relay": {"backends": [], "max_hours": -1}},
        ],
    )
    def test_what_is_no_price_is_not_believed(self, said: dict[str, object]) -> None:
        asked = {"session": 1, "backend": "ec2"}
        assert KINDS["intent"](asked)
        assert not KINDS["intent"]({**asked, **said})


class TestBudget:
    """What is not paid for is not started, and nothing is written down."""

    def test_a_budget_that_pays_for_no_start(self, context: Context, store: MemoryStore) -> None:
        with pytest.raises(JobError, match="pays for 12 min, and a start is worth 20"):
            submit(context, paid(Budget(usd=0.1)))
        assert world.kinds(store) == ["created"]

    def test_the_next_session_gets_what_the_one_before_left(self, context: Context, store: MemoryStore) -> None:
        world.create(store)
        store.times = lambda prefix: {key: 3600.0 * at for at, key in enumerate(store.list(prefix))}  # type: ignore[method-assign]
        world.ask(store, price=ON_SPOT.to_json())
        world.append(store, "launched", session=1, ref=world.gone())
        world.append(store, "lost", session=1, why="it is gone")
        where = paid(Budget(usd=2.0))
        fold = launch.resume(context, world.ledger(store), where, None, world.quiet)
        assert fold.open[0].limit_s == 3 * 3600.0, "an hour of it is spent"
        world.append(store, "lost", session=2, why="it is gone")
        with pytest.raises(JobError, match=r"it has cost 1\.\d\d USD, and 1 USD are allowed") as raised:
            launch.resume(context, world.ledger(store), paid(Budget(usd=1.0)), None, world.quiet)
        assert raised.value.hint is not None
        assert "--budget USD" in raised.value.hint

    def test_what_was_said_is_remembered_and_what_is_typed_counts(self, context: Context, store: MemoryStore) -> None:
        submit(context, paid(Budget(usd=1.0, hours=9.0)))
        ledger = world.ledger(store)
        ledger.refresh()
        relay = Past(ledger).relay() or pytest.fail("nothing is remembered")
        allowed = Allowed(settings=context.settings, budget=Budget(usd=3.0))
        assert allowed.policy(relay).budget == Budget(usd=3.0, hours=9.0)

    def test_a_local_session_is_told_when_to_end(self, home: Path, file_store: ObjectStore) -> None:
        context = world.context(home, file_store)
        local = orders.place(context, "local", None)
        assert local.price == Price(usd_h=0.0, market=OWN)
        where = dataclasses.replace(local, relay=Relay(backends=("local",), budget=Budget(hours=2.0)).to_json())
        shown = where.backend.command(orders.order(context, RUN, orders.first(where)))
        assert shown["arguments"][-2:] == ["--budget-s", "7200.0"]

    def test_of_two_limits_the_stricter_counts(self) -> None:
        assert [shorter(one, other) for one, other in ((None, None), (5.0, None), (None, 4.0), (5.0, 4.0))] == [
            None,
            5.0,
            4.0,
            4.0,
        ]


class TestForeseen:
    """What is expected, from what is known."""

    @pytest.mark.parametrize(
        ("price", "rate", "said"),
        [
            (ON_SPOT, None, ["at most 0.500 USD an hour", "are not known: nobody has measured"]),
            (
                ON_SPOT,
                Estimate(likely=1.0, low=0.5, high=2.0),
                ["at most 0.500", "1 steps a second, tried", "about 0.50"],
            ),
            (
                Price(usd_h=None, market=SPOT),
                Estimate.exactly(1.0),
                ["a price that is not known", "total is not known"],
            ),
            (Price(usd_h=0.0, market=FREE), Estimate.exactly(1.0), ["nothing to pay", "time: about 1h 00m"]),
            (Price(usd_h=0.0, market=OWN), Estimate.exactly(1.0), []),
        ],
    )
    def test_words(self, price: Price, rate: Estimate | None, said: list[str]) -> None:
        lines = list(Foreseen(price=price, steps=3600, budget=Budget(), rate=rate, known="tried").words())
        assert all(part in "\n".join(lines) for part in said), lines
        assert bool(lines) == bool(said)

    def test_a_budget_that_will_not_do_is_said(self) -> None:
        seen = Foreseen(price=ON_SPOT, steps=36_000, budget=Budget(usd=1.0), rate=Estimate.exactly(1.0), known="tried")
        assert list(seen.words())[-1] == "warning: the budget of 1 USD will most likely not do"
        assert seen.to_json()["usd"] == {"likely": 5.0, "low": 5.0, "high": 5.0}


class TestTyped:
    """The commands themselves."""

    def test_gpus(self, cli: Cli) -> None:
        said = cli("gpus", "--gpu", "t4")
        header, *rows = said.out.splitlines()
        assert said.code == 0
        assert header.split()[:4] == ["GPU", "BACKEND", "CALLED", "MEMORY"]
        assert [row.split()[:2] for row in rows][:2] == [["T4", "kaggle"], ["T4", "colab"]]
        assert "2 x 16 GiB" in rows[0]
        assert any("g4dn.xlarge, g4dn.2xlarge" in row and "at most 0.752" in row for row in rows)
        assert "kaggle free: 30 h a week" in said.err

    def test_gpus_as_data(self, cli: Cli) -> None:
        rows = cli("gpus", "--json").json()
        assert {"kaggle", "colab", "ec2"} <= {row["backend"] for row in rows}
        assert all(row["gpu"] and row["seen"] and row["sure"] for row in rows)

    def test_a_gpu_that_nobody_has(self, cli: Cli) -> None:
        said = cli("gpus", "--gpu", "voodoo")
        assert (said.code, said.out) == (2, "")
        assert 'error: no backend is known to have the GPU "voodoo"' in said.err
        assert said.hint.startswith("hint: there are T4, ")

    def test_what_would_be_sent_says_what_it_would_cost(self, cli: Cli) -> None:
        said = cli("submit", "dcgan-mnist", "--dry-run", "--max-hours", "2", "--budget", "5").json()
        assert said["intent"]["limit_s"] == 7200.0
        assert said["intent"]["price"]["market"] == "own"
        assert said["intent"]["relay"]["budget_usd"] == 5.0
        assert said["estimate"]["price"]["usd_h"] == 0.0
        assert said["estimate"]["budget"] == {"budget_usd": 5.0, "max_hours": 2.0}

    def test_a_budget_that_pays_for_nothing_begins_nothing(self, cli: Cli, file_store: ObjectStore) -> None:
        said = cli("submit", "dcgan-mnist", "--max-hours", "0.01")
        assert said.code == 1
        assert "error: no session is started on local: what is left of the budget pays for 1 min" in said.err
        assert "--max-hours H" in said.hint
        assert list(file_store.list("runs/")) == []

    def test_a_watch_gives_up_when_the_hours_are_used(self, cli: Cli, file_store: ObjectStore) -> None:
        world.create(file_store)
        said = cli("watch", RUN, "--max-hours", "0", "--once")
        assert said.code == 100
        assert f"{RUN} is given up: its sessions took 0.0 h, and 0 h are allowed; facegan-job resume {RUN}" in said.err

    def test_status_says_what_it_cost(self, cli: Cli, file_store: ObjectStore) -> None:
        world.interrupted(file_store)
        assert "at a price that is not known" in cli("status", RUN).out
        spent = cli("status", RUN, "--json").json()["spent"]
        assert spent["usd"] == 0.0
        assert [each["usd_h"] for each in spent["sessions"]] == [None]

    @pytest.mark.parametrize("text", ["much", "-1"])
    def test_a_price_in_the_settings_is_an_amount(self, cli: Cli, folder: Path, text: str) -> None:
        (folder / "facegan.toml").write_text(f'price = "{text}"\n', encoding="utf-8")
        said = cli("submit", "dcgan-mnist", "--dry-run")
        assert said.code == 2
        assert f'price must be an amount in US dollars, not "{text}"' in said.err
        assert settings.load(folder=folder).price == text
