"""The training image: built from the running code, pushed to a registry, listed.

`client` is a client of a Docker engine, from `jobs.engine`. What the engine itself refuses comes as that module's
errors; what happens inside a build or a push, the engine tells in the stream that is read here.
"""

from __future__ import annotations

import importlib
import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facegan.experiment import Json
from jobs import bundle, origin, reference
from jobs.errors import JobError

ENGINE = "jobs.engine"  # by its name: it needs the SDK, which the rest of this does not
NAME = "facegan-job"
TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
REVISION = "org.opencontainers.image.revision"
DEVICE = "facegan.device"

_LAST_LINES = 12
_NOISE = ("--->", "Removing intermediate container")
_HINTS = {
    "No space left": "docker system df shows what fills the disk of the engine",
    "THESE PACKAGES DO NOT MATCH": "the registry serves other files than were locked: make locks",
    "denied": "docker login",
    "unauthorized": "docker login",
    "no basic auth": "docker login",
    "authentication required": "docker login",
    "HTTP response to HTTPS": "a registry without TLS must be among the engine's insecure-registries",
    "connection refused": "is the registry there?",
    "no such host": "is the name of the registry right?",
    "Temporary failure in name resolution": "--network host lets the build use the network of the engine's machine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be built: for which device, called what, upon which base, on which of the engine's networks.

    Without a `base` it is the Dockerfile's own, without a `network` the engine's usual one.
    """

    device: str
    tag: str
    base: str | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image on an engine. `digest`: `repository@sha256:…`, once it is in a registry. `size` in bytes."""

    reference: str
    id: str
    digest: str | None
    size: int
    created: str
    device: str
    version: str
    revision: str

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def build(client: Any, plan: Plan, show: Callable[[str], object]) -> Image:  # noqa: ANN401 - the SDK's
    """Build it; `show` is called with each line of the engine's.

    An engine that dies in the middle may end its answer as if it were whole: the last image that it spoke of has to be
    the one that bears the tag now, which else might be an older one.

    Raises:
        JobError: it cannot be built; the last lines say why.
    """
    wheel = bundle.wheel()
    arguments = {
        "DEVICE": plan.device,
        "VERSION": wheel.version,
        "REVISION": origin.revision() or f"sha256:{wheel.sha256}",
        "SOURCE": origin.source() or "",
        **({"BASE": plan.base} if plan.base else {}),
    }
    lines = client.api.build(
        fileobj=io.BytesIO(context(plan.device, wheel)),
        custom_context=True,
        tag=plan.tag,
        buildargs=arguments,
        network_mode=plan.network,
        rm=True,
        forcerm=True,
        decode=True,
    )
    wrong = f'image "{plan.tag}" cannot be built'
    made = [line["aux"]["ID"] for line in _followed(lines, show, wrong) if "ID" in (line.get("aux") or ())]
    built = inspected(client, plan.tag)
    if not made or made[-1] != built.id:
        raise JobError(f"{wrong}: the engine broke off before it was done", hint="the same command again")
    return built


def context(device: str, wheel: bundle.Wheel) -> bytes:
    """All that is sent to the engine, as a tar: the Dockerfile, the lock and the wheel."""
    files = {bundle.DOCKERFILE: bundle.dockerfile(), wheel.name: wheel.data, **dict([bundle.lock(device)])}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def push(client: Any, tag: str, repository: str, show: Callable[[str], object]) -> str:  # noqa: ANN401 - the SDK's
    """Push the image of this tag to a repository; its name there, which pins its content.

    Raises:
        JobError: the registry refuses it, or does not answer.
    """
    name, called = reference.split(repository)
    called = called or reference.split(tag)[1] or "latest"
    client.api.tag(tag, name, called)
    lines = client.api.push(name, tag=called, stream=True, decode=True)
    digest = next(
        (
            line["aux"]["Digest"]
            for line in _followed(lines, show, f'"{name}:{called}" cannot be pushed')
            if "aux" in line
        ),
        None,
    )
    if digest is None:
        raise JobError(f'the registry did not say what it made of "{name}:{called}"', hint="the same command again")
    return f"{name}@{digest}"


def listed(client: Any) -> list[Image]:  # noqa: ANN401 - the SDK's
    """Every tag of our images on this engine, newest first."""
    found = client.api.images(filters={"label": f"{TITLE}={NAME}", "dangling": False})
    images = [_known(client, tag) for one in found for tag in one["RepoTags"] or ()]
    here = [image for image in images if image is not None]
    return sorted(here, key=lambda one: (one.created, one.reference), reverse=True)


def _known(client: Any, tag: str) -> Image | None:  # noqa: ANN401 - the SDK's
    """As `inspected`; `None` where somebody has removed the tag since it was listed."""
    engines = importlib.import_module(ENGINE)
    try:
        with engines.errors():
            return inspected(client, tag)
    except engines.MissingError:
        return None


def inspected(client: Any, tag: str) -> Image:  # noqa: ANN401 - the SDK's
    """What the engine knows of the image of this tag."""
    found = client.api.inspect_image(tag)
    labels: Mapping[str, str] = found["Config"]["Labels"] or {}
    return Image(
        reference=tag,
        id=found["Id"],
        digest=reference.digest(tag, found["RepoDigests"] or ()),
        size=found["Size"],
        created=found["Created"],
        device=labels.get(DEVICE, ""),
        version=labels.get(VERSION, ""),
        revision=labels.get(REVISION, ""),
    )


def _followed(lines: Iterable[Json], show: Callable[[str], object], wrong: str) -> list[Json]:
    """All that the engine told, shown as it came.

    Raises:
        JobError: it told of an error.
    """
    told = []
    last: deque[str] = deque(maxlen=_LAST_LINES)
    for line in lines:
        if "error" in line:
            raise JobError(_text(wrong, str(line["error"]), last), hint=_hint([*last, str(line["error"])]))
        for text in _shown(line):
            last.append(text)
            show(text)
        told.append(line)
    return told


def _shown(line: Json) -> Iterator[str]:
    """What of a line is worth showing."""
    text = line.get("stream") or " ".join(str(line[key]) for key in ("id", "status", "progress") if line.get(key))
    for part in text.splitlines():
        if (said := part.strip()) and not said.startswith(_NOISE):
            yield said


def _text(wrong: str, error: str, last: Iterable[str]) -> str:
    before = "".join(f"  {text}\n" for text in last)
    return f"{wrong}: {error.strip()}\n{before}".rstrip()


def _hint(said: Iterable[str]) -> str | None:
    whole = "\n".join(said)
    return next((hint for sign, hint in _HINTS.items() if sign in whole), None)
