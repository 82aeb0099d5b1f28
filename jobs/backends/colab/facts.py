"""What is known of Colab and of its command: limits, GPUs, what it says. One dated table, and how sure each line is.

Nothing here was tried on a live account by this project. When Colab changes, this is the file to change, and
docs/colab.md shows it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.backends.known import Fact, Sure, Words

SEEN = "2026-11"

PACKAGE = "google-colab-cli"
VERSION = "0.7.5"
"""Of the package whose source the arguments and the words here are from."""
OLDEST = (0, 7, 4)
"""Up to 0.7.2, `new` left a process on the user's machine, which kept Colab's from being idle for up to a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU by the name that users and the command know it by; `shows` is a word of its name at NVIDIA."""

    gpu: str
    shows: str
    plan: str
    sure: Sure
    seen: str = SEEN


SESSION_S = Fact(what="longest session, in seconds; 24 hours with Pro+", value=12 * 3600, sure=Sure.DOCS, seen=SEEN)
IDLE_S = Fact(
    what="shortest time after which an idle machine was taken away, in seconds", value=420, sure=Sure.FIELD, seen=SEEN
)
SESSIONS = Fact(what="machines with a GPU at once, without a subscription", value=1, sure=Sure.FIELD, seen=SEEN)
CORES = Fact(what="cores of a session, with a T4 or none", value=2, sure=Sure.BELIEVED, seen=SEEN)
EXEC_S = Fact(
    what="time after which a busy machine refuses another cell, in seconds", value=10, sure=Sure.SOURCE, seen=SEEN
)
NUMBERS = (SESSION_S, IDLE_S, SESSIONS, CORES, EXEC_S)

FREE = "every account"
PAID = "with compute units"
ACCELERATORS = (
    Accelerator(gpu="T4", shows="T4", plan=FREE, sure=Sure.SOURCE),
    Accelerator(gpu="L4", shows="L4", plan=PAID, sure=Sure.SOURCE),
    Accelerator(gpu="G4", shows="6000", plan=PAID, sure=Sure.BELIEVED),
    Accelerator(gpu="A100", shows="A100", plan=PAID, sure=Sure.SOURCE),
    Accelerator(gpu="H100", shows="H100", plan=PAID, sure=Sure.SOURCE),
)
"""Of any other name the command makes an A100, without a word."""

SIGN_IN = "sign in once: type colab sessions, open the address that it shows, and paste the code"
SCOPES = f"{SIGN_IN}; default credentials need the scope colaboratory (docs/colab.md, step 2)"
EXPIRED = f"{SIGN_IN}. It says the same where there is no internet"
LATER = "facegan-job resume RUN later, or --backend another; colab sessions shows what runs in your account"
NEWER = f"pip install --upgrade {PACKAGE}"
NETWORK = "is the internet there? Type the same again"
FAILURES: Sequence[Words] = (
    Words(part="max retries exceeded", kind="uncertain", hint=NETWORK, sure=Sure.SOURCE, seen=SEEN),
    Words(part="connectionerror", kind="uncertain", hint=NETWORK, sure=Sure.SOURCE, seen=SEEN),
    Words(part="allocation refused", kind="capacity", hint=LATER, sure=Sure.SOURCE, seen=SEEN),
    Words(part="backend rejected accelerator", kind="quota", hint=LATER, sure=Sure.SOURCE, seen=SEEN),
    Words(part="compute units", kind="quota", hint="colab pay shows how to get more", sure=Sure.BELIEVED, seen=SEEN),
    Words(part="enter the authorization code", kind="auth", hint=SIGN_IN, sure=Sure.SOURCE, seen=SEEN),
    Words(part="no valid default credentials", kind="auth", hint=EXPIRED, sure=Sure.SOURCE, seen=SEEN),
    Words(part="default credentials", kind="auth", hint=SIGN_IN, sure=Sure.SOURCE, seen=SEEN),
    Words(part="failed to refresh credentials", kind="auth", hint=SIGN_IN, sure=Sure.SOURCE, seen=SEEN),
    Words(part="tokeninfo returned http 4", kind="auth", hint=SIGN_IN, sure=Sure.SOURCE, seen=SEEN),
    Words(part="insufficient authentication scopes", kind="auth", hint=SIGN_IN, sure=Sure.BELIEVED, seen=SEEN),
    Words(part=": forbidden", kind="auth", hint=SCOPES, sure=Sure.BELIEVED, seen=SEEN),
    Words(part="unauthorized", kind="auth", hint=SIGN_IN, sure=Sure.SOURCE, seen=SEEN),
    Words(part="no such command", kind="invalid", hint=NEWER, sure=Sure.SOURCE, seen=SEEN),
    Words(part="no such option", kind="invalid", hint=NEWER, sure=Sure.SOURCE, seen=SEEN),
)
"""Looked at from the first to the last. What is not among them says nothing."""

MISSING = Words(part="file or directory not found", kind="missing", hint="", sure=Sure.SOURCE, seen=SEEN)
"""Of a file in a session: it is not there."""

UNSEEN = Words(part="no valid default credentials", kind="auth", hint=SIGN_IN, sure=Sure.SOURCE, seen=SEEN)
"""A list of sessions that begins with this, and ends well, says nothing: nobody was asked."""


def accelerator(gpu: str) -> Accelerator | None:
    """The GPU that users call so; letters of either case."""
    return next((each for each in ACCELERATORS if each.gpu.lower() == gpu.lower()), None)
