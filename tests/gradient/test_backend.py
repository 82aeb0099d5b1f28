"""The port, held against the stand-in: one session for a number, whatever breaks, and nothing concluded too early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facegan import handed
from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.base import digest
from jobs.backends.gradient import facts, naming
from jobs.backends.gradient.backend import GradientBackend, World
from jobs.backends.known import Sure
from jobs.refusals import KINDS, Auth, Capacity, InvalidJob, Quota, Refusal, Uncertain
from jobs.settings import Settings
from tests.fakes.gradient import AFTER, BEFORE, PROJECT, TEAM, Gradient, No, Workflow
from tests.gradient.submitting import CANARY, IMAGE, RUN, URL, backend, hand, order

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(place: Gradient, tmp_path: Path) -> GradientBackend:
    return backend(tmp_path, place.url)


def starts(place: Gradient) -> int:
    return sum(verb == "POST" and path.endswith("/runs") for verb, path in place.asked)


# --- one session for a number -----------------------------------------------------------------------


def test_a_session_is_submitted_once(place: Gradient, here: GradientBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), hand)
    (workflow,) = place.workflows
    assert ref == {"team": TEAM, "project": PROJECT, "workflow": workflow.id, "name": naming.workflow(order())}
    assert here.submit(order(), hand) == ref
    assert backend(tmp_path / "another", place.url).submit(order(), hand) == ref
    assert here.look_up(order()) == ref
    assert len(place.runs()) == starts(place) == 1
    assert here.submit(order(2), hand) != ref, "another number is another workflow"
    assert here.submit(order(run_url=f"{URL}x"), hand) != ref, "so is the same number of a run elsewhere"


def test_exactly_this_is_sent(place: Gradient, here: GradientBackend) -> None:
    asked = order(gpu="rtx5000")
    here.submit(asked, hand)
    (run,) = place.runs()
    shown = here.command(asked)
    assert shown["run"] == {"spec": run.spec}
    assert run.spec == {
        "defaults": {"resources": {"instance-type": "RTX5000"}},
        "jobs": {
            "session": {
                "uses": "container@v1",
                "with": {
                    "image": IMAGE,
                    "args": ["run", URL, "--session", "1", "--handed-in", "FACEGAN_HANDED"],
                },
                "env": {"FACEGAN_HANDED": f"secret:{naming.secret(asked)}"},
                "timeout": "720m",
            }
        },
    }
    assert CANARY.encode() not in place.seen, "it is in the secret, and nowhere else"
    given = handed.take("X", {"X": place.secrets[naming.secret(asked)]})
    assert given.environment["AWS_SECRET_ACCESS_KEY"] == CANARY
    assert given.origin.ref is not None
    assert given.origin.ref["workflow"] == place.workflows[0].id
    assert given.budget_s == facts.SESSION_S.value - 300


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_killed_at_any_request_and_repeated_it_makes_one_session(place: Gradient, tmp_path: Path, when: str) -> None:
    place.fault = lambda *_: None
    backend(tmp_path / "whole", place.url).submit(order(), hand)
    for at in range(1, len(place.asked) + 1):
        place.workflows.clear()
        place.secrets.clear()
        place.asked.clear()
        kill_at(place, tmp_path / f"{at}", at, when)
        again = backend(tmp_path / f"{at}", place.url)
        ref = again.submit(order(), hand)
        assert len(place.runs()) == 1, f"killed {when} request {at}"
        assert naming.secret(order()) in place.secrets
        assert again.fate(ref).life is Life.ALIVE


def kill_at(place: Gradient, home: Path, at: int, when: str) -> None:
    """Submit in a process that is killed at its request of that number."""
    child: list[subprocess.Popen[bytes]] = []

    def kill(number: int, _verb: str, _path: str, now: str) -> None:
        if (number, now) == (at, when):
            child[0].send_signal(signal.SIGKILL)
            raise ConnectionError

    command = [sys.executable, "-m", "tests.gradient.submitting", str(home), place.url]
    with place.lock:  # nothing is answered before the child is known
        place.fault = kill
        child.append(subprocess.Popen(command, cwd=ROOT, env=dict(os.environ)))
    assert child[0].wait(600) == -signal.SIGKILL
    place.fault = lambda *_: None


def test_an_answer_that_is_lost_is_looked_for_and_not_asked_for_again(place: Gradient, here: GradientBackend) -> None:
    def lose(_number: int, verb: str, path: str, when: str) -> None:
        if verb == "POST" and path.endswith("/runs") and when == AFTER:
            raise ConnectionError

    place.fault = lose
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    place.fault = lambda *_: None
    place.unlisted = 1  # and the list is late
    here.submit(order(), hand)
    assert len(place.runs()) == 1


def test_one_that_has_ended_is_not_started_again(place: Gradient, here: GradientBackend) -> None:
    ref = here.submit(order(), hand)
    place.runs()[0].phase = "Failed"
    assert here.look_up(order()) is None
    assert here.submit(order(), hand) == ref
    assert starts(place) == 1


# --- what became of it ------------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "life"), [*facts.LIVES.items(), ("inventing", Life.UNKNOWN), ("", Life.UNKNOWN)])
def test_what_a_phase_says(place: Gradient, here: GradientBackend, phase: str, life: Life) -> None:
    ref = here.submit(order(), hand)
    place.runs()[0].phase = phase.title()
    found = here.fate(ref)
    assert found.life is life
    assert bool(found.why) == (life is Life.GONE)


def test_what_is_not_listed_is_gone_only_when_it_is_not_listed_later_either(place: Gradient, tmp_path: Path) -> None:
    now = [0.0]
    here = backend(tmp_path, place.url, wall_s=lambda: now[0])
    ref = here.submit(order(), hand)
    place.workflows.clear()
    assert here.fate(ref).life is Life.UNKNOWN
    now[0] = 59.0
    assert here.fate(ref).life is Life.UNKNOWN
    now[0] = 61.0
    found = here.fate(ref)
    assert (found.life, found.missing) == (Life.GONE, True)


def test_silence_and_another_team_say_nothing(place: Gradient, here: GradientBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), hand)
    assert here.fate({**ref, "team": "t-another"}).life is Life.UNKNOWN
    assert backend(tmp_path, place.url, key="stolen").fate(ref).life is Life.UNKNOWN
    for status in (500, 503):

        def break_down(*_: object, status: int = status) -> None:
            raise No(status, "We are looking into it.")

        place.fault = break_down
        assert here.fate(ref).life is Life.UNKNOWN
        with pytest.raises(Uncertain):
            here.look_up(order())


def test_it_is_cancelled_for_certain_and_of_the_dead_it_is_no_error(place: Gradient, here: GradientBackend) -> None:
    ref = here.submit(order(), hand)
    here.cancel(ref)
    assert place.runs()[0].phase == "Cancelled"
    assert here.fate(ref).life is Life.GONE
    here.cancel(ref)
    place.workflows.clear()
    here.cancel(ref)


def test_what_does_not_end_though_it_was_told_to_is_not_said_to_have(
    place: Gradient, here: GradientBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = here.submit(order(), hand)
    monkeypatch.setattr("tests.fakes.gradient.Run.to_json", lambda run: {"id": run.id, "status": {"phase": "Running"}})
    with pytest.raises(Uncertain, match="after 120 s it has not"):
        here.cancel(ref)
    assert place.runs()[0].phase == "Cancelled", "it was told to"


def test_secrets_go_when_their_sessions_have_ended(place: Gradient, here: GradientBackend) -> None:
    for number in (1, 2, 3):
        here.submit(order(number), hand)
    here.submit(order(run_url=f"{URL}x"), hand)
    place.workflows[0].runs[0].phase = "Failed"
    place.workflows[2].runs[0].phase = "Succeeded"
    here.sweep(URL, keep=[3])
    assert list(place.secrets) == [naming.secret(each) for each in (order(2), order(3), order(run_url=f"{URL}x"))]
    here.sweep(URL, keep=[])
    assert list(place.secrets) == [naming.secret(each) for each in (order(2), order(run_url=f"{URL}x"))]


def test_what_it_printed_is_read_to_its_end(place: Gradient, here: GradientBackend) -> None:
    assert list(here.printed(order())) == []
    here.submit(order(), hand)
    place.runs()[0].printed = ["one", "two", "three"]
    assert list(here.printed(order())) == ["one\n", "two\n", "three\n"]


def test_what_runs_there_is_found_by_its_name_with_the_very_ref(place: Gradient, here: GradientBackend) -> None:
    refs = [here.submit(order(number), hand) for number in (1, 2)]
    place.workflows[0].runs[0].phase = "Succeeded"
    place.workflows.append(Workflow(id="another", name="somebody's own-1"))
    (found,) = here.machines()
    assert (found.ref, found.run, found.number, found.digest) == (refs[1], RUN, 2, digest(URL))
    assert (found.state, found.where) == ("pending", PROJECT)
    here.cancel(found.ref)
    assert here.machines() == []


def test_how_old_it_is_gradient_says_or_this_machine_remembers(place: Gradient, tmp_path: Path) -> None:
    now = [2_000_000_000.0]
    here = backend(tmp_path, place.url, wall_s=lambda: now[0])
    here.submit(order(), hand)
    place.runs()[0].made_at = datetime.fromtimestamp(now[0] - 50, tz=UTC)
    assert here.machines()[0].age_s == 50
    place.runs()[0].made_at = "some time ago"
    assert here.machines()[0].age_s == 0
    now[0] += 1000
    assert here.machines()[0].age_s == 1000


def test_where_it_was_asked_is_remembered(here: GradientBackend, tmp_path: Path) -> None:
    assert here.hosts() == [PROJECT], "it is the backend of the settings"
    settings = Settings(home=tmp_path, store="s3://bucket/gans", backend="local", tracking="")
    elsewhere = GradientBackend(settings, world=World(environment={}))
    assert elsewhere.hosts() == []
    here.submit(order(), hand)
    assert elsewhere.hosts() == [PROJECT]


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "Invalid spec.", InvalidJob),
        (401, "Not authenticated.", Auth),
        (402, "Payment required.", Quota),
        (403, "Workflows are not available.", Auth),
        (409, "We are out of capacity for A4000.", Capacity),
        (418, "I am a teapot.", Uncertain),
        (429, "Too many requests.", Capacity),
        (502, "Bad gateway.", Uncertain),
    ],
)
def test_what_an_answer_means(
    place: Gradient, here: GradientBackend, status: int, message: str, kind: type[Refusal]
) -> None:
    def refuse(_number: int, verb: str, path: str, when: str) -> None:
        if verb == "POST" and path.endswith("/runs") and when == BEFORE:
            raise No(status, message)

    place.fault = refuse
    with pytest.raises(kind) as caught:
        here.submit(order(), hand)
    assert type(caught.value) is kind
    assert caught.value.hint
    assert not place.runs()
    place.fault = lambda *_: None
    here.submit(order(), hand)
    assert len(place.runs()) == 1


def test_an_account_without_workflows_is_told_so(place: Gradient, here: GradientBackend) -> None:
    place.has_workflows = False
    with pytest.raises(Auth, match="Workflows are not available") as caught:
        here.submit(order(), hand)
    assert "docs/gradient.md" in str(caught.value.hint)
    assert [each.ok for each in here.checks()] == [True, True, False]


def test_which_project_it_is_must_be_clear(place: Gradient, tmp_path: Path) -> None:
    place.projects = []
    with pytest.raises(BadInputError, match="has no project"):
        _ = backend(tmp_path, place.url).host
    place.projects = ["one", "two", "three"]
    with pytest.raises(BadInputError, match="has 3 projects") as caught:
        _ = backend(tmp_path, place.url).host
    assert caught.value.hint == "name one: --host one"


def test_every_kind_of_the_table_is_one_and_the_page_shows_the_gpus() -> None:
    assert {kind for kind, _ in facts.KINDS.values()} <= set(KINDS)
    assert set(facts.ENDS) == {phase for phase, life in facts.LIVES.items() if life is Life.GONE}
    page = (ROOT / "docs" / "gradient.md").read_text(encoding="utf-8")
    for each in facts.ACCELERATORS:
        assert f"| {each.gpu} | {each.memory_gib} GiB |" in page
    for fact in facts.KNOWN:
        assert f"| {fact.what} | `{fact.value}` | {fact.sure.value}, {fact.seen} |" in page
    assert facts.SECRET.sure is facts.PHASES.sure is Sure.BELIEVED
