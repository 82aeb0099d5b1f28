"""Which engine is asked: by TLS, by a context, by what the ledger says; and one that breaks off or was left."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan import layout
from facegan.process import Life
from facegan.storage.file import FileStore
from jobs import address, settings, sweeping
from jobs.backends.base import Order
from jobs.backends.docker import DockerBackend
from jobs.backends.docker import container as containers
from jobs.refusals import InvalidJob
from jobs.settings import Settings
from tests.container.conftest import BASE, HOST
from tests.container.front import STARTED, Front, Secured, front, made, secured
from tests.container.moments import Moment
from tests.container.runs import Docked
from tests.e2e.runs import RUN, User
from tests.unit.jobs import world
from tests.unit.jobs.test_address import contexts_of, digest

__all__ = ["secured"]
NOWHERE = "unix:///nowhere/docker.sock"
EMPTY_TAR = b"\0" * 10240
DOES_NOT_ANSWER = 'error: the Docker engine at "{}" does not answer'


@pytest.fixture
def typist(boring_environment: Path) -> User:
    return User(home=boring_environment)


@pytest.fixture
def empty(engine: Any) -> Iterator[str]:
    """A tag of an image of nothing, in which no container can be started."""
    tag = f"facegan-test:{uuid.uuid4().hex[:8]}"
    name, _, called = tag.partition(":")
    engine.api.import_image_from_data(EMPTY_TAR, repository=name, tag=called, changes=["CMD nothing"])
    yield tag
    if tag in {one for image in engine.api.images(name) for one in image["RepoTags"] or ()}:
        engine.api.remove_image(tag)


@pytest.fixture
def settled(boring_environment: Path) -> Settings:
    return settings.load(environment={"FACEGAN_HOME": str(boring_environment)}, folder=boring_environment)


class TestByTls:
    def test_the_variables_open_it(self, secured: Secured, typist: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", secured.front.url)
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(secured.folder))
        listed = typist.command("image", "list", "--json")
        assert listed.code == 0, listed.err

    def test_a_context_opens_it_and_what_it_recorded_is_opened_without(
        self, secured: Secured, typist: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        here = contexts_of(tmp_path, monkeypatch, box={"Host": secured.front.url}, near={"Host": NOWHERE})
        (here / "contexts" / "tls" / digest("box")).mkdir(parents=True)
        secured.folder.rename(here / "contexts" / "tls" / digest("box") / "docker")
        listed = typist.command("image", "list", "--json")
        assert listed.code == 0, listed.err
        monkeypatch.setenv("DOCKER_CONTEXT", "near")
        assert typist.command("image", "list").code == 1
        named = typist.command("image", "list", "--host", secured.front.url)
        assert named.code == 0, named.err

    def test_who_is_not_known_is_told_so(
        self, secured: Secured, typist: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        plain = typist.command("image", "list", "--host", secured.front.url)
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(secured.folder))
        (secured.folder / "cert.pem").unlink()
        unknown = typist.command("image", "list", "--host", secured.front.url)
        made(tmp_path / "others", "others", None)
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "others"))
        impostor = typist.command("image", "list", "--host", secured.front.url)
        for said in (plain, unknown, impostor):
            assert said.code == 1
            assert said.err.startswith(DOES_NOT_ANSWER.format(secured.front.url)), said.err
        assert "is ca.pem of the authority that signed the engine's certificate" in impostor.err


class TestBrokenOff:
    """The line breaks in the middle of a build: what bore the tag before is not taken for what was to be built."""

    @pytest.mark.parametrize("rough", [False, True])
    def test_a_build(self, rough: bool, engine: Any, empty: str, typist: User) -> None:
        before = engine.api.inspect_image(empty)["Id"]
        with front() as door:
            door.cut, door.rough = b"Step 3/", rough
            base = ("--base", BASE) if BASE else ()
            said = typist.command("image", "build", "--tag", empty, "--host", door.url, "--network", "host", *base)
        assert said.code == 1
        assert "Traceback" not in said.err
        assert "error: " in said.err
        assert said.out == ""
        assert engine.api.inspect_image(empty)["Id"] == before


def test_a_session_is_asked_after_where_it_was_started(
    user: Docked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its engine was that of a context. Then the context is another, and then there is a `DOCKER_HOST`."""
    at = address.of(HOST, STARTED)
    released = threading.Event()
    user.proxy.plan = Moment(kind="heartbeat", act=released.wait, hold=600)
    contexts_of(tmp_path, monkeypatch, box={"Host": at}, away={"Host": NOWHERE})
    somebody = dataclasses.replace(user, typed={**user.typed, "DOCKER_CONFIG": str(tmp_path / "docker")})
    somebody.submit()
    assert somebody.fold().open[0].host == at
    elsewhere = dataclasses.replace(somebody, typed={**somebody.typed, "DOCKER_HOST": NOWHERE})
    container = user.container()
    container.kill()
    container.wait()
    released.set()
    assert elsewhere.ended() == "session 1: its container was killed; nothing is committed yet"
    assert (user.containers(), user.volumes()) == ([], [])


def ordered(bundle: dict[str, Any], store_url: str = "s3://bucket") -> Order:
    return Order(run=RUN, run_url=layout.run_url(store_url, RUN), number=1, bundle=bundle)


def test_an_image_that_is_gone_since_it_was_pinned_ends_the_number(engine: Any, empty: str, settled: Settings) -> None:
    backend = DockerBackend(dataclasses.replace(settled, image=empty), HOST)
    order = ordered(backend.bundle(None))
    engine.api.remove_image(empty)

    def hand() -> None:
        raise AssertionError("nothing is made for a session that cannot be")

    with pytest.raises(InvalidJob) as raised:
        backend.submit(order, hand)
    assert raised.value.message == (
        f'image "{empty}" is no longer on the engine as it was pinned: {order.bundle["id"]}'
    )
    assert raised.value.hint == f"facegan-job resume {RUN} takes the one that is there now"
    assert not engine.containers.list(all=True, filters={"label": f"{containers.URL}={order.run_url}"})


@pytest.fixture
def left_behind(engine: Any, empty: str) -> Iterator[Callable[[str, int], None]]:
    """Makes the container of a session as its end leaves it: there, and not alive."""
    urls: set[str] = set()

    def leave(url: str, number: int) -> None:
        urls.add(url)
        order = Order(run=RUN, run_url=url, number=number, bundle={"id": empty})
        asked = containers.config(order, containers.Surroundings(run_url=url))
        engine.api.create_container_from_config(asked, containers.name(order))

    yield leave
    for url in urls:
        for found in engine.containers.list(all=True, filters=marked(url)):
            found.remove(v=True)
        for volume in engine.volumes.list(filters=marked(url)):
            volume.remove(force=True)


def marked(url: str) -> dict[str, str]:
    return {"label": f"{containers.URL}={url}"}


def test_an_engine_that_the_run_has_left_is_swept_and_each_is_asked_once(
    engine: Any,
    left_behind: Callable[[str, int], None],
    settled: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two sessions ended on one engine, one on an engine that is gone, the last on this machine: none is forgotten."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    store = FileStore.open((tmp_path / "store").as_uri())
    url = layout.run_url(store.url, RUN)
    asked: list[str] = []
    sweep = DockerBackend.sweep

    def watched(backend: DockerBackend, *what: Any) -> None:
        asked.append(backend.host)
        sweep(backend, *what)

    monkeypatch.setattr(DockerBackend, "sweep", watched)
    world.create(store, RUN)
    with front() as door:
        gone = f"unix://{tmp_path}/gone.sock"
        for number, host in enumerate((door.url, gone, door.url, None), 1):
            world.append(store, "intent", RUN, session=number, backend="docker" if host else "local", host=host)
            world.append(store, "lost", RUN, session=number, why="it was killed")
        world.append(store, "intent", RUN, session=5, backend="docker", host=door.url)
        for number in (1, 3, 5):
            left_behind(url, number)
        context = dataclasses.replace(world.context(tmp_path / "home", store), settings=settled)
        sweeping.sweep(context, context.ledger(RUN))
    assert sorted(asked) == sorted([door.url, gone])
    left = engine.containers.list(all=True, filters=marked(url))
    assert [found.labels[containers.SESSION] for found in left] == ["5"], "what has not ended is left alone"
    volumes = engine.volumes.list(filters=marked(url))
    assert [volume.attrs["Labels"][containers.SESSION] for volume in volumes] == ["5"]


def test_a_ledger_that_names_no_engine_asks_the_one_that_is_meant(engine: Any, empty: str, settled: Settings) -> None:
    """As it was written before. Another engine than the one that made the reference knows nothing."""
    backend = DockerBackend(settled, None)
    made_there = engine.api.create_container(empty, name=f"facegan-test-{uuid.uuid4().hex[:8]}")["Id"]
    try:
        said = engine.info()
        ref = {"engine": f"{said['ID']} {said['Name']} {said['DockerRootDir']}", "container": made_there}
        if HOST is None:
            assert backend.fate(ref).life is Life.GONE
        assert backend.fate({**ref, "engine": "another"}).life is Life.UNKNOWN
    finally:
        engine.api.remove_container(made_there)


def test_a_door_counts_who_comes(engine: Any) -> None:
    """The tests above would pass if nobody came."""
    del engine
    with front() as door:
        assert isinstance(door, Front)
        from jobs import engine as engines

        engines.connect.cache_clear()
        engines.connect(door.url)
        assert door.connections
        engines.connect.cache_clear()
