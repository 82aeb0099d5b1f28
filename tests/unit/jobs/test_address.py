"""Which Docker engine is meant, and what it is opened with, by the files and variables of Docker's command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from jobs import address

BOX = "tcp://gpu-box:2376"
FILES = ("ca.pem", "cert.pem", "key.pem")


def contexts_of(folder: Path, monkeypatch: pytest.MonkeyPatch, **endpoints: Mapping[str, object]) -> Path:
    """A folder of Docker's command line in which these contexts are, of which the first is current."""
    home = folder / "docker"
    for name, endpoint in endpoints.items():
        meta = home / "contexts" / "meta" / digest(name)
        meta.mkdir(parents=True)
        said = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"SkipTLSVerify": False, **endpoint}}}
        (meta / "meta.json").write_text(json.dumps(said))
    (home / "config.json").write_text(json.dumps({"currentContext": next(iter(endpoints))}))
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    return home


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command line with two contexts."""
    return contexts_of(tmp_path, monkeypatch, box={"Host": BOX}, near={"Host": "unix:///run/near.sock"})


def refusal(host: str | None = None) -> BadInputError:
    with pytest.raises(BadInputError) as raised:
        address.of(host)
    return raised.value


def test_what_is_nearer_at_hand_is_meant(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert address.of("ssh://me@machine") == "ssh://me@machine"
    assert address.of(None) == BOX
    monkeypatch.setenv("DOCKER_CONTEXT", "near")
    assert address.of(None) == "unix:///run/near.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert address.of(None) == address.OWN
    monkeypatch.setenv("DOCKER_HOST", "unix:///variable.sock")
    assert address.of(None) == "unix:///variable.sock"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.delenv("DOCKER_CONTEXT")
    (docker / "config.json").unlink()
    assert address.of(None) == address.OWN


@pytest.mark.parametrize(
    ("variable", "hint"),
    [(True, "docker context ls; unset DOCKER_CONTEXT"), (False, "docker context ls; docker context use default")],
)
def test_a_context_that_is_gone_is_not_taken_for_this_machine(
    variable: bool, hint: str, docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    else:
        (docker / "config.json").write_text(json.dumps({"currentContext": "gone"}))
    said = refusal()
    assert (said.message, said.hint) == ('Docker\'s context "gone" does not exist', hint)


@pytest.mark.parametrize("text", ["{", "[]", '{"Name": "box"}', '{"Name": "box", "Endpoints": {"docker": 1}}', "\x80"])
def test_files_of_docker_that_cannot_be_read(text: str, docker: Path) -> None:
    meta = docker / "contexts" / "meta" / digest("box") / "meta.json"
    meta.write_bytes(text.encode("latin-1"))
    said = refusal()
    assert said.message.startswith(f'Docker\'s own "{meta}" cannot be read: ')
    assert said.hint == "docker context use default"
    if text in {"{", "[]", "\x80"}:
        (docker / "config.json").write_bytes(text.encode("latin-1"))
        assert str(docker / "config.json") in refusal().message


def test_a_password_is_refused_and_not_repeated(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL goes into the ledger."""
    del docker
    monkeypatch.setenv("DOCKER_HOST", "tcp://me:hush@box:2376")
    for said in (refusal(), refusal("ssh://me:hush@box")):
        assert "hush" not in f"{said.message} {said.hint}"


@pytest.mark.parametrize(
    ("url", "here"),
    [("unix:///run/docker.sock", True), ("npipe:////./pipe/docker_engine", True), (BOX, False), ("ssh://box", False)],
)
def test_whose_folders_an_engine_sees(url: str, here: bool) -> None:
    assert address.is_here(url) is here


class TestCertificates:
    def test_without_any_nobody_is_asked_for_them(self) -> None:
        assert address.certificates(BOX) is None
        assert address.certificates("unix:///run/near.sock") is None

    def test_those_of_a_context_are_for_its_engine_whatever_is_current(
        self, docker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        own = put(docker / "contexts" / "tls" / digest("box") / "docker", *FILES)
        others = put(tmp_path / "others", *FILES)
        monkeypatch.setenv("DOCKER_CONTEXT", "near")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(others))
        assert address.certificates(BOX) == certificates(own)
        assert address.certificates("tcp://another:2376") == certificates(others)
        monkeypatch.setenv("DOCKER_HOST", BOX)
        assert address.certificates(BOX) == certificates(others), "the variables say that they are for this one"

    def test_an_authority_alone_will_do(self, docker: Path) -> None:
        own = put(docker / "contexts" / "tls" / digest("box") / "docker", "ca.pem")
        assert address.certificates(BOX) == address.Certificates(authority=own / "ca.pem", own=None)

    def test_a_context_that_takes_any_engine_for_its_own_is_refused(self, docker: Path) -> None:
        put(docker / "contexts" / "tls" / digest("box") / "docker", *FILES)
        meta = docker / "contexts" / "meta" / digest("box") / "meta.json"
        meta.write_text(meta.read_text().replace('"SkipTLSVerify": false', '"SkipTLSVerify": true'))
        with pytest.raises(BadInputError, match='"box" takes any engine for its own'):
            address.certificates(BOX)

    def test_files_that_are_not_there_are_said(
        self, docker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        for folder in (docker, tmp_path / "nowhere"):
            if folder != docker:
                monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
            with pytest.raises(BadInputError) as raised:
                address.certificates(BOX)
            assert raised.value.message == f'DOCKER_TLS_VERIFY asks for certificates, and there is no "{folder}/ca.pem"'


def certificates(folder: Path) -> address.Certificates:
    return address.Certificates(authority=folder / "ca.pem", own=(folder / "cert.pem", folder / "key.pem"))
