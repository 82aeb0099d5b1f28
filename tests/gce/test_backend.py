"""The port, held against a strict stand-in: one machine for a number, whatever breaks, and nothing concluded early."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from jobs.backends.gce import facts, naming
from jobs.backends.gce.backend import GceBackend
from jobs.refusals import Capacity, InvalidJob, Uncertain
from tests.cloud import servers
from tests.fakes.gce import AFTER, BEFORE, PROJECT, Asked, Gce, metadata
from tests.fakes.gce import Refusal as Answer
from tests.gce.submitting import RUN, STORE, backend, nobody, order

ROOT = Path(__file__).parents[2]
ACTIONS = (
    "operations.aggregatedList",
    "instances.aggregatedList",
    "acceleratorTypes.aggregatedList",
    "machineTypes.aggregatedList",
    "machineTypes.aggregatedList",
    "instances.insert",
    "zoneOperations.get",
    "zoneOperations.get",
)
WHERES = [(type, f"us-central1-{zone}") for type in ("n1-standard-4", "n1-standard-8") for zone in "ac"]
NO_ROOM = {
    "code": "ZONE_RESOURCE_POOL_EXHAUSTED",
    "message": "The zone does not have enough resources available to fulfill the request.",
}


@pytest.fixture
def here(google: Gce, tmp_path: Path) -> GceBackend:
    del google
    return backend(tmp_path)


# --- one machine for a number -----------------------------------------------------------------------


def test_a_session_is_submitted_once(google: Gce, here: GceBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), nobody)
    assert tuple(google.actions()) == ACTIONS
    (machine,) = google.instances
    assert ref == {
        "instance": machine["name"], "id": machine["id"], "zone": "us-central1-a", "project": PROJECT,
        "log": "runs/dcgan-k7f3/sessions/1/machine.txt",
    }  # fmt: skip
    assert here.submit(order(), nobody) == ref
    assert backend(tmp_path / "another", "europe-west4").submit(order(), nobody) == ref, "wherever it is looked for"
    assert here.look_up(order()) == ref
    assert len(google.inserted()) == 1
    google.quotas.clear()
    assert here.submit(order(2), nobody) != ref, "another number is another machine"
    elsewhere = order(run_url=f"gs://{servers.BUCKET}/other/runs/{RUN}")
    assert here.submit(elsewhere, nobody) != ref, "so is the same number of a run of that name elsewhere"


def test_one_that_has_ended_is_not_started_again(google: Gce, here: GceBackend) -> None:
    """Though there is no trace of it among the machines: what was done is remembered."""
    ref = here.submit(order(), nobody)
    google.preempt()
    assert here.look_up(order()) is None
    assert here.submit(order(), nobody) == ref
    assert len(google.inserted()) == 1


@dataclass(frozen=True, kw_only=True)
class Typist:
    """Submits in processes that a test kills."""

    server: subprocess.Popen[str]
    google: Gce

    def kill_at(self, home: Path, place: int, when: str) -> bool:
        """At its request of that number; whether it came so far."""
        first, pid, known, dead = len(self.google.asked), [0], threading.Event(), threading.Event()

        def watch(asked: Asked, now: str) -> None:
            if asked.number == first + place and now == when:
                assert known.wait(60)
                os.kill(pid[0], signal.SIGKILL)
                assert dead.wait(60)

        self.google.watch = watch
        assert self.server.stdin is not None
        self.server.stdin.write(f"{home}\n")
        self.server.stdin.flush()
        pid[0] = self._number()
        known.set()
        code = self._number()
        dead.set()
        self.google.watch = lambda _asked, _when: None
        return code == signal.SIGKILL

    def _number(self) -> int:
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())


@pytest.fixture(scope="module")
def server(project: tuple[Gce, Path], bucket: str) -> Iterator[subprocess.Popen[str]]:
    fake, key = project
    said = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": fake.url, "CLOUDSDK_COMPUTE_REGION": "us-central1",
        "GOOGLE_APPLICATION_CREDENTIALS": str(key), "STORAGE_EMULATOR_HOST": bucket,
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.gce.submitting"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **said}, stdin=pipe, stdout=pipe, text=True) as found:
        yield found
        found.kill()


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("place", range(1, len(ACTIONS) + 1))
def test_killed_at_any_request_and_repeated_there_is_one_machine(
    google: Gce, server: subprocess.Popen[str], tmp_path: Path, place: int, when: str
) -> None:
    assert Typist(server=server, google=google).kill_at(tmp_path, place, when)
    ref = backend(tmp_path / "another").submit(order(), nobody)
    (machine,) = google.instances
    assert ref["id"] == machine["id"]
    assert len(google.made()) == 1


def test_a_walk_that_is_killed_goes_on_where_it_was(
    google: Gce, server: subprocess.Popen[str], here: GceBackend, tmp_path: Path
) -> None:
    google.fail = lambda asked: NO_ROOM if asked.where in WHERES[:3] else None
    place = len(ACTIONS) + 4  # at the second look at the second machine
    assert Typist(server=server, google=google).kill_at(tmp_path, place, AFTER)
    here.submit(order(), nobody)
    assert [each.where for each in google.inserted()] == WHERES, "none is asked for twice"
    assert len(google.made()) == 1


def unanswered(google: Gce, *, is_made: bool) -> None:
    """The first machine that is asked for: the answer is an error of Google's own, after its effect or without."""

    def watch(asked: Asked, when: str) -> None:
        if asked.method == "instances.insert" and (when == AFTER) is is_made:
            google.watch = lambda _asked, _when: None
            raise Answer(status=503, reason="backendError", message="Backend Error")

    google.watch = watch


def test_what_was_asked_for_and_not_answered_is_looked_for(google: Gce, here: GceBackend) -> None:
    unanswered(google, is_made=True)
    ref = here.submit(order(), nobody)
    (machine,) = google.instances
    assert ref["id"] == machine["id"]
    assert len(google.inserted()) == 1


def test_what_is_not_remembered_yet_is_asked_for_word_for_word(google: Gce, here: GceBackend, tmp_path: Path) -> None:
    unanswered(google, is_made=False)
    with pytest.raises(Uncertain):
        here.submit(order(), nobody)
    backend(tmp_path / "another").submit(order(), nobody)
    first, again = google.inserted()
    assert (again.query, again.body) == (first.query, first.body)
    assert len(google.made()) == 1


def test_a_machine_that_is_listed_late_is_not_made_twice(google: Gce, here: GceBackend, tmp_path: Path) -> None:
    """Neither it nor its operation is listed: the request id tells, and without that the name."""
    ref = here.submit(order(), nobody)
    google.operations.clear()
    google.instances[0]["labels"] = {}
    assert backend(tmp_path / "another").submit(order(), nobody) == ref
    assert google.made() == []


def test_two_commands_at_once_make_one_machine(google: Gce, tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def submit(home: str) -> dict[str, object]:
        here = backend(tmp_path / home)
        both.wait(60)
        return here.submit(order(), nobody)

    with ThreadPoolExecutor(2) as typists:
        one, other = typists.map(submit, ("here", "there"))
    assert one == other
    assert len(google.made()) == 1


def test_an_operation_that_takes_long_is_on_its_way(google: Gce, here: GceBackend) -> None:
    google.polls = 1_000
    ref = here.submit(order(), nobody)
    assert google.instances[0]["status"] == "PROVISIONING"
    assert here.submit(order(), nobody) == ref


# --- what is asked for ------------------------------------------------------------------------------


def test_the_request_word_for_word(google: Gce, here: GceBackend) -> None:
    here.submit(order(), nobody)
    (asked,) = google.inserted()
    body = dict(asked.body)
    said = metadata({"metadata": body.pop("metadata")})
    labels = {"facegan-run": RUN, "facegan-session": "1", "facegan-url": naming.digest(order().run_url)}
    assert body == {
        "name": naming.name(order()),
        "machineType": "zones/us-central1-a/machineTypes/n1-standard-4",
        "labels": labels,
        "scheduling": {
            "provisioningModel": "SPOT",
            "instanceTerminationAction": "DELETE",
            "onHostMaintenance": "TERMINATE",
            "automaticRestart": False,
            "maxRunDuration": {"seconds": "86400"},
        },
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    "sourceImage": facts.IMAGE.value,
                    "diskSizeGb": "100",
                    "diskType": "zones/us-central1-a/diskTypes/pd-balanced",
                    "labels": labels,
                },
            }
        ],
        "networkInterfaces": [
            {
                "network": "global/networks/default",
                "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}],
            }
        ],
        "serviceAccounts": [
            {
                "email": f"facegan-session@{PROJECT}.iam.gserviceaccount.com",
                "scopes": [
                    "https://www.googleapis.com/auth/devstorage.read_write",
                    "https://www.googleapis.com/auth/compute",
                ],
            }
        ],
        "guestAccelerators": [
            {"acceleratorType": "zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 1}
        ],
    }
    script = said.pop("startup-script")
    assert script.startswith("#!/bin/bash\n")
    assert said == {
        "block-project-ssh-keys": "TRUE", "serial-port-enable": "FALSE", "facegan-run": RUN,
        "install-nvidia-driver": "True",
    }  # fmt: skip


def test_on_demand_no_spot_is_asked_for_and_the_longest_life_stays(google: Gce, tmp_path: Path) -> None:
    backend(tmp_path, market="on-demand").submit(order(), nobody)
    (asked,) = google.inserted()
    said = asked.body["scheduling"]
    assert (said["provisioningModel"], said["maxRunDuration"]) == ("STANDARD", {"seconds": "86400"})
    assert said["instanceTerminationAction"] == "DELETE"


def test_a_budget_is_the_machines_longest_life(google: Gce, here: GceBackend) -> None:
    here.submit(order(limit_s=7200.0), nobody)
    (asked,) = google.inserted()
    assert asked.body["scheduling"]["maxRunDuration"] == {"seconds": "7080"}
    assert "LIFE_MIN=118\n" in asked.script
    assert "\nBUDGET_S=6372\n" in asked.script


def test_a_type_that_brings_its_gpu_and_one_without(google: Gce, here: GceBackend) -> None:
    here.submit(order(1, gpu="L4"), nobody)
    here.submit(order(2, gpu=None), nobody)
    assert [each.where[0] for each in google.inserted()] == ["g2-standard-4", "e2-standard-4"]
    assert not [each for each in google.inserted() if "guestAccelerators" in each.body]


@pytest.mark.parametrize("run", ["a" * 63, "a.b_c-d", "9-of-them", "x" * 40 + "."])
def test_any_run_has_a_name_and_labels_that_google_takes(google: Gce, here: GceBackend, run: str) -> None:
    asked = order(7, run=run, run_url=f"{STORE}/runs/{run}")
    here.submit(asked, nobody)
    (machine,) = google.instances
    assert metadata(machine)["facegan-run"] == run
    assert here.look_up(asked)
    (found,) = here.machines()
    assert (found.run, found.number, found.digest) == (run, 7, naming.digest(asked.run_url))


def test_names_tell_runs_apart() -> None:
    urls = [
        f"gs://{bucket}/{prefix}/runs/{run}" for bucket, prefix, run in itertools.product("ab", "cd", ("r-1", "r.1"))
    ]
    orders = [order(number, run=url.rpartition("/")[2], run_url=url) for url in urls for number in (1, 11)]
    assert len({naming.name(each) for each in orders}) == len(orders)
    ids = {naming.request_id(each, *where) for each in orders for where in WHERES}
    assert len(ids) == len(orders) * len(WHERES)


def test_a_dry_run_shows_the_very_request_and_makes_nothing(google: Gce, here: GceBackend) -> None:
    shown = here.command(order())
    assert not google.instances
    here.submit(order(), nobody)
    (asked,) = google.inserted()
    said = shown["instances.insert"]
    assert said["body"] == asked.body
    assert (said["zone"], said["requestId"]) == (asked.named["zone"], asked.query["requestId"])
    assert shown["otherwise"] == [f"{type} in {zone}" for type, zone in WHERES[1:]]
    filters = [each.query["filter"] for each in google.asked if each.action.startswith(("operations", "instances.agg"))]
    assert filters == [shown[name]["filter"] for name in ACTIONS[:2]]


def test_what_cannot_be_started_is_refused_before_anything_is_asked(google: Gce, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is not named by its digest in a registry") as caught:
        backend(tmp_path, image="facegan-job:0.1.0-gpu").bundle("T4")
    assert "facegan-job image push" in (caught.value.hint or "")
    with pytest.raises(BadInputError, match="no image is set"):
        backend(tmp_path, image="").bundle("T4")
    with pytest.raises(BadInputError, match='no market "spto"'):
        backend(tmp_path, market="spto").bundle("T4")
    with pytest.raises(InvalidJob, match='GPU "V100"'):
        backend(tmp_path).bundle("V100")
    with pytest.raises(BadInputError, match='"mars" is no region or zone'):
        backend(tmp_path, "mars").bundle("T4")
    assert not google.asked
    with pytest.raises(BadInputError, match="names no family"):
        backend(tmp_path, boot_image="debian-12").submit(order(), nobody)
    assert not google.inserted()


def test_the_host_is_a_region_or_one_zone(google: Gce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    google.fail = lambda _asked: NO_ROOM
    with pytest.raises(Capacity):
        backend(tmp_path, "us-central1-c").submit(order(), nobody)
    assert {zone for _, zone in (each.where for each in google.inserted())} == {"us-central1-c"}
    with pytest.raises(BadInputError, match="has no n1-standard-4 and no n1-standard-8 with nvidia-tesla-t4"):
        backend(tmp_path, "us-central1-b").submit(order(2), nobody)
    monkeypatch.delenv("CLOUDSDK_COMPUTE_REGION")
    with pytest.raises(BadInputError, match="no region"):
        _ = backend(tmp_path).host
