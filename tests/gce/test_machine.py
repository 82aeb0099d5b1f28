"""The start script, really run: whatever step of it fails, the machine is gone, and the reason can be read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facegan import handed
from facegan.process import Life
from facegan.storage import open_store
from jobs.backends import vm
from jobs.backends.gce import naming, script
from jobs.backends.gce.backend import LIFE, GceBackend
from jobs.refusals import InvalidJob
from tests.cloud import servers
from tests.fakes import metadata
from tests.fakes.engine import crash, disk_full, engine, no_driver, out_of_memory, slow_pull
from tests.fakes.gce import MACHINE, PROJECT, Gce
from tests.fakes.vm import Vm
from tests.gce import cloud
from tests.gce.cloud import TOKEN
from tests.gce.submitting import IMAGE, STORE, backend, nobody, order, quick
from tests.security.canaries import Haystack, arguments_of_everyone
from tests.waiting import until


@pytest.fixture
def here(google: Gce, tmp_path: Path) -> GceBackend:
    google.tokens[TOKEN] = MACHINE
    open_store(STORE).delete(vm.log_key(order()))
    return backend(tmp_path)


@pytest.fixture
def said(here: GceBackend) -> Iterator[metadata.Machine]:
    del here
    with cloud.serving() as found:
        yield found


@pytest.fixture
def machine(said: metadata.Machine, tmp_path: Path) -> Iterator[Vm]:
    folder = tmp_path / "machine"
    found = cloud.machine(folder, said, engine(folder))
    yield found
    found.clear()


@pytest.fixture
def ref(google: Gce, here: GceBackend, said: metadata.Machine) -> dict[str, object]:
    """Of the session's machine, which is there, and of which the metadata server knows."""
    found: dict[str, object] = here.submit(order(), nobody)
    cloud.about(said, google.instances[0])
    return found


def live(google: Gce, machine: Vm, life: vm.Life | None = None, **more: object) -> None:
    """From the machine's first moment to its last."""
    asked = replace(order(), **more)  # type: ignore[arg-type]
    machine.start(script.render(asked, "us-central1", "us-central1-a", life or quick()))
    machine.wait()
    cloud.settle(google, machine)


def log() -> str:
    return open_store(STORE).get(vm.log_key(order())).decode()


def test_a_session_is_run_and_the_machine_is_gone(google: Gce, machine: Vm, ref: dict[str, object]) -> None:
    machine.docker = engine(machine.folder, start="echo it trains; exit 0")
    live(google, machine)
    assert machine.power() == ["-h +1440", "-h now"], "the longest life is set before anything can fail"
    assert vm.why(log()) == "the session has ended with exit code 0"
    assert "it trains\n" in log()
    assert not google.instances, "it has deleted itself, with its disk"
    assert [each["user"] for each in google.operations if each["operationType"] == "delete"] == [MACHINE]
    login, pull = machine.written("engine").splitlines()[:2]
    assert login == "login --username oauth2accesstoken --password-stdin https://us-central1-docker.pkg.dev"
    assert pull.split()[-1] == IMAGE
    assert machine.written("password").strip() == TOKEN
    given = handed.read(machine.folder / "handed.json")
    assert given.origin.ref == ref
    assert (given.origin.backend, given.origin.host, given.cloud) == ("gce", "us-central1", "gce")
    assert given.found == {"gpus": ["Tesla T4"], "driver": "595.12"}
    assert (given.environment, given.files, given.budget_s) == ({}, {}, quick().session_s)


def test_a_container_is_given_no_longer_than_a_notice(google: Gce, machine: Vm, ref: dict[str, object]) -> None:
    del ref
    live(google, machine, replace(LIFE, driver_s=1))
    assert "--stop-timeout 25 " in machine.written("engine").splitlines()[2]


def test_a_registry_of_somebody_else_is_asked_as_nobody(google: Gce, machine: Vm, ref: dict[str, object]) -> None:
    del ref
    named = "ghcr.io/me/faces@sha256:" + "5" * 64
    live(google, machine, bundle={"image": named, "id": None, "digest": named})
    assert machine.written("engine").splitlines()[0] == f"pull --quiet {named}"


def no_account(_machine: Vm, said: metadata.Machine) -> None:
    del said.google["instance/service-accounts/default/token"]


def no_metadata(_machine: Vm, said: metadata.Machine) -> None:
    said.google = {}


def no_registry(machine: Vm, _said: metadata.Machine) -> None:
    machine.docker = engine(machine.folder).replace("login) ", "login) exit 1 #")


def no_bucket(machine: Vm, _said: metadata.Machine) -> None:
    machine.environment["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{servers.free_port()}"


def no_right_to_delete(machine: Vm, _said: metadata.Machine) -> None:
    machine.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] = f"http://127.0.0.1:{servers.free_port()}/"


STOPPED = "TERMINATED"  # it is there, with its disk, until the next command that follows the run sweeps it away
FAILING: dict[str, tuple[Callable[[Vm, metadata.Machine], None], str, str]] = {
    "no driver": (no_driver, "no driver of the GPU answers on its machine: NVIDIA-SMI has failed", ""),
    "no service account": (no_account, "its machine has no service account", STOPPED),
    "no metadata": (no_metadata, "the metadata server of its machine does not answer", STOPPED),
    "no registry": (no_registry, "does not let the machine's service account in", ""),
    "no bucket": (no_bucket, "the session has ended with exit code 0", STOPPED),
    "no right to delete": (no_right_to_delete, "the session has ended with exit code 0", STOPPED),
    "disk full": (disk_full, "its image cannot be pulled: .*no space left on device", ""),
    "a pull without an end": (slow_pull, "its image cannot be pulled: not done after 2 seconds", ""),
    "container crash": (crash, "its container ended with exit code 139, without a report", ""),
    "out of memory": (out_of_memory, "its container was killed for want of memory", ""),
}


@pytest.mark.parametrize("name", FAILING)
def test_whatever_fails_the_machine_is_gone_and_its_reason_is_known(
    name: str, google: Gce, here: GceBackend, machine: Vm, said: metadata.Machine, ref: dict[str, object]
) -> None:
    """All the way: from the request to the words that the run's history has, and to what is paid for."""
    breaks, why, state = FAILING[name]
    breaks(machine, said)
    live(google, machine, replace(quick(), pull_s=2) if breaks is slow_pull else quick())
    assert [each["status"] for each in google.instances] == ([state] if state else [])
    fate = here.fate(ref)
    assert fate.life is Life.GONE
    assert re.search(why, fate.why), fate.why
    assert here.last_words(order())
    here.sweep(order().run_url, ())
    for _ in range(3):
        google.advance()
    assert not google.instances


def test_a_script_that_is_killed_leaves_a_machine_that_deletes_itself(
    google: Gce, machine: Vm, ref: dict[str, object]
) -> None:
    del ref
    machine.docker = engine(machine.folder, start="/bin/sleep 100")
    machine.start(script.render(order(), "us-central1", "us-central1-a", quick()))
    until(lambda: "start --attach" in machine.written("engine"), machine.console)
    machine.kill()
    machine.wait()
    cloud.settle(google, machine)
    assert not google.instances


def test_the_token_is_on_no_console_in_no_log_and_in_no_argument(
    google: Gce, machine: Vm, ref: dict[str, object], tmp_path: Path
) -> None:
    del ref
    told = tmp_path / "told"  # by a curl before the real one: it is over too soon for who looks at processes
    before = tmp_path / "before" / "curl"
    before.parent.mkdir()
    before.write_text(f'#!/bin/sh\necho "$*" >>{told}\nexec {machine.folder}/bin/curl "$@"\n')
    before.chmod(0o755)
    machine.environment["PATH"] = f"{before.parent}:{machine.folder / 'bin'}"
    haystack = Haystack(secrets={"token": TOKEN})
    with arguments_of_everyone() as seen:
        live(google, machine)
    (machine.folder / "password").unlink()
    haystack.search("arguments of curl", told.read_bytes())
    haystack.search("arguments", b"\n".join(seen))
    haystack.search("the console", machine.console().encode())
    haystack.search("the log", log().encode())
    haystack.search_below(machine.folder)
    assert "/upload/storage/v1/" in told.read_text(), "what sends the log was seen"
    assert not haystack.found


def test_equal_orders_give_equal_scripts_which_are_small_enough() -> None:
    def text(url: str = order().run_url) -> str:
        return script.render(replace(order(), run_url=url), "us-central1", "us-central1-a", quick())

    assert text() == text()
    assert set(re.findall(r"@[A-Z_]+@", text())) == {vm.INSTANCE, vm.ACCOUNT, vm.FOUND, vm.BUDGET}
    assert len(text().encode()) < vm.LARGEST - 2_000
    with pytest.raises(InvalidJob, match="16,384"):
        text("gs://bucket/" + "x" * 9_000 + "/runs/a")


@pytest.mark.parametrize("hostile", ["$(touch pwned)a'b\"`id`;c", "a\\b|c&d"])
def test_no_text_of_the_user_is_anything_but_a_text(
    hostile: str, google: Gce, machine: Vm, ref: dict[str, object]
) -> None:
    del ref
    url = f"gs://bucket/{hostile}/runs/dcgan-k7f3"
    live(google, machine, run_url=url)
    create = machine.written("engine").splitlines()[2]
    assert f" run {url} --session " in create
    assert shlex.quote(url) in machine.written("user-data")
    assert not list(machine.folder.rglob("pwned"))


def test_where_the_log_goes() -> None:
    url = script.log_url(replace(order(3), run_url="gs://my.bucket/gans/runs/a.b"))
    where, _, query = url.partition("?")
    assert where == "https://storage.googleapis.com/upload/storage/v1/b/my.bucket/o"
    assert query == "uploadType=media&name=gans%2Fruns%2Fa.b%2Fsessions%2F3%2Fmachine.txt"
    assert naming.name(order(3)).startswith("facegan-dcgan-k7f3-3-")
    assert PROJECT
