"""`python -m facegan sample|export <run-url> FOLDER`: what a run's newest committed generator can do."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import keras

from facegan import checkpoints, layout
from facegan.errors import FaceganError
from facegan.experiment import Experiment
from facegan.ledger import Ledger, Writer
from facegan.models.network import DOMAINS
from facegan.storage import open_store
from facegan.storage.retry import PatientStore
from facegan.training import samples
from facegan.training.export import description, generator, generators
from facegan.training.randomness import Purpose, latents, seed_at


def sample(arguments: Sequence[str]) -> int:
    """Make new pictures: one grid for each image domain."""
    parser = argparse.ArgumentParser(prog="python -m facegan sample", description=sample.__doc__)
    parser.add_argument("run_url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    run, experiment, step, state = newest(asked.run_url)
    asked.folder.mkdir(parents=True, exist_ok=True)
    model = experiment.model
    fixed = latents(seed_at(asked.seed, Purpose.ASKED, 0), asked.count, model.latent, model.noise)
    found = generators(experiment, state)
    made = samples.draw(lambda chunk: [each(chunk, training=False) for each in found], fixed, model.range)
    for letter, images in zip(DOMAINS, made, strict=False):
        domain = f"-{letter}" if len(found) > 1 else ""
        path = asked.folder / f"{run}-step-{step}-seed-{asked.seed}{domain}.png"
        _write(path, samples.png(samples.grid(images), samples.text(samples.SYNTHETIC, run, step)))
        sys.stdout.write(f"{path}\n")
    return 0


def export(arguments: Sequence[str]) -> int:
    """Write the generator as a Keras model, `generator.keras`, and what it takes and makes, `generator.json`."""
    parser = argparse.ArgumentParser(prog="python -m facegan export", description=export.__doc__)
    parser.add_argument("run_url")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args(arguments)
    run, experiment, step, state = newest(asked.run_url)
    asked.folder.mkdir(parents=True, exist_ok=True)
    path = asked.folder / "generator.keras"
    partial = asked.folder / ".partial.keras"
    model: keras.Model = generator(experiment, state)
    model.save(partial)
    partial.replace(path)
    said = path.with_suffix(".json")
    _write(said, (json.dumps(description(run, experiment, step), indent=2) + "\n").encode())
    sys.stdout.write(f"{path}\n{said}\n")
    return 0


def newest(run_url: str) -> tuple[str, Experiment, int, bytes]:
    """Id, experiment, step and state of a run's newest whole checkpoint. Appends nothing.

    Raises:
        FaceganError: the run has none yet.
    """
    store_url, run = layout.split_run_url(run_url)
    store = PatientStore(open_store(store_url), time.sleep)
    writer = Writer(holder="reader", wall_s=time.time, new_id=lambda: secrets.token_hex(8))
    ledger = Ledger(store, run, writer)
    restored = checkpoints.restore(ledger)
    if restored.state is None:
        raise FaceganError(f'run "{run}" has committed no checkpoint yet', hint=f"facegan-job status {run}")
    return run, ledger.created(), restored.step, restored.state


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(path)
