"""The workflow that is handed out is one, and types commands and settings that there are."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from facegan.home import VARIABLE
from jobs import settings
from jobs.backends import BACKENDS, open_backend
from jobs.cli import COMMANDS
from jobs.settings import KEYS
from jobs.supervision.policy import Allowed

FILE = Path(__file__).parents[2] / "infra" / "watch.yml"
PROJECT = FILE.parents[1] / "pyproject.toml"

LEFT_OUT = {
    "host": "of an engine, and none is spoken to there",
    "memory": "of sessions in containers of an engine, of which none is begun there",
    "cpus": "of sessions in containers of an engine, of which none is begun there",
}


def workflow() -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(FILE.read_text())
    return found


def test_it_runs_on_a_schedule_and_never_twice_at_once() -> None:
    found = workflow()
    (schedule,) = found[True]["schedule"]  # YAML 1.1 reads the key `on` as a truth
    minutes, *rest = schedule["cron"].split()
    assert [int(minute) for minute in minutes.split(",")] == [7, 22, 37, 52]
    assert rest == ["*"] * 4
    assert found["concurrency"] == {"group": "watch", "cancel-in-progress": False}
    assert found["permissions"] == {"contents": "read"}


def test_what_it_types_is_a_command_and_what_it_sets_a_setting() -> None:
    (job,) = workflow()["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step][-1] == "facegan-job watch --once"
    assert "watch" in COMMANDS
    settings = {name for name in job["env"] if name.startswith("FACEGAN_")}
    assert settings <= {f"FACEGAN_{key.upper()}" for key in KEYS} | {VARIABLE}


def test_every_setting_is_handed_on_but_those_of_one_machine_alone() -> None:
    """A backend that is set up where the run was submitted would not be where it is watched."""
    assert set(LEFT_OUT) < set(KEYS)
    handed = {name for name in workflow()["jobs"]["watch"]["env"] if name.startswith("FACEGAN_")} - {VARIABLE}
    assert handed == {f"FACEGAN_{key.upper()}" for key in KEYS if key not in LEFT_OUT}


def test_variables_that_are_not_set_settle_nothing(tmp_path: Path) -> None:
    """GitHub hands on an empty text for each."""
    empty = {name: "" for name in workflow()["jobs"]["watch"]["env"] if name not in {VARIABLE, "FACEGAN_STORE"}}
    found = settings.load(environment={**empty, VARIABLE: str(tmp_path), "FACEGAN_BACKEND": "kaggle"}, folder=tmp_path)
    Allowed(settings=found).policy(None)
    for name in BACKENDS:
        assert open_backend(name, found).name == name


def installed() -> set[str]:
    """The extras that it installs."""
    (install,) = (step["run"] for step in steps() if "pip install" in step.get("run", ""))
    return set(re.findall(r"facegan-job\[([a-z,]+)\]", install)[0].split(","))


def test_what_it_installs_has_what_it_sets_and_all_of_it_is_there() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    assert {"aws", "gce", "track"} <= installed() <= set(extras)
    assert "facegan-job[gcp]" in extras["gce"]


def test_no_session_can_begin_there() -> None:
    """It would die with the visit. MLflow brings what speaks to an engine, so that the engine is stopped first."""
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    wanted, found = set(installed()), set[str]()
    while wanted:
        found.add(extra := wanted.pop())
        wanted |= {more for line in extras[extra] for more in re.findall(r"facegan-job\[([a-z-]+)\]", line)} - found
    assert not [line for extra in found for line in extras[extra] if re.match("tensorflow|keras|docker", line)]
    assert steps()[0]["run"] == "sudo systemctl stop docker.socket docker.service"


@pytest.mark.parametrize("key", ["", '{"type": "service_account",\n "private_key": "a\\nb $HOME"}\n'])
def test_the_key_of_google_comes_into_a_file_of_its_own(tmp_path: Path, key: str) -> None:
    (step,) = (step for step in steps() if "GOOGLE_KEY" in step.get("env", {}))
    assert step["env"]["GOOGLE_KEY"] == "${{ secrets.GOOGLE_KEY }}"
    later, made = tmp_path / "later", tmp_path / "google.json"
    later.touch()
    given = {"PATH": os.environ["PATH"], "GOOGLE_KEY": key, "RUNNER_TEMP": str(tmp_path), "GITHUB_ENV": str(later)}
    done = subprocess.run(["bash", "-e", "-c", step["run"]], env=given, capture_output=True, check=True)
    assert not done.stdout + done.stderr
    assert made.exists() is bool(key)
    if key:
        assert made.read_text() == key
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
        assert later.read_text() == f"GOOGLE_APPLICATION_CREDENTIALS={made}\n"


def test_what_was_told_is_kept_from_one_visit_to_the_next() -> None:
    """A key that is new each time is saved each time; the newest that begins so is taken up."""
    found = steps()
    visit = next(number for number, step in enumerate(found) if "facegan-job watch" in step.get("run", ""))
    (restored,) = (step for step in found[:visit] if step.get("uses", "").startswith("actions/cache/restore@"))
    (saved,) = (step for step in found[visit:] if step.get("uses", "").startswith("actions/cache/save@"))
    home = workflow()["jobs"]["watch"]["env"][VARIABLE]
    assert restored["with"]["path"] == saved["with"]["path"] == home
    assert "github.run_id" in saved["with"]["key"]
    assert saved["with"]["key"].startswith(restored["with"]["restore-keys"])
    assert saved["if"] == "always()", "a run that is given up fails the visit"


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow()["jobs"]["watch"]["steps"]
    return found


def test_every_secret_comes_from_where_secrets_are() -> None:
    for name, value in workflow()["jobs"]["watch"]["env"].items():
        if name == VARIABLE:
            continue
        place = "secrets" if re.search("KEY|TOKEN|TRACKING|NOTIFY", name) else "vars"
        assert value.startswith(f"${{{{ {place}.{name}"), name


def test_the_page_names_all_that_is_to_be_set() -> None:
    page = (FILE.parents[1] / "docs" / "relay.md").read_text()
    for name in re.findall(r"(?:vars|secrets)\.(\w+)", FILE.read_text()):
        assert f"`{name}`" in page, name
