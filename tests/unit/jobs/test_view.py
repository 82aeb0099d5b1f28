"""A run as a person asks about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from facegan import session as wire
from facegan.storage.memory import MemoryStore
from jobs import recipe, word
from jobs.context import Context
from jobs.errors import Exit
from jobs.run import SILENT_S, RunView, exit_of_run, shown, view
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN


def look(store: MemoryStore, later_s: float = 0.0) -> RunView:
    return view(world.ledger(store), world.WALL_S + later_s)


def heartbeat(store: MemoryStore, **more: object) -> None:
    fields: dict[str, Any] = {"counter": 3, "seq": 2, "digest": "", "phase": "training", **more}
    wire.write(store, RUN, 1, wire.Heartbeat(**fields))


def running(store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())


def test_created(store: MemoryStore) -> None:
    world.create(store)
    found = look(store)
    assert (found.run, found.experiment, found.state) == (RUN, "dcgan-mnist", "created")
    assert (found.step, found.steps, found.checkpoint, found.sessions) == (0, 12, 0, 0)
    assert found.at == world.WALL_S
    assert found.why == "no session was asked for yet; nothing is committed yet"


def test_queued(store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    found = look(store)
    assert (found.state, found.backend, found.sessions) == ("queued", "local", 1)
    assert found.why == "session 1 has not begun yet; nothing is committed yet"


def test_running_says_what_the_heartbeat_says(store: MemoryStore) -> None:
    running(store)
    heartbeat(store, step=6, rate=2.5, losses={"d_loss": 0.5}, device="a CPU", at="2023-11-14T22:13:20+00:00")
    found = look(store)
    assert (found.state, found.flags) == ("running", ())
    assert (found.step, found.checkpoint, found.rate, found.device) == (6, 4, 2.5, "a CPU")
    assert found.losses == {"d_loss": 0.5}
    assert found.why == "training; checkpoint 4 is committed"


def test_a_heartbeat_behind_the_ledger_does_not_take_a_step_back(store: MemoryStore) -> None:
    running(store)
    heartbeat(store, step=1)
    assert look(store).step == 4


def test_running_without_a_readable_heartbeat_is_starting(store: MemoryStore) -> None:
    running(store)
    store.put(f"runs/{RUN}/sessions/1/heartbeat.json", b"{")
    assert look(store).why == "starting; checkpoint 4 is committed"


def test_silence_is_a_flag_and_not_a_state(store: MemoryStore) -> None:
    running(store)
    assert look(store, SILENT_S - 1).flags == ()
    found = look(store, SILENT_S + 60)
    assert (found.state, found.flags) == ("running", ("unreachable",))
    assert found.why == "no sign of life for 2 min; checkpoint 4 is committed"


def test_a_heartbeat_breaks_the_silence(store: MemoryStore) -> None:
    running(store)
    heartbeat(store, at="2023-11-14T22:18:20.000+00:00")
    assert look(store, 300).flags == ()


@pytest.mark.parametrize("at", ["", "yesterday"])
def test_an_unreadable_time_of_a_heartbeat_says_nothing(at: str, store: MemoryStore) -> None:
    running(store)
    heartbeat(store, at=at)
    assert look(store, SILENT_S + 60).flags == ("unreachable",)


@pytest.mark.parametrize(("say", "state"), [(word.stop, "running"), (word.cancel, "cancelled")])
def test_stopping_is_a_flag_beside_the_state(say: object, state: str, context: Context, store: MemoryStore) -> None:
    running(store)
    say(context, world.ledger(store))  # type: ignore[operator]
    found = look(store)
    assert (found.state, found.flags) == (state, ("stopping",))
    assert not found.over


def test_asked_to_stop(context: Context, store: MemoryStore) -> None:
    running(store)
    word.stop(context, world.ledger(store))
    assert look(store).why == "asked to stop; checkpoint 4 is committed"


def test_stopped_cancelled_and_over(context: Context, store: MemoryStore) -> None:
    word.stop(context, world.interrupted(store))
    found = look(store)
    assert (found.state, found.flags, found.over) == ("stopped", (), False)
    assert found.why == "session 1: received SIGTERM; checkpoint 4 is committed"
    word.cancel(context, world.ledger(store))
    found = look(store)
    assert (found.state, found.over) == ("cancelled", True)
    assert found.why == "cancelled by the user; checkpoint 4 is committed"


def test_interrupted_failed_and_lost_say_why(store: MemoryStore) -> None:
    world.interrupted(store)
    assert look(store).state == "interrupted"
    assert look(store).why == "session 1: received SIGTERM; checkpoint 4 is committed"
    store.objects.clear()
    world.failed(store)
    assert look(store).state == "failed"
    assert look(store).why == "session 1: RuntimeError: out of memory; checkpoint 4 is committed"
    store.objects.clear()
    running(store)
    world.append(store, "lost", session=1, why="its process is gone")
    assert look(store).state == "interrupted"
    assert look(store).why == "session 1: its process is gone; checkpoint 4 is committed"


def test_finished(store: MemoryStore) -> None:
    world.finished(store)
    found = look(store)
    assert (found.state, found.step, found.checkpoint, found.backend) == ("finished", 12, 12, "")
    assert found.why == "all 12 steps are committed"
    assert found.over


def test_as_json_it_has_everything(store: MemoryStore) -> None:
    world.finished(store)
    found = look(store)
    again = json.loads(json.dumps(found.to_json()))
    assert again["run"] == RUN
    assert set(again) == set(RunView.__dataclass_fields__)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("finished", Exit.OK),
        ("failed", Exit.RUN_FAILED),
        ("cancelled", Exit.CANCELLED),
        ("created", Exit.NOT_FINISHED),
        ("queued", Exit.NOT_FINISHED),
        ("running", Exit.NOT_FINISHED),
        ("interrupted", Exit.NOT_FINISHED),
        ("stopped", Exit.NOT_FINISHED),
    ],
)
def test_the_exit_code_of_a_run(state: str, code: Exit) -> None:
    assert exit_of_run(state) is code


# How far, in images shown


def test_how_far_it_is_in_images(store: MemoryStore) -> None:
    ledger = world.interrupted(store)
    found = shown(ledger, look(store))
    assert (found.done.images, found.whole.images) == (4 * 64, 12 * 64)
    assert str(found) == "256 of 768 images, epoch 0.051 of 0.15"


def test_what_was_counted_when_it_was_created_is_believed(store: MemoryStore) -> None:
    ledger = world.ledger(store)
    ledger.create(recipe.created_body(RUN, world.experiment("data.only=label=3"), 500))
    assert shown(ledger, look(store)).whole.epochs == 12 * 64 / 500


def test_epochs_are_left_out_where_nothing_was_counted(store: MemoryStore) -> None:
    ledger = world.create(store, chosen=world.experiment("data.name=mnist", "data.only=label=3"))
    found = shown(ledger, look(store))
    assert (found.whole.epochs, str(found)) == (None, "0 of 768 images")


def test_coupled_networks_show_as_many_of_each_domain(store: MemoryStore) -> None:
    coupled = world.experiment("model.family=cogan-dense")
    found = shown(world.create(store, chosen=coupled), look(store))
    assert str(found) == "0 of 768 images of each domain, epoch 0 of 0.31"


def test_a_run_made_longer_shows_more(store: MemoryStore) -> None:
    ledger = world.finished(store)
    world.append(store, "extended", steps=24)
    assert shown(ledger, look(store)).to_json() == {
        "images": 768, "of_images": 1_536, "epochs": 0.1536, "of_epochs": 0.3072, "batch_size": 64,
    }  # fmt: skip
