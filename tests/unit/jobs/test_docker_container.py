"""What is asked of an engine for a session, word for word; and what its answer is called."""

from __future__ import annotations

import io
import json
import math
import tarfile
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.experiment import Json
from facegan.handed import Handed, Origin
from jobs.backends.base import Order
from jobs.backends.docker import container
from jobs.backends.docker.container import Limits, Surroundings

URL = "s3://bucket/faces/runs/dcgan-mnist-k7f3"
ORDER = Order(
    run="dcgan-mnist-k7f3", run_url=URL, number=3, bundle={"image": "facegan-job:1", "id": "sha256:beef"}, grace_s=90.2
)
NAME = "facegan-dcgan-mnist-k7f3-3-41aafd"
LABELS = {"facegan.run": "dcgan-mnist-k7f3", "facegan.session": "3", "facegan.url": URL}
VOLUME = {"Type": "volume", "Source": NAME, "Target": "/scratch", "VolumeOptions": {"Labels": LABELS}}
PLAIN: Json = {
    "Image": "sha256:beef",
    "Cmd": ["run", URL, "--session", "3", "--handed", "/scratch/handed.json"],
    "User": "10001:10001",
    "Labels": LABELS,
    "StopSignal": "SIGTERM",
    "StopTimeout": 101,
    "HostConfig": {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 1024,
        "Mounts": [VOLUME],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    },
}


def host(**around: object) -> Json:
    """What of the host's part is asked for beyond the plain."""
    made: Json = container.config(ORDER, Surroundings(run_url=URL, **around))["HostConfig"]  # type: ignore[arg-type]
    return {key: value for key, value in made.items() if PLAIN["HostConfig"].get(key) != value}


def test_a_session_on_the_cpu_with_a_store_elsewhere() -> None:
    assert container.config(ORDER, Surroundings(run_url=URL)) == PLAIN


def test_the_labels_name_the_run_as_the_user_does_and_the_arguments_as_the_container_does() -> None:
    """The label is looked for by commands, which know nothing of the container's network."""
    inside = "s3://bucket/faces?endpoint=http://store:9000/runs/dcgan-mnist-k7f3"
    made = container.config(ORDER, Surroundings(run_url=inside))
    assert made["Cmd"][1] == inside
    assert made["Labels"]["facegan.url"] == URL


def test_each_of_its_surroundings_changes_its_own_part_alone() -> None:
    assert host(network="stack") == {"NetworkMode": "stack"}
    assert host(limits=Limits(memory=1 << 30)) == {"Memory": 1 << 30, "MemorySwap": 1 << 30}, "no swap beyond it"
    assert host(limits=Limits(cpus=1.5)) == {"NanoCpus": 1_500_000_000}
    bind = {"Type": "bind", "Source": "/data/store", "Target": "/data/store"}
    assert host(folder=Path("/data/store")) == {"Mounts": [VOLUME, bind]}
    request = {"Driver": "", "Capabilities": [["gpu"]], "Options": {}}
    assert host(gpus=("all",)) == {"DeviceRequests": [{**request, "Count": -1}]}
    assert host(gpus=("1",)) == {"DeviceRequests": [{**request, "DeviceIDs": ["1"]}]}


def test_a_session_in_a_folder_is_its_owner() -> None:
    made = container.config(ORDER, Surroundings(run_url=URL, folder=Path("/data/store"), user=(1000, 100)))
    assert made["User"] == "1000:100"


def test_runs_of_one_id_in_two_stores_have_two_names() -> None:
    other = Order(run=ORDER.run, run_url="s3://bucket/others/runs/dcgan-mnist-k7f3", number=3)
    assert container.name(ORDER) == NAME
    assert container.name(other) != NAME
    assert container.name(other).startswith("facegan-dcgan-mnist-k7f3-3-")


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4g", 4 << 30), ("4G", 4 << 30), ("512m", 512 << 20), ("1.5gb", 3 << 29), ("64k", 64 << 10), ("1000", 1000)],
)
def test_an_amount_of_memory(text: str, amount: int) -> None:
    assert Limits.parse(text, "") == Limits(memory=amount)


@pytest.mark.parametrize("text", ["lots", "4t", "-1g", "4 g g", "g", "4gi", "1e3", "0x10", "nan", " "])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(BadInputError, match="memory is an amount") as raised:
        Limits.parse(text, "")
    assert f'"{text}"' in raised.value.message
    assert raised.value.hint == 'memory = "4g", or FACEGAN_MEMORY=4g'


@pytest.mark.parametrize(("text", "amount"), [("2", 2.0), ("0.5", 0.5), ("16", 16.0)])
def test_a_number_of_cores(text: str, amount: float) -> None:
    assert Limits.parse("", text) == Limits(cpus=amount)


@pytest.mark.parametrize("text", ["two", "0", "-1", "inf", "nan", "1,5", "2 cores"])
def test_what_is_no_number_of_cores(text: str) -> None:
    with pytest.raises(BadInputError, match="cpus is a number of cores") as raised:
        Limits.parse("", text)
    assert f'"{text}"' in raised.value.message
    assert raised.value.hint == 'cpus = "2", or FACEGAN_CPUS=2'


def test_no_limit_is_all_there_is() -> None:
    assert Limits.parse("", "") == Limits(memory=None, cpus=None)


def test_what_is_put_into_the_volume_is_one_file_of_the_session_alone() -> None:
    given = Handed(
        environment={"AWS_SECRET_ACCESS_KEY": "secret"},
        files={"GOOGLE_APPLICATION_CREDENTIALS": b"\0key"},
        origin=Origin(backend="docker", host=None, ref={"container": "c0ffee"}),
        grace_s=90.0,
        gpu="all",
    )
    with tarfile.open(fileobj=io.BytesIO(container.parcel(given, (1000, 100)))) as parcel:
        (file,) = parcel.getmembers()
        assert (file.name, file.mode, file.uid, file.gid, file.isfile()) == ("handed.json", 0o600, 1000, 100, True)
        inner = parcel.extractfile(file)
        assert inner is not None
        said = json.load(inner)
    assert said == {
        "environment": {"AWS_SECRET_ACCESS_KEY": "secret"},
        "files": {"GOOGLE_APPLICATION_CREDENTIALS": "AGtleQ=="},
        "backend": "docker",
        "host": None,
        "ref": {"container": "c0ffee"},
        "grace_s": 90.0,
        "budget_s": None,
        "gpu": "all",
        "source": None,
        "cloud": None,
        "found": {},
        "until": None,
    }


@pytest.mark.parametrize(
    ("state", "memory", "words"),
    [
        ({"OOMKilled": True, "ExitCode": 137}, 3 << 29, "its container was killed for want of memory of 1.5 GiB"),
        ({"OOMKilled": True, "ExitCode": 137}, 0, "its container was killed for want of memory"),
        ({"OOMKilled": False, "ExitCode": 137}, 0, "its container was killed"),
        ({"OOMKilled": False, "ExitCode": 1}, 0, "its container ended with exit code 1, without a report"),
        (
            {"OOMKilled": False, "ExitCode": 127, "Error": "no such file"},
            0,
            "its container ended with exit code 127, without a report: no such file",
        ),
    ],
)
def test_how_a_container_ended_in_words(state: Json, memory: int, words: str) -> None:
    assert container.end({"State": state, "HostConfig": {"Memory": memory}}) == words


def test_the_grace_is_whole_seconds_and_room_for_the_report() -> None:
    assert PLAIN["StopTimeout"] == math.ceil(ORDER.grace_s + container.REPORT_S)
