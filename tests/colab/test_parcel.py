"""What is put on a machine of Colab's, what it is called, and how the command signs in."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from jobs.backends.colab import command, naming, parcel
from tests.colab.submitting import order

STORE = "s3://bucket/prefix"


def test_equal_orders_make_equal_bytes() -> None:
    asked: dict[str, Any] = {"run_url": STORE, "number": 3, "gpu": None}
    whole = parcel.pack(asked, b"a wheel")
    assert whole == parcel.pack(dict(reversed(asked.items())), b"a wheel")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert json.loads(archive.read("order.json")) == asked
        assert archive.read("wheel") == b"a wheel"


def test_a_name_is_the_sessions_alone() -> None:
    mine = naming.name(order(3, run="my_run.1"))
    assert mine.startswith("facegan-my-run-1-")
    assert naming.number_of(mine, order(run="my_run.1").run_url) == 3
    assert naming.number_of(mine, order(run="my-run-1").run_url) is None


def test_how_to_sign_in_is_said_always(tmp_path: Path) -> None:
    """The command's help and its manual name different defaults."""
    here = {"HOME": str(tmp_path)}
    assert command.strategy(here) == "oauth2"
    assert command.strategy({**here, "GOOGLE_APPLICATION_CREDENTIALS": "/a"}) == "adc"
    defaults = tmp_path / ".config/gcloud" / command.DEFAULT_CREDENTIALS
    defaults.parent.mkdir(parents=True)
    defaults.touch()
    assert command.strategy(here) == "adc"
    token = tmp_path / command.SIGNED_IN_BY
    token.parent.mkdir(parents=True)
    token.touch()
    assert command.strategy(here) == "oauth2"
