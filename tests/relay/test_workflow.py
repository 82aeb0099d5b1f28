"""The workflow that is handed out is one, and types commands and settings that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from jobs.cli import COMMANDS
from jobs.settings import KEYS

FILE = Path(__file__).parents[2] / "infra" / "watch.yml"


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
    assert job["steps"][-1]["run"] == "facegan-job watch --once"
    assert "watch" in COMMANDS
    settings = {name for name in job["env"] if name.startswith("FACEGAN_")}
    assert settings <= {f"FACEGAN_{key.upper()}" for key in KEYS}


def test_every_secret_comes_from_where_secrets_are() -> None:
    for name, value in workflow()["jobs"]["watch"]["env"].items():
        place = "secrets" if re.search("KEY|TOKEN|TRACKING", name) else "vars"
        assert value.startswith(f"${{{{ {place}.{name}"), name


def test_the_page_names_all_that_is_to_be_set() -> None:
    page = (FILE.parents[1] / "docs" / "relay.md").read_text()
    for name in re.findall(r"(?:vars|secrets)\.(FACEGAN_\w+|KAGGLE_\w+|AWS_\w+KEY\w*)", FILE.read_text()):
        assert f"`{name}`" in page, name
