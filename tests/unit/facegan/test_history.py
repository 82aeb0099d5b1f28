"""What a run has committed, in the order in which it became history, each step and picture once."""

from __future__ import annotations

from pathlib import Path

from facegan.experiment import override
from facegan.history import History
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import SHORT, Session, append, begun, committed, judged, ledger_of, resume, untouched


def ended() -> MemoryStore:
    store = begun("memory", Path())
    Session(store=store, holder="first", number=1).run()
    assert isinstance(store, MemoryStore)
    return store


def read(store: MemoryStore, *, after: int = -1) -> tuple[dict[int, dict[str, float]], dict[str, bytes], History]:
    history = History(ledger=ledger_of(store))
    points: dict[int, dict[str, float]] = {}
    pictures: dict[str, bytes] = {}
    for entry in history.checkpoints(after=after):
        for point in history.points(entry):
            assert point.step not in points
            points[point.step] = dict(point.values)
        for sample in history.samples(entry):
            name = f"samples/{sample.step:08d}-{sample.name}.png"
            assert name not in pictures
            pictures[name] = sample.png
    return points, pictures, history


def test_it_is_all_that_was_committed() -> None:
    points, pictures, history = read(ended())
    assert points == untouched().metrics
    assert pictures == untouched().samples
    assert history.damaged == []


def test_it_can_be_read_on_from_an_entry() -> None:
    store = ended()
    second = committed(store)[1]["seq"]
    assert list(read(store, after=second)[0]) == list(range(11, 21))


def test_what_was_trained_again_counts_once() -> None:
    store = begun("memory", Path(), override(SHORT, ["training.steps=10"]))
    Session(store=store, holder="first", number=1).run()
    assert isinstance(store, MemoryStore)
    store.objects.pop(f"{committed(store)[-1]['key']}state.safetensors")
    ledger = ledger_of(store)
    ledger.refresh()
    append(ledger, "extended", steps=20)
    resume(store, "second")
    points, pictures, _ = read(store)
    assert points == untouched().metrics
    assert pictures == untouched().samples


def test_one_damaged_object_hides_nothing_else() -> None:
    store = ended()
    key = f"{committed(store)[1]['key']}metrics.jsonl"
    del store.objects[key]
    points, pictures, history = read(store)
    assert list(points) == [*range(1, 6), *range(11, 21)]
    assert pictures == untouched().samples
    assert [damage.object for damage in history.damaged] == [key]


def test_metrics_that_were_lost_trained_again_and_found_again_count_once() -> None:
    store = begun("memory", Path(), override(SHORT, ["training.steps=10"]))
    Session(store=store, holder="first", number=1).run()
    assert isinstance(store, MemoryStore)
    key = f"{committed(store)[-1]['key']}metrics.jsonl"
    lost = store.objects.pop(key)
    append(ledger_of(store), "extended", steps=20)
    resume(store, "second")
    store.put(key, lost)
    points, _, history = read(store)
    assert points == untouched().metrics
    assert history.damaged == []
    assert judged(store).wrong == []
