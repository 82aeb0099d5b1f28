"""The NVIDIA GPUs of this machine, as its driver lists them."""

from __future__ import annotations

import shutil
import subprocess


def names() -> list[str]:
    """Short names that users type, `T4`, `A100`, in the driver's order; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    return [_short(line) for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _short(name: str) -> str:
    words = name.replace("NVIDIA", "").replace("Tesla", "").replace("GeForce", "").split()
    return words[0].split("-")[0] if words else name
