"""What a session on a copy of the run is sent, and what it leaves: one file each way, and its digest beside it.

Going, they are in the private data set; coming back, in the kernel's output, which `infra/kaggle/start.py` writes when
the session's process has ended: the file, then its digest, then its exit code into the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from facegan.experiment import Json
from jobs.backends.kaggle import ending, log, parcel
from jobs.backends.kaggle.answers import ENDED, LATER, State
from jobs.backends.kaggle.api import Api
from jobs.carrying.packing import LARGEST
from jobs.carrying.spoilt import SpoiltError
from jobs.refusals import Uncertain

STORE = "file:///kaggle/temp/facegan"  # on the session's machine: Kaggle keeps nothing of it
LEFT, LABEL = "left.bin", "left.json"
LARGEST_LABEL = 4096


def sent(data: bytes) -> Mapping[str, bytes]:
    """The two files that go along."""
    return {parcel.LUGGAGE: data, parcel.LABEL: json.dumps(_label(data)).encode()}


def look(api: Api, owner: str, name: str, clock: Callable[[], float]) -> bytes | None:
    """What the ended session of this kernel left, whole; `None` where it does not look as if it had left anything.

    Raises:
        AnswerError: Kaggle will not say.
        Uncertain: it does not answer, or there must be more than it shows by now.
        SpoiltError: it is more than can be taken.
    """
    status = api.status(owner, name)
    if status is None:
        return None
    if status.state not in ENDED:
        raise Uncertain(f'"{name}" has not ended', hint=LATER)
    files = api.outputs(owner, name)
    if LEFT not in files or LABEL not in files:
        if status.state is State.COMPLETE or log.exit_code(ending.printed(api, owner, name, clock)) is not None:
            raise Uncertain(f'"{name}" has left something, and it is not listed yet', hint=LATER)
        return None
    said = _read(api.download(files[LABEL], LARGEST_LABEL))
    if said["size"] > LARGEST:
        raise SpoiltError(f"it left {said['size']:,} bytes, and {LARGEST:,} can be brought back")
    data = api.download(files[LEFT], said["size"])
    if _label(data) != said:
        raise Uncertain(f'what "{name}" left did not come whole', hint=LATER)
    return data


def _label(data: bytes) -> Json:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _read(data: bytes) -> Json:
    """A label; one that is none may have been cut short on its way."""
    try:
        said = json.loads(data)
        return {"size": int(said["size"]), "sha256": str(said["sha256"])}
    except (ValueError, KeyError, TypeError) as error:
        raise Uncertain("the label of what a session left did not come whole", hint=LATER) from error
