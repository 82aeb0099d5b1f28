"""The rights in infra/policies: none is given by a wildcard, and what moto, or the code, asks for is among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facegan.accounts import Reach
from facegan.accounts.policy import AwsPolicies

FOLDER = Path(__file__).parents[2] / "infra" / "policies"
FILES = sorted(FOLDER.glob("*.json"))
OF_NO_RESOURCE = {
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeImages",
    "ecr:GetAuthorizationToken",
}
"""Amazon takes no resource for these (Service Authorization Reference)."""


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def statements(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["Statement"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_right_is_given_by_a_wildcard(path: Path) -> None:
    for statement in statements(path):
        actions = listed(statement["Action"])
        assert not [each for each in actions if "*" in each or "?" in each]
        assert statement["Effect"] == "Allow"
        if "*" in listed(statement.get("Resource", [])):
            assert set(actions) <= OF_NO_RESOURCE, statement["Sid"]
        for resource in listed(statement.get("Resource", [])):
            assert resource == "*" or not resource.endswith(":*"), "all of a service"


def test_they_are_the_files_that_the_page_speaks_of() -> None:
    page = (FOLDER.parents[1] / "docs" / "ec2.md").read_text()
    assert {path.name for path in FILES} == {"session.json", "trust.json", "user.json"}
    assert all(f"infra/policies/{path.name}" in page for path in FILES)


def test_a_machines_role_may_do_what_a_session_may_and_pull_the_image() -> None:
    """Of every run, since there is one role; else it is what a session's own credentials are."""
    minted = json.loads(AwsPolicies("BUCKET", "PREFIX/").of_session(Reach(run="a", reads=("datasets/",))))["Statement"]
    theirs = {action for each in minted for action in listed(each["Action"])}
    ours = {action for each in statements(FOLDER / "session.json") for action in listed(each["Action"])}
    assert ours - theirs == {"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    assert theirs <= ours
    (append,) = [each for each in statements(FOLDER / "session.json") if "ledger" in str(each["Resource"])]
    assert append["Condition"] == {"Null": {"s3:if-none-match": "false"}}


def test_the_user_ends_and_reads_machines_of_ours_alone() -> None:
    for statement in statements(FOLDER / "user.json"):
        if "ec2:TerminateInstances" in listed(statement["Action"]):
            assert statement["Condition"] == {"Null": {"aws:ResourceTag/facegan:url": "false"}}
