"""What became of a run, read from its files by other code than the product's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Last weights, and all that was measured and drawn on the way to them."""

    step: int
    state: str
    metrics: Mapping[int, Mapping[str, float]]
    samples: Mapping[str, str]


def entries(home: Path, run: str) -> list[dict[str, Any]]:
    folder = home / "store" / "runs" / run / "ledger"
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def kinds(home: Path, run: str) -> list[str]:
    return [entry["kind"] for entry in entries(home, run)]


def committed(home: Path, run: str) -> list[dict[str, Any]]:
    return [entry for entry in entries(home, run) if entry["kind"] == "checkpoint"]


def outcome(home: Path, run: str) -> Outcome:
    """Read what the ledger names; asserts that no step has its metrics twice, and no picture two looks."""
    metrics: dict[int, Mapping[str, float]] = {}
    samples: dict[str, str] = {}
    for entry in committed(home, run):
        folder = home / "store" / entry["key"]
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            values = json.loads(line)
            del values["at"]
            step = values.pop("step")
            assert step not in metrics, f"step {step} has its metrics twice"
            metrics[step] = values
        for path in sorted(folder.glob("samples/*.png")):
            look = digest(path)
            assert samples.setdefault(path.name, look) == look, f"{path.name} was drawn differently"
    last = committed(home, run)[-1]
    return Outcome(
        step=last["step"],
        state=digest(home / "store" / last["key"] / "state.safetensors"),
        metrics=metrics,
        samples=samples,
    )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def objects(home: Path) -> dict[str, str]:
    """Every object of the store, by its digest. What is still on its way into it is none."""
    store = home / "store"
    found = {str(path.relative_to(store)): path for path in store.rglob("*") if path.is_file()}
    return {key: digest(path) for key, path in found.items() if not key.startswith(".incoming/")}
