"""The start script, really run: whatever step of it fails, the machine is gone, and the reason can be read."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facegan.process import Life
from facegan.storage import open_store
from jobs.backends import vm
from jobs.backends.base import Order
from jobs.backends.ec2 import facts, role, script
from jobs.refusals import InvalidJob
from tests.container.conftest import require
from tests.ec2.submitting import IMAGE, backend, nobody, order, store
from tests.fakes import metadata
from tests.fakes.disks import tiny_disk
from tests.fakes.ec2 import ACCOUNT, Ec2
from tests.fakes.engine import crash, disk_full, engine, no_driver, out_of_memory, slow_pull
from tests.fakes.vm import Vm
from tests.security.canaries import Haystack, arguments_of_everyone, canary
from tests.waiting import until

FOLDER = Path(__file__).parents[2] / "infra" / "machine"
QUICK = vm.Life(driver_s=1, pull_s=60)
INSTANCE = "i-0abcdef1234567890"
SECRETS = {name: canary(name) for name in ("SecretAccessKey", "Token")}


@pytest.fixture
def cloud() -> Iterator[metadata.Machine]:
    """The metadata service of a machine with a role."""
    require(shutil.which("curl"), "curl is not installed")
    with metadata.serving() as machine:
        machine.role = "facegan-session"
        machine.keys = {"Code": "Success", "AccessKeyId": "ASIAEXAMPLE", **SECRETS}
        machine.identity = {"instanceId": INSTANCE, "accountId": ACCOUNT, "region": "us-east-1"}
        yield machine


@pytest.fixture
def machine(aws: Ec2, cloud: metadata.Machine, tmp_path: Path) -> Iterator[Vm]:
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url, "AWS_ENDPOINT_URL_ECR": aws.url}
    found = Vm(folder=tmp_path / "machine", environment=variables, hurries=True)
    yield found
    found.clear()


def live(machine: Vm, asked: Order, life: vm.Life = QUICK) -> None:
    """From the machine's first moment to its last."""
    machine.start(script.render(asked, "us-east-1", life))
    machine.wait()


def log(aws: Ec2) -> str:
    return open_store(store(aws.url)).get(vm.log_key(order(aws.url))).decode()


def test_a_session_is_run_and_the_machine_is_gone(aws: Ec2, machine: Vm) -> None:
    machine.docker = engine(machine.folder, start="echo it trains; exit 0")
    live(machine, order(aws.url))
    assert machine.power()[0] == "-h +1440", "the longest life is set before anything can fail"
    assert "-h now" in machine.power()
    assert vm.why(log(aws)) == "the session has ended with exit code 0"
    assert "it trains\n" in log(aws)
    assert "facegan-why: the session has ended with exit code 0\n" in machine.console()


def test_what_the_container_is_made_with(aws: Ec2, machine: Vm) -> None:
    machine.docker = engine(machine.folder)
    live(machine, replace(order(aws.url), grace_s=60.0))
    said = machine.written("engine").splitlines()
    assert [line.split()[0] for line in said] == ["login", "pull", "create", "cp", "start", "inspect", "inspect"]
    create = shlex.split(said[2])
    assert said[1].split()[-1] == IMAGE
    assert "--read-only" in create
    options = dict(itertools.pairwise(create))
    assert (options["--gpus"], options["--user"], options["--stop-timeout"]) == ("all", "10001:10001", "70")
    assert create[create.index(IMAGE) + 1 :] == [
        "run", order(aws.url).run_url, "--session", "1", "--handed", "/scratch/handed.json",
    ]  # fmt: skip


def test_what_the_session_is_handed_knows_the_machine_and_holds_no_secret(aws: Ec2, machine: Vm) -> None:
    from facegan import handed

    machine.docker = engine(machine.folder)
    live(machine, order(aws.url))
    given = handed.read(machine.folder / "handed.json")
    assert given.cloud == "ec2"
    assert given.found == {"gpus": ["Tesla T4"], "driver": "595.12"}
    assert given.origin.ref == script.ref(order(aws.url), "us-east-1", INSTANCE, ACCOUNT)
    assert (given.environment, given.files) == ({"AWS_DEFAULT_REGION": "us-east-1", **role.PATIENCE}, {})
    assert given.budget_s == QUICK.session_s


@pytest.mark.parametrize(("took", "left"), [(0, 480), (700, 260)])
def test_a_session_ends_before_its_machine_however_long_that_took_to_start(
    aws: Ec2, machine: Vm, took: int, left: int
) -> None:
    from facegan import handed

    machine.docker = engine(machine.folder)
    asked = replace(order(aws.url), limit_s=1200.0, grace_s=300.0)
    text = script.render(asked, "us-east-1", QUICK)
    machine.start(text.replace("set -u -o pipefail\n", f"set -u -o pipefail\nSECONDS={took}\n", 1))
    machine.wait()
    given = handed.read(machine.folder / "handed.json")
    assert given.budget_s is not None
    assert left - 60 < given.budget_s <= left
    assert given.grace_s == QUICK.stop_s - vm.REPORT_S, "its container is killed then, whatever it was given"


def test_the_registry_is_logged_in_to_as_the_role(aws: Ec2, machine: Vm) -> None:
    machine.docker = engine(machine.folder)
    live(machine, order(aws.url))
    login = machine.written("engine").splitlines()[0]
    assert login == "login --username AWS --password-stdin 123456789012.dkr.ecr.us-east-1.amazonaws.com"
    password = machine.written("password").strip()
    assert password
    assert password not in machine.written("engine") + machine.console() + log(aws)


def no_role(_machine: Vm, cloud: metadata.Machine) -> None:
    cloud.role = None


def no_metadata(_machine: Vm, cloud: metadata.Machine) -> None:
    cloud.identity = {}


def no_toolkit(machine: Vm, _cloud: metadata.Machine) -> None:
    error = "could not select device driver with capabilities: [[gpu]]"
    machine.docker = engine(machine.folder, start="exit 1", error=error)


def no_registry(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.environment["AWS_ENDPOINT_URL_ECR"] = "http://127.0.0.1:1"


def registry_refuses(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder, more="").replace("login) cat", "login) exit 1; cat")


def wrong_digest(machine: Vm, _cloud: metadata.Machine) -> None:
    said = "Error response from daemon: manifest for faces@sha256:5 not found: manifest unknown"
    machine.docker = engine(machine.folder, more=f'pull) echo "{said}"; exit 1 ;;')


def no_engine(machine: Vm, _cloud: metadata.Machine) -> None:
    said = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    machine.docker = f'#!/bin/bash\n[ "$1" = login ] && cat >/dev/null && exit\necho "{said}"\nexit 1\n'


def no_container(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder, more='create) echo "Conflict. The name is in use"; exit 125 ;;')


def takes_nothing(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder).replace("cp) tar", "cp) exit 1; tar")


def killed(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder, start="exit 137")


FAILING: dict[str, tuple[Callable[[Vm, metadata.Machine], None], str]] = {
    "no driver": (no_driver, "no driver of the GPU answers on its machine: NVIDIA-SMI has failed"),
    "no role": (no_role, "its machine has no role"),
    "no metadata": (no_metadata, "the metadata service of its machine does not answer"),
    "no registry": (no_registry, "the registry .* does not let the machine's role in: .*refused|Failed to connect"),
    "registry refuses": (registry_refuses, "the registry .* does not answer"),
    "wrong digest": (wrong_digest, "its image cannot be pulled: .*manifest unknown"),
    "no engine": (no_engine, "its image cannot be pulled: Cannot connect to the Docker daemon"),
    "no container": (no_container, "its container cannot be made: Conflict"),
    "takes nothing": (takes_nothing, "the session's container takes nothing"),
    "killed": (killed, "its container was killed"),
    "disk full": (disk_full, "its image cannot be pulled: .*no space left on device"),
    "a pull without an end": (slow_pull, "its image cannot be pulled: not done after 2 seconds"),
    "container crash": (crash, "its container ended with exit code 139, without a report"),
    "out of memory": (out_of_memory, "its container was killed for want of memory"),
    "no toolkit": (no_toolkit, "its container could not be started: could not select device driver"),
}


@pytest.mark.parametrize("name", FAILING)
def test_whatever_fails_the_machine_is_gone_and_its_reason_is_known(
    name: str, aws: Ec2, machine: Vm, cloud: metadata.Machine, tmp_path: Path
) -> None:
    """All the way: from the request to the words that the run's history has."""
    breaks, why = FAILING[name]
    machine.docker = engine(machine.folder)
    breaks(machine, cloud)
    here = backend(tmp_path, aws.url)
    ref = here.submit(order(aws.url), nobody)
    live(machine, order(aws.url), replace(QUICK, pull_s=2) if breaks is slow_pull else QUICK)
    aws.console = machine.console()
    aws.end(code=facts.ITSELF)
    fate = here.fate(ref)
    assert fate.life is Life.GONE
    assert re.search(why, fate.why), fate.why
    assert here.last_words(order(aws.url))


def test_a_disk_that_is_really_full_keeps_no_reason_back(aws: Ec2, machine: Vm, tmp_path: Path) -> None:
    """The script's own files are on it. What can be put into the store no more is on the console."""
    with tiny_disk(tmp_path / "tiny", size_kib=64):
        machine.environment["TMPDIR"] = str(tmp_path / "tiny")
        machine.docker = engine(machine.folder, more=f"pull) cat /dev/zero >{tmp_path}/tiny/layer; exit 1 ;;")
        here = backend(tmp_path, aws.url)
        ref = here.submit(order(aws.url), nobody)
        live(machine, order(aws.url))
        aws.console = machine.console()
    aws.end(code=facts.ITSELF)
    assert "its image cannot be pulled: " in here.fate(ref).why
    assert "No space left on device" in here.fate(ref).why


def test_a_registry_that_is_not_there(aws: Ec2, machine: Vm) -> None:
    """Asked by the real engine."""
    require(shutil.which("docker") and _answers(), "no Docker engine answers")
    named = "127.0.0.1:1/me/faces@sha256:" + "5" * 64
    live(machine, replace(order(aws.url), bundle={"image": named, "id": None, "digest": named}))
    assert "its image cannot be pulled" in (vm.why(log(aws)) or "")
    assert "refused" in (vm.why(log(aws)) or "")


def test_a_script_that_is_killed_leaves_a_machine_that_ends(aws: Ec2, machine: Vm) -> None:
    machine.docker = engine(machine.folder, start="/bin/sleep 100")
    machine.start(script.render(order(aws.url), "us-east-1", QUICK))
    until(lambda: "start --attach" in machine.written("engine"), machine.console)
    machine.kill()
    machine.wait()


def test_the_keys_of_the_role_are_on_no_console_in_no_log_and_in_no_argument(aws: Ec2, machine: Vm) -> None:
    machine.docker = engine(machine.folder)
    haystack = Haystack(secrets=SECRETS)
    with arguments_of_everyone() as seen:
        live(machine, order(aws.url))
    haystack.search("arguments", b"\n".join(seen))
    haystack.search("the console", machine.console().encode())
    haystack.search("the log", log(aws).encode())
    haystack.search_below(machine.folder)
    assert not haystack.found


def test_equal_orders_give_equal_scripts_which_are_small_enough(aws: Ec2) -> None:
    text = script.render(order(aws.url), "us-east-1", QUICK)
    assert text == script.render(order(aws.url), "us-east-1", QUICK)
    assert set(re.findall(r"@[A-Z_]+@", text)) == {vm.INSTANCE, vm.ACCOUNT, vm.FOUND, vm.BUDGET}
    assert len(text.encode()) < vm.LARGEST - 2_000
    with pytest.raises(InvalidJob, match="16,384"):
        script.render(replace(order(aws.url), run_url="s3://bucket/" + "x" * 9_000 + "/runs/a"), "us-east-1", QUICK)


@pytest.mark.parametrize("hostile", ["$(touch pwned)", "a'b", 'a"b', "`id`", "a;b", "a\\b|c&d"])
def test_no_text_of_the_user_is_anything_but_a_text(hostile: str, aws: Ec2, machine: Vm) -> None:
    machine.docker = engine(machine.folder)
    url = f"s3://bucket/{hostile}?endpoint={aws.url}/runs/dcgan-k7f3"
    live(machine, replace(order(aws.url), run_url=url))
    create = machine.written("engine").splitlines()[2]
    assert f" run {url} --session " in create
    assert not list(machine.folder.rglob("pwned"))


def test_where_the_log_goes() -> None:
    def at(url: str, region: str = "us-east-1") -> str:
        return script.log_url(Order(run="r", run_url=f"{url}/runs/r", number=3), region)

    key = "runs/r/sessions/3/machine.txt"
    assert at("s3://my.bucket/gans") == f"https://s3.us-east-1.amazonaws.com/my.bucket/gans/{key}"
    assert at("s3://bkt?region=eu-west-1") == f"https://s3.eu-west-1.amazonaws.com/bkt/{key}"
    assert at("s3://bkt", "cn-north-1") == f"https://s3.cn-north-1.amazonaws.com.cn/bkt/{key}"
    assert at("s3://bkt?endpoint=http://h:9000") == f"http://h:9000/bkt/{key}"


def test_the_scripts_are_scripts() -> None:
    for path in FOLDER.glob("*.sh"):
        assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


def _answers() -> bool:
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0
