"""What is shipped to machines that have none of our code: the wheel of the very code that is running.

It is made from the packages as they lie here, installed or in a checkout, without a build tool or a network. The
same files make the same bytes (on one version of zlib), so a bundle can be known by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

import facegan
import infra
import jobs
from facegan.errors import FaceganError

DISTRIBUTION = "facegan-job"
DOCKERFILE = "Dockerfile"

WHOLE = (facegan, infra, jobs)
SESSION = (facegan,)  # all that a session runs, for places that take little
_INFRA = Path(infra.__file__).parent
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_MODE = 0o100644 << 16
_WHEEL = "Wheel-Version: 1.0\nGenerator: facegan-job\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """An installable archive: its file name, its version, and its bytes."""

    name: str
    version: str
    data: bytes

    @property
    def sha256(self) -> str:
        return digest(self.data)


def digest(data: bytes) -> str:
    """The SHA-256 by which what is sent is known."""
    return hashlib.sha256(data).hexdigest()


def wheel(packages: Sequence[ModuleType] = WHOLE) -> Wheel:
    """The wheel of the code that is running, or of some packages of it, then without commands.

    Raises:
        FaceganError: this code was never installed, so that nobody knows what it depends on.
    """
    said = _metadata()
    version = said.version
    files = code(packages) | _about(said, f"{_stem(version)}.dist-info", commands=jobs in packages)
    return Wheel(name=f"{_stem(version)}-py3-none-any.whl", version=version, data=packed(files, version))


def code(packages: Sequence[ModuleType] = WHOLE) -> dict[str, bytes]:
    """Every file of these packages, by its path in a wheel."""
    found = {}
    for package in packages:
        root = Path(str(package.__file__)).parent
        for path in root.rglob("*"):
            inner = path.relative_to(root.parent)
            is_made = any(part.startswith(".") or part == "__pycache__" for part in inner.parts)
            if path.is_file() and not is_made:
                found[inner.as_posix()] = path.read_bytes()
    if infra in packages:
        found.setdefault(f"infra/{DOCKERFILE}", dockerfile())
    return found


def dockerfile() -> bytes:
    """Of the image: beside our packages in a checkout, inside `infra` where they were installed."""
    installed = _INFRA / DOCKERFILE
    return (installed if installed.exists() else _INFRA.parent / DOCKERFILE).read_bytes()


def lock(device: str) -> tuple[str, bytes]:
    """File name and text of what the image for this device (`cpu` or `gpu`) holds beside our code."""
    name = f"requirements-{device}.txt"
    return name, (_INFRA / "image" / name).read_bytes()


def packed(files: Mapping[str, bytes], version: str) -> bytes:
    """A wheel of these files: sorted, dated alike, and with the record that an installer holds them against."""
    record = f"{_stem(version)}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in sorted(files.items())]
    whole = dict(sorted(files.items())) | {record: "".join([*lines, f"{record},,\n"]).encode()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in whole.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr, entry.create_system = _MODE, 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    return target.getvalue()


def _metadata() -> metadata.Distribution:
    try:
        return metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise FaceganError(
            f'"{DISTRIBUTION}" is not installed here, so it cannot be bundled', hint="make setup"
        ) from error


def _about(said: metadata.Distribution, folder: str, *, commands: bool) -> dict[str, bytes]:
    """What the wheel says of itself: who it is, what it needs, its licence, and its `commands`."""
    names = ["METADATA", "licenses/LICENSE", *(["entry_points.txt"] if commands else [])]
    texts = {name: said.read_text(name) for name in names}
    return {
        f"{folder}/WHEEL": _WHEEL.encode(),
        **{f"{folder}/{name}": text.encode() for name, text in texts.items() if text is not None},
    }


def _stem(version: str) -> str:
    return f"{DISTRIBUTION.replace('-', '_')}-{version}"


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
