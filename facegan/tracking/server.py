"""The edge to MLflow: the few verbs that are needed, each of which may be repeated at will.

Only `MlflowClient` is used: MLflow's fluent functions have an "active run" that they end on their own.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from facegan.errors import FaceganError
from facegan.lock import alone
from facegan.tracking import address

PREFIX = "facegan/"
BATCH = 1_000  # of points; MLflow's documented limit for one call
SMALL_BATCH = 100  # of parameters or tags
MODEL = "generator"
GONE, TAKEN = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


class TrackingError(FaceganError):
    """The tracking server did not answer, or will not do it. Nothing is lost: the ledger has it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The MLflow experiment that runs of one of our experiments go to.

    `name` is what the ledger calls the server. The experiment's number and birth are in it, so that a
    database that was deleted and made again, or one at the same path of another machine, is another server.
    """

    experiment_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """A run as MLflow has it. `metrics` are the names of those with points."""

    run_id: str
    deleted: bool
    status: str
    end_time: int | None
    metrics: Sequence[str]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    models: Sequence[str]


class Server:
    """One tracking server. `client` is an `MlflowClient`, or what a test puts in its place."""

    def __init__(self, uri: str, client: Any, artifacts: str | None = None) -> None:  # noqa: ANN401 - untyped
        self.uri = uri
        self.client = client
        self.name = address.name(uri)
        self._artifacts = address.artifact_root(uri, artifacts)
        database = address.database(uri)
        self.lock = None if database is None else database.with_name(f"{database.name}.lock")

    @classmethod
    def open(cls, uri: str, artifacts: str | None = None) -> Server:
        """Connect; an embedded database is made or brought to MLflow's present schema, by one process at a time.

        Raises:
            BadInputError: not the address of a tracking server.
            TrackingError: it does not answer.
        """
        server = cls(address.check(uri), None, artifacts)
        with server.asking(), alone(server.lock):
            _require_database(address.database(uri))
            server.client = MlflowClient(tracking_uri=uri)
            server.client.get_experiment_by_name("Default")
        return server

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Say what went wrong in this program's words."""
        try:
            yield
        except FaceganError:
            raise
        except Exception as error:  # MLflow lets through what databases, HTTP and every artifact store raise
            said = " ".join(address.without_credentials(str(error)).split())[:300]
            raise TrackingError(
                f'the tracking server "{self.name}" did not take it: {said}',
                hint="nothing is lost: the same command goes on from here once the server answers",
            ) from error

    def home(self, experiment: str) -> Home:
        """The MLflow experiment of this name, made if there is none: of any number of racers one makes it."""
        name = f"{PREFIX}{experiment}"
        location = f"{self._artifacts}/{experiment}" if self._artifacts else None
        with self.asking():
            found = self.client.get_experiment_by_name(name)
            if found is None:
                # The kind is what makes MLflow's UI show training runs first, not traces of language models.
                tags = {"mlflow.experimentKind": "custom_model_development"}
                with _unless(TAKEN):
                    self.client.create_experiment(name, artifact_location=location, tags=tags)
                found = self.client.get_experiment_by_name(name)
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f'the experiment "{name}" was deleted in MLflow',
                hint=f"mlflow experiments restore --experiment-id {found.experiment_id}",
            )
        eid = str(found.experiment_id)
        return Home(experiment_id=eid, name=f"{self.name}#{eid}-{found.creation_time}")

    def run(self, run_id: str) -> There | None:
        """The run; `None` when the server, answering, does not know it."""
        with self.asking(), _unless(GONE):
            return _there(self.client.get_run(run_id))
        return None

    def runs_tagged(self, home: Home, tag: str, value: str) -> list[There]:
        """The runs that are not deleted and have this tag, in an order that is the same for everybody."""
        with self.asking():
            found = self.client.search_runs(
                [home.experiment_id],
                filter_string=f"tags.`{tag}` = '{value}'",
                run_view_type=ViewType.ACTIVE_ONLY,
            )
        return sorted(map(_there, found), key=lambda run: run.run_id)

    def create_run(self, home: Home, name: str, start_time: int, tags: Mapping[str, str]) -> str:
        with self.asking():
            made = self.client.create_run(home.experiment_id, start_time=start_time, run_name=name, tags=dict(tags))
        return str(made.info.run_id)

    def delete_run(self, run_id: str) -> None:
        with self.asking(), _unless(GONE):
            self.client.delete_run(run_id)

    def points(self, run_id: str, metric: str) -> dict[int, int]:
        """The time of every step that has a point of this metric."""
        with self.asking():
            return {point.step: point.timestamp for point in self.client.get_metric_history(run_id, metric)}

    def log_points(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Write points: metric, value, time, step. At most `BATCH`; they are stored all or none."""
        metrics = [Metric(name, value, at, step) for name, value, at, step in points]
        with self.asking():
            self.client.log_batch(run_id, metrics=metrics)

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        for some in _pieces(params):
            with self.asking():
                self.client.log_batch(run_id, params=[Param(*item) for item in some])

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for some in _pieces(tags):
            with self.asking():
                self.client.log_batch(run_id, tags=[RunTag(*item) for item in some])

    def artifacts(self, run_id: str, folder: str) -> dict[str, int | None]:
        """Names in a folder of artifacts, with their sizes where the artifact store tells them."""
        with self.asking():
            found = self.client.list_artifacts(run_id, folder)
        return {item.path.rpartition("/")[2]: item.file_size for item in found}

    def upload(self, run_id: str, file: Path, folder: str) -> None:
        with self.asking():
            self.client.log_artifact(run_id, str(file), folder)

    def mark(self, run_id: str, status: str, end_time: int | None) -> None:
        """Set the status. Without `end_time` MLflow keeps the one it has."""
        with self.asking():
            if end_time is None:
                self.client.update_run(run_id, status=status)
            else:
                self.client.set_terminated(run_id, status, end_time=end_time)

    def find_models(self, home: Home, run_id: str) -> list[str]:
        """The run's logged models, in an order that is the same for everybody."""
        with self.asking():
            found = self.client.search_logged_models(
                [home.experiment_id], filter_string=f"source_run_id = '{run_id}' AND name = '{MODEL}'"
            )
        return sorted(model.model_id for model in found)

    def create_model(self, home: Home, run_id: str, tags: Mapping[str, str]) -> str:
        with self.asking():
            made = self.client.create_logged_model(
                home.experiment_id, name=MODEL, source_run_id=run_id, tags=dict(tags)
            )
        return str(made.model_id)

    def delete_model(self, model_id: str) -> None:
        with self.asking(), _unless(GONE):
            self.client.delete_logged_model(model_id)

    def model_tags(self, model_id: str) -> dict[str, str] | None:
        """The model's tags; `None` when the server, answering, does not know it."""
        with self.asking(), _unless(GONE):
            return dict(self.client.get_logged_model(model_id).tags)
        return None

    def tag_model(self, model_id: str, tags: Mapping[str, str]) -> None:
        with self.asking():
            self.client.set_logged_model_tags(model_id, dict(tags))

    def link_model(self, run_id: str, model_id: str, step: int) -> None:
        """Show the model on the run's page. MLflow refuses it when it is done already."""
        with self.asking():
            self.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=step)])


def _require_database(path: Path | None) -> None:
    """Fail at once where SQLite cannot work: MLflow would try for minutes."""
    if path is not None:
        with contextlib.closing(sqlite3.connect(path, timeout=30.0)) as database:
            database.execute("PRAGMA schema_version")


@contextlib.contextmanager
def _unless(code: str) -> Iterator[None]:
    """Pass over one answer of MLflow's."""
    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def _there(run: Any) -> There:  # noqa: ANN401 - untyped
    return There(
        run_id=run.info.run_id,
        deleted=run.info.lifecycle_stage != "active",
        status=run.info.status,
        end_time=run.info.end_time,
        metrics=sorted(run.data.metrics),
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        models=[output.model_id for output in run.outputs.model_outputs] if run.outputs else [],
    )


def _pieces(items: Mapping[str, str]) -> Iterator[list[tuple[str, str]]]:
    pairs = sorted(items.items())
    for start in range(0, len(pairs), SMALL_BATCH):
        yield pairs[start : start + SMALL_BATCH]
