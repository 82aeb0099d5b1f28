"""`status --receipt`: where every hour of a run went, and what `verify` remembers of a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan import layout
from facegan.length import duration
from facegan.storage import ObjectStore
from facegan.verify import Head
from jobs import heavy
from jobs.heads import Heads
from jobs.receipt import sheet
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli


@pytest.fixture
def two(file_store: ObjectStore) -> ObjectStore:
    """A run of two sessions, the first of which was interrupted."""
    world.interrupted(file_store)
    world.ask(file_store, number=2, gpu="T4", price={"usd_h": 0.5, "market": "spot"})
    world.train(file_store, 2)
    return file_store


def test_the_parts_of_a_receipt_make_up_the_whole(cli: Cli, two: ObjectStore) -> None:
    assert two
    said = cli("status", world.RUN, "--receipt", "--json").json()
    assert sum(said["parts_ms"].values()) == said["whole_ms"] > 0
    assert sum(each["whole_ms"] for each in said["sessions"]) + said["parts_ms"]["idle"] == said["whole_ms"]
    assert [(each["number"], each["first"], each["last"]) for each in said["sessions"]] == [(1, 0, 4), (2, 4, 12)]
    assert said["places"][0]["place"] == "local"
    assert said["places"][0]["steps"] == 12
    assert said["spent"]["sessions"][1]["usd_h"] == 0.5


def test_a_receipt_is_a_table_of_sessions_and_one_of_places(cli: Cli, two: ObjectStore) -> None:
    assert two
    said = cli("status", world.RUN, "--receipt")
    header, first, second, between, whole, blank, places, local, *_ = said.out.splitlines()
    assert (said.code, header.split()) == (0, list(sheet.HEADER))
    assert (first.split()[:4], first.split()[-1]) == (["1", "local", "-", "1-4"], "interrupted")
    assert (second.split()[:4], second.split()[-1]) == (["2", "local", "T4", "5-12"], "finished")
    assert (between.split()[0], whole.split()[0], blank) == ("between", "all", "")
    assert (places.split()[:2], local.split()[:3]) == (["PLACE", "SESSIONS"], ["local", "2", "12"])


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "-"),
        (1, "0.0 s"),
        (59_949, "59.9 s"),
        (60_000, "0:01:00"),
        (3_599_600, "1:00:00"),
        (360_000_000, "100:00:00"),
    ],
)
def test_times_of_a_receipt(milliseconds: int, shown: str) -> None:
    assert sheet.clock(milliseconds) == shown


@pytest.mark.parametrize("milliseconds", [60_000, 1_716_400, 1_716_500, 1_716_612, 3_599_499])
def test_the_report_s_times_are_those_of_the_receipt(milliseconds: int) -> None:
    minutes, seconds = sheet.clock(milliseconds).split(":")[1:]
    assert duration(milliseconds / 1000) == f"{int(minutes)}m {seconds}s"


def test_a_first_verify_says_that_there_was_no_head_to_compare_with(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store)
    last = len(world.entries(file_store)) - 1
    assert "this machine has seen nothing of it before" in cli("verify", world.RUN).out
    again = cli("verify", world.RUN)
    assert (again.code, f"entry {last} is as this machine saw it last" in again.out) == (0, True), again.out
    assert cli("verify", world.RUN, "--json").json()["seen"]["this machine"]["seq"] == last


def cut_off(store: ObjectStore, last: int) -> None:
    """Take the ledger back to an older copy, heartbeats and all: nothing in the store tells."""
    for key in [*store.list(layout.ledger(world.RUN))]:
        if (layout.entry_seq(key) or 0) > last:
            store.delete(key)
    for key in [*store.list(layout.sessions(world.RUN))]:
        store.delete(key)


def test_a_ledger_that_was_cut_off_is_missed_by_whoever_saw_more_of_it(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store)
    assert cli("status", world.RUN).code == 0
    cut_off(file_store, 3)
    said = cli("verify", world.RUN)
    key = layout.entry(world.RUN, 5)
    assert said.code == 104
    assert f"wrong  {key} is missing, although this machine has seen it" in said.out
    status = cli("status", world.RUN)
    assert (status.code, status.out) == (104, "")
    assert key in status.err
    assert "--accept" in status.hint
    assert cli("verify", world.RUN).code == 104, "what was missed once is not forgotten"
    assert cli("verify", world.RUN, "--accept").code == 0
    assert cli("status", world.RUN).code == 0


def test_what_is_not_whole_in_itself_is_not_taken_as_it_is(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    """What was seen of it is evidence, which a judgement that finds something wrong does not throw away."""
    world.interrupted(file_store)
    assert cli("status", world.RUN).code == 0
    kept = Heads(home, file_store.url)
    seen = kept.seen(world.RUN)
    file_store.delete(layout.entry(world.RUN, 2))
    assert cli("verify", world.RUN, "--accept").code == 104
    assert seen is not None
    assert kept.seen(world.RUN) == seen
    assert kept.accepted([world.RUN]) == []


def test_what_is_taken_as_it_is_is_told_to_mlflow_by_the_next_copy(
    cli: Cli, home: Path, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.interrupted(file_store)
    cli("status", world.RUN)
    cut_off(file_store, 3)
    assert cli("verify", world.RUN, "--accept").code == 0
    asked: list[tuple[str, ...]] = []
    codes = iter([1, 0, 0])

    def run(_context: object, *arguments: str, quiet: bool = False) -> int:
        del quiet
        asked.append(arguments)
        return next(codes)

    monkeypatch.setattr(heavy, "run", run)
    url = layout.run_url(file_store.url, world.RUN)
    for _ in range(3):
        cli("sync", world.RUN)
    assert [each[each.index("--accept") + 1 :][:1] if "--accept" in each else () for each in asked] == [
        (url,),
        (url,),
        (),
    ], "until a copy was made, and no more then"
    assert Heads(home, file_store.url).accepted([world.RUN]) == []


def test_another_history_in_its_place_is_noticed_even_when_it_is_longer(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store)
    assert cli("status", world.RUN).code == 0
    cut_off(file_store, 3)
    world.append(file_store, "lost", session=1, why="x")
    for number in (2, 3, 4):
        world.ask(file_store, number=number)
    said = cli("verify", world.RUN)
    assert said.code == 104
    assert "is another than this machine has seen" in said.out
    assert cli("logs", world.RUN).code == 104, "nothing is done with it unawares"


def test_a_run_that_is_removed_may_be_made_anew(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store)
    assert cli("verify", world.RUN).code == 0
    assert cli("rm", world.RUN, "--yes").code == 0
    world.create(file_store)
    assert cli("status", world.RUN).code == 0


def test_what_mlflow_was_told_counts_too_when_it_is_asked(
    cli: Cli, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.finished(file_store)
    heads = iter([None, Head(seq=5, digest=made.digest_of(5)), Head(seq=99, digest="0" * 64)])
    monkeypatch.setattr(heavy, "head", lambda _context, run: next(heads) if run == world.RUN else None)
    said = cli("verify", world.RUN, "--tracking")
    assert (said.code, "MLflow has seen nothing of it before" in said.out) == (0, True)
    assert "entry 5 is as MLflow saw it last" in cli("verify", world.RUN, "--tracking").out
    cut = cli("verify", world.RUN, "--tracking")
    assert (cut.code, f"{layout.entry(world.RUN, 99)} is missing, although MLflow has seen it" in cut.out) == (
        104,
        True,
    )


def test_what_is_kept_at_home_is_no_reason_to_fail(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    world.finished(file_store)
    (home / "heads.db").write_bytes(b"no database, and longer than a hundred bytes" * 10)
    assert cli("status", world.RUN).code == 0
    assert "is as this machine saw it last" in cli("verify", world.RUN).out, "what is no database begins anew"


def test_what_was_seen_only_goes_further_and_is_each_stores_own(home: Path) -> None:
    kept, late = Heads(home, "file:///a"), Heads(home, "file:///a")
    kept.remember("run", Head(seq=7, digest="7"))
    late.remember("run", Head(seq=5, digest="5"))
    assert kept.seen("run") == Head(seq=7, digest="7")
    assert Heads(home, "file:///b").seen("run") is None
    kept.forget("run")
    assert late.seen("run") is None
