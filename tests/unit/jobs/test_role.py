"""What a session on a machine of AWS is handed, read by the SDK that it is for."""

from __future__ import annotations

import pytest

from jobs.backends.ec2 import role
from tests.cloud import servers


def test_a_machine_that_answers_late_still_gives_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK does where nothing is said is one question of a second."""
    servers.require("boto3")
    from botocore.session import Session

    asked = ("metadata_service_timeout", "metadata_service_num_attempts", "region")
    for name, value in role.environment({}, "eu-west-3").items():
        monkeypatch.setenv(name, value)
    assert [Session().get_config_variable(name) for name in asked] == [10, 5, "eu-west-3"]
    assert role.environment({"region": "us-east-2"}, "eu-west-3")["AWS_DEFAULT_REGION"] == "us-east-2"
