"""The image in a registry: a real one, Debian's, on the loopback."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan import __version__
from facegan.errors import BadInputError, FaceganError
from jobs import engine as engines
from jobs import image as images
from jobs import settings
from jobs.backends.base import Order
from jobs.backends.docker import DockerBackend
from jobs.errors import JobError
from tests.cloud.servers import free_port, running
from tests.container.conftest import HOST, require
from tests.container.front import front
from tests.container.runs import Docked, submission
from tests.e2e.runs import User

CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
log: {{level: error}}
"""
SMALL = "facegan-job:test-small"
EMPTY_TAR = b"\0" * 10240


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Where the engine reaches an empty registry of images; an engine trusts one on its own loopback without TLS."""
    require(shutil.which("docker-registry"), "docker-registry is not installed (apt-get install docker-registry)")
    port = free_port()
    settings = tmp_path / "registry.yml"
    settings.write_text(CONFIG.format(folder=tmp_path / "registry", port=port))
    with running(["docker-registry", "serve", str(settings)], f"http://127.0.0.1:{port}/v2/"):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def small(engine: Any, image: str) -> Iterator[str]:
    """An image of ours by its labels, and of nothing else: what is pushed need not be long."""
    labels = engine.api.inspect_image(image)["Config"]["Labels"]
    changes = [f'LABEL {name}="{value}"' for name, value in labels.items()]
    engine.api.import_image_from_data(EMPTY_TAR, repository="facegan-job", tag="test-small", changes=changes)
    yield SMALL
    engine.api.remove_image(SMALL)


@pytest.fixture
def typist(boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """Somebody at the engine of these tests."""
    if HOST:
        monkeypatch.setenv("DOCKER_HOST", HOST)
    return User(home=boring_environment)


def test_what_is_pushed_comes_back_by_its_digest(engine: Any, registry: str, small: str, typist: User) -> None:
    known = engine.api.inspect_image(small)["Id"]
    pushed = typist.command("image", "push", f"{registry}/me/faces", "--tag", small)
    assert pushed.code == 0, pushed.err
    pinned = pushed.out.strip()
    name, _, digest = pinned.partition("@")
    assert name == f"{registry}/me/faces"
    assert digest.startswith("sha256:")
    assert f'image = "{pinned}"' in pushed.err
    engine.api.remove_image(f"{name}:test-small")  # and with its last tag there, its digest
    engine.api.pull(pinned)
    assert engine.api.inspect_image(pinned)["Id"] == known
    engine.api.remove_image(pinned)


@pytest.fixture
def pushed(engine: Any, registry: str, small: str) -> Iterator[str]:
    """The name of an image that is in the registry, and not on the engine."""
    named = f"{registry}/me/faces:test-small"
    images.push(engine, small, f"{registry}/me/faces", lambda _line: None)
    engine.api.remove_image(named)
    yield named
    if is_here(engine, named):
        engine.api.remove_image(named)


def is_here(engine: Any, named: str) -> bool:
    return named in {tag for found in engine.api.images() for tag in found["RepoTags"] or ()}


def backend(home: Path, image: str, host: str | None = HOST) -> DockerBackend:
    found = settings.load(environment={"FACEGAN_HOME": str(home), "FACEGAN_IMAGE": image}, folder=home)
    return DockerBackend(found, host)


def test_what_is_to_be_pulled_is_pulled_when_a_session_is_asked_for_and_not_before(
    engine: Any, pushed: str, typist: User
) -> None:
    """And the ledger pins it by its digest there, whatever else the same image is called."""
    chosen = backend(typist.home, pushed)
    assert chosen.bundle(None) == {"image": pushed, "id": None, "digest": None}
    order = Order(run="a-run", run_url="s3://bucket/runs/a-run", number=1, bundle=chosen.bundle(None))
    shown = chosen.command(order)
    assert (shown["pull"], shown["create"]["Image"]) == (pushed, pushed)
    assert not is_here(engine, pushed)
    chosen.fetch(None)
    found = chosen.bundle(None)
    assert found["id"] == engine.api.inspect_image(SMALL)["Id"]
    assert found["digest"].startswith(pushed.removesuffix(":test-small") + "@sha256:")
    assert "pull" not in chosen.command(dataclasses.replace(order, bundle=found))


def test_a_dry_run_pulls_nothing(engine: Any, pushed: str, user: Docked) -> None:
    said = user.with_settings(image=pushed).command(*submission(), "--dry-run")
    assert said.code == 0, said.err
    shown = json.loads(said.out)
    assert shown["session"]["pull"] == pushed
    assert shown["intent"]["bundle"] == {"image": pushed, "id": None, "digest": None}
    assert not is_here(engine, pushed)
    assert user.containers() == []


@pytest.mark.parametrize("rough", [False, True])
def test_a_pull_that_breaks_off_is_said(rough: bool, pushed: str, typist: User) -> None:
    with front() as door:
        chosen = backend(typist.home, pushed, door.url)
        chosen.bundle(None)
        door.cut, door.rough = b'"status"', rough
        with pytest.raises(FaceganError) as raised:
            chosen.fetch(None)
        engines.connect.cache_clear()
    assert pushed in raised.value.message or door.url in raised.value.message


@pytest.mark.usefixtures("engine")
def test_an_image_that_is_in_no_registry_is_said(registry: str, typist: User) -> None:
    chosen = backend(typist.home, f"{registry}/me/nothing:1")
    with pytest.raises(BadInputError, match=f'image "{registry}/me/nothing:1" cannot be pulled'):
        chosen.fetch(None)
    with pytest.raises(BadInputError, match='image "nothing:1" is not on the engine'):
        backend(typist.home, "nothing:1").bundle(None)


def test_a_registry_that_is_not_there_is_said(engine: Any, small: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}/me/faces"
    with pytest.raises(JobError, match="cannot be pushed") as caught:
        images.push(engine, small, nowhere, lambda _line: None)
    engine.api.remove_image(f"{nowhere}:test-small")
    assert caught.value.hint == "is the registry there?"


def test_only_our_images_are_listed(engine: Any, image: str, typist: User) -> None:
    listed = typist.command("image", "list", "--json")
    assert listed.code == 0, listed.err
    found = {one["reference"]: one for one in json.loads(listed.out)}
    assert found[image]["version"] == __version__
    assert found[image]["device"] == "cpu"
    assert found[image]["id"] == engine.api.inspect_image(image)["Id"]
    assert not [name for name in found if "base" in name]
