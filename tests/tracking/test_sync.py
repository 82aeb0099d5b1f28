"""One run, one MLflow run: what is in the ledger is in MLflow, once, whatever happened on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.storage.base import LARGEST
from facegan.storage.memory import MemoryStore
from facegan.tracking.sync import HINT, PROOF
from tests.fakes.toy import ToyTrainer
from tests.tracking.world import RUN, Mlflow, PictureTrainer, Run, assert_same


def test_a_whole_run(memory_run: Run, mlflow: Mlflow) -> None:
    assert memory_run.session() == SessionExit.FINISHED
    progress = mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)
    run = mlflow.the_run()
    assert run.info.run_name == RUN
    assert progress.mlflow_run == run.info.run_id
    assert (progress.points, progress.images) == (len(memory_run.committed()), 4)
    assert (progress.new_points, progress.new_images) == (progress.points, 4)
    assert run.info.start_time == memory_run.at("created")
    assert (run.info.status, run.info.end_time) == ("FINISHED", memory_run.at("report"))
    assert run.data.params["training.steps"] == "20"
    assert run.data.params["generator.learning_rate"] == "0.001"
    assert run.data.params["session.budget_s"] == "none"
    tags = run.data.tags
    assert tags["facegan.state"] == "finished"
    assert tags["mlflow.loggedImages"] == "True"
    assert {key: value for key, value in tags.items() if key.startswith("facegan.session.")} == {
        "facegan.session.1.backend": "hand",
        "facegan.session.1.device": "toy",
        "facegan.session.1.join": "exact",
        "facegan.session.1.first_step": "1",
        "facegan.session.1.last_step": "20",
        "facegan.session.1.outcome": "finished",
        "facegan.session.1.why": "the last step is committed",
    }
    experiment = mlflow.client.get_experiment(run.info.experiment_id)
    assert experiment.name == "facegan/dcgan-mnist"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_repeated_it_changes_nothing(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session()
    first = mlflow.sync(memory_run)
    before, entries = mlflow.dump(), memory_run.ledger().refresh()
    again = mlflow.sync(memory_run)
    assert mlflow.dump() == before
    assert memory_run.ledger().refresh() == entries
    assert (again.points, again.new_points, again.new_images) == (first.points, 0, 0)


def test_after_every_session_of_a_run_that_is_killed(memory_run: Run, mlflow: Mlflow) -> None:
    """Between sessions, and after kills, it is not over."""
    following = mlflow.copy(memory_run)
    for dies_after in (2, 7, 8, 14):
        assert memory_run.session(dies_after=dies_after) is None
        mlflow.sync(memory_run)
        following.update()
        assert_same(memory_run, mlflow) if memory_run.committed() else None
        assert (mlflow.the_run().info.status, mlflow.the_run().info.end_time) == ("RUNNING", None)
    memory_run.session()
    following.update()
    assert_same(memory_run, mlflow)
    tags = mlflow.the_run().data.tags
    assert tags["facegan.session.1.outcome"] == "lost"
    assert (tags["facegan.session.5.first_step"], tags["facegan.session.5.last_step"]) == ("11", "20")


def test_it_equals_the_untouched_run(new_mlflow: Callable[[], Mlflow]) -> None:
    """Values and steps; the times are those at which a session made what was committed."""
    curves = []
    for kills in ((), (3, 9, 17)):
        run, mlflow = Run(store=MemoryStore()).begin(), new_mlflow()
        for dies_after in kills:
            run.session(dies_after=dies_after)
            mlflow.sync(run)
        run.session()
        mlflow.sync(run)
        assert_same(run, mlflow)
        curves.append([point[:3] for point in mlflow.points()])
    assert curves[0] == curves[1]


def test_after_a_fallback_restore(memory_run: Run, mlflow: Mlflow) -> None:
    """Steps trained again keep the metrics first committed, also when MLflow had them from before."""
    memory_run.session(dies_after=16)
    mlflow.sync(memory_run)
    key = next(k for k in memory_run.store.list(f"runs/{RUN}/checkpoints/15-") if k.endswith("state.safetensors"))
    memory_run.store.put(key, b"damaged")
    memory_run.session()
    mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)


def test_damaged_metrics_are_named_and_copied_once_they_are_whole(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session(dies_after=16)
    key = next(k for k in memory_run.store.list(f"runs/{RUN}/checkpoints/10-") if k.endswith("metrics.jsonl"))
    whole = memory_run.store.get(key)
    memory_run.store.put(key, b"damaged")
    following = mlflow.copy(memory_run)
    following.update()
    mlflow.sync(memory_run)
    assert {step for _, step, *_ in mlflow.points()} == {*range(1, 6), *range(11, 16)}
    assert any(key in note for note in mlflow.notes)
    memory_run.store.put(key, whole)
    mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)
    assert following.update().new_points == 11  # two metrics of five steps, and the evaluation
    assert_same(memory_run, mlflow)


def test_metrics_lost_for_good_are_those_of_the_steps_trained_again(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session(dies_after=16)
    key = next(k for k in memory_run.store.list(f"runs/{RUN}/checkpoints/15-") if k.endswith("metrics.jsonl"))
    memory_run.store.delete(key)
    mlflow.sync(memory_run)
    memory_run.session()
    mlflow.sync(memory_run)
    steps = [step for metric, step, *_ in mlflow.points() if metric == "loss"]
    assert steps == list(range(1, 21))


@pytest.mark.parametrize("hint", [None, "0", "3", "999999", "-1", "nonsense", "head"])
def test_the_hint_is_never_the_truth(memory_run: Run, mlflow: Mlflow, hint: str | None) -> None:
    memory_run.session(dies_after=8)
    mlflow.sync(memory_run)
    memory_run.session()
    mlflow.tag(HINT, str(len(list(memory_run.ledger().entries())) - 1) if hint == "head" else hint)
    mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)


def test_a_proof_without_its_points_is_not_believed(memory_run: Run, mlflow: Mlflow) -> None:
    """As a killed sync never leaves it: the hint of a longer history beside the points of a shorter one."""
    memory_run.session(dies_after=8)
    mlflow.sync(memory_run)
    memory_run.session()
    head = len(list(memory_run.ledger().entries())) - 1
    mlflow.tag(HINT, str(head))
    mlflow.tag(PROOF, f"{head}/{len(memory_run.committed())}/4")
    mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)


def test_a_believed_hint_spares_the_objects(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session()
    mlflow.sync(memory_run)
    read: list[str] = []

    class Listening(MemoryStore):
        def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
            read.append(key)
            return super().get(key, at_most=at_most)

    store = Listening()
    store.objects = memory_run.store.objects  # type: ignore[attr-defined]
    mlflow.copy(memory_run, ledger=memory_run.ledger("sync", store)).update()
    assert not [key for key in read if "/checkpoints/" in key and "safetensors" not in key]


def test_a_point_that_mlflow_has_is_never_written_again(memory_run: Run, mlflow: Mlflow) -> None:
    """Not even when it is another one: two points of a step would be a broken curve."""
    memory_run.session(dies_after=8)
    run_id = mlflow.sync(memory_run).mlflow_run
    mlflow.client.log_metric(run_id, "loss", 0.5, timestamp=1, step=9)
    memory_run.session()
    mlflow.sync(memory_run)
    loss = {(step, value) for metric, step, value, _ in mlflow.points() if metric == "loss"}
    assert (9, 0.5) in loss
    assert len(loss) == 20


def test_more_points_than_fit_in_one_batch(mlflow: Mlflow) -> None:
    run = Run(store=MemoryStore()).begin(
        "training.steps=1300", "checkpoint.every_steps=600", "samples.every_steps=600", "evaluation.every_steps=600"
    )
    run.session()
    mlflow.sync(run)
    assert_same(run, mlflow)


def test_a_failed_run_and_its_resumption(memory_run: Run, mlflow: Mlflow) -> None:
    assert memory_run.session(breaks_after=7) == SessionExit.FAILED
    mlflow.sync(memory_run)
    failed = mlflow.the_run()
    assert (failed.info.status, failed.info.end_time) == ("FAILED", memory_run.at("report"))
    assert failed.data.tags["facegan.session.1.why"] == "RuntimeError: the toy broke"
    memory_run.session(dies_after=12)
    mlflow.sync(memory_run)
    assert mlflow.the_run().info.status == "RUNNING"
    memory_run.session()
    mlflow.sync(memory_run)
    run = mlflow.the_run()
    assert (run.info.status, run.info.end_time) == ("FINISHED", memory_run.at("report"))
    assert_same(memory_run, mlflow)


def test_a_cancelled_run(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session(dies_after=7)
    memory_run.say("cancel")
    mlflow.sync(memory_run)
    run = mlflow.the_run()
    assert (run.info.status, run.info.end_time) == ("KILLED", memory_run.at("cancel"))
    assert run.data.tags["facegan.state"] == "cancelled"


def test_a_stopped_run_is_not_over(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session(dies_after=7)
    memory_run.say("lost", session=1, why="process gone")
    memory_run.say("stop")
    mlflow.sync(memory_run)
    run = mlflow.the_run()
    assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    assert run.data.tags["facegan.state"] == "stopped"
    assert run.data.tags["facegan.session.1.outcome"] == "lost"


def test_a_run_killed_after_its_last_commit_is_finished(memory_run: Run, mlflow: Mlflow) -> None:
    """No report will ever come: the last commit is when it ended."""
    memory_run.session()
    ledger = memory_run.ledger()
    last = max(entry.seq for entry in ledger.entries() if entry.kind == "checkpoint")
    for key in list(memory_run.store.list(f"runs/{RUN}/ledger/", after=f"runs/{RUN}/ledger/{last:08d}.json")):
        memory_run.store.delete(key)
    mlflow.sync(memory_run)
    run = mlflow.the_run()
    assert (run.info.status, run.info.end_time) == ("FINISHED", memory_run.at("checkpoint"))


def test_an_extended_run(memory_run: Run, mlflow: Mlflow) -> None:
    """Parameters stay as they were; how long the run is now is a tag."""
    memory_run.session()
    mlflow.sync(memory_run)
    memory_run.say("extended", steps=30)
    mlflow.sync(memory_run)
    assert mlflow.the_run().info.status == "RUNNING"
    memory_run.session()
    mlflow.sync(memory_run)
    run = mlflow.the_run()
    assert run.data.params["training.steps"] == "20"
    assert run.data.tags["facegan.steps"] == "30"
    assert (run.info.status, run.info.end_time) == ("FINISHED", memory_run.at("report"))
    assert_same(memory_run, mlflow)


def test_a_run_nobody_has_trained(memory_run: Run, mlflow: Mlflow) -> None:
    progress = mlflow.sync(memory_run)
    assert (progress.points, progress.images, progress.state) == (0, 0, "created")
    assert mlflow.the_run().info.status == "RUNNING"


def test_samples_that_are_no_pictures_are_named(mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(store=MemoryStore()).begin()
    with monkeypatch.context() as patch:
        patch.setattr(PictureTrainer, "samples", ToyTrainer.samples)
        run.session()
    progress = mlflow.sync(run)
    assert progress.images == 0
    assert any("is not a picture" in note for note in mlflow.notes)


def test_a_torn_picture_is_written_again(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session()
    mlflow.sync(memory_run)
    folder = mlflow.the_run().info.artifact_uri.removeprefix("file://") + "/images"
    first = next(name for name in mlflow.image_files() if name.endswith(".png"))
    with Path(folder, first).open("r+b") as file:
        file.truncate(10)
    mlflow.tag(PROOF, None)
    mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)
