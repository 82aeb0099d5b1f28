"""The one file that a session is: a zip that Python runs, with the start script, this session's order and the wheel."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import infra
from facegan.experiment import Json

MAIN = "from infra.colab.start import main\n\nmain()\n"
PARTS = ("__init__.py", "start/__init__.py", "start/machine.py", "colab/__init__.py", "colab/start.py")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


def pack(order: Json, wheel: bytes) -> bytes:
    """Equal orders make equal bytes. There is no secret in it."""
    root = Path(str(infra.__file__)).parent
    files = {f"infra/{name}": (root / name).read_bytes() for name in PARTS}
    files |= {"__main__.py": MAIN.encode(), "order.json": json.dumps(order, sort_keys=True).encode(), "wheel": wheel}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data)
    return target.getvalue()
