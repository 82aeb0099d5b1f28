"""What `doctor` shows of Colab: the command, who is signed in, and the balance."""

from __future__ import annotations

from collections.abc import Sequence

from facegan.errors import BadInputError
from jobs.backends.base import Check
from jobs.backends.colab import facts
from jobs.backends.colab.command import Colab
from jobs.refusals import Auth, Refusal


def look(colab: Colab, *, is_chosen: bool) -> Sequence[Check]:
    """Without the command nothing, where nobody chose Colab. What does not answer is no fault of this machine's."""
    try:
        version = colab.version()
        colab.require_new_enough()
        found = [Check(name="colab", ok=True, found=f"version {version}")]
    except BadInputError as error:
        return [Check(name="colab", ok=False, found=error.message, hint=error.hint or "")] if is_chosen else ()
    except Refusal as error:
        return [Check(name="colab", ok=False, found=error.message, hint=error.hint or facts.NEWER)]
    try:
        found.append(Check(name="colab account", ok=True, found=f"signed in as {colab.user()}"))
        found.append(Check(name="colab balance", ok=None, found=colab.balance()))
    except Auth as error:
        found.append(Check(name="colab account", ok=False, found=error.message, hint=error.hint or facts.SIGN_IN))
    except Refusal as error:
        found.append(Check(name="colab account", ok=None, found=error.message, hint=error.hint or ""))
    return found
