"""`facegan-job report`: what it writes, says and answers, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.storage.base import ObjectStore
from tests.reporting import world as here
from tests.unit.jobs import world

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str


def report(folder: Path, *arguments: str, **more: str) -> Said:
    """Typed in that folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import sys; from jobs.cli import main; main()", "report", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "this is a defect" not in done.stderr, done.stderr
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the user is, with a file that is named like a module."""
    (tmp_path / "random.py").write_text("raise SystemExit('imported by mistake')")
    return tmp_path


def test_one_page_of_two_runs(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    here.finished(file_store, "two", sessions=2)
    before = world.contents(file_store)
    said = report(folder, "one", "tw", "one", "-o", "made/page.html")
    path = folder / "made" / "page.html"
    assert (said.code, said.out) == (0, f"{path}\n")
    assert "Comparison of 2 runs" in path.read_text(encoding="utf-8")
    assert sorted(each.name for each in path.parent.iterdir()) == ["page.html"]
    first = path.read_bytes()
    again = report(folder, "one", "two", "-o", "made/page.html", "--json")
    assert json.loads(again.out) == {"report": str(path), "runs": ["one", "two"], "damaged": []}
    assert path.read_bytes() == first, "the same history, byte for byte, by another process"
    assert world.contents(file_store) == before, "a report changes nothing"


def test_damage_is_named_and_the_page_is_written(folder: Path, file_store: ObjectStore) -> None:
    for run in ("one", "two"):
        here.finished(file_store, run)
    metrics, ledger = here.harm(file_store, "one", "metrics.jsonl"), "runs/two/ledger/00000003.json"
    file_store.delete(ledger)
    said = report(folder, "one", "two")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert said.code == 104
    assert metrics in said.err
    assert ledger in said.err
    assert "hint: facegan-job verify one" in said.err
    assert metrics in page
    assert "cannot be read, and is left out" in page


def test_no_page_of_nothing(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "two")
    file_store.delete("runs/two/ledger/00000003.json")
    said = report(folder, "two")
    assert (said.code, said.out) == (1, "")
    assert "00000003.json" in said.err
    assert not (folder / "report.html").exists()


def test_a_run_that_does_not_exist(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    said = report(folder, "one", "three")
    assert (said.code, said.out) == (102, "")
    assert 'there is no run "three"' in said.err
    assert not (folder / "report.html").exists()


def test_a_run_without_a_checkpoint_is_on_the_page(folder: Path, file_store: ObjectStore) -> None:
    world.create(file_store, "fresh", here.experiment())
    said = report(folder, "fresh")
    assert said.code == 0
    assert "run fresh has committed nothing yet" in said.err
    assert "Nothing is committed yet" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_to(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    said = report(folder, "one", "-o", "random.py/page.html")
    assert said.code == 1
    assert "hint: choose a folder that can be written" in said.err


def test_without_the_extra_it_says_what_to_install(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['jinja2'] = None\n")
    said = report(folder, "one", PYTHONPATH=f"{ROOT}{os.pathsep}{hidden}")
    assert said.code == 1
    assert "hint: pip install 'facegan-job[report]'" in said.err
