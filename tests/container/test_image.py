"""The image, as an engine made it: small, without a secret, and run by nobody in particular."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from facegan import __version__
from jobs import bundle
from jobs import image as images
from tests.container.conftest import BASE, plan
from tests.container.runs import WITHIN_S
from tests.security.canaries import canary, forms

FACTS = """
import importlib.util, json, os, pathlib, sys
found = {name: importlib.util.find_spec(name) is not None for name in sys.argv[1:]}
writable = []

def compiled(package): # how many sources, how many of them have bytecode, of which kinds: 1 is without a source's time
    top = pathlib.Path(importlib.util.find_spec(package).origin).parent
    sources = list(top.rglob("*.py"))
    there = [found for found in map(pathlib.Path, map(importlib.util.cache_from_source, sources)) if found.exists()]
    return [len(sources), len(there), sorted({found.read_bytes()[4] for found in there})]

for folder in ("/", "/opt/facegan", "/usr", "/scratch"):
    try:
        at = pathlib.Path(folder) / "written"
        at.write_text("")
        at.unlink()
        writable.append(folder)
    except OSError:
        pass
print(json.dumps({
    "found": found, "uid": os.getuid(), "home": str(pathlib.Path.home()), "pid": os.getpid(), "writable": writable,
    "bytecode": {name: compiled(name) for name in ("tensorflow", "keras", "boto3", "facegan")},
    "left": sorted(os.listdir("/opt")), "prefix": sys.prefix,
}))
"""
PYTHON = "/opt/facegan/bin/python"


@pytest.fixture(scope="module")
def said(engine: Any, image: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.api.inspect_image(image)
    return found


@pytest.fixture(scope="module")
def volume(engine: Any) -> Iterator[str]:
    made = engine.volumes.create(f"facegan-test-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove(force=True)


def ran(engine: Any, image: str, *command: str, user: str = "10001", volume: str | None = None) -> str:
    """What a command prints in a container whose root is read-only and that may do nothing special."""
    printed: bytes = engine.containers.run(
        image,
        list(command),
        entrypoint=[],
        user=user,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode="none",
        volumes={volume: {"bind": "/scratch", "mode": "rw"}} if volume else None,
        remove=True,
    )
    return printed.decode()


def test_it_says_what_it_is(said: dict[str, Any]) -> None:
    labels = said["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "facegan-job"
    assert labels["org.opencontainers.image.version"] == __version__
    assert len(labels["org.opencontainers.image.revision"]) in {40, len("sha256:") + 64}
    assert "org.opencontainers.image.source" in labels
    assert labels["facegan.device"] == "cpu"


def test_it_starts_python_itself_as_nobody_in_particular(said: dict[str, Any]) -> None:
    config = said["Config"]
    assert config["Entrypoint"] == [PYTHON, "-P", "-m", "facegan"]
    assert config["User"] == "10001:10001"
    assert list(config["Volumes"]) == ["/scratch"]
    environment = dict(pair.split("=", 1) for pair in config["Env"])
    assert {environment[name] for name in ("FACEGAN_HOME", "HOME", "TMPDIR")} == {"/scratch"}


def test_it_is_below_two_gigabytes(said: dict[str, Any]) -> None:
    assert 1e9 < said["Size"] < 2e9


@pytest.mark.parametrize("user", ["10001", "54321:1234"])
def test_it_holds_what_a_session_needs_and_no_more(engine: Any, image: str, volume: str, user: str) -> None:
    needed = {"facegan", "jobs", "tensorflow", "keras", "boto3", "google.cloud.storage", "mlxtend"}
    absent = {"mlflow", "pip", "matplotlib", "docker", "pytest"}
    facts = json.loads(ran(engine, image, PYTHON, "-P", "-c", FACTS, *needed, *absent, user=user, volume=volume))
    assert {name for name, there in facts["found"].items() if there} == needed
    assert facts["writable"] == ["/scratch"]
    assert facts["uid"] == int(user.partition(":")[0])
    assert facts["home"] == "/scratch"
    assert facts["pid"] == 1, "the engine's signals reach Python"
    for name in ("tensorflow", "keras", "boto3"):
        sources, there, kinds = facts["bytecode"][name]
        assert (there, kinds) == (sources, [1]), "a session would compile it at each start, and can keep nothing"
    assert facts["bytecode"]["facegan"][1] == 0, "our code is a small layer"
    assert facts["left"] == ["facegan"]


def test_tensorflow_works_in_it_without_a_name_or_a_writable_root(engine: Any, image: str, volume: str) -> None:
    program = "import tensorflow as tf; print('sum', int(tf.reduce_sum(tf.ones([3, 4]))))"
    assert "sum 12" in ran(engine, image, PYTHON, "-P", "-c", program, user="54321", volume=volume)


def test_it_answers_by_the_entry_point(engine: Any, image: str) -> None:
    made = engine.containers.create(image, read_only=True)
    try:
        made.start()
        assert made.wait(timeout=WITHIN_S)["StatusCode"] == 2
        assert b"error: which command?" in made.logs()
    finally:
        made.remove(v=True, force=True)


def test_what_is_sent_to_the_engine_is_the_dockerfile_a_lock_and_the_wheel() -> None:
    wheel = bundle.wheel()
    with tarfile.open(fileobj=io.BytesIO(images.context("cpu", wheel))) as sent:
        assert sorted(sent.getnames()) == sorted(["Dockerfile", "requirements-cpu.txt", wheel.name])


def test_no_secret_of_the_builder_is_in_it(engine: Any, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": canary("aws"),
        "MLFLOW_TRACKING_PASSWORD": canary("mlflow"),
        "GOOGLE_APPLICATION_CREDENTIALS": canary("google"),
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    context = images.context("cpu", bundle.wheel())
    images.build(engine, plan(f"{image}-again"), lambda _line: None)
    described = json.dumps([engine.api.inspect_image(f"{image}-again"), engine.api.history(f"{image}-again")]).encode()
    engine.api.remove_image(f"{image}-again")
    for secret in secrets.values():
        assert not [form for form, text in forms(secret).items() if text in context or text in described]


def test_a_change_of_code_changes_one_small_layer(
    engine: Any, image: str, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bundle.code()
    changed = whole["facegan/__init__.py"] + f"# {uuid.uuid4()}\n".encode()
    monkeypatch.setattr(bundle, "code", lambda _packages: {**whole, "facegan/__init__.py": changed})
    built = images.build(engine, plan(f"{image}-changed"), lambda _line: None)
    layers = engine.api.inspect_image(built.id)["RootFS"]["Layers"]
    history = engine.api.history(built.id)
    engine.api.remove_image(built.reference)
    before = said["RootFS"]["Layers"]
    assert layers[:-1] == before[:-1]
    assert layers[-1] != before[-1]
    copied = [step["Size"] for step in history if "COPY" in step["CreatedBy"]]
    assert copied[0] < 5e6
    assert copied[1] > 1e9


def test_the_same_files_make_the_same_layer(engine: Any, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage that installs the wheel is run twice, at different times, with nothing in between to remember it by."""
    stage = b"FROM dependencies AS code\n"
    whole, code = bundle.dockerfile(), bundle.code()
    assert stage in whole
    monkeypatch.setattr(bundle, "code", lambda _packages: code)
    layers = []
    for _ in range(2):
        again = whole.replace(stage, stage + f"ENV AGAIN={uuid.uuid4()}\n".encode())
        again = again.replace(b"COPY --from=code", b"LABEL once=" + uuid.uuid4().hex.encode() + b"\nCOPY --from=code")
        monkeypatch.setattr(bundle, "dockerfile", lambda again=again: again)
        built = images.build(engine, plan(f"{image}-twice"), lambda _line: None)
        layers.append(engine.api.inspect_image(built.id)["RootFS"]["Layers"])
        engine.api.remove_image(built.reference)
        time.sleep(1.1)  # tar counts in seconds
    assert layers[0] == layers[1]


def test_the_same_lock_makes_the_same_layer(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the packages stands for all. The stage that installs it is run twice, and nothing is remembered."""
    name, whole = bundle.lock("cpu")
    found = re.search(r"^absl-py==.*?(?=^\S)", whole.decode(), re.MULTILINE | re.DOTALL)
    assert found is not None
    monkeypatch.setattr(bundle, "lock", lambda _device: (name, found[0].encode()))
    dockerfile = bundle.dockerfile().decode()
    first, last = dockerfile.index("# Our own code"), dockerfile.index("FROM $BASE\n")
    stages = dockerfile[:first] + re.sub("COPY --from=code .*\n", "", dockerfile[last:])
    monkeypatch.setattr(bundle, "dockerfile", stages.encode)
    tag = f"facegan-test:{uuid.uuid4().hex[:8]}"
    sent = images.context("cpu", bundle.wheel())
    layers = []
    for _ in range(2):
        arguments = {"DEVICE": "cpu", **({"BASE": BASE} if BASE else {})}
        how: dict[str, Any] = {"nocache": True, "rm": True, "decode": True, "network_mode": "host", "tag": tag}
        for line in engine.api.build(fileobj=io.BytesIO(sent), custom_context=True, buildargs=arguments, **how):
            assert "error" not in line, line
        layers.append(engine.api.inspect_image(tag)["RootFS"]["Layers"][-1])
        engine.api.remove_image(tag)
        time.sleep(1.1)  # tar counts in seconds
    assert layers[0] == layers[1]
