"""A spot machine is taken back in the middle of a run: with a notice, and without. Nobody can tell afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ec2.cloud import IMAGE, Cloud, living
from tests.ec2.submitting import store
from tests.ec2.toys import SLOW
from tests.ec2.user import became, entries, ledger, submit, typed
from tests.fakes.ec2 import Ec2
from tests.fakes.living import TOY
from tests.waiting import until

STEPS = 200
NOTICE = {"action": "terminate", "time": "2099-01-01T00:00:00Z"}


@pytest.fixture
def cloud(aws: Ec2, tmp_path: Path, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    told = {
        "STORE": store(aws.url),
        "BACKEND": "ec2",
        "IMAGE": IMAGE,
        "AMI": "/facegan/ami",
        "HOME": boring_environment,
    }
    for name, value in told.items():
        monkeypatch.setenv(f"FACEGAN_{name}", str(value))
    monkeypatch.setattr("jobs.loopback.of_store", lambda *_: None)  # the stand-in's machines are this one
    with living(aws, tmp_path) as found:
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
    until(lambda: ledger("noticed").fold.reached >= STEPS // 2)
    cloud.metadata.action = NOTICE
    cloud.wait()
    cloud.metadata.action = None
    hold.unlink()
    (report,) = entries("noticed", "report")
    assert report["outcome"] == "interrupted"
    assert report["why"] == f"EC2 will terminate this machine at {NOTICE['time']}"
    fold = ledger("noticed").fold
    assert (fold.reached, fold.good[-1][1]) == (report["step"], report["step"]), "no step was lost"
    assert STEPS // 2 <= fold.reached < STEPS
    typed("resume", "noticed", "--gpu", "t4", "-d")
    cloud.wait()
    assert became("noticed", tmp_path / "noticed") == untouched

    hold.touch()
    submit("unnoticed", STEPS)
    until(lambda: ledger("unnoticed").fold.reached >= STEPS // 2)
    cloud.take()
    hold.unlink()
    last = ledger("unnoticed").fold.good[-1][1]
    typed("resume", "unnoticed", "--gpu", "t4", "-d")
    cloud.wait()
    assert [each["why"] for each in entries("unnoticed", "lost")] == ["EC2 took its spot machine back"]
    assert [each["step"] for each in entries("unnoticed", "restored")] == [0, last]
    assert became("unnoticed", tmp_path / "unnoticed") == untouched

    wheres = [each.where for each in cloud.aws.ran()]
    assert len(wheres) == 5
    assert set(wheres) == {("g4dn.xlarge", "us-east-1a")}, "each on a machine like the first"
    assert all(each._state.name == "terminated" for each in cloud.aws.machines())
    typed("reap")
    assert "0 machines of ours" in capsys.readouterr().err


def test_a_machine_that_fails_is_gone_and_status_says_why(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.docker = (
        "#!/bin/bash\ncase $1 in login | cp) cat >/dev/null ;; start) echo Segmentation fault; exit 139 ;; esac\n"
    )
    submit("broken", STEPS)
    cloud.wait()
    assert [each._state.name for each in cloud.aws.machines()] == ["terminated"]
    typed("wait", "broken", code=101)
    capsys.readouterr()
    typed("status", "broken")
    assert "its container ended with exit code 139, without a report" in capsys.readouterr().out
