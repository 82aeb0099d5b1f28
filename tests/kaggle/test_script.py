"""The one script that a kernel is: whole, the same for the same order, and without anything that it should not say."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from facegan import handed
from jobs.backends.kaggle import ending, log, script
from jobs.backends.kaggle.answers import State, Status

ROOT = Path(__file__).parents[2]
ORDER = {"run_url": 's3://b/p?endpoint=https://h:9000&region=x/runs/it\'s-"1"\\n', "number": 3, "gpu": None}


def parts(text: str) -> dict[str, Any]:
    """What the script defines, when it is not let run."""
    scope: dict[str, Any] = {"__name__": "script"}
    body = text.rstrip()
    assert body.endswith("\nmain()")
    exec(compile(body.removesuffix("main()"), "script.py", "exec"), scope)
    return scope


def test_what_is_put_in_comes_out() -> None:
    wheel = bytes(range(256)) * 20
    scope = parts(script.render(ORDER, wheel))
    assert scope["ORDER"] == ORDER
    assert base64.b64decode(scope["WHEEL"]) == wheel
    assert scope["STORE"] == "s3://b/p?endpoint=https://h:9000&region=x"


def test_the_wheel_may_be_elsewhere_or_only_shown() -> None:
    assert parts(script.render(ORDER, None))["WHEEL"] == ""
    assert parts(script.shown(ORDER, "x.whl sha256:…"))["WHEEL"] == "x.whl sha256:…"


def test_equal_orders_give_equal_scripts() -> None:
    assert script.render(ORDER, b"w") == script.render(dict(reversed(ORDER.items())), b"w")


def test_no_line_of_it_can_be_taken_for_a_cell_or_a_command_of_a_notebook() -> None:
    lines = script.render(ORDER, bytes(range(256)) * 9).splitlines()
    assert not [line for line in lines if re.match(r"\s*(%|!|# ?%%|# ?\+)", line)]


@pytest.mark.parametrize(
    ("container", "number"),
    [
        ("kaggle_0a1b2c3d4e5f6071-352990001-webtier", 352990001),
        ("kaggle_abc-webtier", None),
        ("kaggle_123456-654321-webtier", None),
        ("", None),
    ],
)
def test_kaggles_number_of_a_session_is_told_only_where_it_is_clear(container: str, number: int | None) -> None:
    assert parts(script.render(ORDER, None))["session_id"](container) == number


def packed() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("facegan/__init__.py", "")
    return data.getvalue()


@pytest.mark.parametrize("inside", [True, False])
def test_the_program_is_unpacked_from_where_it_is(tmp_path: Path, inside: bool) -> None:
    wheel = packed()
    (tmp_path / "wheel.bin").write_bytes(wheel)
    order = {**ORDER, "wheel": {"name": "x.whl", "sha256": hashlib.sha256(wheel).hexdigest()}}
    scope = parts(script.render(order, wheel if inside else None))
    scope["data_set"] = lambda: tmp_path
    scope["lay_out"](tmp_path / "program")
    assert (tmp_path / "program/facegan/__init__.py").exists()


def test_another_program_than_was_sent_is_not_run(tmp_path: Path) -> None:
    order = {**ORDER, "wheel": {"name": "x.whl", "sha256": "0" * 64}}
    with pytest.raises(RuntimeError, match="not the one that was sent"):
        parts(script.render(order, packed()))["lay_out"](tmp_path)


@pytest.mark.parametrize("error", [RuntimeError("no internet"), KeyError("dataset"), OSError(28, "No space left")])
def test_whatever_keeps_it_from_beginning_is_said(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    scope = parts(script.render(ORDER, None))

    def begin() -> int:
        raise error

    scope["begin"] = begin
    with pytest.raises(type(error)):
        scope["main"]()
    assert log.reason(capsys.readouterr().out) == (str(error) if type(error) is RuntimeError else repr(error))


def test_how_it_ended_is_said_apart_from_what_could_not_be_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path))
    scope = parts(script.render({**ORDER, "carried": True}, None))
    (tmp_path / "handed.json").write_text('{"environment": {}}')

    def leave(_along: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("python", "reach_outside", "packages", "lay_out", "time_left_s", "hand"):
        scope[name] = lambda *_: None
    scope |= {"data_set": lambda: tmp_path, "attached": lambda: None, "given_cards": dict, "arrive": set}
    scope |= {"leave": leave, "session": lambda *_: 75}
    with pytest.raises(RuntimeError):
        scope["main"]()
    said = capsys.readouterr().out
    assert log.exit_code(said) == 75
    why = ending.why(Status(state=State.ERROR), said)
    assert "exit code 75, and what the session made could not be packed" in why
    assert "No space left" in why


def test_what_it_is_handed_goes_on_with_what_only_the_machine_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_CONTAINER_NAME", "kaggle_abc-352990001-webtier")
    given = {"environment": {}, "files": {}, "backend": "kaggle", "host": "ada", "ref": {"kernel": "ada/x"},
             "grace_s": 60.0, "gpu": None}  # fmt: skip
    path = tmp_path / "handed"
    path.write_bytes(parts(script.render(ORDER, None))["hand"](given, 100.0))
    read = handed.read(path)
    assert read.origin.ref == {"kernel": "ada/x", "session_id": 352990001}
