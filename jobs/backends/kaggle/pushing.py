"""A push: sent once, and its answer read for what it means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from facegan.errors import FaceganError
from facegan.experiment import Json
from jobs.backends.kaggle import facts, refusals
from jobs.backends.kaggle.answers import Status
from jobs.backends.kaggle.api import Api
from jobs.backends.kaggle.notes import Notes
from jobs.backends.kaggle.refusals import AnswerError
from jobs.refusals import InvalidJob, Quota, Refusal, Uncertain


def push(api: Api, notes: Notes, request: Json, look: Callable[[], Status | None]) -> None:
    """Start the session of a kernel that is not there yet; `look` asks for it with patience.

    The crash argument: that it is sent is noted before, and that it was answered after. So whoever finds the note
    and no kernel knows that one may be on its way.

    Raises:
        Refusal: there is no session, and Kaggle's words why.
        Uncertain: no answer; there may be one.
    """
    _, _, name = str(request["slug"]).partition("/")
    notes.asking(name)
    try:
        _send(api, request, look)
    except Uncertain:
        raise
    except Refusal as refusal:
        notes.answered(name)
        raise _dated(refusal, api) from refusal.__cause__
    notes.answered(name)


def _send(api: Api, request: Json, look: Callable[[], Status | None]) -> None:
    """Kaggle answers a push that it refuses as it does one that it takes: its words count."""
    try:
        answer = api.save_kernel(request)
    except AnswerError as error:
        raise refusals.of_error(error, len(request["text"].encode())) from error
    if said := str(answer.get("error") or ""):
        refusal = refusals.of_text(said)
        if refusal is not None and refusals.is_certain(said):
            raise refusal
        if look() is None:  # words that nobody knows for certain: did it start, all the same?
            raise refusal or InvalidJob(
                f'Kaggle refuses: "{said}"', hint="facegan-job submit … --dry-run shows what is sent"
            )
    elif invalid := refusals.invalid_sources(answer):
        owner, _, name = str(request["slug"]).partition("/")
        with contextlib.suppress(FaceganError):  # it was started, can only fail, and holds nothing
            api.delete_kernel(owner, name)
        raise InvalidJob(f"Kaggle could not attach {', '.join(invalid)}", hint=_instead(invalid))


def _instead(invalid: Sequence[str]) -> str:
    """What to do without a data set: one that was made for this session is made anew, another's may be gone."""
    if not any(each.ref in named for each in facts.SOURCES for named in invalid):
        return "facegan-job resume RUN"
    return "is it still on kaggle.com? Else: facegan-job data prepare, on a machine that has the data"


def _dated(refusal: Refusal, api: Api) -> Refusal:
    """The same, with the time from which there is quota again, if Kaggle says it."""
    if not isinstance(refusal, Quota):
        return refusal
    with contextlib.suppress(FaceganError):
        return refusals.with_reset(refusal, api.quota().refresh)
    return refusal
