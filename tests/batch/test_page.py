"""docs/batch.md, typed; and the files that it fills in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from jobs.backends.batch import facts
from tests.batch.conftest import FOLDER, IMAGE, Batch
from tests.ec2.test_page import programs, typed
from tests.fakes.ec2 import ACCOUNT, client_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")


def test_the_page_from_roles_to_a_cancelled_run(batch: Batch, tmp_path: Path) -> None:
    from moto.backends import get_backend

    get_backend("batch").reset()
    of, folder = client_of(batch.aws), tmp_path / "here"
    batch.aws.empty()
    of("iam").create_role(RoleName="facegan-session", AssumeRolePolicyDocument='{"Version": "2012-10-17"}')
    of("iam").create_user(UserName="facegan")
    of("s3").create_bucket(Bucket="my-bucket")
    managed = "AmazonEC2ContainerServiceforEC2Role"
    of("iam").create_policy(
        PolicyName=managed,
        Path="/service-role/",
        PolicyDocument=(FOLDER.parent / "policies" / "session.json").read_text(),
    )
    programs(tmp_path / "bin")
    folder.mkdir()
    (folder / "infra").symlink_to(ROOT / "infra")
    variables = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    subnet = of("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    group = of("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    exports, *blocks = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    exports = re.sub(r"SUBNET=\S+ GROUP=\S+ IMAGE=\S+", f"SUBNET={subnet} GROUP={group} IMAGE={IMAGE}", exports)
    made, ours, undone = [exports], [], []
    for line in "".join(blocks).splitlines():
        if " = " in line:
            with (folder / "facegan.toml").open("a") as file:
                file.write(line.replace('gans"', f'gans?endpoint={batch.aws.url}"') + "\n")
        elif line.startswith("facegan-job "):
            ours.append(line)
        elif not line.startswith("aws batch delete-"):  # moto lets nothing be deleted that is not there for a while
            (undone if ours else made).append(line)
    text = "\n".join(made).replace("arn:aws:iam::aws:policy", f"arn:aws:iam::{ACCOUNT}:policy")
    role = f" --service-role arn:aws:iam::{ACCOUNT}:role/facegan-session"  # moto makes none of its own, as Batch does
    text = text.replace("//compute-environment.json", f"//compute-environment.json{role}")
    typed(text, folder, variables)
    for line in ours:
        told = typed(line, folder, variables, may_fail="doctor" in line)
        if "--dry-run" in line:
            assert json.loads(told[told.index("{") :])
            assert not batch.jobs()
        if "status" in line:
            assert "session 1 has not begun yet" in told
    typed("\n".join(undone), folder, variables)
    (job,) = batch.jobs()
    assert (job.status, job.job_stopped_reason) == ("FAILED", "facegan-job cancel")


def test_every_setting_and_state_is_on_the_page() -> None:
    for word in (facts.QUEUE, facts.DEFINITION, "`queue`", "`definition`", "AWS_REGION"):
        assert word in PAGE
    assert all(path.name in PAGE for path in FOLDER.iterdir())


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_no_right_is_given_by_a_wildcard() -> None:
    for name in ("user.json", "trust.json"):
        for statement in json.loads((FOLDER / name).read_text())["Statement"]:
            actions, resources = listed(statement["Action"]), listed(statement.get("Resource", []))
            assert not [each for each in actions if "*" in each]
            if "*" in resources:  # Amazon takes no resource for these (Service Authorization Reference)
                assert all(each.startswith(("batch:Describe", "batch:List")) for each in actions)
            for resource in resources:
                assert resource == "*" or "facegan" in resource or resource.endswith(":job/*")
    (end,) = [
        each for each in json.loads((FOLDER / "user.json").read_text())["Statement"] if each["Sid"] == "EndOurJobs"
    ]
    assert end["Condition"] == {"Null": {"aws:ResourceTag/facegan:url": "false"}}


def test_the_definition_is_of_the_engines_own_rules() -> None:
    said = json.loads((FOLDER / "definition.json").read_text())
    again, otherwise = said["retryStrategy"]["evaluateOnExit"]
    assert again == {"onStatusReason": f"{facts.HOST_GONE.value}*", "action": "RETRY"}
    assert otherwise["action"] == "EXIT", "a container that ended by itself is not started again"
