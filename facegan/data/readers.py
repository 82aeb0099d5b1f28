"""Processes that read and render pictures side by side; what they return comes in order, whatever their number.

Each is a fresh interpreter (spawned, not forked: a fork copies locks that another thread holds) that imports NumPy
and Pillow, and TensorFlow only to find faces.
"""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from facegan.data.handing import Slots, collect, hand_over
from facegan.data.rendering import CHANNELS, Pixels, Rendering
from facegan.data.skipping import Skip
from facegan.data.source import Item, Source
from facegan.errors import FaceganError

Outcome: TypeAlias = Pixels | str  # or the reason why not
Rendered: TypeAlias = tuple[int, ...] | list[Outcome]  # the shape of what was handed over, or all outcomes

CHUNK = 64  # pictures a message: some 10 ms of work,
CHUNK_OF_FACES = 2  # and some 200 ms where a face is to be found in each
AHEAD = 4  # messages a process that may wait on each stream: nobody is idle during an fsync, and memory is bounded
MESSAGE_BYTES = 8 * 2**20  # of pixels: messages of larger pictures hold fewer, and fewer of them wait

# Faces are found with one thread a process: with more, rounding would depend on the machine.
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class Readers:
    """A pool of processes that render the pictures of one source."""

    def __init__(self, pool: ProcessPoolExecutor, rendering: Rendering, processes: int, slots: Slots) -> None:
        self._pool, self._slots = pool, slots
        self._full = CHUNK_OF_FACES if rendering.crop == "face" else CHUNK
        self._most = AHEAD * processes
        self._chunk, self._ahead = 1, 1  # until the first picture says how large they are
        self._is_suited = rendering.size is not None
        if rendering.size is not None:
            self._suit(rendering.size**2 * max(CHANNELS))

    def _suit(self, picture_bytes: int) -> None:
        """Choose how many pictures travel together, and how many messages may wait."""
        self._chunk = max(1, min(self._full, MESSAGE_BYTES // picture_bytes))
        self._ahead = max(1, min(self._most, self._most * MESSAGE_BYTES // (self._chunk * picture_bytes)))

    def outcomes(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Render items; yields each with its pixels or the reason why it is left out, in their order.

        Raises:
            FaceganError: a process died.
        """
        waiting: deque[tuple[Sequence[Item], str, Future[Rendered]]] = deque()
        rest = iter(items)
        try:
            while chunk := list(itertools.islice(rest, self._chunk)):
                slot = self._slots.take()
                waiting.append((chunk, slot, self._pool.submit(_render, chunk, slot)))
                while len(waiting) > self._ahead:
                    yield from self._paired(*waiting.popleft())
            while waiting:
                yield from self._paired(*waiting.popleft())
        except (BrokenProcessPool, MemoryError) as error:
            raise FaceganError(
                "a process that reads pictures died, or had too little memory",
                hint="repeat the command: it goes on where it was",
            ) from error

    def _paired(self, items: Sequence[Item], slot: str, rendered: Future[Rendered]) -> Iterator[tuple[Item, Outcome]]:
        found = rendered.result()
        outcomes = collect(slot, found) if isinstance(found, tuple) else found
        self._slots.free(slot)
        for item, outcome in zip(items, outcomes, strict=True):
            if not self._is_suited and not isinstance(outcome, str):  # all keep the size of the first
                self._suit(outcome.nbytes)
                self._is_suited = True
            yield item, outcome


@contextmanager
def readers(source: Source, rendering: Rendering, processes: int, folder: Path) -> Iterator[Readers]:
    """Start processes as they are needed; they end with the block, or with this process, however it ends.

    They leave files in `folder`, which is to go when what was read is kept elsewhere.
    """
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(pickle.dumps((source, rendering)),),  # pickled once, not once a process
    )
    try:
        yield Readers(pool, rendering, processes, Slots(folder))
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Work:
    """What a reading process was told when it began."""

    source: Source
    rendering: Rendering


def _begin(told: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # Pillow's, of pictures that are odd; what is unusable is counted
    _Work.source, _Work.rendering = pickle.loads(told)  # noqa: S301 - from the parent process
    gc.freeze()  # what has been imported stays, and need not be looked through again and again
    if _Work.rendering.crop == "face":
        os.environ.update(ONE_THREAD)
    else:
        gc.disable()  # what pictures leave behind is looked through once a message


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its children, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _render(items: Sequence[Item], slot: str) -> Rendered:
    """Render a message's pictures. Where all are good and of one shape, as is usual, they are handed over."""
    together = _together(items)
    if not gc.isenabled():
        gc.collect()
    if isinstance(together, list):
        return together
    hand_over(together, slot)
    return together.shape


def _together(items: Sequence[Item]) -> Pixels | list[Outcome]:
    """Render pictures into one array, each while it is at hand; or, where they do not fit into one, into a list."""
    first = _outcome(items[0])
    if isinstance(first, str):
        return [first, *map(_outcome, items[1:])]
    together = np.empty((len(items), *first.shape), np.uint8)
    together[0] = first
    for number, item in enumerate(items[1:], 1):
        outcome = _outcome(item)
        if isinstance(outcome, str) or outcome.shape != first.shape:
            return [*together[:number], outcome, *map(_outcome, items[number + 1 :])]
        together[number] = outcome
    return together


def _outcome(item: Item) -> Outcome:
    try:
        return _Work.rendering.pixels(_Work.source, item)
    except Skip as skip:
        return skip.reason
