"""What `submit` and `resume` say one can type next, while a session is on its way: only what is not refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.storage.memory import MemoryStore
from jobs.cli import attach
from jobs.errors import Exit
from tests.unit.jobs import world

HERE = {"backend": "local"}
AWAY = {"backend": "kaggle", "carried": True, "ref": {"kernel": "ada/x"}}


@pytest.mark.parametrize("asked", [(HERE, "stop", "wait"), (AWAY, "wait", "stop")])
@pytest.mark.parametrize("detach", [True, False])
def test_only_words_that_its_session_hears_are_named(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[dict[str, object], str, str],
    detach: bool,
) -> None:
    intent, word, refused = asked
    store = MemoryStore()
    ledger = world.create(store)
    world.append(store, "intent", session=1, **intent)
    ledger.refresh()
    monkeypatch.setattr(attach, "follow", _interrupted)
    context = world.context(home, store)
    code = attach.attach(context, ledger, detach=detach, json=False)
    said = capsys.readouterr().err
    assert code == (Exit.OK if detach else Exit.DETACHED)
    assert f"facegan-job {word} {world.RUN}" in said
    assert f"facegan-job {refused} {world.RUN}" not in said


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
