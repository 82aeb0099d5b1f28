"""Every object key of a store, spelled once.

Ids and names are checked here, so that no key can leave its run's folder.
"""

from __future__ import annotations

import re

from facegan.errors import BadInputError

RUNS = "runs/"
_RUN_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
DATASETS = "datasets/"
_DATASET = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def check_run_id(run: str) -> str:
    """The run id itself, when it is one.

    Raises:
        BadInputError: it holds other than lower-case letters, digits and ". _ -", or is too long.
    """
    if not _RUN_ID.fullmatch(run):
        raise BadInputError(
            f'"{run}" cannot be the id of a run',
            hint='use 1 to 63 of a-z, 0-9, ".", "-" and "_", and begin with a letter or digit',
        )
    return run


def run(run_id: str) -> str:
    return f"{RUNS}{check_run_id(run_id)}/"


def ledger(run_id: str) -> str:
    return f"{run(run_id)}ledger/"


def entry(run_id: str, seq: int) -> str:
    return f"{ledger(run_id)}{seq:08d}.json"


def entry_seq(key: str) -> int | None:
    """The number of the entry at this key, or `None` when the key is no entry's."""
    name = key.rpartition("/")[2]
    stem, dot, suffix = name.partition(".")
    if (dot + suffix) == ".json" and len(stem) >= 8 and stem.isascii() and stem.isdigit():  # noqa: PLR2004
        return int(stem)
    return None


def checkpoints(run_id: str) -> str:
    return f"{run(run_id)}checkpoints/"


def checkpoint(run_id: str, step: int, session: int) -> str:
    return f"{checkpoints(run_id)}{step}-{session}/"


_CHECKPOINT = re.compile(r"[0-9]+-([0-9]{1,9})/.+", re.DOTALL)


def checkpoint_session(run_id: str, key: str) -> int | None:
    """The number of the session an object below `checkpoints/` is of, or `None` when it is no checkpoint's."""
    found = _CHECKPOINT.fullmatch(key.removeprefix(checkpoints(run_id)))
    return int(found[1]) if found and key.startswith(checkpoints(run_id)) else None


def homecoming(run_id: str, number: int) -> str:
    """Where all that a carried session left is kept until it is the run's: garbage afterwards, as `prune` sees it."""
    return f"{checkpoint(run_id, 0, number)}homecoming.bin"


STATE = "state.safetensors"
METRICS = "metrics.jsonl"
SAMPLES = "samples/"


def sample(step: int, name: str) -> str:
    return f"{SAMPLES}{step:08d}-{name}.png"


def sample_parts(name: str) -> tuple[int, str]:
    """Step and picture name of a sample object's name: the inverse of `sample`."""
    step, _, rest = name.removeprefix(SAMPLES).removesuffix(".png").partition("-")
    return int(step), rest


def is_object_name(name: str) -> bool:
    """Whether a checkpoint's object may be called so: no absolute name, no `..`, no other folder."""
    return _OBJECT_NAME.fullmatch(name) is not None


def sessions(run_id: str) -> str:
    return f"{run(run_id)}sessions/"


def session(run_id: str, number: int) -> str:
    return f"{sessions(run_id)}{number}/"


def heartbeat(run_id: str, number: int) -> str:
    return f"{session(run_id, number)}heartbeat.json"


def output(run_id: str, number: int) -> str:
    return f"{session(run_id, number)}output/"


def output_piece(run_id: str, number: int, piece: int) -> str:
    return f"{output(run_id, number)}{piece:06d}.txt"


def machine_log(run_id: str, number: int) -> str:
    """What the machine said that was made for one session: written by that machine, once, when it ends.

    Among the session's own objects, though no lease allows it: no entry names it, and a number has one machine.
    """
    return f"{session(run_id, number)}machine.txt"


IMAGES = "images.npy"
ATTRIBUTES = "attributes.csv"
MANIFEST = "manifest.json"


def is_dataset(name: str) -> bool:
    """Whether prepared data may be called so."""
    return _DATASET.fullmatch(name) is not None


def check_dataset(name: str) -> str:
    """The name itself, when prepared data may be called so.

    Raises:
        BadInputError: it holds other than lower-case letters, digits and "-", or is too long.
    """
    if not is_dataset(name):
        raise BadInputError(
            f'"{name}" cannot be the name of a data set',
            hint='use 1 to 63 of a-z, 0-9 and "-", and begin with a letter or digit',
        )
    return name


def is_digest(text: str) -> bool:
    """Whether this is a whole SHA-256, in lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(digest: str) -> str:
    """The digest itself, when it is one.

    Raises:
        BadInputError: it is not 64 hexadecimal digits.
    """
    if not is_digest(digest):
        raise BadInputError(f'"{digest}" is no digest of a data set', hint="facegan-job data list --json shows them")
    return digest


def datasets(name: str) -> str:
    return f"{DATASETS}{check_dataset(name)}/"


def dataset(name: str, digest: str) -> str:
    return f"{datasets(name)}{check_digest(digest)}/"


def dataset_part(name: str, digest: str, part: int) -> str:
    """One range of 32 MiB of the array of images."""
    return f"{dataset(name, digest)}images/{part:06d}"


def dataset_attributes(name: str, digest: str) -> str:
    return dataset(name, digest) + ATTRIBUTES


def dataset_manifest(name: str, digest: str) -> str:
    """Written last: it makes the others whole."""
    return dataset(name, digest) + MANIFEST


def run_url(store_url: str, run_id: str) -> str:
    """Where a run is, in one text: what `python -m facegan run` takes."""
    return f"{store_url.rstrip('/')}/{run(run_id).rstrip('/')}"


def split_run_url(url: str) -> tuple[str, str]:
    """Store URL and run id of a run URL.

    Raises:
        BadInputError: it is not of the form <store>/runs/<run>.
    """
    store, found, run_id = url.rstrip("/").rpartition(f"/{RUNS}")
    if not found or "/" in run_id:
        raise BadInputError(
            f'"{url}" is not the URL of a run',
            hint="it ends in /runs/<run>, for example file:///data/store/runs/dcgan-mnist-k7f3",
        )
    return store, check_run_id(run_id)
