"""Credentials of a session on AWS: that they are enough, that they are no more, and what happens when they end.

Two things decide about a request here: `tests.cloud.gate`, which reads the policies that were sent to STS and
enforces them, conditions included; and moto, which checks that STS would take the request, and does it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan import accounts, layout
from facegan.accounts import Reach
from facegan.accounts.policy import AwsPolicies, google_bindings
from facegan.errors import BadInputError, SessionExit
from facegan.experiment import Experiment, override
from facegan.stopping import interrupted
from facegan.storage import NotFoundError, ObjectStore, RefusedError
from jobs import credentials, doctor
from tests.cloud import servers
from tests.cloud.bucket import ROLE, USER, Bucket, begin
from tests.cloud.gate import EVERYTHING, Wish, allows
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    ask,
    assert_untouched,
    contents,
    ledger_of,
)
from tests.fakes.toy import ToyTrainer
from tests.unit.jobs import world

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize("role", [None, ROLE])
def test_what_was_minted_is_enough_for_whole_sessions(bucket: Bucket, home: Path, role: str | None) -> None:
    begin(bucket)
    minted = bucket.mint(home, role)
    as_session = bucket.with_keys(dict(minted.environment))
    bucket.gate.refused.clear()
    stopped = Session(store=as_session, holder="first", number=1)
    stopped.build = lambda experiment: Stopping(experiment, stopped)
    assert stopped.run() is SessionExit.INTERRUPTED
    ask(bucket.as_user(), resume=True)
    assert Session(store=as_session, holder="second", number=2).run() is SessionExit.FINISHED
    assert not [wish for wish in bucket.gate.refused if wish.action != "s3:GetObject"]
    assert_untouched(bucket.as_user())
    assert any(wish.action == "s3:DeleteObject" for wish in bucket.gate.asked), "it pruned"


class Stopping(ToyTrainer):
    """A toy whose session is told to stop on the way."""

    def __init__(self, experiment: Experiment, session: Session) -> None:
        super().__init__(experiment)
        self._session = session

    def advance(self, steps: int) -> Any:
        if self.step >= 11:
            self._session.stop.give(interrupted("told to"))
        return super().advance(steps)


ATTEMPTS: dict[str, Callable[[Any], object]] = {
    "read another run": lambda s: s.get("runs/another/ledger/00000000.json"),
    "list another run": lambda s: list(s.list("runs/another/")),
    "list a run whose name begins alike": lambda s: list(s.list(f"runs/{RUN}-2/")),
    "list the runs": lambda s: list(s.folders("runs/")),
    "list everything": lambda s: list(s.list("")),
    "list the bucket": lambda s: s._client.list_objects_v2(Bucket=servers.BUCKET),
    "list the buckets": lambda s: s._client.list_buckets(),
    "overwrite an entry": lambda s: s.put(f"runs/{RUN}/ledger/00000000.json", b"forged"),
    "delete an entry": lambda s: s.delete(f"runs/{RUN}/ledger/00000000.json"),
    "put over an entry in parts": lambda s: s._client.create_multipart_upload(
        Bucket=servers.BUCKET, Key=s._at.full(f"runs/{RUN}/ledger/00000000.json")
    ),
    "copy over an entry": lambda s: s._client.copy_object(
        Bucket=servers.BUCKET,
        Key=s._at.full(f"runs/{RUN}/ledger/00000000.json"),
        CopySource={"Bucket": servers.BUCKET, "Key": s._at.full(f"runs/{RUN}/ledger/00000001.json")},
    ),
    "delete metrics": lambda s: s.delete(f"runs/{RUN}/checkpoints/20-1/metrics.jsonl"),
    "delete a picture": lambda s: s.delete(f"runs/{RUN}/checkpoints/20-1/samples/00000020-all.png"),
    "delete output": lambda s: s.delete(f"runs/{RUN}/sessions/1/output/000000.txt"),
    "write to another run": lambda s: s.put("runs/another/checkpoints/1-1/state.safetensors", b"1"),
    "extend another run": lambda s: s.put_new("runs/another/ledger/00000001.json", b"1"),
    "write data": lambda s: s.put_new(f"datasets/mnist/{DIGEST}/manifest.json", b"1"),
    "read other data": lambda s: s.get(f"datasets/faces/{DIGEST}/manifest.json"),
    "write beside the store": lambda s: s._client.put_object(Bucket=servers.BUCKET, Key="elsewhere", Body=b"1"),
    "mint for others": lambda s: accounts.open_account(s.url).mint(
        Reach(run="another"), lasts_s=None, role=None
    ),
}  # fmt: skip


@pytest.fixture
def ended(bucket: Bucket, home: Path) -> ObjectStore:
    """A finished run beside another, as the session that trained it sees them."""
    store = begin(bucket)
    store.put_new("runs/another/ledger/00000000.json", b"another's")
    store.put_new(f"datasets/faces/{DIGEST}/manifest.json", b"other data")
    minted = bucket.mint(home)
    as_session = bucket.with_keys(dict(minted.environment))
    assert Session(store=as_session, holder="first", number=1).run() is SessionExit.FINISHED
    return as_session


def test_what_was_minted_reaches_nothing_else(bucket: Bucket, ended: ObjectStore) -> None:
    from botocore.exceptions import ClientError

    before = contents(open_everything(bucket))
    for what, attempt in ATTEMPTS.items():
        with pytest.raises((RefusedError, ClientError)) as refused:
            attempt(ended)
        assert "AccessDenied" in str(refused.value), what
    assert contents(open_everything(bucket)) == before


def open_everything(bucket: Bucket) -> ObjectStore:
    """The store as who owns the bucket sees it."""
    bucket.gate.policies["OWNER"] = [EVERYTHING]
    before = {name: os.environ[name] for name in os.environ if name.startswith("AWS_") and "KEY" in name}
    token = os.environ.get("AWS_SESSION_TOKEN")
    store = bucket.with_keys({"AWS_ACCESS_KEY_ID": "OWNER", "AWS_SECRET_ACCESS_KEY": "secret"})
    bucket.become({**before, **({"AWS_SESSION_TOKEN": token} if token else {})})
    return store


def test_what_is_not_there_is_told_from_what_may_not_be_read(bucket: Bucket, ended: ObjectStore) -> None:
    """Without the right to list the whole bucket, S3 answers both in the same way."""
    del bucket
    with pytest.raises(NotFoundError):
        ended.get(f"runs/{RUN}/sessions/9/heartbeat.json")
    with pytest.raises(RefusedError):
        ended.get("runs/another/nothing")


def test_the_data_of_the_run_can_be_read(bucket: Bucket, home: Path) -> None:
    store = bucket.as_user()
    store.put_new(f"datasets/faces/{DIGEST}/manifest.json", b"{}")
    store.put_new(f"datasets/faces/{DIGEST[::-1]}/manifest.json", b"{}")
    with_data = override(SHORT, ["data.name=faces", f"data.digest={DIGEST}"])
    assert ledger_of(store).create(world.recipe.created_body(RUN, with_data))
    as_session = bucket.with_keys(dict(bucket.mint(home).environment))
    assert as_session.get(f"datasets/faces/{DIGEST}/manifest.json") == b"{}"
    assert list(as_session.list(f"datasets/faces/{DIGEST}/")) == [f"datasets/faces/{DIGEST}/manifest.json"]
    with pytest.raises(RefusedError):
        as_session.get(f"datasets/faces/{DIGEST[::-1]}/manifest.json")


def test_the_user_cannot_rewrite_a_ledger_either(bucket: Bucket) -> None:
    store = begin(bucket)
    for attempt in ("overwrite an entry", "delete an entry", "put over an entry in parts", "copy over an entry"):
        with pytest.raises(Exception, match="AccessDenied"):
            ATTEMPTS[attempt](store)
    assert store.put_new("runs/another/ledger/00000000.json", b"")


@pytest.mark.parametrize(
    ("budget_s", "role", "asked_s"),
    [
        (None, None, 36 * 3600),
        (None, ROLE, 12 * 3600),
        (7200.0, None, 7200 + 3600 + 1),
        (60.0, ROLE, 60 + 3600 + 1),
    ],
)
def test_they_last_longer_than_the_budget(
    bucket: Bucket, home: Path, budget_s: float | None, role: str | None, asked_s: int
) -> None:
    begin(bucket, override(SHORT, [f"session.budget_s={budget_s}"] if budget_s else []))
    minted = bucket.mint(home, role)
    asked = bucket.gate.minted[-1]
    assert int(asked["DurationSeconds"]) == asked_s
    assert asked["Action"] == ("AssumeRole" if role else "GetFederationToken")
    assert minted.until is not None
    left_s = (minted.until - dt.datetime.now(dt.UTC)).total_seconds()
    assert (budget_s or 11 * 3600) < left_s <= asked_s + 60


def test_no_longer_than_a_session_at_its_place_and_its_way_there(bucket: Bucket, home: Path) -> None:
    """A budget of two days is no reason to refuse a place whose sessions last for half a day."""
    begin(bucket, override(SHORT, ["session.budget_s=172800"]))
    with pytest.raises(BadInputError, match="36 hours at most"):
        bucket.mint(home)
    credentials.mint(bucket.context(home), ledger_of(bucket.as_user()), None, 12 * 3600.0)
    assert int(bucket.gate.minted[-1]["DurationSeconds"]) == 12 * 3600 + 3600 + 1


def test_a_budget_that_no_credentials_last_for_is_refused(bucket: Bucket, home: Path) -> None:
    begin(bucket, override(SHORT, ["session.budget_s=40000"]))
    assert bucket.mint(home).until is not None
    with pytest.raises(BadInputError, match=r"12 hours at most, not 12\.1") as refused:
        bucket.mint(home, ROLE)
    assert "budget" in str(refused.value.hint)


def test_who_may_not_mint_is_told_what_it_takes(bucket: Bucket, home: Path) -> None:
    begin(bucket)
    with pytest.raises(RefusedError, match="AssumeRole is refused: AccessDenied"):
        bucket.mint(home, "arn:aws:iam::123456789012:role/another")
    bucket.gate.policies[USER] = [EVERYTHING, {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}]
    with pytest.raises(RefusedError, match="GetFederationToken is refused: AccessDenied") as refused:
        bucket.mint(home)
    assert "credentials policy" in str(refused.value.hint)


def test_a_policy_that_sts_would_not_take_is_not_sent() -> None:
    reach = Reach(run="r" * 63, reads=[layout.dataset("d" * 63, DIGEST)])
    assert len(AwsPolicies("b" * 63, "p" * 20 + "/").of_session(reach)) <= 2_048
    with pytest.raises(BadInputError, match="AWS takes 2,048"):
        AwsPolicies("b" * 63, "p" * 120 + "/").of_session(reach)


def test_a_session_that_prepares_data_writes_below_their_name_and_no_other() -> None:
    reach = Reach(run=RUN, makes=[layout.datasets("celeba")])
    preparing, other = (json.loads(AwsPolicies("bucket", "gans/").of_session(it)) for it in (reach, Reach(run=RUN)))
    for action in ("s3:PutObject", "s3:GetObject"):
        wish = Wish(action=action, resource=f"arn:aws:s3:::bucket/gans/datasets/celeba/{DIGEST}/images/000000")
        assert allows(preparing, wish)
        assert not allows(other, wish)
        assert not allows(preparing, dataclasses.replace(wish, resource=wish.resource.replace("celeba", "celeba2")))
    roles = [str(one) for one in google_bindings("bucket", "gans/", reach) if "datasets/celeba/" in str(one)]
    assert ["objectViewer" in roles[0], "objectUser" in roles[1], len(roles)] == [True, True, 2]


def test_letters_of_a_prefix_that_mean_something_in_a_policy_are_taken_as_they_are() -> None:
    policy = json.loads(AwsPolicies("bucket", "a*b/?$/").of_session(Reach(run=RUN)))
    wish = Wish(action="s3:GetObject", resource=f"arn:aws:s3:::bucket/a*b/?$/runs/{RUN}/ledger/00000000.json")
    assert allows(policy, wish)
    assert not allows(policy, dataclasses.replace(wish, resource=wish.resource.replace("a*b", "a-and-b")))


def test_a_service_without_sts_gets_the_users_own_keys_and_a_warning(bucket: Bucket, home: Path) -> None:
    bucket.monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    begin(bucket)
    bucket.gate.policies[USER] = [EVERYTHING]
    wide = bucket.mint(home)
    assert dict(wide.environment)["AWS_ACCESS_KEY_ID"] == USER
    assert wide.until is None
    for reached in (
        "list the account's other buckets", f"list all of bucket {servers.BUCKET}", "read other runs",
        "delete ledger entries",
    ):  # fmt: skip
        assert reached in wide.warnings[0]
    policy = AwsPolicies(servers.BUCKET, bucket.prefix)
    bucket.gate.policies[USER] = [json.loads(policy.of_session(Reach(run=RUN)))]
    narrow = bucket.mint(home)
    assert narrow.warnings[0].endswith("for good.")
    assert_nothing_changed(bucket)


def assert_nothing_changed(bucket: Bucket) -> None:
    bucket.gate.policies[USER] = [EVERYTHING]
    assert len(contents(bucket.as_user())) == 2, "the entries of the run, and nothing that was left by a look"


def test_the_command_prints_a_script_that_starts_a_session_with_them(
    bucket: Bucket, home: Path, tmp_path: Path
) -> None:
    """Run by a shell whose `python` says what it was given."""
    begin(bucket)
    command = [
        sys.executable,
        "-c",
        "from jobs.cli import main; main()",
        "credentials",
        "mint",
        RUN,
        "--store",
        bucket.url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"good for run {RUN} until " in done.stderr
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done; env | grep ^AWS_')
    python.chmod(0o700)
    there = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    said = subprocess.run(["sh"], input=done.stdout, capture_output=True, text=True, check=True, env=there).stdout
    lines = said.splitlines()
    assert lines[:4] == ["-m", "facegan", "run", layout.run_url(bucket.url, RUN)]
    environment = dict(line.split("=", 1) for line in lines[4:])
    assert environment["AWS_SESSION_TOKEN"] == bucket.gate.tokens[environment["AWS_ACCESS_KEY_ID"]]
    store = bucket.with_keys({name: environment[name] for name in environment if name != "AWS_DEFAULT_REGION"})
    assert Session(store=store, holder="first", number=1).run() is SessionExit.FINISHED
    del home


@pytest.mark.parametrize("url", ["file:///tmp/store", "memory://"])
def test_a_store_without_credentials_has_none_to_mint(url: str) -> None:
    with pytest.raises(BadInputError, match="needs no credentials"):
        accounts.open_account(url)


def checks(bucket: Bucket, home: Path) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.account(bucket.context(home))}


def test_doctor_looks_at_what_the_page_asks_for(bucket: Bucket, home: Path) -> None:
    bucket.monkeypatch.setattr("facegan.accounts.aws.AwsAccount._is_aws", True)
    owner: Any = open_everything(bucket)
    s3, name = owner._client, servers.BUCKET
    found = checks(bucket, home)
    assert found["bucket: public access"].ok is False
    assert found["bucket: public access"].hint.startswith(f"aws s3api put-public-access-block --bucket {name}")
    assert found["bucket: old versions"].ok is True
    assert found["bucket: ledgers"].ok is True
    assert found["credentials"].ok is True
    every = {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}
    bucket.gate.policies[USER] = [EVERYTHING]
    try:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(every, True))
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        found = checks(bucket, home)
        assert found["bucket: public access"].ok is True
        assert found["bucket: old versions"].ok is False
        assert found["bucket: ledgers"].ok is None
        rule = {"ID": "old", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
        assert checks(bucket, home)["bucket: old versions"].ok is True
        bucket.gate.policies[USER] = [json.loads(AwsPolicies(name, bucket.prefix).of_session(Reach(run=RUN)))]
        assert checks(bucket, home)["bucket: public access"].ok is None
        assert checks(bucket, home)["bucket: old versions"].ok is None
    finally:
        s3.delete_bucket_lifecycle(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        s3.delete_public_access_block(Bucket=name)
