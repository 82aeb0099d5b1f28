"""What becomes of a machine, what is removed and by whom, what a doctor says, and where no secret goes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from facegan.process import Life
from facegan.storage import open_store
from jobs.backends import vm
from jobs.backends.gce import naming
from jobs.backends.gce.backend import GceBackend
from jobs.refusals import Auth, InvalidJob
from tests.cloud import servers
from tests.fakes.gce import MACHINE, OWNER, PROJECT, Gce
from tests.fakes.gce import Refusal as Answer
from tests.gce.submitting import IMAGE, RUN, STORE, backend, nobody, order


@pytest.fixture
def here(google: Gce, tmp_path: Path) -> GceBackend:
    del google
    return backend(tmp_path)


def told(text: str) -> None:
    """The machine of the order has left this in the store."""
    open_store(STORE).put(vm.log_key(order()), text.encode())


@pytest.fixture(autouse=True)
def nothing_told(google: Gce) -> None:
    del google
    open_store(STORE).delete(vm.log_key(order()))


def test_a_living_machine(google: Gce, here: GceBackend) -> None:
    ref = here.submit(order(), nobody)
    assert here.fate(ref).life is Life.ALIVE
    google.stop("STOPPING")
    assert here.fate(ref).life is Life.ALIVE, "its processes may still be at work"


def test_one_that_was_taken_back(google: Gce, here: GceBackend) -> None:
    ref = here.submit(order(), nobody)
    told("facegan-why: the session has ended with exit code 75\n")
    google.preempt()
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "Compute Engine took its spot machine back")


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ("compute.instances.hostError", "a fault of its host ended its machine"),
        ("stop", "its machine was stopped"),
    ],
)
def test_one_that_was_ended_and_is_still_there(google: Gce, here: GceBackend, operation: str, why: str) -> None:
    ref = here.submit(order(), nobody)
    google.stop(operation=operation)
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, why)


@pytest.mark.parametrize(
    ("user", "said", "why"),
    [
        (OWNER, "the session has ended with exit code 75", "its machine was deleted"),
        ("system@google.com", "", "Compute Engine deleted its machine"),
        ("system@google.com", "no driver", "no driver"),
        (MACHINE, "no driver", "no driver"),
        (MACHINE, "", "its machine ended by itself, and has said nothing"),
    ],
)
def test_one_that_was_deleted_says_by_whom(google: Gce, here: GceBackend, user: str, said: str, why: str) -> None:
    ref = here.submit(order(), nobody)
    if said:
        told(f"facegan-why: {said}\n")
    google.remove(user)
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, why)


def test_one_that_could_not_reach_the_store_has_said_why_on_its_serial_line(google: Gce, here: GceBackend) -> None:
    ref = here.submit(order(), nobody)
    google.console = "[   20.1] startup-script: facegan-why: its machine has no service account\r\nlogin:"
    google.stop()
    assert here.fate(ref).why == "its machine has no service account"
    assert "no service account" in here.last_words(order())


def test_one_that_there_is_no_room_for_after_all(google: Gce, here: GceBackend) -> None:
    """It was not known for minutes whether there was."""
    google.polls = 150
    google.fail = lambda _asked: {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "none"}
    ref = here.submit(order(), nobody)
    assert here.fate(ref).life is Life.ALIVE
    while google.instances:
        google.advance()
    fate = here.fate(ref)
    assert (fate.life, fate.why.partition(":")[0]) == (Life.GONE, "its machine was never made")


def test_an_unknown_state_is_not_final(google: Gce, here: GceBackend) -> None:
    ref = here.submit(order(), nobody)
    google.stop("DREAMING")
    assert here.fate(ref).life is Life.UNKNOWN
    assert here.look_up(order()) == ref


def test_what_is_not_remembered_is_gone_after_a_while(google: Gce, tmp_path: Path) -> None:
    now = [time.time()]
    here = backend(tmp_path, wall_s=lambda: now[0])
    ref = here.submit(order(), nobody)
    google.remove(OWNER)
    google.operations.clear()
    assert here.fate(ref).life is Life.UNKNOWN
    now[0] += 61
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its machine is not at Compute Engine any more")


def test_another_machine_of_its_name_is_another(google: Gce, here: GceBackend) -> None:
    ref = here.submit(order(), nobody)
    google.remove(OWNER)
    google.operations.clear()
    assert here.submit(order(), nobody) != ref
    here.cancel(ref)
    assert len(google.instances) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 503])
def test_who_may_not_look_concludes_nothing(google: Gce, here: GceBackend, status: int) -> None:
    ref = here.submit(order(), nobody)
    said = Answer(status=status, reason="notFound", message=f"The resource 'projects/{PROJECT}' was not found")
    google.refuse = lambda _asked: said
    assert here.fate(ref).life is Life.UNKNOWN
    assert here.fate({}).life is Life.UNKNOWN


def test_cancelled_it_is_gone_and_may_be_cancelled_again(google: Gce, here: GceBackend) -> None:
    ref = here.submit(order(), nobody)
    here.cancel(ref)
    assert not google.instances
    assert here.fate(ref).life is Life.GONE
    here.cancel(ref)
    ref = here.submit(order(2), nobody)
    google.stop()
    here.cancel(ref)
    assert not google.instances, "its disk would be paid for"
    google.refuse = lambda _asked: Answer(status=403, reason="forbidden", message="no")
    with pytest.raises(Auth):
        here.cancel(ref)


def test_a_sweep_takes_old_machines_of_ended_sessions_and_no_others(google: Gce, tmp_path: Path) -> None:
    now = [time.time()]
    here = backend(tmp_path, wall_s=lambda: now[0])
    one, two = (here.submit(order(number), nobody) for number in (1, 2))
    other = here.submit(order(run_url=f"gs://{servers.BUCKET}/other/runs/{RUN}"), nobody)
    here.sweep(order().run_url, {2})
    here.sweep(order().run_url, ())
    assert {here.fate(each).life for each in (one, two, other)} == {Life.ALIVE}, "it may have been made a moment ago"
    next(each for each in google.instances if each["id"] == two["id"])["status"] = "TERMINATED"
    here.sweep(order().run_url, ())
    now[0] += 1000
    here.sweep(order().run_url, {1})
    for _ in range(3):
        google.advance()
    assert [each["id"] for each in google.instances] == [one["id"], other["id"]], "one that has shut down is paid for"
    here.sweep(order().run_url, ())
    for _ in range(3):
        google.advance()
    assert [each["id"] for each in google.instances] == [other["id"]]


def test_every_machine_of_ours_is_found_wherever_it_is(google: Gce, tmp_path: Path) -> None:
    began = time.time()
    now = [began]
    here = backend(tmp_path, wall_s=lambda: now[0])
    ref = here.submit(order(), nobody)
    there = backend(tmp_path, "europe-west4").submit(order(2), nobody)
    google.instances.append({**google.instances[0], "id": "1", "name": "somebodys", "labels": {"facegan-session": "1"}})
    now[0] = time.time() + 100
    noted = [f"{PROJECT}/europe-west4", f"{PROJECT}/us-central1"]
    assert here.hosts() == [None, *noted]
    found = sorted(here.machines(), key=lambda each: each.number)
    assert [each.ref for each in found] == [ref, there]
    assert (found[0].run, found[0].number, found[0].digest) == (RUN, 1, naming.digest(order().run_url))
    assert (found[0].state, found[0].where) == ("RUNNING", "us-central1-a")
    assert 100 <= found[0].age_s <= now[0] - began + 0.001, "Google's times are in milliseconds"
    assert [each.ref for each in backend(tmp_path, "europe-west4").machines()] == [there]
    assert backend(tmp_path / "new", backend="local").hosts() == []
    elsewhere = backend(tmp_path, backend="local", project="another")
    assert elsewhere.hosts() == [None, *noted], "where it was asked is remembered, whatever is settled now"
    seen = [backend(tmp_path, host, backend="local", project="another").machines() for host in noted]
    assert [[each.ref for each in found] for found in seen] == [[there], [ref]]
    with pytest.raises(InvalidJob):  # a project that is not there
        backend(tmp_path, "another/us-central1").machines()


# --- doctor, and secrets ----------------------------------------------------------------------------


def test_a_doctor_looks_at_the_credentials_the_quota_and_the_images(google: Gce, tmp_path: Path) -> None:
    found = {each.name: each for each in backend(tmp_path).checks()}
    assert found["gce: account"].found == f"{OWNER}, in {PROJECT}"
    assert found["gce: quota"].found == "GPUS_ALL_REGIONS 1; spot in us-central1: T4 1, L4 0, A100 0"
    assert found["gce: image of machines"].found.startswith("common-cu129-")
    assert found["gce: image"].found.startswith(f'"{IMAGE}"')
    assert {each.ok for each in found.values()} == {True}
    google.quotas["GPUS_ALL_REGIONS"] = 0.0
    found = {each.name: each for each in backend(tmp_path, "us-central1-a", image="").checks()}
    assert (found["gce: quota"].ok, found["gce: image"].ok) == (False, False)
    assert '"GPUS_ALL_REGIONS"' in found["gce: quota"].hint
    assert backend(tmp_path, backend="local").checks() == ()


def test_without_credentials_a_doctor_says_so_and_asks_nothing_else(
    google: Gce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.backends.gce import client

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    client._credentials.cache_clear()
    (found,) = backend(tmp_path).checks()
    client._credentials.cache_clear()
    assert (found.name, found.ok) == ("gce", False)
    assert "gcloud auth application-default login" in found.hint
    assert not google.asked


def test_no_secret_is_in_anything_that_is_sent(google: Gce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json
    import os

    from tests.security.canaries import Haystack, canary

    key = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["private_key"]
    secrets = {"AWS_SECRET_ACCESS_KEY": canary("aws"), "MLFLOW_TRACKING_TOKEN": canary("mlflow")}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    here = backend(tmp_path)
    ref = here.submit(order(), nobody)
    haystack = Haystack(secrets={**secrets, "key of Google": key.splitlines()[3], "GOOGLE": "private_key"})
    haystack.search("the requests", bytes(google.seen))
    haystack.search("what is shown", repr((here.command(order()), ref, here.checks(), here.machines())).encode())
    haystack.search_below(tmp_path)
    assert haystack.searched > 10_000
    assert not haystack.found
