"""A spot machine is taken back in the middle of a run: with a notice, and without. Nobody can tell afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ec2.toys import SLOW
from tests.ec2.user import became, entries, ledger, submit, typed
from tests.fakes.gce import Gce, zone_of
from tests.fakes.living import TOY
from tests.gce.cloud import Cloud, living
from tests.gce.submitting import IMAGE, STORE
from tests.waiting import until

STEPS = 100


@pytest.fixture
def cloud(google: Gce, tmp_path: Path, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    told = {"STORE": f"{STORE}/taken", "BACKEND": "gce", "IMAGE": IMAGE, "HOME": boring_environment}
    for name, value in told.items():
        monkeypatch.setenv(f"FACEGAN_{name}", str(value))
    monkeypatch.setattr("jobs.loopback.of_store", lambda *_: None)  # the stand-in's machines are this one
    with living(google, tmp_path) as found:
        found.program = TOY
        yield found


def test_taken_back_with_a_notice_and_without_one_it_ends_as_if_untouched(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    submit("untouched", STEPS)
    cloud.wait()
    untouched = became("untouched", tmp_path / "untouched")
    assert untouched.step == STEPS

    hold = cloud.folder / "hold"
    hold.write_text(SLOW)
    submit("noticed", STEPS)
    until(lambda: ledger("noticed").fold.reached >= STEPS // 2 - 10)
    cloud.metadata.preempted = True
    cloud.wait()
    cloud.metadata.preempted = False
    hold.unlink()
    (report,) = entries("noticed", "report")
    assert (report["outcome"], report["why"]) == ("interrupted", "Compute Engine takes this machine back")
    assert ledger("noticed").fold.good[-1][1] == report["step"], "no step was lost"
    assert report["step"] < STEPS
    typed("resume", "noticed", "--gpu", "t4", "-d")
    cloud.wait()
    assert became("noticed", tmp_path / "noticed") == untouched

    hold.touch()
    submit("unnoticed", STEPS)
    until(lambda: ledger("unnoticed").fold.reached >= STEPS // 2 - 10)
    cloud.take()
    hold.unlink()
    last = ledger("unnoticed").fold.good[-1][1]
    typed("resume", "unnoticed", "--gpu", "t4", "-d")
    cloud.wait()
    assert [each["why"] for each in entries("unnoticed", "lost")] == ["Compute Engine took its spot machine back"]
    assert [each["step"] for each in entries("unnoticed", "restored")] == [0, last]
    assert became("unnoticed", tmp_path / "unnoticed") == untouched

    asked = cloud.google.inserted()
    assert [each.where for each in asked] == [("n1-standard-4", "us-central1-a")] * 5, "each on one like the first"
    assert not [zone_of(each) for each in cloud.google.instances]
    typed("reap")
    assert "0 machines of ours" in capsys.readouterr().err

    left = {"id": "77", "status": "TERMINATED", "creationTimestamp": "2026-01-01T00:00:00.000-07:00"}
    cloud.google.instances.append({**asked[0].body, **left, "zone": "zones/us-central1-a"})
    typed("reap")
    assert "untouched" in capsys.readouterr().out
    assert not cloud.google.instances, "one that could not delete itself is found, too"
