"""What a session adds to Kaggle's packages, with pip as it is: what is missing, and nothing that is there."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from jobs.backends.kaggle import script
from tests.fakes.kaggle import Kaggle
from tests.kaggle.calling import push

WHEELS = "somebody/some-wheels"
ORDER = {"run_url": "s3://bucket/runs/a-run", "number": 1, "gpu": None}
BEFORE = """
import shutil
def versions():
    return {name: installed(name) for name in (*THERE, "safetensors")}
found = importlib.metadata.distribution("safetensors")
shutil.rmtree(found._path)
print("before", versions())
try:
    packages(STORE)
except RuntimeError as error:
    print("facegan-why:", error)
importlib.invalidate_caches()
print("after", versions())
"""


def wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    """A wheel with nothing in it but what it is and what it needs."""
    data, info = io.BytesIO(), f"{name}-{version}.dist-info"
    about = "\n".join(
        ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    )
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(f"{name}_marker.py", "")
        archive.writestr(f"{info}/METADATA", f"{about}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(data.getvalue())


def added(kaggle: Kaggle, folder: Path) -> dict[str, str]:
    """What a session without safetensors says, where pip finds no more than these wheels: by the first word."""
    kaggle.datasets.publish(WHEELS, folder)
    where = f"/kaggle/input/datasets/{WHEELS}"
    kaggle.set(
        queue_s=1.0,
        environment={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": where, "PIP_CONFIG_FILE": os.devnull, "PIP_CONSTRAINT": ""},
    )
    text = script.render(ORDER, b"").rstrip().removesuffix("main()") + BEFORE
    assert push(kaggle, text=text, datasetDataSources=[WHEELS]).json["error"] == ""
    printed = kaggle.over("first-one").log.plain()
    lines = [line.partition(" ") for line in printed.splitlines()]
    return {first: rest for first, _, rest in lines} | {"all": printed}


def test_a_package_that_is_missing_is_added_and_kaggles_own_are_as_they_were(kaggle: Kaggle, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "safetensors", "99.0", "numpy>=1")
    wheel(tmp_path / "wheels", "numpy", "999.0")
    said = added(kaggle, tmp_path / "wheels")
    assert "'safetensors': None" in said["before"], said["all"]
    assert said["after"] == said["before"].replace("'safetensors': None", "'safetensors': '99.0'"), said["all"]
    assert "facegan-start: adding safetensors>=0.4.5\n" in said["all"]


def test_one_that_would_bring_another_numpy_is_refused_with_words(kaggle: Kaggle, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "safetensors", "99.0", "numpy>=999")
    wheel(tmp_path / "wheels", "numpy", "999.0")
    said = added(kaggle, tmp_path / "wheels")
    assert said["after"] == said["before"], said["all"]
    assert "safetensors>=0.4.5 could not be installed beside tensorflow==" in said["facegan-why:"]
    assert "Cannot install safetensors==99.0 because" in said["all"], "pip's own words are there"
