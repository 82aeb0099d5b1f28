"""What the kill tests share."""

from __future__ import annotations

import pytest


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """These processes die; the machine does not: waiting for the disk would show nothing."""
    monkeypatch.setattr("os.fsync", lambda _handle: None)
