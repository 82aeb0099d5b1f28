"""The client: what is asked again and what is not, and which answers say something."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from facegan.errors import BadInputError
from jobs.backends.kaggle import answers, api
from jobs.backends.kaggle.answers import State
from jobs.backends.kaggle.api import Api
from jobs.backends.kaggle.refusals import AnswerError
from jobs.refusals import Auth, Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import AFTER, DROP

PUSH = {
    "slug": "ada/hello-there",
    "newTitle": "hello-there",
    "text": "1",
    "language": "python",
    "kernelType": "script",
}


def client(kaggle: Kaggle, sleep: Callable[[float], object] = lambda _: None) -> Api:
    return Api(kaggle.url, f"Bearer {kaggle.account.token}", sleep)


def calls(kaggle: Kaggle, name: str) -> int:
    return sum(1 for request in kaggle.faults.requests if name in request.call)


def test_a_question_is_asked_again(kaggle: Kaggle) -> None:
    pauses: list[float] = []
    kaggle.faults.fail("Quota", code=503, times=2)
    assert client(kaggle, pauses.append).quota().left_s == 30 * 3600
    assert pauses == list(api.PATIENT.again_s)


@pytest.mark.parametrize("answer", [{}, {"gpuQuota": {"timeUsed": "5s"}}])
def test_a_quota_that_is_not_said_is_not_none(
    kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]
) -> None:
    here = client(kaggle)
    monkeypatch.setattr(here, "_ask", lambda *_: answer)
    with pytest.raises(Uncertain, match="does not say how much"):
        here.quota()
    here.require_known()


@pytest.mark.parametrize("code", [DROP, 429, 500, 502, 503])
def test_no_answer_is_uncertain_in_the_end(kaggle: Kaggle, code: int) -> None:
    kaggle.faults.fail("Quota", code=code, times=99)
    with pytest.raises(Uncertain):
        client(kaggle).quota()
    assert calls(kaggle, "Quota") == 3


@pytest.mark.parametrize("code", [DROP, 429, 500, 503])
def test_a_push_is_sent_once(kaggle: Kaggle, code: int) -> None:
    kaggle.faults.fail("SaveKernel", when=AFTER, code=code, times=99)
    with pytest.raises(Uncertain):
        client(kaggle).save_kernel(PUSH)
    assert calls(kaggle, "SaveKernel") == 1
    assert len(kaggle.kernels.sessions()) == 1


def test_what_is_not_there_is_told_from_what_we_may_not_see(kaggle: Kaggle) -> None:
    assert client(kaggle).status("ada", "none") is None
    with pytest.raises(Auth):
        Api(kaggle.url, "Bearer ended", lambda _: None).status("ada", "none")


def test_quota_is_in_seconds_and_says_when_there_is_more(kaggle: Kaggle) -> None:
    kaggle.account.spend(kaggle.clock, hours=2.5)
    quota = client(kaggle).quota()
    assert (quota.used_s, quota.left_s) == (9000.0, 27.5 * 3600)
    assert quota.refresh is not None
    assert (quota.refresh.weekday(), quota.refresh.hour) == (5, 0)


def test_a_file_goes_up_without_our_token(kaggle: Kaggle) -> None:
    token = client(kaggle).upload("handed.json", b"{}")
    assert kaggle.blobs.taken("ada", token).path.read_bytes() == b"{}"
    upload = next(request for request in kaggle.faults.requests if request.verb == "PUT")
    assert upload.authorization == ""


def test_a_data_set_can_be_deleted_twice(kaggle: Kaggle) -> None:
    asked = client(kaggle)
    asked.create_dataset("ada", "parcel-1", [asked.upload("x", b"x")])
    assert asked.datasets("parcel") == ["parcel-1"]
    asked.delete_dataset("ada", "parcel-1")
    asked.delete_dataset("ada", "parcel-1")
    assert asked.datasets("parcel") == []


def test_a_name_that_is_taken_is_an_answer(kaggle: Kaggle) -> None:
    asked = client(kaggle)
    for again in (False, True):
        token = asked.upload("x", b"x")
        if not again:
            asked.create_dataset("ada", "parcel-1", [token])
            continue
        with pytest.raises(AnswerError, match="already in use"):
            asked.create_dataset("ada", "parcel-1", [token])


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("RUNNING", State.RUNNING),
        ("running", State.RUNNING),
        ("KernelWorkerStatus.COMPLETE", State.COMPLETE),
        (None, State.QUEUED),
        ("", State.QUEUED),
        ("NEW_SCRIPT", State.UNKNOWN),
        ("ASLEEP", State.UNKNOWN),
    ],
)
def test_states_go_by_several_spellings_and_none_is_the_default(said: object, state: State) -> None:
    assert answers.state(said) is state


def test_an_unknown_state_is_no_end() -> None:
    assert State.UNKNOWN not in answers.ENDED
    assert set(State) == {*answers.ALIVE, *answers.ENDED, State.UNKNOWN}


def test_the_place_is_kaggles_unless_its_own_variable_says_otherwise() -> None:
    assert api.endpoint({}) == "https://api.kaggle.com"
    assert api.endpoint({"KAGGLE_API_ENVIRONMENT": "LOCALHOST"}) == "http://localhost/api"
    with pytest.raises(BadInputError, match='"MOON"'):
        api.endpoint({"KAGGLE_API_ENVIRONMENT": "MOON"})


def test_the_proxy_of_the_environment_is_used(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kaggle.client_environment().items():
        monkeypatch.setenv(name, value)
    asked = Api("http://localhost/api", f"Bearer {kaggle.account.token}", lambda _: None)
    assert asked.introspect(kaggle.account.token) == "ada"


@pytest.fixture
def odd() -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one raw answer after the other, and its URL."""
    answers: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(answers.pop(0) if answers else b"")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", answers
        server.shutdown()


def http(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html>busy</html>"),
        http("200 OK", b"[1]"),
        http("200 OK", b'{"code": 503, "message": "busy"}'),
        http("302 Found", b"", "Location: http://127.0.0.1:1/elsewhere"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["a page", "no object", "an error in it", "a redirect", "cut off", "no HTTP", "nothing"],
)
def test_an_answer_that_says_nothing_is_uncertain(odd: tuple[str, list[bytes]], answer: bytes) -> None:
    url, answers = odd
    answers.append(answer)
    with pytest.raises(Uncertain):
        Api(url, "Bearer x", lambda _: None).save_kernel({})


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (http("403 Forbidden", b""), 403, ""),
        (http("400 Bad Request", b"<html>"), 400, ""),
        (http("409 Conflict", b'{"code": 409, "message": "taken"}'), 409, "taken"),
        (http("200 OK", b'{"code": 403, "message": "denied"}'), 403, "denied"),
    ],
)
def test_an_answer_that_is_no_says_so(odd: tuple[str, list[bytes]], answer: bytes, status: int, text: str) -> None:
    url, answers = odd
    answers.append(answer)
    with pytest.raises(AnswerError) as caught:
        Api(url, "Bearer x", lambda _: None).save_kernel({})
    assert (caught.value.status, caught.value.text) == (status, text)


def test_it_does_not_wait_for_ever() -> None:
    soon = api.Patience(timeout_s=0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Uncertain, match="timed out"):
        Api(f"http://127.0.0.1:{silent.getsockname()[1]}", "Bearer x", lambda _: None, soon).save_kernel({})
