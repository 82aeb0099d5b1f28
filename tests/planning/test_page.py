"""The plan that docs/plan.md shows is what the program prints, at places that say what the page says of them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facegan.storage.memory import MemoryStore
from jobs.backends.colab import facts
from jobs.cli import plan as command
from jobs.refusals import Auth
from tests.planning.backends import Places, Says
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plan.md"
NOW = datetime(2026, 11, 29, 18, tzinfo=UTC).timestamp()
WIDE = 140  # columns
TYPED = "facegan-job plan dcgan-radford --gpu t4 --set training.images=24000000 --backend kaggle,colab,ec2 --budget 6"


def test_the_plan_on_the_page(cli: Cli, home: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    saturday = datetime(2026, 12, 5, tzinfo=UTC).timestamp()
    places.put(
        kaggle=Says(cap_h=12, left_h=21, resets_at=saturday),
        colab=Says(silent=Auth("the colab command is not signed in", hint=facts.SIGN_IN)),
        ec2=Says(cap_h=23, gpus=("T4", "L4", "A10G")),
    )
    here = world.context(home, MemoryStore())
    here = dataclasses.replace(here, writer=world.writer(wall_s=lambda: NOW))
    monkeypatch.setattr(command.contexts, "real", lambda _settings: here)
    said = cli(*TYPED.split()[1:])
    assert said.code == 0
    shown = PAGE.read_text(encoding="utf-8").partition(f"```text\n$ {TYPED}\n")[2].partition("```")[0]
    assert shown == said.out + said.err, f"{said.out}{said.err}"
    assert max(map(len, said.out.splitlines())) <= WIDE


def test_the_first_screen_shows_the_plan_of_the_page() -> None:
    """Its sessions and its end, word for word; that one place is unfit, and what it rests on, is for the page."""
    shown = PAGE.read_text(encoding="utf-8").partition(f"$ {TYPED}\n")[2].partition("```")[0].splitlines()
    kept = [line for line in shown if line[:1].isdigit() or line.startswith(("LEG", "done "))]
    assert len(kept) > 3
    assert "\n".join(["```text", *kept, "```"]) in (ROOT / "README.md").read_text(encoding="utf-8")
