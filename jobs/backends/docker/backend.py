"""The port to sessions in containers."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import urllib.parse
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from facegan import __version__, layout
from facegan.errors import BadInputError, FaceganError, UnreachableError
from facegan.experiment import Json
from facegan.handed import Handed, Origin
from facegan.lock import alone
from facegan.process import Life
from jobs import address, heavy, reference
from jobs.backends import nvidia
from jobs.backends.base import Backend, Capabilities, Check, Fate, Hand, Machine, Order
from jobs.backends.docker import container, reach
from jobs.backends.docker.container import Limits, Surroundings
from jobs.refusals import InvalidJob, Uncertain
from jobs.settings import Settings

ENGINE = "jobs.engine"  # loaded when an engine is first asked: it brings the SDK
LAST_LINES = 40
ENDING_S = 30  # what is left of a process that has said that it ends
LIVING = {"running", "paused", "restarting"}
ALL = "all"
ROOTS = (
    "you are root, and a session in a container never is: type the same as another user of the group docker, "
    "or choose --store s3://… or gs://…"
)
ELSEWHERE = "the folder is on this machine, and the engine is not: choose --store s3://… or gs://…"


class DockerBackend(Backend):
    """Containers of one Docker engine: the one at `host`, else the settings' one, else the Docker command line's."""

    name = "docker"

    def __init__(self, settings: Settings, host: str | None = None) -> None:
        self._named = host or settings.host or None
        self._settings = settings

    @functools.cached_property
    def host(self) -> str:  # type: ignore[override]  # found out once, when first asked for
        """The engine's URL: what the ledger says of each session, so that no other is ever taken for it.

        Raises:
            BadInputError: the Docker command line's settings name no engine.
        """
        return address.of(self._named)

    def capabilities(self) -> Capabilities:
        """A folder can be a store only where the engine is on its machine; no session in a container is root."""
        try:
            is_here = address.is_here(self.host)
            closed = (ROOTS if _user()[0] == 0 else "") if is_here else ELSEWHERE
        except BadInputError as error:  # who only looks at what there is need not be refused
            is_here, closed = False, f"{error.message}: {error.hint}"
        return Capabilities(
            summary="a container on a Docker engine, here or at --host ssh://me@machine",
            gpus=(ALL, *(nvidia.names() if is_here else ())),
            stores=("s3", "gs") if closed else ("file", "s3", "gs"),
            data_is_here=False,
            instead={"file": closed} if closed else {},
        )

    def machine(self, gpu: str | None) -> Machine:
        with self._asked() as client:
            there = int(client.info()["NCPU"])
        cpus = self._limits.cpus
        return Machine(device="gpu" if gpu else "cpu", cores=there if cpus is None else min(there, math.ceil(cpus)))

    def bundle(self, gpu: str | None) -> Json:
        """The image, by the content of its configuration, and by its digest where it came from a registry.

        Of one that has to be pulled, neither is known.
        """
        named = self._image(gpu)
        try:
            with self._asked() as client:
                found = client.api.inspect_image(named)
        except self._engine.MissingError:
            _require_registry(named)
            return {"image": named, "id": None, "digest": None}
        return {"image": named, "id": found["Id"], "digest": reference.digest(named, found["RepoDigests"] or ())}

    def fetch(self, gpu: str | None) -> None:
        """Pull the image, if it is not on the engine and its name has a registry."""
        named = self._image(gpu)
        try:
            with self._asked() as client:
                client.api.inspect_image(named)
        except self._engine.MissingError:
            _require_registry(named)
            self._pull(named)

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        with alone(self._settings.home / "docker" / run / "launching"):
            yield

    def command(self, order: Order) -> Json:
        around, _ = self._around(order, {})
        pulled = {} if order.bundle["id"] else {"pull": order.bundle["image"]}
        return {
            "engine": self.host,
            **pulled,
            "name": container.name(order),
            "create": container.config(order, around),
        }

    def submit(self, order: Order, hand: Hand) -> Json:
        """Create the container, put into its volume what the session is handed, start it.

        The crash argument: the engine gives a name once, so of all commands one creates it. Killed before the
        start, the container never ran and holds no lease: the next command removes it and begins anew. Killed
        after it, the container runs, has all it needs, and is found by its name.
        """
        known = self.look_up(order)
        if known is not None:
            return known
        try:
            return self._start(order, hand)
        except UnreachableError as error:
            raise Uncertain(error.message, hint=error.hint) from error
        except (self._engine.ConflictError, self._engine.MissingError) as error:
            raise Uncertain(
                f"another command is at work on container {container.name(order)}: {error.message}",
                hint="type the same again",
            ) from error
        except self._engine.EngineError as error:
            self._clear(container.name(order))
            self._forget(container.name(order))
            raise InvalidJob(f"the engine refuses the container: {error.message}", hint=_hint(error.message)) from error

    def look_up(self, order: Order) -> Json | None:
        try:
            with self._asked() as client:
                found = client.containers.get(container.name(order))
                return {"engine": _identity(client), "container": found.id} if found.status in LIVING else None
        except self._engine.MissingError:
            return None
        except UnreachableError as error:
            raise Uncertain(error.message, hint=error.hint) from error

    def fate(self, ref: Json) -> Fate:
        """What the engine says of the container; only the engine that started it can say that there is none."""
        try:
            with self._asked() as client:
                if _identity(client) != ref["engine"]:
                    return Fate(life=Life.UNKNOWN)
                found = client.api.inspect_container(ref["container"])
        except self._engine.MissingError:
            return Fate(life=Life.GONE, why="its container was removed")
        except FaceganError:
            return Fate(life=Life.UNKNOWN)
        if found["State"]["Status"] in LIVING:
            return Fate(life=Life.ALIVE)
        return Fate(life=Life.GONE, why=container.end(found))

    def last_words(self, order: Order) -> str:
        try:
            with self._asked() as client:
                said: bytes = client.containers.get(container.name(order)).logs(tail=LAST_LINES)
        except FaceganError:
            return ""
        return said.decode(errors="replace")

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Stop the container, which is killed when it takes longer than its grace. It stays, with what it printed."""
        del delete
        with self._asked() as client, contextlib.suppress(self._engine.MissingError):
            if _identity(client) != ref["engine"]:
                raise BadInputError(
                    f"the session is on the engine {ref['engine']}, and another answers at {self.host}",
                    hint=f"docker stop {ref['container'][:12]}, where that engine is",
                )
            found = client.api.inspect_container(ref["container"])
            if found["State"]["Status"] in LIVING:
                client.api.stop(ref["container"], timeout=found["Config"].get("StopTimeout") or ENDING_S)

    def kill(self, ref: Json) -> None:
        with self._asked() as client, contextlib.suppress(self._engine.MissingError):
            is_here = _identity(client) == ref["engine"]
            if is_here and client.api.inspect_container(ref["container"])["State"]["Status"] in LIVING:
                client.api.kill(ref["container"])

    def printed(self, order: Order) -> Iterator[str]:
        """As long as the container is there."""
        try:
            with self._asked() as client:
                said: bytes = client.api.logs(container.name(order))
        except self._engine.MissingError:
            return
        yield from (line for line in said.decode(errors="replace").splitlines(keepends=True) if line.endswith("\n"))

    def checks(self) -> Sequence[Check]:
        """Whether the engine answers, and has an image: where the settings or the environment speak of one."""
        spoken = self._named or self._settings.image or os.environ.get("DOCKER_HOST")
        if not spoken and self._settings.backend != self.name:
            return ()
        try:
            with self._asked() as client:
                version = client.version()["Version"]
            engine = Check(name="docker: engine", ok=True, found=f"{version} at {self.host}")
        except FaceganError as error:
            return [Check(name="docker: engine", ok=False, found=error.message, hint=error.hint or "")]
        try:
            shipped = self.bundle(None)
        except FaceganError as error:
            return [engine, Check(name="docker: image", ok=None, found=error.message, hint=error.hint or "")]
        there = "on the engine" if shipped["id"] else "to be pulled"
        return [engine, Check(name="docker: image", ok=True, found=f'"{shipped["image"]}" is {there}')]

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Remove containers that have ended, and the volumes with what they were handed. What runs is left alone.

        A session reports its end a moment before its process ends: where none is open, that moment is waited for.
        """
        marked = {"label": f"{container.URL}={run_url}"}
        with self._asked() as client:
            for found in client.containers.list(all=True, filters=marked):
                if int(found.labels[container.SESSION]) in keep:
                    continue
                if found.status not in LIVING or (not keep and self._ends(found.id)):
                    found.remove()
            used = {found.name for found in client.containers.list(all=True, filters=marked)}
            for volume in client.volumes.list(filters=marked):
                if volume.name not in used and int(volume.attrs["Labels"][container.SESSION]) not in keep:
                    volume.remove()

    def _ends(self, identity: str) -> bool:
        """Whether a container comes to its end within a moment."""
        with contextlib.suppress(UnreachableError), self._asked() as client:
            client.api.wait(identity, timeout=ENDING_S)
            return True
        return False

    def _start(self, order: Order, hand: Hand) -> Json:
        """The four steps of a start. The volume outlives a container that never ran, and is filled anew."""
        called = container.name(order)
        self._clear(called)
        self._require_image(order)
        made = hand()
        credentials = {} if made is None else dict(made.environment)
        try:
            around, environment = self._around(order, credentials)
        except BadInputError as error:
            raise InvalidJob(error.message, hint=error.hint) from error
        with self._asked() as client:
            created = client.api.create_container_from_config(container.config(order, around), called)["Id"]
            ref = {"engine": _identity(client), "container": created}
            given = Handed(
                environment=environment,
                files={} if made is None else made.files,
                origin=Origin(backend=self.name, host=self.host, ref=ref),
                grace_s=order.grace_s,
                gpu=order.gpu,
                budget_s=order.limit_s,
            )
            client.api.put_archive(created, container.SCRATCH, container.parcel(given, around.user))
            client.api.start(created)
        return ref

    def _require_image(self, order: Order) -> None:
        """An image that was removed since it was pinned ends the number: the next one takes today's."""
        try:
            with self._asked() as client:
                client.api.inspect_image(order.bundle["id"])
        except self._engine.MissingError as error:
            raise InvalidJob(
                f'image "{order.bundle["image"]}" is no longer on the engine as it was pinned: {order.bundle["id"]}',
                hint=f"facegan-job resume {order.run} takes the one that is there now",
            ) from error

    def _clear(self, called: str) -> None:
        """Remove the container of this name, unless it runs: the engine refuses that."""
        with contextlib.suppress(self._engine.MissingError), self._asked() as client:
            client.api.remove_container(called)

    def _forget(self, called: str) -> None:
        """Remove the volume of a container that is gone, with what it was handed; else `sweep` does."""
        with contextlib.suppress(FaceganError), self._asked() as client:
            client.api.remove_volume(called)

    def _around(self, order: Order, environment: dict[str, str]) -> tuple[Surroundings, dict[str, str]]:
        """Where the container stands, and the environment as it is right in there."""
        store, run = layout.split_run_url(order.run_url)
        path = reach.from_inside(store, environment, self._published() if address.is_here(self.host) else ())
        folder = _folder(store)
        around = Surroundings(
            run_url=layout.run_url(path.store_url, run),
            network=path.network,
            limits=self._limits,
            gpus=self._gpus(order.gpu),
            folder=folder,
            user=(container.USER, container.USER) if folder is None else _user(),
        )
        return around, dict(path.environment)

    def _published(self) -> Iterator[reach.Published]:
        with self._asked() as client:
            for listed in client.api.containers():
                with contextlib.suppress(self._engine.MissingError), self._engine.errors(self.host):  # it is gone since
                    yield from reach.published(client.api.inspect_container(listed["Id"]))

    def _gpus(self, gpu: str | None) -> tuple[str, ...]:
        if gpu is None:
            return ()
        if gpu == ALL:
            return (ALL,)
        there = nvidia.names()
        if gpu not in there:
            raise BadInputError(f'this machine has no GPU "{gpu}"', hint=f"it has {', '.join(there) or 'none'}")
        return (str(there.index(gpu)),)

    def _image(self, gpu: str | None) -> str:
        return self._settings.image or f"facegan-job:{__version__}-{'gpu' if gpu else 'cpu'}"

    def _pull(self, named: str) -> None:
        """Have the engine get the image. What goes wrong on the way it tells in the midst of its answer."""
        tag = None if reference.split(named)[1] or "@" in named else "latest"
        try:
            with self._asked() as client:
                said = [
                    line["error"] for line in client.api.pull(named, tag, stream=True, decode=True) if "error" in line
                ]
                if not said:
                    client.api.inspect_image(named)
                    return
            why = said[0]
        except (self._engine.MissingError, self._engine.EngineError) as error:
            why = error.message
        raise BadInputError(f'image "{named}" cannot be pulled: {why}', hint="facegan-job image list")

    @property
    def _limits(self) -> Limits:
        return Limits.parse(self._settings.memory, self._settings.cpus)

    @functools.cached_property
    def _engine(self) -> Any:  # noqa: ANN401 - a module that brings the SDK
        return heavy.sdk(ENGINE, "docker")

    @contextlib.contextmanager
    def _asked(self) -> Iterator[Any]:
        """The engine's client; what goes wrong comes in this project's words."""
        client = self._engine.connect(self.host)
        with self._engine.errors(self.host):
            yield client


def _require_registry(named: str) -> None:
    if "/" not in named:
        raise BadInputError(f'image "{named}" is not on the engine', hint="facegan-job image build")


def _identity(client: Any) -> str:  # noqa: ANN401 - the SDK's
    """Which engine this is. Its own id is copied with the image of a machine, and shared by engines of one machine."""
    said = client.info()
    return f"{said['ID']} {said['Name']} {said['DockerRootDir']}"


def _user() -> tuple[int, int]:
    return os.getuid(), os.getgid()


def _folder(store: str) -> Path | None:
    """The folder of this machine that the store is, if it is one."""
    if not store.startswith("file://"):
        return None
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(store).path))


def _hint(said: str) -> str:
    if "capabilities: [[gpu]]" in said:
        return "the engine's machine needs the NVIDIA Container Toolkit; docker run --gpus all shows whether it works"
    return "facegan-job submit --dry-run shows what is asked of it"
