"""The workflow that is handed out is one, and types commands and settings that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from facegan.home import VARIABLE
from jobs.cli import COMMANDS
from jobs.settings import KEYS

FILE = Path(__file__).parents[2] / "infra" / "watch.yml"
PROJECT = FILE.parents[1] / "pyproject.toml"


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


def test_what_it_installs_has_what_it_sets_and_all_of_it_is_there() -> None:
    (install,) = (step["run"] for step in steps() if "pip install" in step.get("run", ""))
    extras = set(re.findall(r"facegan-job\[([a-z,]+)\]", install)[0].split(","))
    assert {"aws", "track"} <= extras <= set(tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"])


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
