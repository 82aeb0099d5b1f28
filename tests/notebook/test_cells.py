"""The cells of an exported notebook that come before the training, run in a real Jupyter, and their parts."""

from __future__ import annotations

import importlib.metadata
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import pytest
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

from facegan import handed, layout
from jobs.bundle import SESSION, wheel
from jobs.notebook.places import COLAB, KAGGLE, PLACES, Place
from jobs.notebook.rendering import Page, render
from tests.e2e.runs import RUN
from tests.notebook.conftest import CANARY, KEYS, NO_KEYS, on
from tests.notebook.jupyter import Jupyter, jupyter, opened, over

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


def notebook(place: Place, folder: Path, scheme: str = "s3") -> Path:
    target = folder / f"{place.name}-{scheme}.ipynb"
    store = {"s3": f"s3://bucket?endpoint={NOWHERE}", "gs": "gs://bucket"}[scheme]
    url = layout.run_url(store, RUN)
    target.write_bytes(render(Page(place=place, card=place.card(None), run_url=url, wheel=wheel(SESSION))))
    return target


@pytest.fixture(scope="module")
def colab(folder: Path) -> Iterator[Jupyter]:
    """A kernel on a machine of Colab's whose notebook has only one of its secrets, and may not read another."""
    secrets = {"AWS_ACCESS_KEY_ID": CANARY, "AWS_SECRET_ACCESS_KEY": None}
    with jupyter(notebook(COLAB, folder), folder / "home", on("colab", folder / "secrets", secrets)) as kernel:
        assert kernel.run("program").error is None
        yield kernel


def test_the_gpu_is_looked_at_first_and_none_is_said(colab: Jupyter) -> None:
    ran = colab.run("machine")
    assert ran.printed.startswith("facegan-start: GPUs: none")
    assert ran.error is not None
    assert "there is no GPU here. Choose Runtime, Change runtime type, and a GPU" in ran.error
    assert "Traceback" not in ran.printed


def test_versions_are_said_and_so_is_a_store_that_cannot_be_reached(colab: Jupyter) -> None:
    tensorflow = next(
        each.version for each in importlib.metadata.distributions() if each.name in {"tensorflow", "tensorflow_cpu"}
    )
    ran = colab.begin("look(cpu=True)").end()
    assert f"tensorflow {tensorflow}" in ran.printed
    assert ran.error is not None
    assert "cannot reach its store at 127.0.0.1:1" in ran.error
    assert ran.error.endswith("Colab has internet unless something is wrong: try again")


def test_what_is_not_among_the_secrets_is_asked_for_and_not_shown(colab: Jupyter) -> None:
    ran = colab.run("access", answers=[f" {CANARY} ", "a-token"])
    assert ran.error is None, ran.printed
    assert "AWS_SECRET_ACCESS_KEY is not among this notebook's secrets: Notebook does not have access" in ran.printed
    assert CANARY not in ran.printed
    shown = colab.begin("access").end()
    assert shown.error is None
    assert CANARY not in shown.printed
    kept = "print(sorted(access.environment), access.environment['AWS_SESSION_TOKEN'] == 'a-token', access)"
    told = colab.begin(kept).end().printed
    assert told == "['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] True Access()\n"


def test_an_empty_answer_says_where_secrets_go(colab: Jupyter) -> None:
    ran = colab.run("access", answers=[""])
    assert ran.error is not None
    assert ran.error.startswith("AWS_SECRET_ACCESS_KEY is needed. Add it under the key in the bar on the left")


def test_run_as_a_whole_with_nobody_there_it_says_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Kaggle's "Save & Run All" does: a notebook without anybody to ask."""
    monkeypatch.setenv("HOME", str(folder))
    for name, value in on("kaggle", folder / "none", {}).items():
        monkeypatch.setenv(name, value)
    found = opened(notebook(KAGGLE, folder))
    found["cells"] = [cell for cell in found["cells"] if cell["id"] != "machine"]
    with tempfile.TemporaryDirectory(prefix="jupyter-") as sockets:
        config = Config({"KernelManager": over(sockets)})
        client = nbclient.NotebookClient(found, config=config, kernel_name="python3", timeout=600)
        with pytest.raises(CellExecutionError, match=r"no secret AWS_ACCESS_KEY_ID, and nobody to ask\. Add it under"):
            client.execute()


def parts(place: Place, folder: Path, scheme: str = "s3") -> dict[str, Any]:
    """What the program's cell defines."""
    module = types.ModuleType("a_notebook")
    sys.modules[module.__name__] = module  # where dataclasses look for themselves
    source = next(
        cell["source"] for cell in opened(notebook(place, folder, scheme))["cells"] if cell["id"] == "program"
    )
    exec(compile(source, "program", "exec"), module.__dict__)
    return module.__dict__


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_what_the_session_is_handed_is_what_the_program_reads(place: Place, folder: Path, tmp_path: Path) -> None:
    scope = parts(place, folder)
    access = scope["Access"](environment=dict(KEYS), files={"GOOGLE_APPLICATION_CREDENTIALS": b"{}"})
    file = tmp_path / "handed"
    file.write_bytes(scope["handed"](scope["Machine"](gpus=["Tesla T4", "Tesla T4"]), access, 100.0))
    read = handed.read(file)
    assert (read.environment, read.gpu, read.budget_s, read.grace_s) == (KEYS, "Tesla T4", 100.0, 60.0)
    assert read.files == {"GOOGLE_APPLICATION_CREDENTIALS": b"{}"}
    assert read.origin == handed.HAND
    assert read.found == {"gpus": ["Tesla T4", "Tesla T4"]}
    assert CANARY not in repr(access)


def test_a_key_of_google_is_a_file_and_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = parts(COLAB, folder, "gs")
    monkeypatch.setitem(scope, "SECRETS", {"colab": lambda _name: '{"type": "service_account"}\n'})
    found = scope["credentials"]()
    assert (found.environment, found.files) == (
        {},
        {"GOOGLE_APPLICATION_CREDENTIALS": b'{"type": "service_account"}'},
    )
    monkeypatch.setitem(scope, "SECRETS", {"colab": lambda _name: '{"type": "serv'})
    with pytest.raises(scope["StoppedError"], match="has to be what is in the key's file"):
        scope["credentials"]()


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_time_is_counted_from_the_machines_start_and_only_on_machines_of_the_place(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = parts(place, folder)
    monkeypatch.delenv(place.marker.value, raising=False)
    assert scope["time_left_s"]() is None
    monkeypatch.setenv(place.marker.value, "x")
    monkeypatch.setitem(scope, "since_start_s", lambda process: {"1": 1000.0}[process])
    assert scope["time_left_s"]() == 12 * 3600 - 300 - 1000
    monkeypatch.setitem(scope, "since_start_s", lambda _process: 12 * 3600.0)
    with pytest.raises(scope["StoppedError"], match=r"this machine's time is up\. "):
        scope["train"](scope["Machine"](gpus=[]), scope["Access"](environment={}, files={}))


def test_a_session_is_asked_to_stop_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has two seconds left, and a session that would go on for minutes, however slow it is to begin."""
    scope = parts(KAGGLE, folder)
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    endless = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(75)); print('on', flush=True); "
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {15}); time.sleep(600); sys.exit(1)"
    )
    monkeypatch.setitem(scope, "ATTENDED", endless)
    monkeypatch.setitem(scope, "time_left_s", lambda: 2.0)
    began = time.monotonic()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # the session's, too, until it listens
    try:
        scope["train"](scope["Machine"](gpus=[]), scope["Access"](environment={}, files={}))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert time.monotonic() - began >= 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (73, "exit 73: another session holds the run"),
        (-9, "killed by signal 9"),
        (2, "exit 2: the session's own words"),
    ],
)
def test_an_end_that_is_none_is_an_error_of_its_cell(code: int, words: str, folder: Path) -> None:
    scope = parts(COLAB, folder)
    with pytest.raises(scope["StoppedError"], match=words):
        scope["conclude"](code, interrupted=False)
    for good in (0, 75):
        scope["conclude"](good, interrupted=False)
    scope["conclude"](-15, interrupted=True)


def test_what_a_session_inherits_holds_no_keys() -> None:
    """Else the other tests would pass without a single secret being read."""
    assert not set(KEYS) & set(NO_KEYS)
