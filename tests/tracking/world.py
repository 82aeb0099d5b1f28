"""Runs made by the real session with a toy trainer, and MLflow databases to copy them to.

What a run has committed is read here from its objects, not with the reader that sync uses.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from facegan import catalog, experiment, layout
from facegan.errors import SessionExit
from facegan.experiment import Experiment
from facegan.ledger import Ledger, Wish, Writer
from facegan.output import Output
from facegan.stopping import StopSignal
from facegan.storage.base import ObjectStore
from facegan.tracking import images, settle
from facegan.tracking.server import Server
from facegan.tracking.sync import HINT, PROOF, Copy, Progress
from facegan.tracking.words import HEAD, HOURS
from facegan.worker import Surroundings, run_session
from tests.fakes.killing import Killed
from tests.fakes.toy import ToyTrainer

RUN = "dcgan-mnist-toy"


class PictureTrainer(ToyTrainer):
    """A toy whose samples are real pictures; `dies_after` kills its process after that step."""

    dies_after: int | None = None
    breaks_after: int | None = None

    def advance(self, steps: int) -> Any:
        if self.dies_after is not None and self.step >= self.dies_after:
            raise Killed
        if self.breaks_after is not None and self.step >= self.breaks_after:
            raise RuntimeError("the toy broke")
        return super().advance(steps)

    def samples(self) -> Mapping[str, bytes]:
        return {"grid": picture(self.step)}


def picture(step: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), color=step % 256).save(file, "PNG")
    return file.getvalue()


@dataclass(kw_only=True)
class Run:
    """One run in a store, and the hands that train it."""

    store: ObjectStore
    run: str = RUN
    now: Iterator[float] = field(default_factory=lambda: itertools.count(1_700_000_000.0, 0.25))
    ids: Iterator[int] = field(default_factory=itertools.count)

    def begin(self, *settings: str, name: str = "dcgan-mnist") -> Run:
        recipe = experiment.override(
            catalog.find(name).experiment,
            [
                "training.steps=20",
                "checkpoint.every_steps=5",
                "samples.every_steps=5",
                "evaluation.every_steps=10",
                *settings,
            ],
        )
        self.ledger().create({"run": self.run, "experiment": experiment.to_json(recipe)})
        return self

    def ledger(self, holder: str = "user", store: ObjectStore | None = None) -> Ledger:
        writer = Writer(holder=holder, wall_s=lambda: next(self.now), new_id=lambda: f"{holder}-{next(self.ids)}")
        return Ledger(store or self.store, self.run, writer)

    def session(self, *, dies_after: int | None = None, breaks_after: int | None = None) -> SessionExit | None:
        """One session; `None` when it was killed."""

        def build(recipe: Experiment) -> PictureTrainer:
            trainer = PictureTrainer(recipe)
            trainer.dies_after, trainer.breaks_after = dies_after, breaks_after
            return trainer

        def inline(work: Callable[[], None]) -> Callable[[float | None], bool]:
            work()
            return lambda _seconds: True

        holder = f"session-{next(self.ids)}"
        here = Surroundings(
            store=self.store, run=self.run, number=None, holder=holder, machine={}, build=build,
            clock=lambda: 0.0, wall_s=lambda: next(self.now), sleep=lambda _s: None,
            new_id=lambda: f"{holder}-{next(self.ids)}", spawn=inline, repeat=lambda _work, _s: lambda: None,
            abandon=lambda _code: None, began=0.0, stop=StopSignal(), output=Output(), say=lambda _text: None,
        )  # fmt: skip
        try:
            return run_session(here)
        except Killed:
            return None

    def say(self, kind: str, **body: Any) -> None:
        """The user's word."""
        done: list[bool] = []

        def decide(_fold: Any) -> Wish | None:
            return None if done or done.append(True) else Wish(kind=kind, body=body)

        self.ledger().append(decide)

    def committed(self) -> dict[tuple[str, int], tuple[float, int]]:
        """(metric, step) -> (value, time) of what the ledger has, read without the product's reader."""
        found: dict[tuple[str, int], tuple[float, int]] = {}
        for entry in self.ledger().entries():
            if entry.kind == "checkpoint" and layout.METRICS in entry.body["objects"]:
                for line in self.store.get(entry.body["key"] + layout.METRICS).decode().splitlines():
                    point = json.loads(line)
                    step, at = point.pop("step"), point.pop("at")
                    for metric, value in point.items():
                        found.setdefault((metric, step), (value, at))
        return found

    def pictures(self) -> list[int]:
        """The steps of the pictures that the ledger has."""
        entries = self.ledger().entries()
        names = {name for entry in entries if entry.kind == "checkpoint" for name in entry.body["objects"]}
        return sorted(layout.sample_parts(name)[0] for name in names if name.startswith(layout.SAMPLES))

    def at(self, kind: str) -> int:
        """When the newest entry of this kind was written, in ms."""
        return [settle.milliseconds(entry) for entry in self.ledger().entries() if entry.kind == kind][-1]


@dataclass(kw_only=True)
class Mlflow:
    """One tracking database, and what it has of a run."""

    uri: str
    notes: list[str] = field(default_factory=list)

    @cached_property
    def client(self) -> Any:
        return Server.open(self.uri).client

    def unlocked(self, client: Any = None) -> Server:
        """A server that does not wait for another process: what a remote one is."""
        server = Server(self.uri, client or self.client)
        server.lock = None
        return server

    def copy(
        self, run: Run, *, server: Server | None = None, ledger: Ledger | None = None, accepted: bool = False
    ) -> Copy:
        return Copy(
            ledger=ledger or run.ledger("sync"),
            server=server or Server(self.uri, self.client),
            say=self.notes.append,
            accepted=accepted,
        )

    def sync(self, run: Run, *, accepted: bool = False) -> Progress:
        return self.copy(run, accepted=accepted).update()

    def runs(self) -> list[Any]:
        """Every MLflow run that a user sees."""
        client = self.client
        return [run for found in client.search_experiments() for run in client.search_runs([found.experiment_id])]

    def the_run(self) -> Any:
        (run,) = self.runs()
        return self.client.get_run(run.info.run_id)

    def points(self) -> list[tuple[str, int, float, int]]:
        """Every point, as often as it is stored: (metric, step, value, time)."""
        run = self.the_run()
        return sorted(
            (metric, point.step, point.value, point.timestamp)
            for metric in run.data.metrics
            for point in self.client.get_metric_history(run.info.run_id, metric)
        )

    def image_files(self) -> list[str]:
        found = self.client.list_artifacts(self.the_run().info.run_id, "images")
        return sorted(Path(item.path).name for item in found)

    def tag(self, key: str, value: str | None) -> None:
        run_id = self.the_run().info.run_id
        if value is None:
            self.client.delete_tag(run_id, key)
        else:
            self.client.set_tag(run_id, key, value)

    def dump(self) -> dict[str, Any]:
        """Everything that must not depend on how often, and how far, it was copied."""
        run = self.the_run()
        return {
            "points": self.points(),
            "images": [name.rpartition("timestamp+")[0] + name[-4:] for name in self.image_files()],
            "params": dict(run.data.params),
            "tags": {k: v for k, v in run.data.tags.items() if k not in {HINT, PROOF, HEAD} and HOURS not in k},
            "status": (run.info.status, run.info.start_time, run.info.end_time),
        }


def assert_same(run: Run, mlflow: Mlflow) -> None:
    """Each (metric, step) once, with the committed value and time; each picture once, with its step."""
    expected = sorted((metric, step, *rest) for (metric, step), rest in run.committed().items())
    assert mlflow.points() == expected
    files = mlflow.image_files()
    assert len(files) == 2 * len(run.pictures())
    held = images.parse(dict.fromkeys(files, None))
    assert sorted(held) == [("samples/grid", step) for step in run.pictures()]
    root = Path(mlflow.the_run().info.artifact_uri.removeprefix("file://"))
    for name in files:
        if name.endswith(".png"):
            assert (root / "images" / name).read_bytes() == picture(int(name.split("+")[2]))
