"""A toy trainer: the real session drives it, and its state depends on every step it ever took.

Weights are a few integers mixed with numbers drawn from (seed, step), so that one step left out, done
twice or done on another state changes all that follows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from facegan.errors import DamagedError
from facegan.experiment import Experiment
from facegan.trainer import Trainer

PNG = b"\x89PNG\r\n\x1a\n toy "


def draw(seed: int, step: int, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}/{purpose}".encode()).digest()[:6], "big")


class ToyTrainer(Trainer):
    """Sums instead of networks: a step takes microseconds, and no GPU."""

    def __init__(self, experiment: Experiment, *, determinism: Mapping[str, str] | None = None) -> None:
        self._experiment = experiment
        self._step = 0
        self._weights = [draw(experiment.seed, 0, f"weight {i}") for i in range(4)]
        self._slots = [0] * 4
        self._determinism = determinism or {"device": "toy"}

    @property
    def step(self) -> int:
        return self._step

    @property
    def determinism(self) -> Mapping[str, str]:
        return self._determinism

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        return [self._advance_once() for _ in range(steps)]

    def _advance_once(self) -> Mapping[str, float]:
        self._step += 1
        image = draw(self._experiment.seed, self._step, "image") % 1000
        for i in range(4):
            gradient = (self._weights[(i + 1) % 4] * 31 + image * (i + 1)) % 1_000_003
            self._slots[i] = (self._slots[i] * 7 + gradient) % 1_000_003
            self._weights[i] = (self._weights[i] + self._slots[i]) % 1_000_003
        return {"loss": self._weights[0] / 1_000_003, "image": float(image)}

    def snapshot(self) -> Callable[[], bytes]:
        copied = {"step": self._step, "weights": list(self._weights), "slots": list(self._slots)}
        return lambda: json.dumps(copied).encode()

    def restore(self, state: bytes) -> None:
        try:
            fields = json.loads(state)
            self._step, self._weights, self._slots = fields["step"], fields["weights"], fields["slots"]
        except (ValueError, KeyError) as error:
            raise DamagedError(f"not a toy's state: {error}") from error

    def samples(self) -> Mapping[str, bytes]:
        return {"grid": PNG + str(self._weights).encode()}

    def evaluate(self) -> Mapping[str, float]:
        return {"share": self._weights[1] / 1_000_003}
