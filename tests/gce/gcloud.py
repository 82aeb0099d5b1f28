"""`gcloud GROUP… COMMAND …`, as far as docs/gce.md types it: strict about names and options, and about its files.

There is no model of the real one to be had. So what a command takes is written down here, from its reference.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Options = Mapping[str, str]
PERMISSION = re.compile(r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+")
ADDRESS = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9-]+\.iam\.gserviceaccount\.com")
BINDING = {"member", "role", "condition", "condition-from-file"}


def nothing(_words: Sequence[str], _options: Options) -> None:
    return


def account(words: Sequence[str], _options: Options) -> None:
    (name,) = words
    assert ADDRESS.fullmatch(name) or re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", name), name


def key(words: Sequence[str], options: Options) -> None:
    (path,) = words
    assert ADDRESS.fullmatch(options["iam-account"])
    shutil.copy(os.environ["KEY_OF_THE_USER"], path)


def role(words: Sequence[str], options: Options) -> None:
    (name,) = words
    assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", name)
    said = yaml.safe_load(Path(options["file"]).read_text())
    assert set(said) == {"title", "description", "stage", "includedPermissions"}
    assert all(PERMISSION.fullmatch(each) for each in said["includedPermissions"])


def binding(words: Sequence[str], options: Options) -> None:
    (_of,) = words
    assert re.fullmatch(rf"serviceAccount:{ADDRESS.pattern}", options["member"])
    assert options["role"].startswith(("roles/", "projects/"))
    if path := options.get("condition-from-file"):
        said = yaml.safe_load(Path(path).read_text())
        assert set(said) == {"title", "expression"}
        assert not re.search(r"BUCKET|PREFIX", said["expression"])
    else:
        assert options.get("condition", "None") == "None"


def bucket(words: Sequence[str], _options: Options) -> None:
    (url,) = words
    _storage("POST", "", {"name": url.removeprefix("gs://")})


def empty(words: Sequence[str], _options: Options) -> None:
    (url,) = words
    name = url.removeprefix("gs://")
    for each in _storage("GET", f"/{name}/o").get("items", []):
        _storage("DELETE", f"/{name}/o/{urllib.request.quote(each['name'], safe='')}")
    _storage("DELETE", f"/{name}")


def listed(_words: Sequence[str], options: Options) -> None:
    """Machines, or the disks that they have: a disk goes with its machine."""
    from google.auth import jwt

    assert options["format"] == "json"
    path = os.environ["GOOGLE_APPLICATION_CREDENTIALS"]
    signed = jwt.Credentials.from_service_account_file(path, audience="https://compute.googleapis.com/")
    signed.refresh(None)
    where = f"{os.environ['CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE']}projects/a-project/aggregated/instances"
    asked = urllib.request.Request(
        f"{where}?filter={urllib.request.quote(options['filter'])}",
        headers={"Authorization": f"Bearer {signed.token.decode()}"},
    )
    with urllib.request.urlopen(asked) as answer:
        found = [each for scope in json.load(answer)["items"].values() for each in scope.get("instances", [])]
    print(json.dumps([each["name"] for each in found]))


COMMANDS: dict[str, tuple[Callable[[Sequence[str], Options], None], set[str]]] = {
    "config set": (nothing, set()),
    "services enable": (nothing, set()),
    "storage buckets create": (bucket, {"location", "uniform-bucket-level-access", "public-access-prevention"}),
    "storage buckets add-iam-policy-binding": (binding, BINDING),
    "storage rm": (empty, {"recursive"}),
    "iam service-accounts create": (account, set()),
    "iam service-accounts delete": (account, {"quiet"}),
    "iam service-accounts add-iam-policy-binding": (binding, BINDING),
    "iam service-accounts keys create": (key, {"iam-account"}),
    "iam roles create": (role, {"project", "file"}),
    "iam roles delete": (nothing, {"project", "quiet"}),
    "projects add-iam-policy-binding": (binding, BINDING),
    "projects remove-iam-policy-binding": (binding, {"member", "role", "all"}),
    "artifacts repositories create": (nothing, {"repository-format", "location"}),
    "artifacts repositories add-iam-policy-binding": (binding, {*BINDING, "location"}),
    "artifacts repositories delete": (nothing, {"location", "quiet"}),
    "auth configure-docker": (nothing, {"quiet"}),
    "quotas preferences create": (nothing, {"service", "project", "quota-id", "preferred-value", "dimensions"}),
    "compute instances list": (listed, {"filter", "format"}),
    "compute disks list": (listed, {"filter", "format"}),
}


def main(arguments: Sequence[str]) -> int:
    said = " ".join(word for word in arguments if not word.startswith("--"))
    name = max((each for each in COMMANDS if f"{said} ".startswith(f"{each} ")), key=len)
    does, known = COMMANDS[name]
    options = dict(word[2:].partition("=")[::2] for word in arguments if word.startswith("--"))
    assert set(options) <= known, sorted(set(options) - known)
    does(said.split()[len(name.split()) :], options)
    return 0


def _storage(method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
    asked = urllib.request.Request(
        f"{os.environ['STORAGE_EMULATOR_HOST']}/storage/v1/b{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
