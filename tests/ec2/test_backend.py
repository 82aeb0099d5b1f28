"""The port, held against moto: one machine for a number, whatever breaks, and nothing concluded too early."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.ec2 import facts, naming
from jobs.backends.ec2.backend import Ec2Backend
from jobs.refusals import Auth, Capacity, InvalidJob, Quota, Refusal, Uncertain
from tests.cloud import servers
from tests.ec2.submitting import backend, nobody, order, store
from tests.fakes.ec2 import ACCOUNT, AFTER, BEFORE, Asked, Ec2

ROOT = Path(__file__).parents[2]
ACTIONS = (
    "DescribeInstances",
    "DescribeInstanceTypeOfferings",
    "GetParameter",
    "DescribeImages",
    "RunInstances",
)
WHERES = [(type, f"us-east-1{zone}") for type in ("g4dn.xlarge", "g4dn.2xlarge") for zone in "abcdf"]


def words(refusal: Refusal) -> str:
    return f"{refusal.message} {refusal.hint}"


# --- one machine for a number -----------------------------------------------------------------------


def test_a_session_is_submitted_once(aws: Ec2, here: Ec2Backend, tmp_path: Path) -> None:
    asked = order(aws.url)
    ref = here.submit(asked, nobody)
    assert tuple(aws.actions()) == ACTIONS
    (machine,) = aws.machines()
    log = "runs/dcgan-k7f3/sessions/1/machine.txt"
    assert ref == {"instance": machine.id, "region": "us-east-1", "account": ACCOUNT, "log": log}
    assert here.submit(asked, nobody) == ref
    assert backend(tmp_path / "another", aws.url).submit(asked, nobody) == ref
    assert here.look_up(asked) == ref
    assert len(aws.ran()) == 1
    assert here.submit(order(aws.url, 2), nobody) != ref, "another number is another machine"
    other = order(aws.url, run_url=f"{store(aws.url)}&region=us-east-1/runs/dcgan-k7f3")
    assert here.submit(other, nobody) != ref, "so is the same number of a run of that name elsewhere"


def test_one_that_has_ended_is_not_started_again(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    aws.end(code="Server.SpotInstanceTermination")
    assert here.look_up(order(aws.url)) is None
    assert here.submit(order(aws.url), nobody) == ref
    assert len(aws.ran()) == 1


def kill_at(aws: Ec2, home: Path, place: int, when: str) -> bool:
    """Submit in a process that is killed at its request of that number; whether it came so far."""
    first = len(aws.asked)
    command = [sys.executable, "-m", "tests.ec2.submitting", str(home), aws.url]

    def watch(asked: Asked, now: str) -> None:
        if asked.number == first + place and now == when:
            child.kill()
            child.wait()

    aws.watch = watch
    with aws.at_work:  # no request of it is heard before it is known
        child = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ))
    killed = child.wait(timeout=600) != 0
    aws.watch = lambda _asked, _when: None
    return killed


@pytest.mark.parametrize("place", range(1, len(ACTIONS) + 1), ids=ACTIONS)
def test_killed_at_any_request_and_repeated_there_is_one_machine(aws: Ec2, tmp_path: Path, place: int) -> None:
    """After its effect: before it there is one request less. moto knows no tokens, so the tags alone have to do it."""
    assert kill_at(aws, tmp_path, place, AFTER)
    ref = backend(tmp_path, aws.url).submit(order(aws.url), nobody)
    (machine,) = aws.machines()
    assert ref["instance"] == machine.id


def test_killed_while_the_machine_is_made(aws: Ec2, tmp_path: Path) -> None:
    assert kill_at(aws, tmp_path, len(ACTIONS), BEFORE)
    backend(tmp_path, aws.url).submit(order(aws.url), nobody)
    assert len(aws.machines()) == 1


def test_what_was_asked_for_and_not_answered_is_asked_for_first_and_word_for_word(
    aws: Ec2, here: Ec2Backend, tmp_path: Path
) -> None:
    """So that EC2 knows the token, when it does not list yet what it made."""
    aws.refuse = lambda asked: {WHERES[0]: "InsufficientInstanceCapacity", WHERES[1]: "Unavailable"}.get(
        asked.where if asked.action == "RunInstances" else ("", "")
    )
    with pytest.raises(Uncertain):
        here.submit(order(aws.url), nobody)
    aws.refuse = lambda _asked: None
    backend(tmp_path, aws.url).submit(order(aws.url), nobody)
    *_, unanswered, again = aws.ran()
    assert again.where == WHERES[1]
    assert again.parameters == unanswered.parameters


def test_a_token_that_ec2_knows_for_something_else_concludes_nothing(aws: Ec2, here: Ec2Backend) -> None:
    aws.refuse = lambda asked: "IdempotentParameterMismatch" if asked.action == "RunInstances" else None
    with pytest.raises(Uncertain):
        here.submit(order(aws.url), nobody)


# --- what is asked for ------------------------------------------------------------------------------


def test_the_machine_is_as_it_must_be(aws: Ec2, here: Ec2Backend) -> None:
    here.submit(order(aws.url), nobody)
    (asked,) = aws.ran()
    said = asked.parameters
    assert said["InstanceMarketOptions.MarketType"] == "spot"
    assert said["InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior"] == "terminate"
    assert said["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert said["MetadataOptions.HttpTokens"] == "required"
    assert said["MetadataOptions.HttpPutResponseHopLimit"] == "2"
    assert said["IamInstanceProfile.Name"] == "facegan-session"
    assert said["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert said["BlockDeviceMapping.1.Ebs.VolumeType"] == "gp3"
    assert said["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "true"
    assert (said["MinCount"], said["MaxCount"]) == ("1", "1")
    (machine,) = aws.machines()
    tags = {each["key"]: each["value"] for each in machine.get_tags()}
    assert tags == naming.tags(order(aws.url))
    assert asked.user_data.startswith("#!/bin/bash\n")


def test_on_demand_no_spot_is_asked_for(aws: Ec2, tmp_path: Path) -> None:
    backend(tmp_path, aws.url, market="on-demand").submit(order(aws.url), nobody)
    (asked,) = aws.ran()
    assert not [name for name in asked.parameters if name.startswith("InstanceMarketOptions")]
    assert "spot-instances-request" not in asked.parameters.values()


def test_a_dry_run_shows_the_very_request_and_makes_nothing(aws: Ec2, here: Ec2Backend) -> None:
    shown = here.command(order(aws.url))
    assert not aws.machines()
    here.submit(order(aws.url), nobody)
    (asked,) = aws.ran()
    assert shown["run_instances"]["UserData"] == asked.user_data
    assert shown["run_instances"]["ClientToken"] == asked.parameters["ClientToken"]
    assert (shown["run_instances"]["InstanceType"], shown["run_instances"]["Placement"]["AvailabilityZone"]) == WHERES[
        0
    ]
    assert len(shown["otherwise"]) == len(WHERES) - 1


def test_what_cannot_be_started_is_refused_before_anything_is_asked(aws: Ec2, tmp_path: Path) -> None:
    for more, said in {
        "facegan-job:0.1.0-gpu": "is not named by its digest in a registry",
        "": "no image is set",
    }.items():
        with pytest.raises(BadInputError, match=said) as caught:
            backend(tmp_path, aws.url, image=more).bundle("T4")
        assert "facegan-job image push" in (caught.value.hint or "")
    with pytest.raises(BadInputError, match='no market "spto"'):
        backend(tmp_path, aws.url, market="spto").bundle("T4")
    with pytest.raises(InvalidJob, match='GPU "V100"'):
        backend(tmp_path, aws.url).bundle("V100")
    assert not aws.asked


def test_the_region_is_the_host(aws: Ec2, here: Ec2Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws
    assert here.host == "us-east-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(BadInputError, match="no region"):
        _ = backend(tmp_path, "http://127.0.0.1:1").host


# --- what EC2 says ----------------------------------------------------------------------------------


def refusing(code: str, *wheres: tuple[str, str]) -> Callable[[Asked], str | None]:
    """EC2 gives no machine at these places, or none at all."""
    return lambda asked: code if asked.action == "RunInstances" and (not wheres or asked.where in wheres) else None


@pytest.mark.parametrize("code", sorted(facts.NO_ROOM))
def test_where_there_is_no_room_the_next_place_is_asked(aws: Ec2, here: Ec2Backend, code: str) -> None:
    aws.refuse = refusing(code, *WHERES[:6])
    here.submit(order(aws.url), nobody)
    assert [each.where for each in aws.ran()] == WHERES[:7]
    assert len({each.parameters["ClientToken"] for each in aws.ran()}) == 7
    assert len(aws.machines()) == 1


def test_no_room_anywhere_says_what_was_tried(aws: Ec2, here: Ec2Backend) -> None:
    aws.refuse = refusing("InsufficientInstanceCapacity")
    with pytest.raises(Capacity) as caught:
        here.submit(order(aws.url), nobody)
    assert all(f"{type} in {zone}" in caught.value.message for type, zone in WHERES)
    assert len(aws.ran()) == len(WHERES)
    assert not aws.machines()


@pytest.mark.parametrize(
    ("code", "gpu", "market", "quota"),
    [
        ("MaxSpotInstanceCountExceeded", "T4", "spot", "L-3819A6DF"),
        ("VcpuLimitExceeded", "T4", "on-demand", "L-DB2E81BA"),
        ("MaxSpotInstanceCountExceeded", None, "spot", "L-34B43A08"),
        ("VcpuLimitExceeded", None, "on-demand", "L-1216C47A"),
    ],
)
def test_a_quota_is_named_by_its_code(
    aws: Ec2, tmp_path: Path, code: str, gpu: str | None, market: str, quota: str
) -> None:
    aws.refuse = refusing(code)
    with pytest.raises(Quota, match=code) as caught:
        backend(tmp_path, aws.url, market=market).submit(order(aws.url, gpu=gpu), nobody)
    assert f"--quota-code {quota}" in words(caught.value)
    assert len(aws.ran()) == 1, "another zone counts against the same quota"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UnauthorizedOperation", Auth),
        ("AuthFailure", Auth),
        ("InvalidParameterValue", InvalidJob),
        ("VPCIdNotSpecified", InvalidJob),
        ("Unavailable", Uncertain),
        ("SomethingNew", Uncertain),
    ],
)
def test_other_answers_are_refusals_of_their_kind(aws: Ec2, here: Ec2Backend, code: str, kind: type[Refusal]) -> None:
    aws.refuse = refusing(code)
    with pytest.raises(kind, match=code):
        here.submit(order(aws.url), nobody)
    assert not aws.machines()


def test_a_profile_that_is_not_there(aws: Ec2, tmp_path: Path) -> None:
    with pytest.raises(InvalidJob, match="mine") as caught:
        backend(tmp_path, aws.url, profile="mine").submit(order(aws.url), nobody)
    assert "docs/ec2.md" in words(caught.value)


def test_who_does_not_answer_is_asked_again_later(aws: Ec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = backend(tmp_path, aws.url)
    ref = here.submit(order(aws.url), nobody)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{servers.free_port()}")
    here = backend(tmp_path, aws.url)
    with pytest.raises(Uncertain):
        here.submit(order(aws.url), nobody)
    with pytest.raises(Uncertain):
        here.look_up(order(aws.url))
    assert here.fate(ref).life is Life.UNKNOWN


def test_cancelled_it_is_gone_and_may_be_cancelled_again(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    here.cancel(ref)
    assert here.fate(ref).life is Life.GONE
    here.cancel(ref)
    here.cancel({**ref, "instance": "i-0123456789abcdef0"})
    with pytest.raises(Refusal):
        here.cancel({**ref, "instance": "i-0123456789abcdef0", "account": "999999999999"})


def test_a_sweep_takes_old_machines_of_a_run_without_a_session_and_no_others(aws: Ec2, tmp_path: Path) -> None:
    now = [time.time()]
    here = backend(tmp_path, aws.url, wall_s=lambda: now[0])
    one = here.submit(order(aws.url), nobody)
    elsewhere = order(aws.url, run_url=f"{store(aws.url)}&region=us-east-1/runs/dcgan-k7f3")
    other = here.submit(elsewhere, nobody)
    here.sweep(order(aws.url).run_url, ())
    assert {here.fate(each).life for each in (one, other)} == {Life.ALIVE}, "it may have been made a moment ago"
    now[0] += 1000
    here.sweep(order(aws.url).run_url, {2})
    assert here.fate(one).life is Life.ALIVE, "session 2 may be on it"
    here.sweep(order(aws.url).run_url, ())
    assert [here.fate(each).life for each in (one, other)] == [Life.GONE, Life.ALIVE]


# --- doctor, and secrets ----------------------------------------------------------------------------


def test_a_doctor_looks_at_the_account_the_role_and_the_image(aws: Ec2, here: Ec2Backend, tmp_path: Path) -> None:
    found = {each.name: each for each in here.checks()}
    assert found["ec2: account"].found == f"{ACCOUNT}, in us-east-1"
    assert found["ec2: role of sessions"].ok is True
    assert found["ec2: image"].ok is False, "nothing is in the registry"
    missing = {each.name: each for each in backend(tmp_path, aws.url, profile="mine").checks()}
    assert missing["ec2: role of sessions"].ok is False
    assert backend(tmp_path, aws.url, backend="local").checks() == ()


def test_without_credentials_a_doctor_says_so_and_asks_nothing_else(
    aws: Ec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (found,) = backend(tmp_path, aws.url).checks()
    assert (found.name, found.ok) == ("ec2: account", False)
    assert "AWS_PROFILE" in found.hint
    assert not aws.asked


def test_no_secret_is_in_anything_that_is_sent(aws: Ec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.security.canaries import Haystack, canary

    secrets = {name: canary(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_TOKEN")}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    here = backend(tmp_path, aws.url)
    ref = here.submit(order(aws.url), nobody)
    haystack = Haystack(secrets=secrets)
    haystack.search("the requests", bytes(aws.seen))
    haystack.search("user data", aws.ran()[0].user_data.encode())
    haystack.search("what is shown", repr((here.command(order(aws.url)), ref, here.checks())).encode())
    haystack.search_below(tmp_path)
    assert haystack.searched > 10_000
    assert not haystack.found
