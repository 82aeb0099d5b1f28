"""What the stand-in for Kaggle makes of a push. Each test says what its rule rests on, with the marks of `rules`."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.accounts import Account
from tests.kaggle.calling import HELLO, KERNELS, SLEEP, bearer, call, named, push, quota_s, refusal, send, status
from tests.waiting import until

GPU = {"machineShape": "NvidiaTeslaT4"}
T4 = "NvidiaTeslaT4"


@pytest.fixture
def stranger(kaggle: Kaggle) -> Account:
    return kaggle.accounts.add(Account(username="bob"))


def test_an_accepted_push_says_where_it_is(kaggle: Kaggle) -> None:
    # A captured answer has every field, the empty ones too, and no error is an empty text [F].
    answer = push(kaggle)
    assert answer.code == 200
    assert answer.json["error"] == answer.json["errorNullable"] == ""
    assert (answer.json["versionNumber"], answer.json["hasVersionNumber"]) == (1, True)
    assert answer.json["url"] == "https://www.kaggle.com/code/ada/first-one"


def test_a_source_above_a_megabyte_is_a_bad_request(kaggle: Kaggle) -> None:
    # 933,761 bytes went through and 1,141,256 did not, when somebody tried [F].
    assert push(kaggle, text="#" * 933_761).json["error"] == ""
    answer = push(kaggle, slug="too-large", text="#" * 1_141_256)
    assert (answer.code, answer.data) == (400, b"")
    assert push(kaggle, slug="too-large", text="é" * 600_000).code == 400
    assert [kernel.slug for kernel in kaggle.kernels.all()] == ["first-one"]


def test_the_title_and_not_the_slug_names_a_kernel(kaggle: Kaggle) -> None:
    # The service derives the slug from the title: asked for by the other name it is nobody's, and pushed again it is
    # in its own way [S, F].
    assert push(kaggle, slug="asked-for", text=SLEEP, newTitle="Called otherwise").json["error"] == ""
    assert call(kaggle, f"{KERNELS}/GetKernelSessionStatus", named(kaggle, "asked-for")).code == 403
    assert status(kaggle, "called-otherwise") in {"QUEUED", "RUNNING"}
    assert push(kaggle, slug="asked-for", newTitle="Called otherwise").code == 409
    assert [kernel.slug for kernel in kaggle.kernels.all()] == ["called-otherwise"]


def test_a_title_has_five_characters(kaggle: Kaggle) -> None:
    # The client checks it before it sends [S].
    assert push(kaggle, slug="four", newTitle="four").code == 400


@pytest.mark.parametrize(("more", "most", "what"), [(GPU, 2, "GPU"), ({}, 5, "CPU")])
def test_sessions_at_a_time(kaggle: Kaggle, more: dict[str, Any], most: int, what: str) -> None:
    # The words as reported many times, with status 200, and nothing created [F].
    for n in range(most):
        assert refusal(push(kaggle, f"session-{n}", SLEEP, **more)) == ""
    assert refusal(push(kaggle, "one-more", **more)) == f"Maximum batch {what} session count of {most} reached."
    assert len(kaggle.kernels.all()) == most
    call(kaggle, f"{KERNELS}/DeleteKernel", named(kaggle, "session-0"))
    assert refusal(push(kaggle, "one-more", **more)) == ""


@pytest.mark.parametrize("order", [(GPU, {}), ({}, GPU)])
def test_cpu_and_gpu_sessions_are_counted_apart(kaggle: Kaggle, order: tuple[dict[str, Any], ...]) -> None:
    # Two limits, two texts [F].
    kaggle.set(gpu_sessions=1, cpu_sessions=1)
    for n, more in enumerate(order):
        assert refusal(push(kaggle, f"session-{n}", SLEEP, **more)) == ""


def test_the_quota_of_a_week(kaggle: Kaggle) -> None:
    # The words as reported; a CPU needs none; it is back on Saturday at 00:00 UTC [F, D].
    kaggle.account.spend(kaggle.clock, hours=30)
    assert refusal(push(kaggle, **GPU)) == "Maximum weekly GPU quota of 30.00 hours reached."
    assert kaggle.kernels.all() == []
    assert refusal(push(kaggle)) == ""
    answer = call(kaggle, f"{KERNELS}/GetAcceleratorQuotaStatistics", {}).json
    assert answer["gpuQuota"]["timeUsed"] == answer["gpuQuota"]["totalTimeAllowed"] == "108000s"
    assert answer["quotaRefreshTime"].endswith("T00:00:00.000Z")
    kaggle.clock.skip(hours=2 * 7 * 24)
    assert quota_s(kaggle) == 0
    assert refusal(push(kaggle, "next-week", **GPU)) == ""


def test_an_accounts_own_quota_is_in_the_refusal(kaggle: Kaggle) -> None:
    # One account was seen with 45 hours: it is to be read, not known [F].
    kaggle.account.gpu_hours = 45
    kaggle.account.spend(kaggle.clock, hours=30)
    assert refusal(push(kaggle, **GPU)) == ""
    kaggle.account.spend(kaggle.clock, hours=15)
    assert refusal(push(kaggle, "second-one", **GPU)) == "Maximum weekly GPU quota of 45.00 hours reached."


def test_a_session_may_run_over_the_quota(kaggle: Kaggle) -> None:
    # Somebody read 30.93 of 30 hours: what runs is not cut off [F].
    kaggle.account.spend(kaggle.clock, hours=29.999)
    assert refusal(push(kaggle, text="import time; time.sleep(.3)", **GPU)) == ""
    assert kaggle.over("first-one").status == "COMPLETE"
    assert quota_s(kaggle) > 108_000


def test_only_gpu_sessions_are_charged_and_two_t4s_are_charged_once(kaggle: Kaggle) -> None:
    # Wall clock, in Kaggle's hours [F].
    push(kaggle, "on-a-cpu", "import time; time.sleep(.2)")
    kaggle.over("on-a-cpu")
    assert quota_s(kaggle) == 0
    push(kaggle, "on-a-gpu", "import time; time.sleep(.5)", **GPU)
    session = kaggle.over("on-a-gpu")
    assert session.ran is not None
    assert quota_s(kaggle) == pytest.approx(session.ran[1] - session.ran[0], abs=0.01)
    assert quota_s(kaggle) > 0.5 * 60  # an hour is a minute


def test_a_running_session_is_charged_as_it_runs(kaggle: Kaggle) -> None:
    # Live quota [R].
    push(kaggle, text=SLEEP, **GPU)
    until(lambda: quota_s(kaggle) > 10)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({"machineShape": "NvidiaTeslaP100"}, T4),
        ({"machineShape": "NvidiaTeslaV100"}, T4),
        ({"enableGpu": True}, T4),
        ({"enableTpu": True}, "TpuV5E8"),
        ({"machineShape": "Tpu1VmV38"}, "TpuV5E8"),
        ({"machineShape": "TpuV2-256"}, ""),
        ({}, ""),
    ],
)
def test_an_accelerator_that_is_not_to_be_had_is_replaced_without_a_word(
    kaggle: Kaggle, asked: dict[str, Any], given: str
) -> None:
    # The client's own table of what became of retired names; others are free text to the service [S].
    assert refusal(push(kaggle, **asked)) == ""
    assert call(kaggle, f"{KERNELS}/ListKernels", {"group": "PROFILE"}).json["kernels"][0]["machineShape"] == given


def test_an_unverified_phone_has_neither_gpu_nor_internet(kaggle: Kaggle) -> None:
    # That both need it is documented; that the push is nevertheless taken is belief [D, B].
    kaggle.account.phone_verified = False
    assert refusal(push(kaggle, **GPU)) == ""
    wish = kaggle.session("first-one").wish
    assert (wish.shape, wish.internet) == ("", False)
    kaggle.set(unverified_error="Phone verification is required")
    assert refusal(push(kaggle, "second-one", **GPU)) == "Phone verification is required"


def test_pushing_the_same_slug_starts_a_second_session(kaggle: Kaggle) -> None:
    # A new version does not stop the one that runs [F].
    push(kaggle, text=SLEEP)
    assert push(kaggle, text=SLEEP).json["versionNumber"] == 2
    until(lambda: [one.status for one in kaggle.kernels.sessions()] == ["RUNNING", "RUNNING"])


def test_versions_are_asked_for_by_label(kaggle: Kaggle) -> None:
    # `vN`; a bare number is not found. Without a label it is the newest [S].
    push(kaggle, text="raise SystemExit(1)")
    kaggle.over("first-one")
    push(kaggle, text=SLEEP)
    until(lambda: status(kaggle, "first-one") == "RUNNING")
    assert status(kaggle, "first-one", versionLabel="v1") == "ERROR"
    assert call(kaggle, f"{KERNELS}/GetKernelSessionStatus", named(kaggle, "first-one", versionLabel="1")).code == 404


def test_saving_without_running_starts_nothing(kaggle: Kaggle) -> None:
    # `--no-run` of the client [S]; the status of such a version is belief [B].
    push(kaggle, kernelExecutionType="QUICK_SAVE")
    assert status(kaggle, "first-one") == "NEW_SCRIPT"
    assert kaggle.kernels.sessions() == []


def test_another_owners_slug_is_not_found(kaggle: Kaggle) -> None:
    # The refusal for a wrong slug or owner, with status 200 [F].
    body = {
        "slug": "bob/first-one",
        "newTitle": "first one",
        "text": HELLO,
        "language": "python",
        "kernelType": "script",
    }
    assert refusal(call(kaggle, f"{KERNELS}/SaveKernel", body)) == "Notebook not found"
    assert refusal(call(kaggle, f"{KERNELS}/SaveKernel", body | {"slug": "first-one"})) == "Notebook not found"


def test_a_refused_slug_may_be_spoilt(kaggle: Kaggle) -> None:
    # Two reports of it; others pushed the same slug until there was room. So it is chosen by the test [F].
    kaggle.account.spend(kaggle.clock, hours=30)
    for spoils, then in ((False, ""), (True, "Notebook not found")):
        kaggle.set(refusal_spoils_slug=spoils)
        assert "weekly" in refusal(push(kaggle, f"spoils-{spoils}".lower(), **GPU))
        assert refusal(push(kaggle, f"spoils-{spoils}".lower())) == then


def test_a_foreign_image_is_forbidden_without_a_word(kaggle: Kaggle) -> None:
    # Only Kaggle's own images; the 403 is empty [S, F].
    answer = push(kaggle, dockerImage="gcr.io/kaggle-gpu-images/python@sha256:0")
    assert (answer.code, answer.data) == (403, b"")


def test_a_time_out_must_be_below_the_limit(kaggle: Kaggle) -> None:
    # "Must be lower than the global maximum", says the client's own text [S].
    assert push(kaggle, sessionTimeoutSeconds=12 * 3600).code == 400


def test_missing_and_forbidden_are_one_answer(kaggle: Kaggle, stranger: Account) -> None:
    # So a 403 proves nothing about a kernel [F].
    push(kaggle, text=SLEEP)
    for method in ("GetKernelSessionStatus", "ListKernelSessionOutput", "GetKernel", "DeleteKernel"):
        missing = call(kaggle, f"{KERNELS}/{method}", named(kaggle, "no-such"))
        forbidden = call(kaggle, f"{KERNELS}/{method}", named(kaggle, "first-one"), token=stranger.token)
        assert (missing.code, missing.data) == (forbidden.code, forbidden.data)
        assert missing.json["code"] == missing.code == 403
    assert call(kaggle, f"{KERNELS}/ListKernels", {}, token=stranger.token).json["kernels"] == []


def test_who_asks(kaggle: Kaggle) -> None:
    # A token as bearer, or user and key as basic authorization; the token may be asked about [S].
    body = b"{}"
    path = f"/v1/{KERNELS}/GetAcceleratorQuotaStatistics"
    basic = base64.b64encode(f"ada:{kaggle.account.key}".encode()).decode()
    assert send(kaggle, "POST", path, body, bearer(kaggle.account.token)).code == 200
    assert send(kaggle, "POST", f"/api{path}", body, {"Authorization": f"Basic {basic}"}).code == 200
    for wrong in ({}, bearer("wrong"), {"Authorization": "Basic YWRhOndyb25n"}, {"Authorization": "Basic %"}):
        assert send(kaggle, "POST", path, body, wrong).code == 401
    introspect = "security.OAuthService/IntrospectToken"
    assert call(kaggle, introspect, {"token": kaggle.account.token}).json == {"active": True, "username": "ada"}
    assert call(kaggle, introspect, {"token": "wrong"}).json["active"] is False


def test_the_source_is_kept(kaggle: Kaggle) -> None:
    # Every version's, for whoever may read the kernel: no place for a secret [S].
    push(kaggle)
    assert call(kaggle, f"{KERNELS}/GetKernel", named(kaggle, "first-one")).json["blob"]["source"] == HELLO


def test_kernels_are_listed_by_pages(kaggle: Kaggle) -> None:
    # Pages by token, found by a part of the name [S].
    for n in range(3):
        push(kaggle, f"listed-{n}", SLEEP)
    found, token = [], ""
    while True:
        answer = call(
            kaggle, f"{KERNELS}/ListKernels", {"user": "ada", "search": "listed", "pageSize": 2, "pageToken": token}
        )
        found += [kernel["slug"] for kernel in answer.json["kernels"]]
        token = answer.json["nextPageToken"]
        if not token:
            break
    assert sorted(found) == ["listed-0", "listed-1", "listed-2"]


def test_defaults_may_be_left_out(kaggle: Kaggle) -> None:
    # The client's serialiser leaves them out, QUEUED among them; a captured answer has them. Both may come [S, F].
    kaggle.set(omits_defaults=True, queue_s=3600)
    assert "error" not in push(kaggle).json
    assert call(kaggle, f"{KERNELS}/GetKernelSessionStatus", named(kaggle, "first-one")).json == {}


def test_any_status_can_be_said(kaggle: Kaggle) -> None:
    # Other spellings and new words have come before [R]: unknown is not over.
    push(kaggle)
    kaggle.kernel("first-one").status = "HIBERNATING"
    assert status(kaggle, "first-one") == "HIBERNATING"
