"""`facegan-job data list` and `verify`: what is prepared, where, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan import layout
from facegan.catalog.datasets import DATASETS
from facegan.prepared import Manifest
from facegan.storage import ObjectStore
from jobs import heavy
from tests.fakes import datasets
from tests.unit.jobs.typed import Cli


def row(cli: Cli, name: str) -> str:
    return next(line for line in cli("data", "list").out.splitlines() if line.startswith(name))


def test_what_is_prepared_is_listed_with_where_it_is(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    both = datasets.fill(file_store, home, name="both")
    datasets.prepare(home, "local-only", crop="center")
    datasets.fill(file_store, home / "elsewhere", name="stored-only")
    assert row(cli, "both").split() == [
        "both", "40", "8x8x3", "none", both.digest[:12], "0.0", "on", "this", "machine", "and", "in", "the", "store",
    ]  # fmt: skip
    assert row(cli, "local-only").endswith("on this machine")
    assert "center" in row(cli, "local-only")
    assert row(cli, "stored-only").endswith("in the store")
    assert row(cli, "celeba").endswith("not prepared, facegan-job data prepare celeba --source PATH")
    found = {one["name"]: one for one in cli("data", "list", "--json").json()}
    assert found["both"]["where"] == ["here", "store"]
    assert (found["both"]["digest"], found["both"]["count"]) == (both.digest, 40)
    assert found["both"]["skipped"] == {"not a picture": 2}
    assert found["both"]["bytes"] == both.size_bytes
    assert found["celeba"]["licence"]
    assert "licence" not in found["both"]


def test_a_known_set_that_is_in_the_store_alone_is_not_to_be_prepared(
    cli: Cli, home: Path, file_store: ObjectStore
) -> None:
    half = datasets.fill(file_store, home / "elsewhere", name="cifar10")
    file_store.delete(layout.dataset_manifest(half.name, half.digest))
    datasets.fill(file_store, home / "elsewhere", name="celeba")
    assert row(cli, "celeba").endswith("in the store")
    states = [one["state"] for one in cli("data", "list", "--json").json() if one["name"] == "cifar10"]
    assert states == ["not uploaded to its end", "not prepared"]


def test_the_licence_of_a_known_set_is_told_once_it_is_prepared_too(
    cli: Cli, home: Path, file_store: ObjectStore
) -> None:
    datasets.prepare(home, "celeba")
    bad = datasets.prepare(home, "cifar10")
    (datasets.folder_of(home, bad) / layout.MANIFEST).write_bytes(b"{}")
    half = datasets.fill(file_store, home / "elsewhere", name="mnist")
    file_store.delete(layout.dataset_manifest(half.name, half.digest))
    rows = cli("data", "list", "--json").json()
    assert {row["state"].partition(":")[0] for row in rows if row["name"] in {"celeba", "cifar10"}} == {
        "prepared", "damaged",
    }  # fmt: skip
    assert {row["name"]: row["licence"] for row in rows} == {name: known.licence for name, known in DATASETS.items()}


def test_a_part_of_a_set_with_a_known_digest_is_not_that_set(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    """Neither for the list, nor for an experiment on the whole of it."""
    part = datasets.fill(file_store, home, name="mnist", side=28, channels=1, size=None, limit=40, left_over=9)
    whole = DATASETS["mnist"].digest or ""
    lines = [line.split() for line in cli("data", "list").out.splitlines() if line.startswith("mnist ")]
    assert [line[1] for line in lines if part.digest[:12] in line] == ["40"]
    (missing,) = (line for line in lines if whole[:12] in line)
    assert " ".join(missing).endswith("not prepared, facegan-job data prepare mnist")
    said = cli("submit", "cogan-mnist", "--dry-run")
    assert said.code == 2
    assert f'error: prepared "mnist" {whole[:12]}… is neither on this machine nor in {file_store.url}' in said.err
    assert said.hint == "hint: facegan-job data prepare mnist"


def test_one_that_is_damaged_or_unfinished_hides_no_other(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    datasets.prepare(home, "good")
    bad = datasets.prepare(home, "bad")
    (datasets.folder_of(home, bad) / layout.MANIFEST).write_bytes(b"{}")
    half = datasets.fill(file_store, home / "elsewhere", name="half")
    file_store.delete(layout.dataset_manifest(half.name, half.digest))
    assert row(cli, "good").endswith("on this machine")
    assert "damaged" in row(cli, "bad")
    assert "not uploaded to its end" in row(cli, "half")
    said = cli("data", "verify", "half")
    assert (said.code, said.out) == (0, "")
    assert "not uploaded to its end, so there is nothing to verify" in said.err
    assert {one["name"] for one in cli("data", "list", "--json").json()} >= {"good", "bad", "half"}


def test_what_a_kill_left_is_shown_with_its_size_and_where_it_is(cli: Cli, home: Path) -> None:
    datasets.prepare(home, "good")
    left = home / "data" / "my-faces" / ".made-0123"
    (left / ".preparing-4567").mkdir(parents=True)
    (left / ".preparing-4567" / layout.IMAGES).write_bytes(bytes(2_500_000))
    (left.parent / ".lock").touch()
    said = row(cli, "my-faces")
    assert said.split()[:2] == ["my-faces", "2.5"]
    goes_on = "the same facegan-job data prepare my-faces goes on with it"
    assert f"on this machine, unfinished, {goes_on}; or delete {left} when nothing works on it" in said
    (left.parent / f".{'1' * 64}").mkdir()
    fetched, made = (one for one in cli("data", "list", "--json").json() if one["state"] == "unfinished")
    assert (made["name"], made["folder"], made["bytes"]) == ("my-faces", str(left), 2_500_000)
    assert fetched["next"].startswith("the next fetch goes on with it")


def test_what_is_whole_is_said_to_be(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    made = datasets.fill(file_store, home)
    said = cli("data", "verify")
    assert said.code == 0
    prefix = f"my-faces {made.digest[:12]}"
    assert said.out.splitlines() == [f"{prefix} on this machine: whole", f"{prefix} in the store: whole"]
    assert cli("data", "verify", "--json").json()[0]["wrong"] == []
    assert cli("data", "verify", f"my-faces@{made.digest[:3]}").out == said.out


@pytest.mark.parametrize("place", ["here", "store"])
def test_damage_is_named_with_its_own_exit_code(place: str, cli: Cli, home: Path, file_store: ObjectStore) -> None:
    made = datasets.fill(file_store, home)
    good = datasets.prepare(home, seed=1)
    if place == "here":
        harmed = str(datasets.folder_of(home, made) / layout.IMAGES)
        Path(harmed).write_bytes(Path(harmed).read_bytes()[:-1])
    else:
        harmed = layout.dataset_part(made.name, made.digest, 0)
        file_store.put(harmed, file_store.get(harmed)[:-1])
    said = cli("data", "verify")
    assert said.code == 104
    assert f"  wrong  {harmed} has " in said.out
    assert f"my-faces {good.digest[:12]} on this machine: whole" in said.out
    assert cli("data", "verify", "--json").code == 104
    assert cli("data", "verify", f"my-faces@{good.digest[:12]}").code == 0


def test_a_manifest_that_cannot_be_read_is_damage(cli: Cli, home: Path) -> None:
    made = datasets.prepare(home)
    (datasets.folder_of(home, made) / layout.MANIFEST).unlink()
    said = cli("data", "verify")
    assert said.code == 104
    assert "manifest.json" in said.out


def test_without_anything_prepared_there_is_nothing_to_verify(cli: Cli) -> None:
    said = cli("data", "verify")
    assert (said.code, said.out) == (0, "")
    assert "there is nothing to verify" in said.err


def test_a_run_is_submitted_on_ones_own_pictures(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    made = datasets.fill(file_store, home, side=64)
    settings = ("--set", "data.name=my-faces", "--set", "data.crop=none")
    sent = cli("submit", "dcgan-celeba", *settings, "--dry-run").json()["created"]
    assert (sent["data"]["name"], sent["data"]["digest"]) == ("my-faces", made.digest)
    assert sent["experiment"]["data"]["digest"] == made.digest


def test_what_a_condition_leaves_out_is_said(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    """That of the catalogue's entry holds for other images too, and nobody has typed it."""
    made = datasets.fill(file_store, home, side=32, columns=("label",))
    typed = ("submit", "variant-cifar10", "--dry-run", "--set", f"data.name={made.name}", "--set", "data.crop=none")
    said = cli(*typed)
    shown = said.json()["created"]["data"]["count"]
    assert 0 < shown < made.count
    assert f"data.only is label=0: of {made.count} images {shown} are shown" in said.err
    assert "data.only is" not in cli(*typed, "--set", "data.only=none").err
    datasets.fill(file_store, home, name="bare", side=32, columns=())
    unknown = cli("submit", "variant-cifar10", "--dry-run", "--set", "data.name=bare", "--set", "data.crop=none")
    assert unknown.hint.endswith("--set data.only=none shows all images")


OWN = ("submit", "dcgan-celeba", "--set", "data.name=my-faces", "--set", "data.crop=none", "--dry-run")


def harm(home: Path, manifest: Manifest) -> Path:
    path = datasets.folder_of(home, manifest) / layout.MANIFEST
    path.write_bytes(b"{")
    return path


def test_one_that_is_damaged_here_stands_in_nobodys_way(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    """Not in that of another array, nor of another set, nor of itself where the store has it whole."""
    made = datasets.fill(file_store, home, side=64)
    bad = datasets.prepare(home, side=66)
    path = harm(home, bad)
    said = cli(*OWN)
    assert said.json()["created"]["data"]["digest"] == made.digest
    assert f'my-faces {bad.digest[:12]}… is passed over: "{path}" is no manifest' in said.err
    harm(home, made)
    assert cli(*OWN).json()["created"]["data"]["digest"] == made.digest
    chosen = cli(*OWN, "--set", f"data.digest={made.digest[:5]}")
    assert chosen.json()["created"]["data"]["digest"] == made.digest
    unknown = cli("submit", "dcgan-celeba", "--set", "data.name=nosuch", "--dry-run")
    assert 'error: unknown data set "nosuch"' in unknown.err


def test_damage_of_the_one_that_is_wanted_is_an_error(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    datasets.fill(file_store, home, side=64)
    bad = datasets.prepare(home, side=64, seed=1)
    path = harm(home, bad)
    said = cli(*OWN, "--set", f"data.digest={bad.digest[:9]}")
    assert said.code != 0
    assert f'error: "{path}" is no manifest' in said.err
    assert "hint: a session fetches it again" in said.err


def test_a_size_beyond_all_reason_is_refused(cli: Cli) -> None:
    said = cli("data", "prepare", "my-faces", "--source", ".", "--size", "16385")
    assert (said.code, said.out) == (2, "")
    assert "16384" in said.err


def test_who_stops_it_is_told_that_it_goes_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(heavy, "watched", stopped)
    said = cli("data", "prepare", "my-faces", "--source", ".")
    assert said.code == 130
    assert "what was done is kept, and the same command goes on" in said.err
