"""The port, held against the stand-in: one session for a number, whatever breaks, and nothing concluded too early."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.kaggle import facts, kernel
from jobs.backends.kaggle.backend import KaggleBackend
from jobs.refusals import Auth, Capacity, InvalidJob, Quota, Refusal, Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import AFTER, BEFORE, DROP, Request
from tests.kaggle.submitting import CANARY, backend, hand, order

ROOT = Path(__file__).parents[2]
NAME = kernel.name(order())


@pytest.fixture
def service(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> Kaggle:
    """A Kaggle that is quick, and that this process' environment leads to."""
    kaggle.set(queue_s=5.0, dataset_hidden_s=2.0, dataset_processing_s=4.0)
    for name, value in kaggle.client_environment().items():
        monkeypatch.setenv(name, value)
    return kaggle


@pytest.fixture
def here(service: Kaggle, tmp_path: Path) -> KaggleBackend:  # noqa: ARG001 - after it
    return backend(tmp_path)


def calls(service: Kaggle, name: str) -> list[Request]:
    return [request for request in service.faults.requests if name in request.call]


def left(service: Kaggle) -> set[str]:
    """The names of the data sets that are there."""
    service.clock.skip(hours=1)  # none is hidden any more
    found = service.datasets.listed(service.account, {"group": "DATASET_SELECTION_GROUP_MY", "pageSize": 100})
    return {each["ref"].partition("/")[2] for each in found["datasets"]}


def nobody() -> None:
    pytest.fail("no credentials are made for a session that is there")


def words(refusal: Refusal) -> str:
    return f"{refusal.message} {refusal.hint}"


# --- one session for a number ---------------------------------------------------------------------


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


def kill_at(service: Kaggle, home: Path, place: int, when: str) -> bool:
    """Submit in a process that is killed at its request of that number; whether it came so far."""
    landed, first = threading.Event(), len(service.faults.requests)
    child = subprocess.Popen([sys.executable, "-m", "tests.kaggle.submitting", str(home)], cwd=ROOT)

    def watch(request: Request, now: str) -> None:
        if request.n == first + place:
            if now == when:
                child.kill()
                child.wait()
            if now == AFTER:
                landed.set()

    service.faults.watcher = watch
    killed = child.wait(timeout=60) != 0
    if killed:
        landed.wait(0.3)  # what was sent does its work; where nobody takes its answer, nothing tells us
    service.faults.watcher = None
    return killed


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_killed_at_any_request_and_repeated_it_makes_one_session(service: Kaggle, tmp_path: Path, when: str) -> None:
    place, reached = 1, True
    while reached:
        home = tmp_path / f"{place}"
        reached = kill_at(service, home, place, when)
        backend(home).submit(order(), hand)
        assert len(service.kernel(NAME).versions) == 1, f"killed {when} request {place}"
        service.over(NAME)
        backend(home).sweep(order().run_url, keep=())
        assert not left(service)
        backend(home).delete({"kernel": f"ada/{NAME}"})
        place += 1
    assert place > 9, "every request was its turn"


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
            first.kill()
            first.wait()
            gone.set()
            assert looked.wait(20)
        if request.call.endswith("GetKernelSessionStatus") and when == AFTER and gone.is_set():
            looked.set()

    gone = threading.Event()
    first = subprocess.Popen([sys.executable, "-m", "tests.kaggle.submitting", str(tmp_path)], cwd=ROOT)
    service.faults.watcher = hold
    assert gone.wait(60)
    second = backend(tmp_path, sleep=lambda _: service.until(lambda: any(service.kernels.all())))
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


# --- refusals -------------------------------------------------------------------------------------


def test_two_sessions_at_once_are_enough(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    for number in (1, 2):
        here.submit(order(number, gpu="T4"), hand)
    with pytest.raises(Capacity, match="session count of 2"):
        here.submit(order(3, gpu="T4"), hand)
    here.submit(order(3), hand)


def test_a_quota_that_is_used_up_says_until_when(service: Kaggle, here: KaggleBackend) -> None:
    service.account.spend(service.clock, hours=30)
    with pytest.raises(Quota, match=r"weekly GPU quota of 30\.00 hours") as caught:
        here.submit(order(gpu="T4"), hand)
    assert caught.value.resets_at == here.quota().refresh
    assert here.quota().left_s == 0
    with pytest.raises(StopIteration):
        service.kernel(NAME)


def test_words_nobody_knows_are_repeated(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    service.set(unverified_error="The moon is in the wrong house")
    with pytest.raises(InvalidJob, match="The moon is in the wrong house"):
        here.submit(order(gpu="T4"), hand)


def test_a_phone_that_is_not_verified_is_named(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    service.set(unverified_error="Phone verification is required")
    with pytest.raises(Auth) as caught:
        here.submit(order(gpu="T4"), hand)
    assert "kaggle.com" in words(caught.value)


@pytest.mark.usefixtures("service")
def test_a_wrong_token_is_our_own_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    with pytest.raises(Auth, match="KAGGLE_API_TOKEN") as caught:
        backend(tmp_path).bundle(None)
    assert "KGAT_wrong" not in words(caught.value)


def test_a_retired_gpu_is_refused_before_anything_is_asked(service: Kaggle, here: KaggleBackend) -> None:
    with pytest.raises(InvalidJob, match="retired"):
        here.bundle("P100")
    assert not service.faults.requests


def test_a_data_set_that_fails_starts_no_session(service: Kaggle, here: KaggleBackend) -> None:
    service.set(dataset_hidden_s=0.0)

    def spoil(request: Request, when: str) -> None:
        if request.call.endswith("CreateDataset") and when == AFTER:
            service.datasets.readable(service.account, f"ada/{NAME}-1").failed = True

    service.faults.watcher = spoil
    with pytest.raises(Capacity, match="FAILED"):
        here.submit(order(), hand)
    assert not calls(service, "SaveKernel")


def test_a_session_without_its_data_set_is_taken_back(service: Kaggle, here: KaggleBackend) -> None:
    def lose(request: Request, when: str) -> None:
        if request.call.endswith("SaveKernel") and when == BEFORE:
            service.datasets.delete(service.account, {"ownerSlug": "ada", "datasetSlug": f"{NAME}-1"})

    service.faults.watcher = lose
    with pytest.raises(InvalidJob, match=f'data set "ada/{NAME}-1"'):
        here.submit(order(), hand)
    assert here.look_up(order()) is None


def test_another_program_than_was_promised_is_not_sent(service: Kaggle, here: KaggleBackend) -> None:
    promised = {**here.bundle(None), "sha256": "0" * 64}
    with pytest.raises(InvalidJob, match="another is here now"):
        here.submit(order(bundle=promised), nobody)
    assert not calls(service, "CreateDataset")


@pytest.mark.usefixtures("service")
def test_a_session_of_another_account_is_not_touched(tmp_path: Path) -> None:
    strange = backend(tmp_path)
    strange.host = "bob"
    with pytest.raises(Uncertain, match='in the Kaggle account "bob"'):
        strange.submit(order(), nobody)
    with pytest.raises(Uncertain, match='in the Kaggle account "bob"'):
        strange.look_up(order())
    assert strange.fate({"kernel": f"bob/{NAME}"}).life is Life.UNKNOWN


# --- what became of it ----------------------------------------------------------------------------


def test_it_lives_until_kaggle_says_otherwise(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    ref = here.submit(order(), hand)
    for status in ("QUEUED", "RUNNING", "CANCEL_REQUESTED"):
        service.kernel(NAME).status = status
        assert here.fate(ref).life is Life.ALIVE
    for status in ("NEW_SCRIPT", "ASLEEP"):
        service.kernel(NAME).status = status
        assert here.fate(ref).life is Life.UNKNOWN
    for status in ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED"):
        service.kernel(NAME).status = status
        assert here.fate(ref).life is Life.GONE


def test_one_that_could_not_begin_says_why(service: Kaggle, here: KaggleBackend) -> None:
    ref = here.submit(order(), hand)
    service.over(NAME)
    fate = here.fate(ref)
    assert fate.life is Life.GONE
    assert "could not begin" in fate.why
    assert "cannot reach its store at 127.0.0.1:1" in fate.why
    assert "cannot reach its store" in here.last_words(order())


@pytest.mark.parametrize("code", [DROP, 429, 503])
def test_what_does_not_answer_is_not_gone(service: Kaggle, here: KaggleBackend, code: int) -> None:
    ref = here.submit(order(), hand)
    service.over(NAME)
    service.faults.fail("", code=code, times=99)
    assert here.fate(ref).life is Life.UNKNOWN
    assert here.last_words(order()) == ""


def test_a_token_that_ended_makes_nothing_gone(service: Kaggle, here: KaggleBackend) -> None:
    ref = here.submit(order(), hand)
    service.account.token = "another"
    assert here.fate(ref).life is Life.UNKNOWN


def test_a_deleted_kernel_is_gone_once_it_has_been_missed_for_a_while(here: KaggleBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), hand)
    here.delete(ref)
    assert here.fate(ref).life is Life.UNKNOWN
    threading.Event().wait(0.1)
    fate = backend(tmp_path).fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its kernel is not at Kaggle any more")


def test_the_live_log_is_read_without_waiting_for_its_end(service: Kaggle, here: KaggleBackend) -> None:
    service.set(events_before_cut=3)
    ref = here.submit(order(), hand)
    session = service.session(NAME)
    service.until(lambda: session.over)
    live = session.log.plain()
    session.status = "RUNNING"
    session.log._closed = False
    words = here.last_words(order())
    assert words
    assert live.startswith(words)
    assert len(words.splitlines()) == len(set(words.splitlines()))
    assert here.fate(ref).life is Life.ALIVE


def test_a_session_is_cancelled_by_the_number_that_it_published(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    ref = here.submit(order(), hand)
    with pytest.raises(BadInputError, match="is not known"):
        here.cancel(ref)
    here.cancel({**ref, "session_id": service.session(NAME).number})
    service.over(NAME)
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its session was cancelled at Kaggle")


# --- what is sent ---------------------------------------------------------------------------------


def test_the_dry_run_is_what_is_sent(service: Kaggle, here: KaggleBackend) -> None:
    asked = order(gpu="T4", bundle=here.bundle("T4"))
    shown = here.command(asked)
    assert not calls(service, "SaveKernel")
    here.submit(asked, hand)
    sent = calls(service, "SaveKernel")[0].body
    assert {**sent, "text": ""} == {**shown["kernel"], "text": ""}
    assert (len(sent["text"]), shown["text"]["bytes"]) == (shown["text"]["bytes"], len(sent["text"]))
    before, _, _ = shown["kernel"]["text"].partition("WHEEL = ")
    assert sent["text"].startswith(before)
    made = calls(service, "CreateDataset")[0].body
    assert (f"ada/{made['slug']}", made["isPrivate"]) == (shown["dataset"]["ref"], shown["dataset"]["isPrivate"])


def test_no_secret_is_in_what_kaggle_shows(service: Kaggle, here: KaggleBackend) -> None:
    """Of all requests, only the upload of the private file holds it, and neither do our own notes."""
    ref = here.submit(order(), hand)
    service.over(NAME)
    forms = (CANARY, base64.b64encode(CANARY.encode()).decode())
    bodies = json.dumps([request.body for request in service.faults.requests])
    log = service.session(NAME).log.plain()
    mine = "".join(path.read_text() for path in here._notes._folder.rglob("*") if path.is_file())
    for form in forms:
        assert form not in bodies + log + mine + json.dumps(ref) + json.dumps(here.command(order()))
    handed = json.loads((service.datasets.readable(service.account, f"ada/{NAME}-1").files / "handed.json").read_text())
    assert handed["environment"]["AWS_SECRET_ACCESS_KEY"] == CANARY
    assert handed["ref"] == ref
    assert (handed["backend"], handed["host"]) == ("kaggle", "ada")


def test_a_program_that_is_too_large_goes_into_the_data_set(
    service: Kaggle, here: KaggleBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = facts.Fact(what="", value=40_000, sure=facts.Sure.BELIEVED)
    monkeypatch.setattr(facts, "SOURCE_BYTES", small)
    here.submit(order(), hand)
    files = service.datasets.readable(service.account, f"ada/{NAME}-1").files
    assert (files / "wheel.bin").read_bytes()[:2] == b"PK"
    assert len(calls(service, "SaveKernel")[0].body["text"]) < small.value


def test_a_data_set_of_an_attempt_before_is_passed_over(service: Kaggle, here: KaggleBackend) -> None:
    service.faults.fail("SaveKernel", code=503)
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    here.submit(order(), hand)
    assert calls(service, "SaveKernel")[-1].body["datasetDataSources"] == [f"ada/{NAME}-2"]


def test_what_a_refused_session_was_to_be_handed_is_deleted(service: Kaggle, here: KaggleBackend) -> None:
    service.account.spend(service.clock, hours=30)
    with pytest.raises(Quota):
        here.submit(order(gpu="T4"), hand)
    assert calls(service, "CreateDataset")
    assert not left(service)


def test_data_sets_of_ended_sessions_are_swept_and_no_others(service: Kaggle, here: KaggleBackend) -> None:
    for number in (1, 2):
        here.submit(order(number), hand)
    here.submit(order(1, run="another"), hand)

    everything = left(service)
    for run, number in ((order().run, 1), (order().run, 2), ("another", 1)):
        service.over(kernel.name(order(number, run=run)))
    here.sweep(order().run_url, keep=(1, 2))
    assert left(service) == everything
    here.sweep(order().run_url, keep=(2,))
    assert everything - left(service) == {f"{NAME}-1"}
    here.sweep(order().run_url, keep=())
    assert left(service) == {f"{kernel.name(order(1, run='another'))}-1"}


def test_a_session_that_the_sweeper_has_not_heard_of_keeps_its_data_set(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    here.submit(order(), hand)
    here.sweep(order().run_url, keep=())
    assert left(service)


def test_what_is_left_of_a_killed_command_is_swept_in_the_end(
    service: Kaggle, tmp_path: Path, here: KaggleBackend
) -> None:
    service.faults.fail("SaveKernel", code=503)
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    here.sweep(order().run_url, keep=())
    assert left(service), "it may be waiting for its push"
    backend(tmp_path / "another", wall_s=lambda: time.time() + 7200).sweep(order().run_url, keep=())
    assert left(service), "another machine's"
    backend(tmp_path, wall_s=lambda: time.time() + 7200).sweep(order().run_url, keep=())
    assert not left(service)


def test_what_this_machine_made_is_swept_though_the_search_does_not_find_it(
    service: Kaggle, here: KaggleBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.submit(order(), hand)
    service.over(NAME)
    with monkeypatch.context() as hidden:
        hidden.setattr(service.datasets, "listed", lambda *_: {"datasets": []})
        here.sweep(order().run_url, keep=())
    assert not left(service)


def test_the_search_is_read_to_its_end(service: Kaggle, here: KaggleBackend, tmp_path: Path) -> None:
    asked = here._api()
    for number in range(101):
        asked.create_dataset("ada", f"{NAME}-x{number}", [asked.upload("x", b"x")])
    here.submit(order(), hand)
    service.over(NAME)
    backend(tmp_path / "another").sweep(order().run_url, keep=())
    search = {"group": "DATASET_SELECTION_GROUP_MY", "search": f"{NAME}-1"}
    assert not service.datasets.listed(service.account, search)["datasets"]


# --- the session itself ---------------------------------------------------------------------------


def test_a_gpu_that_was_not_given_ends_the_session_at_once(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    ref = here.submit(order(gpu="T4"), hand)
    service.over(NAME)
    assert "a T4 was asked for, and Kaggle gave no GPU" in here.fate(ref).why
    assert "phone verified" in here.fate(ref).why


def test_without_the_internet_the_session_ends_at_once(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    ref = here.submit(order(), hand)
    service.over(NAME)
    assert "Without, there is no internet" in here.fate(ref).why


def test_of_two_cards_that_were_given_the_names_are_said(service: Kaggle, here: KaggleBackend) -> None:
    here.submit(order(gpu="T4"), hand)
    service.over(NAME)
    assert "GPUs: Tesla T4, Tesla T4" in here.last_words(order(gpu="T4"))


@pytest.mark.parametrize("layout", ["2026", "old"])
def test_both_layouts_of_inputs_are_known(service: Kaggle, here: KaggleBackend, layout: str) -> None:
    service.set(layout=layout)
    ref = here.submit(order(), hand)
    service.over(NAME)
    assert "cannot reach its store" in here.fate(ref).why
