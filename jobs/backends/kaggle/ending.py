"""What a session printed, and the words for how it ended."""

from __future__ import annotations

import contextlib

from jobs.backends.kaggle import log
from jobs.backends.kaggle.api import Api, State, Status
from jobs.refusals import Uncertain

READINGS = 5  # of a live log whose connection is cut
SILENCE_S = 5.0  # after which a live log has nothing more to say for now


def printed(api: Api, owner: str, name: str) -> str:
    """All that the session of this kernel has printed until now.

    Raises:
        AnswerError: Kaggle will not say.
        Uncertain: it does not answer.
    """
    joined = log.Joined()
    if after := api.log(owner, name):
        return "".join(joined.ended(after))
    texts: list[str] = []
    for _ in range(READINGS):
        with contextlib.suppress(Uncertain):
            for text in joined.stream(api.stream(owner, name, SILENCE_S)):
                if text is None:
                    return "".join(texts)
                texts.append(text)
        if joined.over:
            break
    return "".join(texts)


def why(status: Status, said: str) -> str:
    """The words of the ledger's `lost` entry: from the session's own end, Kaggle's reason, or its state."""
    reason = f": {status.failure}" if status.failure else ""
    if status.state is State.CANCEL_ACKNOWLEDGED:
        return f"its session was cancelled at Kaggle{reason}"
    if (code := log.exit_code(said)) is not None:
        return f"its process ended at Kaggle with exit code {code}{reason}"
    if own := log.reason(said):
        return f"it could not begin at Kaggle: {own}"
    return f"its session is over at Kaggle ({status.state.value}){reason}"
