"""Milliseconds a training step: ours, the classic Keras loop, and PyTorch where it is installed.

All train the same networks on the same machine in the same process, taking turns, so that a machine
that slows down slows all of them; the ratio is the median of the rounds' ratios.

PyTorch's idle threads spin unless OMP_WAIT_POLICY=passive is set, which hurts where cores are shared.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench import classic
from facegan import models
from facegan.catalog import CATALOG
from facegan.catalog.compile import choose
from facegan.data import Images, load
from facegan.experiment import Data, Experiment, override
from facegan.training.gan import build

Advance = Callable[[int], object]
ROUNDS = 5
STEPS = 40
THREADS = 2
CLASSIC = {"dcgan-mnist": classic.dcgan, "cogan-mnist": classic.cogan}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Experiment, loop, milliseconds a step (median, least and most of the rounds), how much faster ours is."""
    images = load(Data(name="mnist-5k"), Path(), None, print)
    for name in CLASSIC:
        yield from _compare(name, images)


def _compare(name: str, images: Images) -> Iterator[tuple[str, str, str, str]]:
    loops = _loops(name, images, THREADS)
    for advance in loops.values():
        advance(3)
    times: dict[str, list[float]] = {loop: [] for loop in loops}
    for _ in range(ROUNDS):
        for loop, advance in loops.items():
            start = time.perf_counter()
            advance(STEPS)
            times[loop].append((time.perf_counter() - start) / STEPS * 1e3)
    for loop, each in times.items():
        ratio = statistics.median(other / own for other, own in zip(each, times["facegan"], strict=True))
        spread = f"{statistics.median(each):.1f} ({min(each):.1f} to {max(each):.1f})"
        yield name, loop, spread, "" if loop == "facegan" else f"{ratio:.1f}x"


def _loops(name: str, images: Images, threads: int) -> dict[str, Advance]:
    """Everything that is compared, by name; ours first, because it sets the threads."""
    experiment = override(
        CATALOG[name].experiment,
        [
            f"training.compile={choose(CATALOG[name].experiment.model.family, 'cpu')}",
            f"training.threads={threads}",
            "evaluation.metric=none",
        ],
    )
    loops: dict[str, Advance] = {"facegan": build(experiment, images).advance}
    loops["classic Keras"] = _classic(name, experiment, images)
    if importlib.util.find_spec("torch") is not None:
        torch = importlib.import_module("bench.torch_gan")
        # Its threads spin while they wait, which hurts where cores are shared: one thread is often faster.
        for count in sorted({threads, 1}, reverse=True):
            step = getattr(torch, CLASSIC[name].__name__)(experiment, images.images)
            loops[f"PyTorch {torch.VERSION}, {count} threads"] = _repeat(
                step, functools.partial(torch.use_threads, count)
            )
    return loops


def _classic(name: str, experiment: Experiment, images: Images) -> Advance:
    """The classic loop, after a check that every network in it really learns."""
    networks = models.build(experiment.model, images.shape, experiment.seed)
    step = CLASSIC[name](experiment, networks, images.images)
    step()
    kernels = [
        variable
        for kind in networks.roles.values()
        for variable in models.network.variables(kind)
        if variable.name == "kernel"
    ]
    before = [kernel.value.numpy() for kernel in kernels]
    step()
    for kernel, old in zip(kernels, before, strict=True):
        if np.array_equal(kernel.value.numpy(), old):
            raise SystemExit(f"the classic loop does not train {kernel.path}")
    return _repeat(step)


def _repeat(step: Callable[[], None], prepare: Callable[[], None] = lambda: None) -> Advance:
    def advance(steps: int) -> None:
        prepare()
        for _ in range(steps):
            step()

    return advance
