"""What became of a machine, as EC2 and its own last words say it: nothing is concluded too early."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from facegan.process import Life
from facegan.storage import open_store
from jobs.backends import vm
from jobs.backends.ec2 import facts
from jobs.backends.ec2.backend import Ec2Backend
from tests.ec2.submitting import backend, nobody, order, store
from tests.fakes.ec2 import Ec2


def told(aws: Ec2, text: str) -> None:
    """The machine of the order has left this in the store."""
    open_store(store(aws.url)).put(vm.log_key(order(aws.url)), text.encode())


def test_a_living_machine(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    assert here.fate(ref).life is Life.ALIVE
    aws.end("shutting-down")
    assert here.fate(ref).life is Life.ALIVE, "its processes may still be at work"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("Server.SpotInstanceTermination", "EC2 took its spot machine back"),
        ("Client.UserInitiatedShutdown", "its machine was terminated"),
        ("Server.InternalError", "EC2 ended its machine by an error of its own"),
        ("Server.Strange", "its machine is gone: in EC2's words"),
    ],
)
def test_a_machine_that_was_ended_says_by_whom(aws: Ec2, here: Ec2Backend, code: str, why: str) -> None:
    ref = here.submit(order(aws.url), nobody)
    told(aws, "facegan-why: the session has ended with exit code 75\n")
    aws.end(code=code, message="in EC2's words")
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, why)


def test_one_that_ended_by_itself_has_said_why_in_the_store(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    aws.console = "facegan-why: of another\r\n"
    told(aws, "facegan-start: session 1\nfacegan-why: no driver of the GPU answers on its machine: no\n")
    aws.end(code=facts.ITSELF)
    assert here.fate(ref).why == "no driver of the GPU answers on its machine: no"
    assert "facegan-start: session 1\n" in here.last_words(order(aws.url))


def test_one_that_could_not_reach_the_store_has_said_why_on_its_console(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    aws.console = "[   20.1] cloud-init[912]: facegan-why: its machine has no role: has it?\r\nlogin:"
    aws.end(code=facts.ITSELF)
    assert here.fate(ref).why == "its machine has no role: has it?"
    assert "has no role" in here.last_words(order(aws.url))


def test_one_that_has_said_nothing(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    aws.end(code=facts.ITSELF)
    assert here.fate(ref).why == "its machine shut down by itself, and has said nothing"


def test_a_stopped_one_is_gone_and_an_unknown_state_is_not_final(aws: Ec2, here: Ec2Backend) -> None:
    ref = here.submit(order(aws.url), nobody)
    aws.end("dreaming")
    assert here.fate(ref).life is Life.UNKNOWN
    assert here.look_up(order(aws.url)) == ref
    aws.machines()[0]._state.name = "running"
    aws.end("stopped", code="Client.UserInitiatedShutdown")
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its machine was stopped")


def test_what_ec2_does_not_know_is_gone_after_a_while_and_of_the_same_account_alone(aws: Ec2, tmp_path: Path) -> None:
    now = [time.time()]
    here = backend(tmp_path, aws.url, wall_s=lambda: now[0])
    ref = {**here.submit(order(aws.url), nobody), "instance": "i-0123456789abcdef0"}
    assert here.fate(ref).life is Life.UNKNOWN
    now[0] += 61
    assert here.fate({**ref, "account": "999999999999"}).life is Life.UNKNOWN
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its machine is not at EC2 any more")


def test_a_ref_that_is_none_is_unknown(aws: Ec2, here: Ec2Backend) -> None:
    del aws
    assert here.fate({}).life is Life.UNKNOWN
