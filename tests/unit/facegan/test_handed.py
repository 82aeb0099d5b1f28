"""What a session is handed: whole or refused, its owner's alone, and never repeated in words."""

from __future__ import annotations

import json
import stat
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facegan import handed, runtime
from facegan.errors import BadInputError
from facegan.handed import Handed, Origin
from facegan.worker import Surroundings

SECRET = "hush-hush"
GIVEN = Handed(
    environment={"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "garage"},
    files={"GOOGLE_APPLICATION_CREDENTIALS": b'\0\xff{"key": "hush-hush"}'},
    origin=Origin(backend="docker", host="ssh://me@box", ref={"engine": "E", "container": "c0ffee"}),
    grace_s=90.5,
    gpu="T4",
    until=datetime(2026, 11, 30, 12, tzinfo=UTC),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "handed.json"


@pytest.mark.parametrize("given", [GIVEN, Handed()], ids=["everything", "nothing"])
def test_what_is_written_is_what_is_read(given: Handed, path: Path) -> None:
    path.write_bytes(handed.to_bytes(given))
    assert handed.read(path) == given


def test_what_is_left_of_the_credentials_bounds_the_session() -> None:
    """The last checkpoint is committed before they end."""
    assert GIVEN.until is not None
    assert Handed().left_s(GIVEN.until) is None
    left_s = GIVEN.left_s(GIVEN.until - timedelta(hours=1))
    assert left_s == 3600 - handed.EXPIRY_MARGIN.total_seconds()
    assert GIVEN.left_s(GIVEN.until) < 0  # type: ignore[operator]


def test_whatever_is_cut_off_is_not_whole(path: Path) -> None:
    whole = handed.to_bytes(GIVEN)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BadInputError, match="is not whole") as raised:
            handed.read(path)
        assert str(path) in raised.value.message
        assert_silent(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": SECRET},
        {"environment": [SECRET]},
        {"environment": None},
        {"files": {"A": SECRET}},
        {"files": {"A": 1}},
        {"files": SECRET},
    ],
    ids=str,
)
def test_what_is_of_another_form_is_not_whole(wrong: dict[str, object], path: Path) -> None:
    path.write_text(json.dumps(json.loads(handed.to_bytes(GIVEN)) | wrong))
    with pytest.raises(BadInputError, match="is not whole") as raised:
        handed.read(path)
    assert_silent(raised.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"hush-hush", b"\xff\xfe", b'{"environment": {}}'], ids=repr)
def test_another_file_is_not_whole(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    with pytest.raises(BadInputError, match="is not whole") as raised:
        handed.read(path)
    assert_silent(raised.value)


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read: No such file") as raised:
        handed.read(path)
    assert f'"{path}"' in raised.value.message
    assert raised.value.hint == "facegan-job resume RUN"


def test_the_environment_gets_the_variables_and_the_places_of_the_files(tmp_path: Path) -> None:
    environment = {"PATH": "/bin", "AWS_REGION": "before"}
    handed.apply(GIVEN, environment, tmp_path)
    place = Path(environment.pop("GOOGLE_APPLICATION_CREDENTIALS"))
    assert environment == {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "garage"}
    assert place.parent == tmp_path
    assert place.read_bytes() == GIVEN.files["GOOGLE_APPLICATION_CREDENTIALS"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_container_that_is_started_again_finds_them_again(tmp_path: Path) -> None:
    """The process number is the same one in every life of a container."""
    for _ in range(2):
        environment: dict[str, str] = {}
        handed.apply(GIVEN, environment, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["handed-google_application_credentials"]
    assert stat.S_IMODE(next(tmp_path.iterdir()).stat().st_mode) == 0o600


def test_nothing_handed_changes_nothing(tmp_path: Path) -> None:
    environment = {"PATH": "/bin"}
    handed.apply(Handed(), environment, tmp_path)
    assert environment == {"PATH": "/bin"}
    assert not list(tmp_path.iterdir())


def test_no_secret_is_in_what_is_printed_of_it() -> None:
    assert SECRET not in f"{GIVEN!r} {GIVEN}"
    assert "AWS" not in repr(GIVEN)


def assert_silent(error: BadInputError) -> None:
    """Neither the message nor what a traceback shows repeats what was in the file."""
    said = "".join(traceback.format_exception(error)) + error.message + str(error.hint)
    assert SECRET not in said


@pytest.mark.parametrize(("budget_s", "least", "most"), [(None, 3400, 3480), (60.0, 60, 60)])
def test_a_session_ends_before_its_credentials_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, budget_s: float | None, least: float, most: float
) -> None:
    """The session's process as it is, up to where it begins to train."""
    seen: list[Surroundings] = []
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path))
    monkeypatch.setattr(runtime, "run_session", lambda here: seen.append(here) or 0)
    for name in ("repeat", "_stop_on_signals", "_ignore_signals"):
        monkeypatch.setattr(runtime, name, lambda *_: None)
    until = datetime.now(UTC) + timedelta(hours=1)
    path.write_bytes(handed.to_bytes(Handed(until=until, budget_s=budget_s)))
    runtime.main([f"{tmp_path.as_uri()}/runs/a-run", "--handed", str(path)])
    assert seen[0].budget_s is not None
    assert least <= seen[0].budget_s <= most
