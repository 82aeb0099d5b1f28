"""What a session printed, and the words for how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from jobs.backends.kaggle import log
from jobs.backends.kaggle.answers import State, Status
from jobs.backends.kaggle.api import Api
from jobs.backends.kaggle.refusals import UNKNOWN_TO_IT, AnswerError
from jobs.refusals import Uncertain

READINGS = 5  # of a live log whose connection is cut
SILENCE_S = 5.0  # after which a live log has nothing more to say for now
WATCHED_S = 10.0  # after which the lines that still come are left to the next reading


def printed(api: Api, owner: str, name: str, clock: Callable[[], float]) -> str:
    """All that the session of this kernel has printed until now, up to the middle of a line.

    Raises:
        AnswerError: Kaggle will not say.
        Uncertain: it does not answer.
    """
    return "".join(_texts(api, owner, name, clock))


def lines(api: Api, owner: str, name: str, clock: Callable[[], float]) -> Iterator[str]:
    """The same in whole lines, given as they come; none of a kernel that is not there.

    Raises:
        AnswerError: Kaggle will not say.
        Uncertain: it does not answer.
    """
    rest = ""
    try:
        for text in _texts(api, owner, name, clock):
            *whole, rest = (rest + text).split("\n")
            yield from (f"{line}\n" for line in whole)
    except AnswerError as error:
        if error.status not in UNKNOWN_TO_IT:
            raise


def _texts(api: Api, owner: str, name: str, clock: Callable[[], float]) -> Iterator[str]:
    """What was printed, in the pieces in which Kaggle has it; a live log until it has caught up with the session."""
    joined = log.Joined()
    if after := api.log(owner, name):
        yield from joined.ended(after)
        return
    until = clock() + WATCHED_S
    for _ in range(READINGS):
        with contextlib.suppress(Uncertain):
            for text in joined.stream(api.stream(owner, name, SILENCE_S)):
                if text is None:
                    return
                yield text
                if clock() > until:
                    return
        if joined.over:
            return


def why(status: Status, said: str) -> str:
    """The words of the ledger's `lost` entry: from the session's own end, Kaggle's reason, or its state."""
    reason = f": {status.failure}" if status.failure else ""
    if status.state is State.CANCEL_ACKNOWLEDGED:
        return f"its session was cancelled at Kaggle{reason}"
    if (code := log.exit_code(said)) is not None:
        packed = f", and {own}" if (own := log.reason(said)) else ""
        return f"its process ended at Kaggle with exit code {code}{packed}{reason}"
    if own := log.reason(said):
        return f"it could not begin at Kaggle: {own}"
    return f"its session is over at Kaggle ({status.state.value}){reason}"
