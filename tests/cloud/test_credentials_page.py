"""The policies that docs/storage.md shows are those that the program makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from facegan.accounts import Reach, open_account
from facegan.accounts.policy import AwsPolicies, google_bindings, google_user_bindings
from tests.cloud import servers

PAGE = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
RUN = "dcgan-mnist-k7f3"


def test_the_page_shows_three_policies_and_these_are_they() -> None:
    policies = AwsPolicies("my-bucket", "gans/")
    of_session = policies.of_session(Reach(run=RUN, reads=["datasets/mnist/DIGEST/"]))
    assert [
        policies.of_user(),
        json.loads(of_session),
        google_bindings("my-bucket", "gans/", Reach(run=RUN)),
    ] == SHOWN


def test_the_page_shows_the_condition_of_googles_users() -> None:
    condition = google_user_bindings("my-bucket", "gans/")[2]["condition"]
    found = re.search(r"```yaml\ntitle: (?P<title>.*)\nexpression: >-\n(?P<expression>.*?)```", PAGE, re.DOTALL)
    assert found
    assert {"title": found["title"], "expression": " ".join(found["expression"].split())} == condition


def test_what_the_command_prints_is_what_the_page_shows() -> None:
    servers.require("boto3", "google.cloud.storage")
    assert open_account("s3://my-bucket/gans").policy() == SHOWN[0]
    assert open_account("gs://my-bucket/gans").policy() == {"bindings": google_user_bindings("my-bucket", "gans/")}


def test_every_role_of_googles_users_is_on_the_page() -> None:
    for binding in google_user_bindings("my-bucket", "gans/"):
        assert binding["role"].removeprefix("roles/") in PAGE
