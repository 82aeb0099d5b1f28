"""The wheel that is shipped: the same bytes from the same files, and one that an installer takes."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

from jobs import bundle

ROOT = Path(__file__).parents[3]
AGAIN = "import hashlib; from jobs import bundle; print(hashlib.sha256(bundle.wheel().data).hexdigest())"


@pytest.fixture(scope="module")
def wheel() -> bundle.Wheel:
    return bundle.wheel()


@pytest.fixture(scope="module")
def installed(wheel: bundle.Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which pip installed the wheel and nothing else, without asking anybody."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / wheel.name).write_bytes(wheel.data)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(folder / wheel.name)], check=True, env={**os.environ, "PIP_FIND_LINKS": ""})
    return python


def files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_a_session_needs_fits_into_a_script_of_a_megabyte() -> None:
    assert len(base64.b64encode(bundle.wheel(bundle.SESSION).data)) < 8e5, "and the script itself has to, too"


def test_the_same_files_make_the_same_bytes_in_whatever_order_they_come(wheel: bundle.Wheel) -> None:
    code = bundle.code()
    backwards = dict(reversed(code.items()))
    assert bundle.packed(code, "1") == bundle.packed(backwards, "1")
    changed = {**code, "jobs/__init__.py": code["jobs/__init__.py"] + b"\n"}
    assert bundle.packed(changed, "1") != bundle.packed(code, "1")
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_its_record_is_right(wheel: bundle.Wheel) -> None:
    found = files(wheel.data)
    record = next(name for name in found if name.endswith(".dist-info/RECORD"))
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(found[record].decode()))}
    assert rows.pop(record) == ("", "")
    assert rows == {
        name: ("sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("="), str(len(data)))
        for name, data in found.items()
        if name != record
    }


def test_an_installed_wheel_runs(installed: Path) -> None:
    ran = subprocess.run([installed, "-P", "-m", "facegan"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "error: which command?" in ran.stderr


def test_what_was_installed_bundles_itself(installed: Path, wheel: bundle.Wheel) -> None:
    ran = subprocess.run([installed, "-P", "-c", AGAIN], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == wheel.sha256


def test_what_python_is_just_compiling_is_no_code(tmp_path: Path) -> None:
    """It writes beside the final name, which has another ending, and renames it."""
    (tmp_path / "it" / "__pycache__").mkdir(parents=True)
    package = types.ModuleType("it")
    package.__file__ = str(tmp_path / "it" / "__init__.py")
    for name in ("__init__.py", "__pycache__/__init__.cpython-311.pyc", "__pycache__/__init__.cpython-311.pyc.1403"):
        (tmp_path / "it" / name).write_bytes(b"")
    assert list(bundle.code([package])) == ["it/__init__.py"]


def test_it_is_what_the_build_tool_makes(wheel: bundle.Wheel, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("facegan", "jobs", "infra"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "Dockerfile", ".gitignore"):
        shutil.copy(ROOT / name, tree)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=tree, check=True)
    built = files(next((tree / "dist").glob("*.whl")).read_bytes())
    about = re.compile(r"\.dist-info/(RECORD|WHEEL|METADATA)$")  # installed metadata may be older than the project's
    ours = files(wheel.data)
    assert set(ours) == set(built)
    assert not [name for name in ours if not about.search(name) and ours[name] != built[name]]
    assert any(about.search(name) for name in ours)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_lock_pins_everything_as_the_project_does(device: str) -> None:
    _, text = bundle.lock(device)
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) \\$", text.decode(), re.MULTILINE))
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    same = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned.items()}
    same["tensorflow"] = same["tensorflow-cpu"]
    assert not {name: version for name, version in locked.items() if same.get(name, version) != version}
    needed = {"keras", "numpy", "pillow", "safetensors", "boto3", "google-cloud-storage", "typer", "mlxtend"}
    assert needed <= locked.keys()
    assert ("tensorflow-cpu" if device == "cpu" else "tensorflow") in locked
    assert device == "cpu" or {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= locked.keys()
    assert not {"mlflow", "docker", "pytest"} & locked.keys()
    entries = re.split(r"^(?=[a-z])", text.decode(), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
