"""One session for a number, whatever breaks."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jobs.backends.kaggle.backend import KaggleBackend
from jobs.refusals import Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import AFTER, BEFORE, DROP, Request
from tests.kaggle.looking import NAME, calls, nobody
from tests.kaggle.submitting import backend, hand, order
from tests.waiting import until

ROOT = Path(__file__).parents[2]


def test_a_session_is_submitted_once(service: Kaggle, here: KaggleBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), hand)
    assert ref == {"kernel": f"ada/{NAME}", "url": f"https://www.kaggle.com/code/ada/{NAME}"}
    assert here.submit(order(), nobody) == ref
    assert backend(tmp_path / "another").submit(order(), nobody) == ref
    assert len(calls(service, "SaveKernel")) == 1
    assert here.host == "ada"


def test_one_that_has_ended_is_not_pushed_again(service: Kaggle, here: KaggleBackend) -> None:
    ref = here.submit(order(), hand)
    service.over(NAME)
    assert here.look_up(order()) is None
    assert here.submit(order(), nobody) == ref
    assert len(service.kernels.sessions()) == 1


def test_it_is_found_by_its_name_while_it_lives(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    assert here.look_up(order()) is None
    ref = here.submit(order(), hand)
    assert here.look_up(order()) == ref
    assert here.look_up(order(2)) is None


@pytest.mark.parametrize("code", [DROP, 500, 503, 429])
def test_a_push_whose_answer_is_lost_is_looked_up(service: Kaggle, here: KaggleBackend, code: int) -> None:
    service.faults.fail("SaveKernel", when=AFTER, code=code)
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    here.submit(order(), nobody)
    assert len(service.kernel(NAME).versions) == 1


def test_a_push_that_lands_late_is_waited_for(service: Kaggle, tmp_path: Path) -> None:
    """The first command is gone; its push is still on its way when the second one looks for the first time."""
    looked = threading.Event()

    def hold(request: Request, when: str) -> None:
        if request.call.endswith("SaveKernel") and when == BEFORE:
            assert begun.wait(300)
            first.kill()
            first.wait()
            gone.set()
            assert looked.wait(300)
        if request.call.endswith("GetKernelSessionStatus") and when == AFTER and gone.is_set():
            looked.set()

    begun, gone = threading.Event(), threading.Event()
    service.faults.watcher = hold
    first = subprocess.Popen([sys.executable, "-m", "tests.kaggle.submitting", str(tmp_path)], cwd=ROOT)
    begun.set()
    assert gone.wait(300)
    second = backend(tmp_path, sleep=lambda _: until(lambda: any(service.kernels.all())))
    second.submit(order(), nobody)
    service.faults.watcher = None
    assert len(service.kernel(NAME).versions) == 1


def test_a_push_that_never_landed_is_sent_again_after_two_looks(service: Kaggle, here: KaggleBackend) -> None:
    service.faults.fail("SaveKernel", when=BEFORE, code=503)
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    before = len(calls(service, "GetKernelSessionStatus"))
    here.submit(order(), hand)
    assert len(calls(service, "GetKernelSessionStatus")) == before + 2
    assert len(service.kernel(NAME).versions) == 1


def test_when_kaggle_does_not_answer_nothing_is_sent(service: Kaggle, here: KaggleBackend) -> None:
    service.faults.fail("GetKernelSessionStatus", code=503, times=99)
    with pytest.raises(Uncertain):
        here.submit(order(), nobody)
    with pytest.raises(Uncertain):
        here.look_up(order())
    assert not calls(service, "SaveKernel")
