"""What other processes do to a store, in functions that a fresh process can import."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.queues import Queue
from typing import Any, Self

from facegan.storage import ObjectStore, open_store
from facegan.storage.base import NotFoundError

Rounds = Iterable[int]


def race_for(store: ObjectStore, prefix: str, rounds: Rounds, name: str, wait: Callable[[], object]) -> list[int]:
    """Try to create one object a round, all at once; the rounds won."""
    won = []
    for number in rounds:
        wait()
        if store.put_new(f"{prefix}{number}", f"{name} won".encode()):
            won.append(number)
    return won


def race_of_processes(url: str, prefix: str, rounds: int, racers: int) -> dict[str, list[int]]:
    """Who won which rounds, of so many processes."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(racers), context.Queue()
    processes = [
        context.Process(target=_race, args=(url, prefix, rounds, str(number), barrier, answers))
        for number in range(racers)
    ]
    for process in processes:
        process.start()
    won = dict(answers.get(timeout=600) for _ in processes)
    for process in processes:
        process.join()
    return won


def race_of_threads(stores: Sequence[ObjectStore], prefix: str, rounds: int) -> dict[str, list[int]]:
    """The same, of threads, each with a store of its own."""
    barrier = threading.Barrier(len(stores))
    won: dict[str, list[int]] = {}

    def race(store: ObjectStore, name: str) -> None:
        won[name] = race_for(store, prefix, range(rounds), name, barrier.wait)

    threads = [threading.Thread(target=race, args=(store, str(number))) for number, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def _race(url: str, prefix: str, rounds: int, name: str, barrier: Any, answers: Queue[Any]) -> None:
    answers.put((name, race_for(open_store(url), prefix, range(rounds), name, barrier.wait)))


class Other:
    """Another process that does to the store what it is told, and answers what it sees."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(url, there))
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._here.send(None)
        self._process.join()

    def ask(self, verb: str, *arguments: object) -> Any:
        self._here.send((verb, arguments))
        return self._here.recv()


def _serve(url: str, pipe: Any) -> None:
    store = open_store(url)
    while (asked := pipe.recv()) is not None:
        verb, arguments = asked
        try:
            answer = getattr(store, verb)(*arguments)
            pipe.send(list(answer) if verb in {"list", "folders"} else answer)
        except NotFoundError:
            pipe.send(None)
