"""What nobody owns is found and ended; what somebody may own is left alone."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from facegan import layout
from facegan.errors import FaceganError
from facegan.ledger import Wish
from jobs import cli, launch, recipe, word
from jobs import context as contexts
from jobs.backends.ec2 import naming
from jobs.backends.machines import World
from jobs.context import Context
from jobs.refusals import Auth
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Watch
from tests.ec2.submitting import IMAGE, RUN, backend, nobody, order, settings, store
from tests.fakes.ec2 import Asked, Ec2, ami, client_of

OLD = 1000.0
AWAY = "eu-west-1"


@dataclass(kw_only=True)
class Mine:
    """A user with a run, and machines that were made for its numbers."""

    aws: Ec2
    home: Path
    context: Context

    def append(self, kind: str, **body: Any) -> None:
        wishes = [Wish(kind=kind, body=body)]
        self.context.ledger(RUN).append(lambda _fold: wishes.pop() if wishes else None)

    def ask(self, number: int, **more: Any) -> None:
        where = {"backend": "ec2", "host": "us-east-1", "gpu": None, "bundle": {}}
        self.append("intent", session=number, resume=False, **{**where, **more})

    def make(self, number: int, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = backend(self.home, self.aws.url).submit(order(self.aws.url, number, **more), nobody)
        return made

    def end(self, number: int) -> None:
        self.append("lost", session=number, why="its machine is not there", outcome="lost")

    def alive(self) -> list[int]:
        """The numbers of the machines that are there."""
        return [
            int({tag["key"]: tag["value"] for tag in each.get_tags()}[naming.SESSION])
            for each in self.aws.machines()
            if each._state.name == "running"
        ]


@pytest.fixture
def mine(aws: Ec2, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Mine:
    told = {
        "STORE": store(aws.url),
        "BACKEND": "ec2",
        "IMAGE": IMAGE,
        "AMI": "/facegan/ami",
        "HOME": boring_environment,
    }
    for name, value in told.items():
        monkeypatch.setenv(f"FACEGAN_{name}", str(value))
    context = contexts.real(settings(boring_environment, aws.url))
    launch.create(context, RUN, recipe.resolve("dcgan-mnist", [], device="cpu", cores=1))
    return Mine(aws=aws, home=boring_environment, context=context)


def listed(capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> dict[int, tuple[str, bool]]:
    """What `reap` says of the machine of each number: whose it is, and whether it was ended."""
    capsys.readouterr()
    assert cli.run(["reap", "--json", *more]) == code
    return {each["number"]: (each["owner"], each["removed"]) for each in json.loads(capsys.readouterr().out)}


def test_a_machine_whose_session_has_ended_is_nobodys(mine: Mine, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2, 3):
        mine.ask(number)
        mine.make(number)
    mine.end(1)
    mine.end(3)
    mine.make(7)
    assert listed(capsys) == {
        1: ("about to go", False),
        2: ("a session's", False),
        3: ("about to go", False),
        7: ("a session's", False),
    }, "they may end by themselves"
    mine.aws.age(OLD)
    expected = {1: ("nobody's", False), 2: ("a session's", False), 3: ("nobody's", False), 7: ("a session's", False)}
    assert listed(capsys, "--dry-run") == expected
    assert mine.alive() == [1, 2, 3, 7]
    assert listed(capsys) == {**expected, 1: ("nobody's", True), 3: ("nobody's", True)}
    assert mine.alive() == [2, 7]
    assert set(listed(capsys)) == {2, 7}


def test_a_machine_that_does_not_end_though_it_was_told_to_is_not_said_to_be_gone(
    mine: Mine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine.ask(1)
    mine.make(1)
    mine.end(1)
    assert listed(capsys) == {1: ("about to go", False)}
    mine.aws.age(OLD)
    monkeypatch.setattr("jobs.backends.ec2.client.Client.terminate", lambda *_: None)
    monkeypatch.setattr("jobs.backends.ec2.backend.World", functools.partial(World, sleep=lambda _seconds: None))
    assert listed(capsys, code=1) == {1: ("nobody's", False)}


def test_a_machine_that_came_late_and_took_the_next_number_is_left(
    mine: Mine, capsys: pytest.CaptureFixture[str]
) -> None:
    mine.ask(1)
    ref = mine.make(1)
    mine.end(1)
    mine.ask(2, ref=ref, machine={"host": "there"})
    mine.aws.age(OLD)
    assert listed(capsys) == {1: ("a session's", False)}
    backend(mine.home, mine.aws.url).sweep(layout.run_url(mine.context.store.url, RUN), {2})
    assert mine.alive() == [1]
    mine.end(2)
    assert listed(capsys) == {1: ("nobody's", True)}


def test_of_a_run_that_was_removed_nothing_is_left(mine: Mine, capsys: pytest.CaptureFixture[str]) -> None:
    mine.ask(1)
    mine.make(1)
    mine.end(1)
    word.remove(mine.context, mine.context.ledger(RUN))
    mine.aws.age(OLD)
    assert listed(capsys) == {1: ("nobody's", True)}
    assert not mine.alive()


def another_store(mine: Mine, patch: pytest.MonkeyPatch) -> None:
    del patch
    mine.make(1, run_url=f"s3://another/runs/{RUN}")


def damaged(mine: Mine, patch: pytest.MonkeyPatch) -> None:
    del patch
    mine.make(1)
    mine.context.store.delete(layout.entry(RUN, 0))
    mine.context.store.put(layout.entry(RUN, 1), b"{}")


def another_service(mine: Mine, patch: pytest.MonkeyPatch) -> None:
    """The URL is the machine's, and a variable of this terminal says that another service is meant by it."""
    mine.make(1, run_url=f"s3://bucket/elsewhere/runs/{RUN}")
    patch.setenv("FACEGAN_STORE", "s3://bucket/elsewhere")


def somebody_elses_tags(mine: Mine, patch: pytest.MonkeyPatch) -> None:
    del patch
    ref = mine.make(1)
    tags = [{"Key": naming.RUN, "Value": "../x"}, {"Key": naming.SESSION, "Value": "-"}]
    client_of(mine.aws)("ec2").create_tags(Resources=[ref["instance"]], Tags=tags)


@pytest.mark.parametrize("make", [another_store, damaged, another_service, somebody_elses_tags])
def test_where_the_run_cannot_be_read_nothing_is_concluded(
    make: Callable[[Mine, pytest.MonkeyPatch], None],
    mine: Mine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(mine, monkeypatch)
    mine.aws.age(OLD)
    (said,) = listed(capsys).values()
    assert said == ("unknown", False)
    assert [each._state.name for each in mine.aws.machines()] == ["running"]


def test_every_region_is_asked_in_which_a_machine_may_be(
    mine: Mine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the settings' list, one that a run names, and one where this machine has asked for machines."""
    there = client_of(mine.aws)("ec2", AWAY)
    tags = [{"Key": key, "Value": value} for key, value in naming.tags(order(mine.aws.url)).items()]
    there.run_instances(
        UserData="echo",
        MinCount=1,
        MaxCount=1,
        ImageId=ami(AWAY),
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    assert listed(capsys) == {}
    assert set(listed(capsys, "--backend", "ec2", "--host", AWAY)) == {1}
    monkeypatch.setenv("FACEGAN_REGIONS", f"us-west-1, {AWAY}")
    assert set(listed(capsys)) == {1}
    monkeypatch.delenv("FACEGAN_REGIONS")
    mine.ask(1, host=AWAY)
    assert set(listed(capsys)) == {1}
    mine.end(1)
    assert set(listed(capsys)) == {1}
    word.remove(mine.context, mine.context.ledger(RUN))
    assert listed(capsys) == {}
    backend(mine.home, mine.aws.url, region=AWAY).submit(order(mine.aws.url), nobody)
    assert set(listed(capsys)) == {1}


def test_what_does_not_answer_hides_nothing_else(mine: Mine, capsys: pytest.CaptureFixture[str]) -> None:
    mine.ask(1)
    mine.make(1)
    mine.end(1)
    mine.aws.age(OLD)
    mine.aws.refuse = lambda asked: "UnauthorizedOperation" if asked.action == "TerminateInstances" else None
    assert listed(capsys, code=1) == {1: ("nobody's", False)}
    mine.aws.refuse = lambda _asked: None
    assert listed(capsys) == {1: ("nobody's", True)}


def test_without_a_cloud_nothing_is_asked(
    mine: Mine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_BACKEND", "local")
    assert cli.run(["reap"]) == 0
    assert "no cloud is in use here" in capsys.readouterr().err
    assert not mine.aws.asked


class Heard:
    """What a watch says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, run: str, text: str) -> None:
        self.said.append(f"{run}: {text}")

    def complain(self, run: str, error: FaceganError) -> None:
        self.said.append(f"{run}: {error.message}")

    def give_up(self, run: str, why: str) -> None:
        self.said.append(f"{run}: {why}")

    def sync(self, names: object) -> bool:
        del names
        return True


def test_a_watch_reaps_when_it_starts(mine: Mine) -> None:
    """Whatever run it watches, and though the machine's own is gone."""
    word.cancel(mine.context, mine.context.ledger(RUN))
    gone = replace(order(mine.aws.url), run="gone", run_url=layout.run_url(mine.context.store.url, "gone"))
    backend(mine.home, mine.aws.url).submit(gone, nobody)
    mine.aws.age(OLD)
    heard = Heard()
    watch = Watch(context=mine.context, allowed=Allowed(settings=mine.context.settings), voice=heard, names=[RUN])  # type: ignore[arg-type]
    watch.once()
    assert "gone: the machine of session 1 was nobody's: its run is not in the store any more" in heard.said
    assert not mine.alive()
    asked = len(mine.aws.asked)
    watch.once()
    assert len(mine.aws.asked) == asked, "not at each look"


@pytest.mark.parametrize("action", ["DescribeInstances", "RunInstances"])
def test_who_may_not_look_or_tag_starts_nothing(mine: Mine, action: str) -> None:
    """EC2 checks the right to tag with the request that makes the machine, and makes none without it."""

    def refuse(asked: Asked) -> str | None:
        return "UnauthorizedOperation" if asked.action == action else None

    mine.aws.refuse = refuse
    with pytest.raises(Auth):
        mine.make(1)
    assert not mine.aws.machines()
    assert bool(mine.aws.ran()) is (action == "RunInstances")
