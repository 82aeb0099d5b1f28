"""`facegan-job rehearse`, as it is typed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from facegan.process import Life
from jobs.backends.base import Fate
from jobs.cli import run
from jobs.errors import Exit
from jobs.rehearsal.place import Spot
from jobs.rehearsal.terms import TERMS
from jobs.rehearsal.timeline import HEADER

SHORT = ("rehearse", "--days", "0.4", "--seed", "3")
SVG = "{http://www.w3.org/2000/svg}"


def test_it_prints_the_timeline_the_places_and_the_finish(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT]) == Exit.OK
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split() == list(HEADER)
    assert lines[1].split()[:6] == ["1", "00:00", "week", "1", "kaggle", "asked"]
    assert any(line.startswith("week is at step ") for line in lines)
    assert "nothing that is promised was broken" in lines[-1]
    assert "are assumed" in said.err


def test_as_json_it_is_data_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--json", "--backend", "ec2"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert found["broken"] is None
    assert [place["place"] for place in found["places"]] == ["ec2"]
    assert found["events"][0] | {"why": ""} == {
        "at": found["events"][0]["at"],
        "run": "week",
        "what": "asked",
        "session": 1,
        "place": "ec2",
        "first": None,
        "last": None,
        "why": "",
    }


def test_an_experiment_has_its_own_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse", "dcgan-mnist", "--days", "0.1", "--json"]) == Exit.OK
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    assert (found["run"], found["steps"]) == ("dcgan-mnist", 3000)


def test_auto_is_all_that_can_be_rehearsed_and_what_is_paid_comes_with_a_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    auto = (*SHORT, "--json", "--backend", "auto")
    assert run([*auto]) == Exit.OK
    free = json.loads(capsys.readouterr().out)
    assert [place["place"] for place in free["places"]] == [*TERMS]
    assert run([*auto, "--gpu", "L4"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert not {event["place"] for event in found["events"] if event["place"]}, "nobody says what an L4 costs at Colab"
    assert found["broken"] is None
    assert run([*auto, "--gpu", "A10G", "--budget", "9"]) == Exit.OK
    assert {event["place"] for event in json.loads(capsys.readouterr().out)["events"] if event["place"]} == {"ec2"}


def test_the_picture_has_a_bar_for_each_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--json", "--picture", str(tmp_path / "week.svg")]) == Exit.OK
    sessions = {
        event["session"] for event in json.loads(capsys.readouterr().out)["events"] if event["what"] == "begins"
    }
    drawn = ET.parse(tmp_path / "week.svg").getroot()
    titles = {each.text or "" for each in drawn.iter(f"{SVG}title")}
    assert sessions
    assert sessions <= {int(text.split()[1].rstrip(":")) for text in titles if text.startswith("session")}


def test_nothing_of_it_stays(boring_environment: Path) -> None:
    assert run([*SHORT]) == Exit.OK
    assert not list(boring_environment.iterdir())


def test_a_broken_promise_is_said_with_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Spot, "fate", lambda _spot, _ref: Fate(life=Life.GONE, why="it is gone"))
    assert run([*SHORT]) == Exit.INTEGRITY
    said = capsys.readouterr().err
    assert said.startswith("error: a promise was broken: week: session ")
    assert "was declared lost (it is gone) while it waited at" in said
    assert "--seed 3" in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--backend", "gradient"), '"gradient" cannot be rehearsed'),
        (("--backend", "moon"), '"moon"'),
        (("--gpu", "H100"), 'none of these backends has a GPU "H100"'),
        (("--picture", "/nowhere/week.svg", "--days", "0.1"), "/nowhere/week.svg"),
        (("gan-of-nobody",), '"gan-of-nobody"'),
    ],
)
def test_what_cannot_be_is_refused(typed: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse", *typed]) == Exit.USAGE
    assert said in capsys.readouterr().err
