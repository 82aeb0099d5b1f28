"""What goes wrong on the way to the stand-in for Kaggle. The marks are those of `rules`."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import AFTER, BEFORE, DROP
from tests.kaggle.calling import SLEEP, bearer, push, send, status
from tests.waiting import until


@pytest.mark.parametrize(("when", "kernels"), [(BEFORE, 0), (AFTER, 1)])
def test_a_server_error_says_nothing_of_the_effect(kaggle: Kaggle, when: str, kernels: int) -> None:
    # A 5xx on a push may have made the kernel [F]: the two cannot be told apart by the answer.
    kaggle.faults.fail("SaveKernel", when=when, code=500)
    answer = push(kaggle)
    assert (answer.code, answer.json["code"]) == (500, 500)
    assert len(kaggle.kernels.all()) == kernels


@pytest.mark.parametrize(("when", "kernels"), [(BEFORE, 0), (AFTER, 1)])
def test_a_connection_breaks_before_or_after_the_effect(kaggle: Kaggle, when: str, kernels: int) -> None:
    # Networks do.
    kaggle.faults.fail("SaveKernel", when=when, code=DROP)
    with pytest.raises(http.client.RemoteDisconnected):
        push(kaggle)
    assert len(kaggle.kernels.all()) == kernels
    assert status_after(kaggle) == ("RUNNING" if kernels else "none")


def status_after(kaggle: Kaggle) -> str:
    if not kaggle.kernels.all():
        return "none"
    until(lambda: status(kaggle, "first-one") != "QUEUED")
    return "RUNNING" if status(kaggle, "first-one") in {"RUNNING", "COMPLETE"} else "other"


@pytest.mark.parametrize("code", [200, 429, 503])
def test_what_stands_in_front_answers_in_html(kaggle: Kaggle, code: int) -> None:
    # Clients then say "Expecting value: line 1 column 1"; the official one, only of status 200 [F, S].
    kaggle.faults.fail(code=code)
    answer = push(kaggle)
    assert answer.code == code
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.data.startswith(b"<!DOCTYPE html>")


def test_the_nth_request_and_those_after_it(kaggle: Kaggle) -> None:
    # Counted among those that fit.
    push(kaggle, text=SLEEP)
    kaggle.faults.fail("Status", nth=2, times=2)
    path, who = "/v1/kernels.KernelsApiService/GetKernelSessionStatus", bearer(kaggle.account.token)
    codes = [send(kaggle, "POST", path, b'{"userName": "ada", "kernelSlug": "first-one"}', who).code for _ in range(4)]
    assert codes == [200, 500, 500, 200]


def test_too_many_requests(kaggle: Kaggle) -> None:
    # 429, in HTML [F].
    kaggle.set(rate=(3, 60.0))
    codes = [send(kaggle, "GET", "/signed/none").code for _ in range(5)]
    assert codes == [404, 404, 404, 429, 429]


def test_every_request_is_told_of_before_and_after_its_effect(kaggle: Kaggle) -> None:
    # Where a test kills the client.
    seen: list[Any] = []
    kaggle.faults.watcher = lambda request, when: seen.append((request.call, when, len(kaggle.kernels.all())))
    push(kaggle)
    until(lambda: len(seen) > 1)  # the second is told once the answer is out
    assert seen == [
        ("kernels.KernelsApiService/SaveKernel", BEFORE, 0),
        ("kernels.KernelsApiService/SaveKernel", AFTER, 1),
    ]
    assert kaggle.faults.requests[0].authorization == f"Bearer {kaggle.account.token}"


def test_a_stream_of_log_lines_is_cut_in_its_middle(kaggle: Kaggle) -> None:
    # By the load balancer, now and then; the client reconnects and leaves out what it has [S].
    kaggle.set(events_before_cut=2)
    push(kaggle, text="import time\nfor n in range(9): print(n, flush=True)\ntime.sleep(30)")
    until(lambda: "8\n" in kaggle.session("first-one").log.plain())
    with pytest.raises(http.client.IncompleteRead) as cut:
        send(kaggle, "GET", "/v1/kernels/logs/stream/ada/first-one", headers=bearer(kaggle.account.token))
    assert cut.value.partial.count(b"data:") == 2
