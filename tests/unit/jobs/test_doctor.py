"""Every check of `doctor` can fail, and says what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from facegan.accounts import Finding
from facegan.errors import UnreachableError
from facegan.process import Life
from facegan.storage.base import LARGEST, ObjectStore, RefusedError
from facegan.storage.memory import MemoryStore
from jobs import doctor
from jobs.context import Context
from jobs.doctor import Check
from tests.fakes.datasets import prepare
from tests.unit.jobs import world


class Faulty(MemoryStore):
    """A store with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self._fault = fault

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        data = super().get(key, at_most=at_most)
        return data[:-1] if self._fault == "cuts" else data

    def put_new(self, key: str, data: bytes) -> bool:
        if self._fault == "taken":
            return False
        if self._fault == "overwrites":
            self.put(key, data)
            return True
        if self._fault == "silent":
            raise UnreachableError("the storage does not answer")
        if self._fault == "refuses":
            raise RefusedError("no hard links there", hint="choose another folder")
        return super().put_new(key, data)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return iter(()) if self._fault == "hides" else super().list(prefix, after=after)


def with_store(home: Path, store: ObjectStore) -> Context:
    return world.context(home, store)


def with_home(home: Path) -> Context:
    context = world.context(home)
    return dataclasses.replace(context, settings=dataclasses.replace(context.settings, home=home))


def is_well(check: Check) -> bool:
    return check.ok is True and bool(check.found)


def fails(check: Check, found: str, hint: str) -> bool:
    assert check.ok is False
    assert found in check.found
    assert hint in check.hint
    return True


def test_the_checks_are_these(context: Context) -> None:
    assert [check.name for check in doctor.examine(context)] == [
        "python", "packages: train", "packages: track", "home", "space", "processes", "store", "data: mnist",
        "data: mnist-5k", "data: cifar10", "data: celeba", "data: imdb-wiki",
    ]  # fmt: skip


def test_python() -> None:
    assert is_well(doctor.python((3, 11)))
    assert is_well(doctor.python((4, 0)))
    assert fails(doctor.python((3, 10)), "version 3.10", "3.11 or newer")


@pytest.mark.parametrize("extra", doctor.EXTRAS)
def test_packages(extra: str) -> None:
    assert is_well(doctor.packages(extra, lambda _name: True))
    for missing in doctor.EXTRAS[extra]:
        check = doctor.packages(extra, lambda name, missing=missing: name != missing)
        assert fails(check, f"{missing} not installed", f"pip install 'facegan-job[{extra}]'")


def test_home(tmp_path: Path) -> None:
    assert is_well(doctor.home(with_home(tmp_path / "new" / "home")))
    assert not list((tmp_path / "new" / "home").iterdir()), "the probe is gone again"
    (tmp_path / "file").write_bytes(b"")
    check = doctor.home(with_home(tmp_path / "file" / "home"))
    assert fails(check, f'"{tmp_path}/file/home"', "FACEGAN_HOME")


def test_space() -> None:
    assert is_well(doctor.space(2 * 10**9))
    assert fails(doctor.space(2 * 10**9 - 1), "2.0 GB free", "free 2 GB or more")
    assert fails(doctor.space(0), "0.0 GB free", "free 2 GB or more")


def test_space_is_asked_where_the_home_will_be(tmp_path: Path) -> None:
    assert any(check.name == "space" for check in doctor.examine(with_home(tmp_path / "not" / "yet")))
    assert not (tmp_path / "not" / "yet" / "cache").exists()


@pytest.mark.parametrize(
    "life", [lambda _ref: Life.ALIVE, lambda _ref: Life.GONE, lambda _ref: Life.UNKNOWN], ids=["all", "none", "unknown"]
)
def test_processes(life: Callable[[dict[str, object]], Life]) -> None:
    assert is_well(doctor.evidence())
    assert fails(doctor.evidence(life), "cannot be told apart", "/proc")


def test_store(home: Path) -> None:
    store = MemoryStore()
    assert is_well(doctor.store(with_store(home, store)))
    assert not store.objects, "the probe is gone again"


@pytest.mark.parametrize(
    ("fault", "found", "hint"),
    [
        ("taken", "says that a new object exists already", "choose another --store"),
        ("overwrites", "creates an object twice", "choose another --store"),
        ("cuts", "does not give back what was written", "choose another --store"),
        ("hides", "does not list what was written", "choose another --store"),
        ("silent", "the storage does not answer", "is the URL right?"),
        ("refuses", "no hard links there", "choose another folder"),
    ],
)
def test_store_with_a_fault(fault: str, found: str, hint: str, home: Path) -> None:
    store = Faulty(fault)
    assert fails(doctor.store(with_store(home, store)), found, hint)
    assert not store.objects, "the probe is gone again"


def test_a_store_without_an_account_has_none_to_look_at(context: Context) -> None:
    assert doctor.account(context) == []


class Looked:
    """An account with one fault, or none."""

    def __init__(self, fault: str = "", minted: Sequence[str] = ()) -> None:
        self._fault = fault
        self._minted = minted

    def bucket(self) -> list[Finding]:
        if self._fault == "silent":
            raise UnreachableError("the account does not answer")
        return [Finding(name="bucket: public access", ok=self._fault != "open", found="as it is", hint="close it")]

    def minted(self) -> Sequence[str]:
        if self._fault == "silent":
            raise UnreachableError("the account does not answer")
        return self._minted


def looked(home: Path, monkeypatch: pytest.MonkeyPatch, account: Looked) -> list[Check]:
    for module in ("jobs.doctor", "jobs.credentials"):
        monkeypatch.setattr(f"{module}.has_account", lambda _url: True)
        monkeypatch.setattr(f"{module}.open_account", lambda _url: account)
    return doctor.account(with_store(home, MemoryStore()))


def test_account(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(is_well(check) for check in looked(home, monkeypatch, Looked()))
    bucket, credentials = looked(home, monkeypatch, Looked("open", minted=["a-run", "b-run"]))
    assert fails(bucket, "as it is", "close it")
    assert fails(credentials, "of runs without a session: a-run, b-run", "facegan-job credentials revoke a-run")
    for check in looked(home, monkeypatch, Looked("silent")):
        assert check.ok is None, "not a fault: it could not be looked at"
        assert check.found == "the account does not answer"


def test_data(home: Path, context: Context) -> None:
    missing = doctor.data("mnist", context)
    assert (missing.ok, missing.found) == (None, "not here"), "good to know, and no fault"
    assert missing.hint == "facegan-job data prepare mnist"
    prepare(home, "mnist")
    assert doctor.data("mnist", context) == missing, "an array of it, and not the one that everybody knows"
    prepare(home, "cifar10")
    assert is_well(doctor.data("cifar10", context))
