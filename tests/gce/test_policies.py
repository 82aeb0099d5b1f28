"""The rights in infra/policies/gce: none is given by a wildcard, and what the code asks for is among them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from facegan import layout
from tests.fakes.gce import METHODS

FOLDER = Path(__file__).parents[2] / "infra" / "policies" / "gce"
FILES = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
ROLES = {name: said["includedPermissions"] for name, said in FILES.items() if "includedPermissions" in said}
CONDITIONS = {name: said["expression"] for name, said in FILES.items() if "expression" in said}
PERMISSIONS = {
    "projects.get": {"compute.projects.get"},
    "regions.get": {"compute.regions.get"},
    "aggregatedList": {
        "compute.instances.list", "compute.machineTypes.list", "compute.acceleratorTypes.list",
        "compute.globalOperations.list",
    },
    "images.getFromFamily": set(),  # everybody may, of Google's own
    "instances.get": {"compute.instances.get"},
    "serialPort": {"compute.instances.getSerialPortOutput"},
    "zoneOperations.list": {"compute.zoneOperations.list"},
    "zoneOperations.get": {"compute.zoneOperations.get"},
    "instances.insert": {
        "compute.instances.create", "compute.instances.setLabels", "compute.instances.setMetadata",
        "compute.instances.setServiceAccount", "compute.disks.create", "compute.disks.setLabels",
        "compute.subnetworks.use", "compute.subnetworks.useExternalIp",
    },
    "instances.delete": {"compute.instances.delete"},
}  # fmt: skip
"""What each method takes, by its reference; a project of one's own network has no more (believed)."""
OBJECTS = "projects/_/buckets/BUCKET/objects/PREFIX"
RUN = f"{OBJECTS}/{layout.run('a-run')}"


class Name(str):
    """A resource's, as conditions look at it."""

    __slots__ = ()

    def extract(self, template: str) -> Name:
        before = template.partition("{")[0]
        found = re.search(re.escape(before) + ("([^/]*)" if not template.endswith("}") else "(.*)"), self)
        return Name(found[1] if found else "")

    startsWith = str.startswith  # noqa: N815 - its name there


class Request:
    """A request; `listed` is the prefix of a listing."""

    def __init__(self, name: str, listed: str = "") -> None:
        self.name, self._listed = Name(name), listed

    def getAttribute(self, _name: str, _default: str) -> Name:  # noqa: N802 - its name there
        return Name(self._listed)


def holds(condition: str, name: str, listed: str = "") -> bool:
    """What a condition says of a request: its operators are Python's by other names."""
    text = CONDITIONS[condition].replace("&&", " and ").replace("||", " or ")
    return bool(eval(text, {"resource": Request(name), "api": Request("", listed)}))


def test_they_are_the_files_that_the_page_speaks_of() -> None:
    page = (FOLDER.parents[2] / "docs" / "gce.md").read_text()
    named = set(re.findall(r"infra/policies/gce/(\w+\.yaml)", page)) | {"reads.yaml", "appends.yaml", "writes.yaml"}
    assert set(FILES) == named
    assert set(ROLES) | set(CONDITIONS) == set(FILES)


@pytest.mark.parametrize("name", ROLES)
def test_no_right_is_given_by_a_wildcard(name: str) -> None:
    assert not [each for each in ROLES[name] if not re.fullmatch(r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+", each)]
    assert len(set(ROLES[name])) == len(ROLES[name])


def test_the_user_may_do_what_is_asked_for_and_no_more() -> None:
    assert set(PERMISSIONS) == set(METHODS.values())
    assert set(ROLES["user.yaml"]) | set(ROLES["ends.yaml"]) == set().union(*PERMISSIONS.values())


def test_a_machine_may_end_machines_of_ours_alone() -> None:
    assert ROLES["ends.yaml"] == ["compute.instances.delete"]
    begin = "projects/a-project/zones/us-central1-a/instances"
    assert holds("ours.yaml", f"{begin}/facegan-dcgan-1-0123456789")
    assert not holds("ours.yaml", f"{begin}/somebodys")
    assert not holds("ours.yaml", "projects/facegan-project/zones/us-central1-a/instances/other")


@pytest.mark.parametrize(
    ("name", "may"),
    [
        (f"{RUN}ledger/00000000.json", {"reads.yaml", "appends.yaml"}),
        (f"{RUN}checkpoints/20-1/state.safetensors", {"reads.yaml", "writes.yaml"}),
        (f"{RUN}sessions/1/machine.txt", {"reads.yaml", "writes.yaml"}),
        (f"{OBJECTS}/datasets/celeba/0/images.npy", {"reads.yaml"}),
        (f"{OBJECTS}/doctor/1", set[str]()),
        ("projects/_/buckets/another/objects/PREFIX/runs/a/ledger/0", set[str]()),
    ],
)
def test_a_session_extends_ledgers_and_changes_none(name: str, may: set[str]) -> None:
    assert {each for each in ("reads.yaml", "appends.yaml", "writes.yaml") if holds(each, name)} == may


def test_a_session_lists_runs_and_data() -> None:
    assert holds("reads.yaml", "projects/_/buckets/BUCKET", "PREFIX/runs/a-run/ledger/")
    assert not holds("reads.yaml", "projects/_/buckets/BUCKET", "PREFIX/")
