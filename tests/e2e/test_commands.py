"""Commands as people type them, with real sessions: detached, killed, resumed and asked about."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

from facegan import process
from facegan.ledger import State
from tests.e2e.outcome import Outcome, entries
from tests.e2e.runs import HURRIED, RUN, User, experiment
from tests.waiting import until

SUBMIT = ("submit", "dcgan-mnist", "--name", RUN, *experiment())


def launched_pid(user: User) -> int:
    return int(next(entry["ref"]["pid"] for entry in entries(user.home, RUN) if entry["kind"] == "launched"))


def kill(pid: int) -> None:
    """By the kernel, which takes its time where there is much to tidy up."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: process.identify(pid) is None)


def interrupt_follower(user: User) -> subprocess.Popen[str]:
    """Type `submit`, and Ctrl-C as soon as it follows."""
    child = user.type(*SUBMIT)
    assert child.stderr is not None
    assert child.stderr.readline().startswith(f"run {RUN}: ")
    assert re.match(f"{RUN}  (queued|running)", child.stderr.readline())
    os.killpg(child.pid, signal.SIGINT)  # the terminal sends it to everything in the foreground
    return child


def test_ctrl_c_detaches_and_after_a_kill_resume_waits_for_nobody(user: User, untouched: Outcome) -> None:
    follower = interrupt_follower(user)
    out, err = follower.communicate(timeout=600)
    assert (follower.returncode, out) == (130, "")
    assert "detached; the run goes on" in err
    assert f"hint: facegan-job logs -f {RUN}" in err

    until(lambda: "lease" in user.kinds())  # it went on
    kill(launched_pid(user))
    resumed = user.command("resume", RUN, "-d", "--json")
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["sessions"] == 2
    assert user.kinds().count("lost") == 1

    followed = user.command("logs", "-f", RUN)
    assert followed.code == 0, followed.err
    assert "session 2 finished" in followed.out
    assert resumed.took_s + followed.took_s < HURRIED / 3, "somebody waited for the dead one's lease"
    assert user.fold().state is State.FINISHED
    assert user.outcome() == untouched
    assert user.is_whole()
    again = user.command(*SUBMIT, "-d", "--json")
    assert (again.code, json.loads(again.out)["state"]) == (0, "finished"), "the same again goes on, or is done"


def test_submit_answers_with_json_and_a_killed_session_is_noticed(user: User) -> None:
    submitted = user.command(*SUBMIT, "-d", "--json")
    assert submitted.code == 0, submitted.err
    view = json.loads(submitted.out)
    assert (view["run"], view["backend"], view["sessions"]) == (RUN, "local", 1)
    assert view["state"] in {"queued", "running"}, "it may have begun already"
    assert (view["estimate"]["price"]["usd_h"], view["estimate"]["steps"]) == (0.0, view["steps"])
    kill(launched_pid(user))
    waited = user.command("wait", RUN, "--timeout", "600")
    assert (waited.code, waited.out) == (101, f"{RUN} interrupted\n")
    assert json.loads(user.command("status", RUN, "--json").out)["why"].startswith("session 1: its process is gone")


def test_a_bare_run_of_a_stopped_run_refuses(user: User) -> None:
    user.create()
    assert user.command("stop", RUN).code == 0
    before = user.kinds()
    bare = subprocess.run(
        [sys.executable, "-m", "facegan", "run", user.url],
        env=user.environment(),
        cwd=user.home,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert bare.returncode == 75
    assert f'run "{RUN}" is stopped' in bare.stdout
    assert f"facegan-job resume {RUN}" in bare.stdout
    assert user.kinds() == before


def test_a_submit_that_follows_ends_with_its_run(user: User, untouched: Outcome) -> None:
    followed = user.command(*SUBMIT, "--json")
    assert followed.code == 0, followed.err
    view = json.loads(followed.out)
    assert (view["state"], view["step"], view["why"]) == ("finished", 48, "all 48 steps are committed")
    assert re.search(rf"run {RUN}: [\d,]+ images shown, \S+ epochs of 5,000, 48 steps of \d+\n", followed.err)
    assert re.search(rf"run {RUN} is finished: [\d,]+ images shown, \S+ epochs of 5,000, 48 steps", followed.err)
    assert user.outcome() == untouched
