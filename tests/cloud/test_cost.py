"""What an hour of training asks of its store at the default cadence, and what that costs by the price lists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from facegan import catalog
from facegan.errors import SessionExit
from facegan.experiment import override
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import Session, TimedToy, Timeline, ask, create
from tests.fakes.killing import WatchedStore

# US$ for a thousand, as in docs/storage.md. Deleting is free everywhere.
PRICES = {
    "S3 Standard": {"put": 0.005, "put_new": 0.005, "list": 0.005, "get": 0.0004, "delete": 0.0},
    "GCS Standard": {"put": 0.005, "put_new": 0.005, "list": 0.005, "get": 0.0004, "delete": 0.0},
    "Cloudflare R2": {"put": 0.0045, "put_new": 0.0045, "list": 0.0045, "get": 0.00036, "delete": 0.0},
}
MOST_DOLLARS = 0.01
PAGE = Path(__file__).parents[2] / "docs" / "storage.md"


def asked_in_an_hour() -> Counter[str]:
    """A session of 3,600 steps, each of which takes a second."""
    hour = override(catalog.find("dcgan-mnist").experiment, ["training.steps=3600", "samples.every_steps=300"])
    store = WatchedStore(MemoryStore())
    create(store, hour)
    ask(store)
    timeline = Timeline()
    session = Session(store=store, holder="first", number=1, timeline=timeline, repeat=timeline.repeat)
    session.build = lambda experiment: TimedToy(experiment, timeline)
    store.operations.clear()
    assert session.run() is SessionExit.FINISHED
    assert 3_590 < timeline.now < 3_700
    return Counter(operation.verb for operation in store.operations)


@pytest.fixture(scope="module")
def asked() -> Counter[str]:
    return asked_in_an_hour()


def test_an_hour_of_training_is_cheap_to_store(asked: Counter[str]) -> None:
    print(dict(asked))
    for name, prices in PRICES.items():
        dollars = sum(count * prices[verb] / 1_000 for verb, count in asked.items())
        print(f"{name}: US$ {dollars:.4f}")
        assert dollars < MOST_DOLLARS


def test_the_page_on_storage_says_what_was_counted(asked: Counter[str]) -> None:
    rows = re.findall(r"^\| (put, create|list|get|delete) \| ([0-9,]+) \|", PAGE.read_text(), re.MULTILINE)
    assert {name: int(count.replace(",", "")) for name, count in rows} == {
        "put, create": asked["put"] + asked["put_new"],
        "list": asked["list"],
        "get": asked["get"],
        "delete": asked["delete"],
    }
