"""Credentials of a session on Google Cloud: made, bound, listed and deleted, in a project that a stand-in plays.

Nothing here was ever sent to Google. The client is the real one, with real keys and signatures; what it sends
is held against what Google documents by `tests.cloud.google_project`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import BadInputError
from facegan.experiment import override
from facegan.storage import ExpiredError, RefusedError, open_store
from jobs import credentials, doctor
from jobs.context import Context
from tests.cloud import servers
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    append,
    begun,
    ledger_of,
)
from tests.fakes.killing import WatchedStore
from tests.unit.jobs import world

DIGEST = "0123456789abcdef" * 4
STORE = "gs://bucket/gans"


@pytest.fixture(scope="module", autouse=True)
def sdk() -> None:
    servers.require("google.cloud.storage", "cryptography")


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An empty project, and a key of its owner on this machine."""
    from facegan.accounts import google
    from tests.cloud import google_project

    with google_project.project("bucket") as found:
        monkeypatch.setattr(google, "IAM", f"{found.url}/v1")
        monkeypatch.setattr(google, "STORAGE", f"{found.url}/storage/v1")
        monkeypatch.setattr(google, "PAUSES_S", (0.01, 0.02, 0.02))
        key = tmp_path / "owner.json"
        key.write_text(json.dumps(found.add_key(google_project.OWNER)))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        yield found


@pytest.fixture
def context(boring_environment: Path, project: Any) -> Context:
    """A store at that URL, whose objects are in memory: it is the account that is under test."""
    del project
    store = begun("memory", Path())
    store.url = STORE
    made = world.context(boring_environment, store)
    return dataclasses.replace(made, settings=dataclasses.replace(made.settings, store=STORE))


def mint(context: Context) -> tuple[Any, dict[str, Any]]:
    minted = credentials.mint(context, ledger_of(context.store), None)
    return minted, json.loads(minted.files["GOOGLE_APPLICATION_CREDENTIALS"])


def test_a_session_is_handed_a_key_that_is_enough_for_it(context: Context, project: Any) -> None:
    """Every operation of a whole session, against the rights that its key was given."""
    minted, key = mint(context)
    assert minted.until is None
    assert not minted.environment
    watched = WatchedStore(begun("memory", Path()))
    there = set(watched.list(""))
    watched.operations.clear()
    Session(store=watched, holder="first", number=1).run()
    for operation in watched.operations:
        for permission in permissions(operation.verb, is_there=operation.key in there):
            assert project.may(key["client_email"], permission, f"gans/{operation.key}"), operation
        there.add(operation.key)
    assert {operation.verb for operation in watched.operations} >= {"get", "list", "put", "put_new", "delete"}


def permissions(verb: str, *, is_there: bool) -> list[str]:
    """What Google asks for: to overwrite is to delete and to create."""
    overwrite = ["storage.objects.delete"] if is_there else []
    return {
        "get": ["storage.objects.get"],
        "list": ["storage.objects.list"],
        "sizes": ["storage.objects.list"],
        "folders": ["storage.objects.list"],
        "put": ["storage.objects.create", *overwrite],
        "put_new": ["storage.objects.create"],
        "delete": ["storage.objects.delete"],
    }[verb]


@pytest.mark.parametrize(
    ("permission", "name"),
    [
        ("get", "gans/runs/another/ledger/00000000.json"),
        ("get", f"gans/runs/{RUN}-2/ledger/00000000.json"),
        ("get", f"elsewhere/runs/{RUN}/ledger/00000000.json"),
        ("get", f"gans/datasets/faces/{DIGEST}/manifest.json"),
        ("list", ""),
        ("list", "gans/"),
        ("list", "gans/runs/"),
        ("list", f"gans/runs/{RUN}"),
        ("list", "gans/runs/another/"),
        ("create", "gans/runs/another/ledger/00000009.json"),
        ("create", f"gans/runs/{RUN}/elsewhere"),
        ("create", f"gans/datasets/faces/{DIGEST}/manifest.json"),
        ("delete", f"gans/runs/{RUN}/ledger/00000000.json"),
        ("delete", "gans/runs/another/checkpoints/1-1/state.safetensors"),
        ("update", f"gans/runs/{RUN}/ledger/00000000.json"),
    ],
)
def test_the_key_reaches_nothing_else(context: Context, project: Any, permission: str, name: str) -> None:
    _, key = mint(context)
    assert not project.may(key["client_email"], f"storage.objects.{permission}", name)


def test_the_data_of_the_run_can_be_read(context: Context, project: Any) -> None:
    context.store.put_new(f"datasets/faces/{DIGEST}/manifest.json", b"{}")
    ledger = context.ledger("with-data")
    with_data = override(SHORT, ["data.name=faces", f"data.digest={DIGEST}"])
    assert ledger.create(world.recipe.created_body("with-data", with_data))
    minted = credentials.mint(context, ledger, None)
    email = json.loads(minted.files["GOOGLE_APPLICATION_CREDENTIALS"])["client_email"]
    assert project.may(email, "storage.objects.get", f"gans/datasets/faces/{DIGEST}/manifest.json")
    assert project.may(email, "storage.objects.list", f"gans/datasets/faces/{DIGEST}/images/")
    assert not project.may(email, "storage.objects.get", f"gans/datasets/faces/{DIGEST[::-1]}/manifest.json")


def test_rights_of_others_are_left_as_they_are(context: Context, project: Any) -> None:
    """Also of those who are given some between the reading of the policy and its replacement."""
    theirs = {"role": "roles/storage.objectUser", "members": ["user:someone@example.com"]}
    later = {"role": "roles/storage.objectViewer", "members": ["user:another@example.com"]}
    project.bindings.append(theirs)

    def somebody_else() -> None:
        project.bindings, project.etag = [*project.bindings, later], project.etag + 1

    project.interrupting.append(somebody_else)
    mint(context)
    assert theirs in project.bindings
    assert later in project.bindings
    assert credentials.revoke(context, RUN)
    assert project.bindings == [theirs, later]


def test_a_key_works_until_it_is_revoked_and_no_longer(
    context: Context, project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of a session whose key was deleted says so: its real client asks for a token, and gets none."""
    _, key = mint(context)
    path = tmp_path / "session.json"
    path.write_text(json.dumps(key))
    assert is_good(key)
    assert credentials.revoke(context, RUN)
    assert not credentials.revoke(context, RUN), "it may be repeated"
    assert not is_good(key)
    assert [account for account in project.accounts if account.startswith("facegan-")] == []
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ExpiredError, match="good no more"):
        open_store(STORE).get("a")


def is_good(key: dict[str, Any]) -> bool:
    from google.auth.exceptions import RefreshError
    from google.auth.transport.requests import Request
    from google.oauth2 import service_account

    scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
    found = service_account.Credentials.from_service_account_info(key, scopes=scopes)
    try:
        found.refresh(Request())
    except RefreshError:
        return False
    return True


@pytest.mark.parametrize("at", range(1, 8))
def test_whatever_a_killed_mint_leaves_is_listed_and_revoked(
    context: Context, project: Any, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed before its n-th request to the project; the session had ended by then."""
    from facegan.accounts.google import GoogleAccount
    from tests.fakes.killing import Killed

    ask_it, asked = GoogleAccount._ask, []

    def dying(self: Any, *what: Any, **how: Any) -> Any:
        asked.append(what)
        if len(asked) >= at:
            raise Killed
        return ask_it(self, *what, **how)

    monkeypatch.setattr(GoogleAccount, "_ask", dying)
    with contextlib.suppress(Killed):
        mint(context)
    monkeypatch.setattr(GoogleAccount, "_ask", ask_it)
    append(ledger_of(context.store), "lost", session=1, why="gone")
    made = [account for account in project.accounts if account.startswith("facegan-")]
    assert credentials.left_over(context) == ([RUN] if made else [])
    assert credentials.revoke(context, RUN) == bool(made)
    assert not project.bindings
    assert credentials.left_over(context) == []


def test_keys_that_outlived_their_session_are_listed_by_doctor(context: Context, project: Any) -> None:
    mint(context)
    for number in range(4):
        project.add_account(f"theirs-{number}@a-project.iam.gserviceaccount.com", {"description": "another's"})
    assert checks(context)["credentials"].ok is True, "its session is open"
    append(ledger_of(context.store), "lost", session=1, why="gone")
    check = checks(context)["credentials"]
    assert check.ok is False
    assert check.found == f"of runs without a session: {RUN}"
    assert check.hint == f"facegan-job credentials revoke {RUN}"
    assert credentials.revoke(context, RUN)
    assert checks(context)["credentials"].ok is True


def checks(context: Context) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.account(context)}


def test_the_machine_that_minted_revokes_when_the_session_has_ended(context: Context, project: Any) -> None:
    _, key = mint(context)
    ledger = ledger_of(context.store)
    ledger.refresh()
    credentials.revoke_ended(context, ledger)
    assert is_good(key), "the session is open"
    append(ledger, "lost", session=1, why="gone")
    credentials.revoke_ended(context, ledger)
    assert not is_good(key)
    project.asked.clear()
    credentials.revoke_ended(context, ledger)
    assert not project.asked, "what is not known to be there costs no question"


def test_a_revoke_that_fails_is_no_error_of_the_command_that_tried(context: Context, project: Any) -> None:
    mint(context)
    ledger = ledger_of(context.store)
    append(ledger, "lost", session=1, why="gone")
    project.forbidden.add("DELETE")
    credentials.revoke_ended(context, ledger)
    assert credentials.left_over(context) == [RUN]


def test_doctor_looks_at_the_bucket(context: Context, project: Any) -> None:
    check = checks(context)["bucket: public access"]
    assert check.ok is False
    assert "--public-access-prevention" in check.hint
    project.settings = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": {"enabled": True}}
    assert checks(context)["bucket: public access"].ok is True
    project.forbidden.add("GET")
    assert checks(context)["bucket: public access"].ok is None
    assert checks(context)["credentials"].ok is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda project, _: project.forbidden.add("POST"), "403: Permission denied"),
        (lambda project, _: project.accounts.clear(), "invalid_grant"),
        (lambda _, monkeypatch: monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere"), "no credentials"),
    ],
)
def test_who_may_not_mint_is_told(
    context: Context,
    project: Any,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Any, pytest.MonkeyPatch], object],
    said: str,
) -> None:
    spoil(project, monkeypatch)
    with pytest.raises(RefusedError, match=said) as refused:
        mint(context)
    assert refused.value.hint


def test_google_has_no_roles_to_take_on(context: Context) -> None:
    with pytest.raises(BadInputError, match="no role"):
        credentials.mint(context, ledger_of(context.store), "arn:aws:iam::1:role/gans")


def test_what_was_minted_is_not_in_the_words_of_its_object(context: Context) -> None:
    minted, key = mint(context)
    assert key["private_key"][30:60] not in repr(minted)


def test_a_run_with_the_longest_names_can_be_given_an_account(context: Context, project: Any) -> None:
    run = "r" * 63
    ledger = create_named(context, run)
    credentials.mint(context, ledger, None)
    assert credentials.left_over(context) == [run], "it never had a session"
    assert len(project.accounts) == 2


def create_named(context: Context, run: str) -> Any:
    ledger = context.ledger(run)
    assert ledger.create(world.recipe.created_body(run, world.experiment()))
    return ledger
