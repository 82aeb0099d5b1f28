"""`aws SERVICE COMMAND --option value…`, as far as docs/ec2.md types it: as strict as the real one about names.

Commands, options and their kinds come from the SDK's own models, from which the real command is made, too. `aws s3 rm`
is the real command's own, and the one thing that is written out here.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name


def main(arguments: Sequence[str]) -> int:
    service, command, *rest = arguments
    if (service, command) == ("s3", "rm"):
        return _empty(rest)
    if (service, command) == ("ecr", "get-login-password"):
        (data,) = boto3.client("ecr").get_authorization_token()["authorizationData"]
        print(base64.b64decode(data["authorizationToken"]).decode().partition(":")[2])
        return 0
    client = boto3.client("s3" if service == "s3api" else service)
    operation = next(name for name in client.meta.service_model.operation_names if xform_name(name, "-") == command)
    shape = client.meta.service_model.operation_model(operation).input_shape
    asked, query = _options(rest, shape)
    found = getattr(client, xform_name(operation))(**asked)
    found.pop("ResponseMetadata")
    print(found[query] if query else json.dumps(found, indent=4, default=str))
    return 0


def _options(words: Sequence[str], shape: Any) -> tuple[dict[str, Any], str | None]:
    asked: dict[str, Any] = {}
    query = None
    known = {xform_name(name, "-"): name for name in (shape.members if shape else ())}
    left = list(words)
    while left:
        option = left.pop(0).removeprefix("--")
        values = []
        while left and not left[0].startswith("--"):
            values.append(left.pop(0))
        if option == "query":
            (query,) = values
        elif option == "cli-input-json":
            asked |= json.loads(_text(values[0]))
        elif option != "output":
            asked[known[option]] = _value(values, shape.members[known[option]])
    return asked, query


def _value(values: Sequence[str], shape: Any) -> Any:
    if shape.type_name == "boolean":
        assert not values
        return True
    if shape.type_name == "list":
        return [_structure(each, shape.member) for each in values]
    (value,) = values
    if value.startswith("file://"):
        return _text(value)
    if shape.type_name == "structure":
        return _structure(value, shape)
    return {"double": float, "integer": int}.get(shape.type_name, str)(value)


def _text(value: str) -> str:
    return Path(value.removeprefix("file://")).read_text()


def _structure(text: str, shape: Any) -> dict[str, Any]:
    """The shorthand `Name=a,Values=b,c`; a value without a name belongs to the name before it."""
    found: dict[str, Any] = {}
    name = ""
    for part in text.split(","):
        said, equals, value = part.partition("=")
        name = said if equals else name
        member = shape.members[name]
        if member.type_name == "list":
            found.setdefault(name, []).append(value if equals else said)
        else:
            found[name] = value == "true" if member.type_name == "boolean" else value
    return found


def _empty(words: Sequence[str]) -> int:
    url, recursive = words
    assert recursive == "--recursive"
    bucket = boto3.resource("s3").Bucket(url.removeprefix("s3://"))
    bucket.objects.all().delete()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
