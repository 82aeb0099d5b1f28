"""The region that a session is handed is under the name by which its SDK looks for it."""

from __future__ import annotations

import pytest

from tests.cloud import servers


def test_the_sdk_of_a_session_finds_the_region_that_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.require("boto3")
    import boto3

    from facegan.accounts.aws import AwsAccount

    for name, value in {**servers.NOBODY, "AWS_DEFAULT_REGION": "eu-west-3"}.items():
        monkeypatch.setenv(name, value)
    handed = AwsAccount.open("s3://bucket")._place()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert boto3.session.Session().region_name is None
    for name, value in handed.items():
        monkeypatch.setenv(name, value)
    assert boto3.session.Session().region_name == "eu-west-3"
    assert "AWS_DEFAULT_REGION" not in AwsAccount.open("s3://bucket?region=eu-west-3")._place()
