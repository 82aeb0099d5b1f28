"""The image in a registry: a real one, Debian's, on the loopback."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan import __version__
from jobs import image as images
from jobs.errors import JobError
from tests.cloud.servers import running
from tests.container.conftest import HOST, require
from tests.e2e.runs import User

CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
log: {{level: error}}
"""
SMALL = "facegan-job:test-small"
EMPTY_TAR = b"\0" * 10240


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
