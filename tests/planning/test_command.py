"""`facegan-job plan`: what it asks, what it rests on, and what it says of places that have no part in it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facegan import session
from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs.backends import BACKENDS, waiting
from jobs.backends.base import Check
from jobs.planning.prospects import Terms
from jobs.refusals import Auth, Uncertain
from jobs.supervision import foresight
from jobs.supervision.foresight import Asked, Planned
from tests.planning.backends import HOUR_S, Places, Says
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli
from tests.unit.jobs.world import RUN, WALL_S

LONG = "training.images=300000000"  # of dcgan-celeba: 33 hours at the table's twenty steps a second
TABLE = 20.0


def planned(home: Path, *names: str, gpu: str | None = "T4", **terms: float) -> Planned:
    """A plan of 33 hours at the world's fixed time."""
    asked = Asked(backends=names or None, gpu=gpu, terms=Terms(**terms))
    return foresight.of_experiment(world.context(home, MemoryStore()), "dcgan-celeba", [LONG], asked)


def unfit(found: Planned) -> dict[str, str]:
    return {each.backend: each.why for each in found.plan.unfit}


def test_the_legs_of_a_run_that_is_not_begun(home: Path, places: Places) -> None:
    places.put(
        kaggle=Says(cap_h=12, left_h=20, resets_at=WALL_S + 60 * HOUR_S), colab=Says(cap_h=12), local=Says(gpus=())
    )
    found = planned(home)
    legs = found.plan.legs
    assert {leg.backend for leg in legs} <= {"kaggle", "colab"}
    assert (legs[0].first, legs[-1].last) == (0, found.course.steps)
    assert found.plan.usd == 0.0
    assert found.plan.ends == pytest.approx(WALL_S + found.course.steps / TABLE, rel=1e-3)
    rests_on = {each.backend: " ".join(each.rests_on) for each in found.prospects}
    assert "20 steps a second, believed (2026-11): arithmetic, not measured" in rests_on["kaggle"]
    assert "20.0 of 30 h left, as it says now" in rests_on["kaggle"]
    assert "waited for 30 s, reported by others from live accounts (2026-10)" in rests_on["colab"]


def test_a_quota_that_is_used_up_is_waited_for_by_the_clock_of_the_world(
    cli: Cli, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")  # which has another hour in summer
    time.tzset()
    resets_at = datetime(2030, 6, 1, tzinfo=UTC).timestamp()
    places.put(kaggle=Says(cap_h=12, left_h=0, resets_at=resets_at))
    said = cli("plan", "dcgan-celeba", "--gpu", "t4", "--backend", "kaggle")
    assert said.code == 0
    assert "Sat 01 Jun 00:02" in said.out
    assert "quota anew, until it is done" in said.out
    assert "done Saturday 01 June at 00:" in said.out
    found = cli("plan", "dcgan-celeba", "--gpu", "t4", "--backend", "kaggle", "--json").json()
    assert found["legs"][0]["asked"] == resets_at
    monkeypatch.delenv("TZ")
    time.tzset()


def test_why_a_backend_is_unfit_is_a_row(home: Path, places: Places) -> None:
    bad = Check(name="account", ok=False, found="it takes none of the credentials", hint="make others")
    places.put(
        local=Says(gpus=("L4",)),
        docker=Says(gpus=("L4",)),
        kaggle=Says(checks=[bad]),
        colab=Says(silent=Auth("nobody is signed in", hint="sign in")),
        ec2=Says(),
    )
    found = planned(home)
    assert unfit(found) == {
        **dict.fromkeys(BACKENDS, "it is not set up here"),
        "local": 'backend "local" has no GPU "T4"',
        "docker": 'backend "docker" has no GPU "T4"',
        "kaggle": "it takes none of the credentials",
        "colab": "nobody is signed in",
        "ec2": "it costs 0.75 USD an hour, and no budget is set",
    }
    assert found.plan.legs == ()
    hints = {each.backend: each.hint for each in found.plan.unfit}
    assert (hints["kaggle"], hints["colab"]) == ("make others", "sign in")
    assert hints["ec2"] == "--budget USD, or name it in --backend"


def test_the_rows_are_printed(cli: Cli, places: Places) -> None:
    places.put(kaggle=Says(checks=()), colab=Says(cap_h=12), local=Says(gpus=()))
    said = cli("plan", "dcgan-celeba", "--gpu", "t4", "--set", LONG)
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0][:6] == ["LEG", "BACKEND", "GPU", "CAP", "LEFT", "BEGINS"]
    assert [row[1] for row in rows[1:4]] == ["colab"] * 3
    kaggle = next(line for line in said.out.splitlines() if line.startswith("-    kaggle"))
    assert kaggle.endswith("unfit: it is not set up here")
    assert "3 sessions, free" in said.out
    assert "eight times in ten between " in said.out
    assert "colab: 20 steps a second" in said.err
    assert "hint: kaggle: its page in docs says how; or name it in --backend" in said.err


def test_no_rate_no_end(cli: Cli, places: Places) -> None:
    """What nobody has measured is not invented; it is said how to measure it."""
    places.put(local=Says(gpus=()))
    said = cli("plan", "dcgan-mnist")
    assert said.code == 0
    assert "unfit: how fast it is without a GPU is not known" in said.out
    assert "no end can be told" in said.out
    assert "facegan-job submit dcgan-mnist --backend local measures it" in said.err
    assert cli("plan", "dcgan-mnist", "--json").json()["ends"] is None


def test_money_is_spent_where_it_is_offered_and_no_more_of_it(home: Path, places: Places) -> None:
    places.put(kaggle=Says(cap_h=9, left_h=10, resets_at=WALL_S + 80 * HOUR_S), ec2=Says(cap_h=23))
    free = planned(home)
    assert {leg.backend for leg in free.plan.legs} == {"kaggle"}
    paid = planned(home, budget=9.0)
    assert {leg.backend for leg in paid.plan.legs} == {"kaggle", "ec2"}
    assert 0.0 < paid.plan.usd <= 9.0
    assert free.plan.ends is not None
    assert paid.plan.ends is not None
    assert paid.plan.ends < free.plan.ends
    assert "ec2" in {leg.backend for leg in planned(home, "ec2").plan.legs}, "who is named may be paid"


def test_the_users_word_on_a_price_counts(cli: Cli, places: Places) -> None:
    places.put(ec2=Says(cap_h=23))
    ask = ("plan", "dcgan-celeba", "--gpu", "t4", "--backend", "ec2", "--json")
    dear, cheap = cli(*ask).json(), cli(*ask, "--price", "0.1").json()
    assert dear["usd"] / cheap["usd"] == pytest.approx(7.52)


def test_by_a_deadline(cli: Cli, places: Places) -> None:
    places.put(colab=Says(cap_h=12), ec2=Says(cap_h=23))
    ask = ("plan", "dcgan-celeba", "--gpu", "t4", "--set", LONG)
    cheap = cli(*ask, "--deadline", "3d", "--json").json()
    assert (cheap["usd"], cheap["is_late"]) == (0, False)
    assert "the cheapest that ends by" in cli(*ask, "--deadline", "3d").out
    late = cli(*ask, "--deadline", "5h")
    assert "no plan ends by" in late.out
    assert cli(*ask, "--deadline", "5h", "--json").json()["is_late"] is True


@pytest.mark.parametrize("typed", ["yesterday", "2001-01-01", "0h", "2026-13-01", ""])
def test_a_deadline_that_is_none(cli: Cli, places: Places, typed: str) -> None:
    assert places.says == {}
    said = cli("plan", "dcgan-celeba", "--deadline", typed)
    assert said.code == 2
    assert f'"{typed}" is ' in said.err


def test_a_quota_that_is_not_told_is_the_tables(home: Path, places: Places) -> None:
    places.put(kaggle=Says(cap_h=12, silent=Uncertain("no answer")))
    found = planned(home, "kaggle")
    assert "it does not say what is left of its quota: all of 30 h is assumed" in found.prospects[0].rests_on
    saturday = datetime.fromtimestamp(found.plan.legs[-1].asked, UTC)
    assert (f"{saturday:%A %H:%M}", found.plan.legs[-1].why[:12]) == ("Saturday 00:00", "quota anew, ")


def running(store: ObjectStore, rate: float) -> None:
    """A session that lives at this machine, as its heartbeat has it."""
    world.create(store, chosen=world.experiment("training.steps=100000"))
    world.ask(store)
    world.die(store, machine=world.alive())
    beat = session.Heartbeat(counter=9, seq=1, digest="", phase="training", step=40_000, rate=rate)
    session.write(store, RUN, 1, beat)


def test_a_run_in_progress_goes_on_in_its_first_leg(cli: Cli, file_store: ObjectStore, places: Places) -> None:
    places.put(local=Says(gpus=()))
    running(file_store, rate=10.0)
    found = cli("plan", RUN, "--json").json()
    assert (found["done"], found["steps"]) == (40_000, 100_000)
    (leg,) = found["legs"]
    assert (leg["backend"], leg["first"], leg["last"]) == ("local", 40_000, 100_000)
    assert leg["why"] == "goes on, until it is done"
    assert leg["ends"] - found["now"] == pytest.approx(6_000.0, abs=5.0)
    assert found["spread"]["early"] < leg["ends"] < found["spread"]["late"]


@pytest.mark.parametrize("limit", [{"budget_usd": 20.0}, {"max_hours": 26.0}])
def test_what_an_open_session_may_still_cost_is_not_spent(
    cli: Cli, file_store: ObjectStore, places: Places, limit: dict[str, float]
) -> None:
    """A session is given all that the budget allows, and is what the plan begins with."""
    places.put(local=Says(gpus=()), ec2=Says(cap_h=23))
    world.create(file_store, chosen=world.experiment("training.steps=1000000"))
    limit_s = 20.0 / 0.752 * HOUR_S
    relay = {"backends": ["ec2"], "gpu": "T4", **limit}
    price = {"usd_h": 0.752, "market": "spot"}
    world.append(file_store, "intent", session=1, backend="ec2", gpu="T4", relay=relay, price=price, limit_s=limit_s)
    world.die(file_store, machine=world.alive())
    beat = session.Heartbeat(counter=9, seq=1, digest="", phase="training", step=40_000, rate=20.0)
    session.write(file_store, RUN, 1, beat)
    found = cli("plan", RUN, "--json").json()
    assert [leg["backend"] for leg in found["legs"]] == ["ec2"], found["why"]
    assert found["usd"] == pytest.approx(960_000 / 20.0 / HOUR_S * 0.752, rel=0.01)
    dear = cli("plan", RUN, "--json", "--max-hours", "5").json()
    assert dear["legs"] == []
    assert "5.0 h of sessions" in dear["why"]


def test_nothing_is_planned_beside_a_session_of_whose_place_nothing_is_known(
    cli: Cli, file_store: ObjectStore, places: Places
) -> None:
    places.put(local=Says(gpus=()), colab=Says(cap_h=12))
    running(file_store, rate=10.0)
    for more, why in (
        (("--backend", "colab"), "it is none of the backends that are planned over: --backend local"),
        (("--gpu", "T4", "--backend", "local"), 'backend "local" has no GPU "T4"'),
    ):
        found = cli("plan", RUN, *more)
        assert f"no end can be told: session 1 is open on local, and nothing is known of what is before it ({why})" in (
            found.out
        )


def test_caps_and_quotas_are_said(cli: Cli, places: Places) -> None:
    places.put(kaggle=Says(cap_h=12, left_h=20, resets_at=4e9), local=Says(gpus=()))
    ask = ("plan", "dcgan-celeba", "--gpu", "t4", "--set", LONG)
    assert "sessions of 12 h at most; 20.0 of 30 h left" in cli(*ask).err
    (place,) = cli(*ask, "--json").json()["places"]
    assert place == {
        "backend": "kaggle",
        "gpu": "T4",
        "cap_s": 12 * HOUR_S,
        "quota_left_s": 20 * HOUR_S,
        "quota_resets_at": 4e9,
        "usd_per_h": 0.0,
    }


def test_a_run_that_is_over_or_stopped(cli: Cli, file_store: ObjectStore, places: Places) -> None:
    places.put(local=Says(gpus=()))
    world.finished(file_store, "over")
    assert "it is done: all 12 steps are committed" in cli("plan", "over").out
    world.interrupted(file_store, "halted")
    cli("stop", "halted")
    assert "it is stopped: planned as if it were resumed now" in cli("plan", "halted").out


def test_what_is_neither(cli: Cli, file_store: ObjectStore) -> None:
    said = cli("plan", "nothing")
    assert said.code == 2
    assert 'there is neither an experiment nor a run "nothing"' in said.err
    world.finished(file_store, "over")
    assert "--set changes experiments" in cli("plan", "over", "--set", "training.steps=9").err


def test_what_cannot_be_trained_anywhere_is_an_error_and_no_row(cli: Cli) -> None:
    said = cli("plan", "dcgan-mnist", "--set", "training.nothing=1")
    assert (said.code, said.out) == (2, "")


def test_every_backend_is_in_the_table_of_waits() -> None:
    assert set(waiting.WAITING) == set(BACKENDS)
    for each in waiting.WAITING.values():
        assert 0.0 <= each.low <= each.likely <= each.high


def test_a_budget_that_only_just_suffices_is_likely_not_to(cli: Cli, places: Places) -> None:
    """The first machine that is taken back, or the first session that fails, is one too many."""
    places.put(ec2=Says(cap_h=100))
    ask = ("plan", "dcgan-celeba", "--gpu", "t4", "--set", LONG, "--backend", "ec2")
    usd = cli(*ask, "--json").json()["usd"]
    said = cli(*ask, "--budget", str(usd + 0.01))
    assert "never done, one time in two (" in said.out
    assert "as planned): " in said.out
    found = cli(*ask, "--budget", str(usd + 0.01), "--json").json()
    assert found["ends"] is not None
    assert found["spread"]["middle"] is found["spread"]["late"] is None
    (leg, *_) = found["legs"]
    assert (leg["cap_s"], leg["quota_left_s"], leg["quota_of_s"]) == (100 * HOUR_S, None, None)
