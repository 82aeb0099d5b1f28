"""What the engine tells of a build, in our words; where the code comes from, without a secret."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facegan import __version__
from jobs import image as images
from jobs import origin, reference
from jobs.errors import JobError


@pytest.mark.parametrize(
    ("named", "parts"),
    [
        ("facegan-job", ("facegan-job", "")),
        ("facegan-job:1-cpu", ("facegan-job", "1-cpu")),
        ("localhost:5000/me/faces", ("localhost:5000/me/faces", "")),
        ("localhost:5000/me/faces:1", ("localhost:5000/me/faces", "1")),
        ("ghcr.io/me/faces@sha256:0", ("ghcr.io/me/faces", "")),
    ],
)
def test_a_name_is_split_where_its_tag_begins(named: str, parts: tuple[str, str]) -> None:
    assert reference.split(named) == parts


KNOWN = ("ghcr.io/me/faces@sha256:1", "me/faces@sha256:2", "ghcr.io/me/faces@sha256:3", "python@sha256:4")


@pytest.mark.parametrize(
    ("named", "digest"),
    [
        ("me/faces:1", "me/faces@sha256:2"),
        ("docker.io/me/faces", "me/faces@sha256:2"),
        ("ghcr.io/me/faces:1", "ghcr.io/me/faces@sha256:1"),
        ("ghcr.io/me/faces@sha256:3", "ghcr.io/me/faces@sha256:3"),
        ("docker.io/library/python:3.11", "python@sha256:4"),
        ("localhost:5000/me/faces", None),
        ("sha256:4", None),
    ],
)
def test_the_digest_is_that_of_the_repository_that_was_named(named: str, digest: str | None) -> None:
    assert reference.digest(named, KNOWN) == digest


@pytest.mark.parametrize(
    ("remote", "public"),
    [
        ("https://me:token@example.org/me/faces.git?token=1#x", "https://example.org/me/faces.git"),
        ("https://token@example.org:8443/me/faces", "https://example.org:8443/me/faces"),
        ("git@example.org:me/faces.git", "ssh://example.org/me/faces.git"),
        ("ssh://git@example.org:22/me/faces.git", "ssh://example.org:22/me/faces.git"),
        ("/srv/faces", None),
        ("../faces", None),
        ("file:///srv/faces", None),
        (r"C:\faces", None),
    ],
)
def test_a_source_is_told_without_what_opens_it(remote: str, public: str | None) -> None:
    assert origin.public(remote) == public


def client(*lines: dict[str, Any]) -> Any:
    return SimpleNamespace(
        api=SimpleNamespace(build=lambda **_: iter(lines), push=lambda *_, **__: iter(lines), tag=print)
    )


def test_a_build_that_fails_says_its_last_lines_and_a_hint() -> None:
    seen: list[str] = []
    lines = [{"stream": "Step 1/2 : FROM x\n"}, {"stream": " ---> 0123\n"}, {"error": "No space left on device"}]
    with pytest.raises(JobError) as caught:
        images.build(client(*lines), images.Plan(device="cpu", tag="x:1"), seen.append)
    assert seen == ["Step 1/2 : FROM x"]
    assert caught.value.message == 'image "x:1" cannot be built: No space left on device\n  Step 1/2 : FROM x'
    assert caught.value.hint == "docker system df shows what fills the disk of the engine"


def test_a_build_that_breaks_off_is_none_though_the_tag_is_that_of_an_older_image() -> None:
    """As if whole: after a line, and after a stage."""
    lines = [{"stream": "Step 1/2 : FROM x\n"}, {"aux": {"ID": "sha256:stage"}}]
    older = {"Id": "sha256:older", "RepoDigests": None, "Config": {"Labels": None}, "Size": 1, "Created": ""}
    for told in (lines[:1], lines):
        said = client(*told)
        said.api.inspect_image = lambda _tag: older
        with pytest.raises(JobError) as caught:
            images.build(said, images.Plan(device="cpu", tag="x:1"), lambda _line: None)
        assert caught.value.message == 'image "x:1" cannot be built: the engine broke off before it was done'


def test_a_tag_that_is_removed_while_they_are_listed_is_left_out() -> None:
    failures = pytest.importorskip("docker.errors")
    there = {"Id": "sha256:1", "RepoDigests": None, "Config": {"Labels": None}, "Size": 1, "Created": ""}

    def inspect(tag: str) -> dict[str, Any]:
        if tag == "x:gone":
            raise failures.ImageNotFound("no such image")
        return there

    found = [{"RepoTags": ["x:gone", "x:1"]}, {"RepoTags": None}]
    said = SimpleNamespace(api=SimpleNamespace(images=lambda **_: found, inspect_image=inspect))
    assert [image.reference for image in images.listed(said)] == ["x:1"]


def test_a_push_without_a_digest_is_none() -> None:
    with pytest.raises(JobError, match="did not say"):
        images.push(client({"status": "Pushed", "id": "0123"}), "x:1", "me/x", print)


def test_the_stack_s_training_service_runs_the_image_of_this_version() -> None:
    compose = Path(__file__).parents[3] / "infra" / "compose.yaml"
    assert f"${{FACEGAN_IMAGE:-facegan-job:{__version__}-cpu}}" in compose.read_text()
