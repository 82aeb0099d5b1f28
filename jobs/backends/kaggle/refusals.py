"""From what Kaggle says to refusals that a supervisor can act on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from facegan.errors import FaceganError
from facegan.experiment import Json
from jobs.backends.kaggle import facts
from jobs.backends.known import Sure, Words
from jobs.refusals import KINDS, Auth, InvalidJob, Quota, Refusal, Uncertain

TOO_LARGE = 413
UNKNOWN_TO_IT = (401, 403, 404)


class AnswerError(FaceganError):
    """Kaggle answered, and the answer is no: `status` of HTTP, or of the body; `text` is Kaggle's own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f'Kaggle answers {status}: "{text}"' if text else f"Kaggle answers {status}, and no more")
        self.status = status
        self.text = text


def of_text(text: str) -> Refusal | None:
    """The refusal that these words mean; `None` when they are not known."""
    if (words := _known(text)) is None:
        return None
    said = f'Kaggle refuses: "{text.strip()}"'
    return KINDS[words.kind](said, hint=words.hint)


def is_certain(text: str) -> bool:
    """Whether somebody has seen Kaggle refuse with these words."""
    words = _known(text)
    return words is not None and words.sure is not Sure.BELIEVED


def _known(text: str) -> Words | None:
    low = text.lower()
    return next((each for each in facts.REFUSALS if each.part in low), None)


def with_reset(quota: Quota, resets_at: datetime | None) -> Quota:
    """The same refusal, which says from when on there is quota again."""
    until = f"; there is more on {resets_at:%A %d %B at %H:%M} UTC" if resets_at else ""
    return Quota(quota.message + until, hint=quota.hint, resets_at=resets_at)


def of_error(error: AnswerError, size: int) -> Refusal:
    """The refusal that an error status means, of a kernel whose source has `size` bytes."""
    known = of_text(error.text)
    if known is not None and not isinstance(known, Uncertain):  # the status is a no, whatever the words are
        return known
    if error.status in UNKNOWN_TO_IT:
        return Auth(error.message, hint="is the token still good, and may it make kernels? kaggle.com, settings, API")
    if error.status == TOO_LARGE or size > facts.SOURCE_BYTES.value:
        return InvalidJob(f"{error.message}, of a source of {size:,} bytes", hint="this is a defect: it is too large")
    return InvalidJob(error.message, hint="facegan-job submit … --dry-run shows what is sent")


INVALID = {
    "invalidDatasetSources": "data set",
    "invalidKernelSources": "kernel",
    "invalidCompetitionSources": "competition",
    "invalidModelSources": "model",
}


def invalid_sources(answer: Json) -> Sequence[str]:
    """What Kaggle could not attach to a kernel that it has started all the same."""
    return [f'{what} "{name}"' for key, what in INVALID.items() for name in answer.get(key) or ()]
