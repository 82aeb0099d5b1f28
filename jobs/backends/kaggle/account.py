"""Who the user is at Kaggle: credentials, looked for where Kaggle's own client looks, in its order.

A token in `KAGGLE_API_TOKEN` (or a file that it names), `~/.kaggle/access_token` or `.txt`; then user and key in
`KAGGLE_USERNAME` and `KAGGLE_KEY`, or `kaggle.json` in `KAGGLE_CONFIG_DIR`, `~/.kaggle` or `$XDG_CONFIG_HOME/kaggle`;
then what `kaggle auth login` left in `~/.kaggle/credentials.json`. The first that Kaggle takes is used, as there.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facegan.experiment import Json
from jobs.backends.kaggle.api import SIGN_IN, Api
from jobs.refusals import Auth

NO_FILE = "KAGGLE_API_TOKEN, which names a file that cannot be read"
TOKEN_FILES = ("access_token", "access_token.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user, and what proves to Kaggle that we are that user. Where that is from may be said; what it is may not."""

    user: str
    authorization: str = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Credentials that were found: a token, a user's key, or a token that only makes tokens."""

    source: str
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    key: str | None = field(default=None, repr=False)
    refresh: str | None = field(default=None, repr=False)


def search(environment: Mapping[str, str], user_home: Path) -> Sequence[Found]:
    """Every credential there is, in the order in which they are tried. Reads files, and asks nobody."""
    return [*_tokens(environment, user_home), *_keys(environment, user_home), *_logins(user_home)]


def sign_in(found: Sequence[Found], open_api: Callable[[str | None], Api]) -> Account:
    """The first of them that Kaggle takes; a token's user is Kaggle's to say, a key's is in the file beside it.

    Raises:
        Auth: there are none, or none that it takes.
        Uncertain: it does not answer.
    """
    for each in found:
        if (account := _try(each, open_api)) is not None:
            ignored = f", instead of {NO_FILE}" if found[0].source == NO_FILE else ""
            return dataclasses.replace(account, source=account.source + ignored)
    if found:
        tried = ", ".join(each.source for each in found)
        raise Auth(f"Kaggle takes none of the credentials that are set up here: {tried}", hint=SIGN_IN)
    raise Auth("there are no credentials for Kaggle here", hint=SIGN_IN)


def _try(found: Found, open_api: Callable[[str | None], Api]) -> Account | None:
    if found.user and found.key:
        pair = base64.b64encode(f"{found.user}:{found.key}".encode()).decode()
        known = _is_known(open_api(f"Basic {pair}"))
        return Account(user=found.user, authorization=f"Basic {pair}", source=found.source) if known else None
    token = found.token or (open_api(None).refresh(found.refresh) if found.refresh else "")
    user = open_api(f"Bearer {token}").introspect(token) if token else None
    return Account(user=user, authorization=f"Bearer {token}", source=found.source) if user else None


def _is_known(api: Api) -> bool:
    """Whether Kaggle takes these credentials: of a user's key it says so only in answer to a question of that user."""
    try:
        api.require_known()
    except Auth:
        return False
    return True


def _tokens(environment: Mapping[str, str], user_home: Path) -> Iterator[Found]:
    said = environment.get("KAGGLE_API_TOKEN", "").strip()
    if said:
        token = _text(Path(said)) or ("" if "/" in said else said)
        yield Found(source="KAGGLE_API_TOKEN" if token else NO_FILE, token=token or None)
    for name in TOKEN_FILES:
        path = user_home / ".kaggle" / name
        if token := _text(path):
            yield Found(source=str(path), token=token)
            return


def _keys(environment: Mapping[str, str], user_home: Path) -> Iterator[Found]:
    """A variable is preferred to the same word of the file."""
    path = _folder(environment, user_home) / "kaggle.json"
    kept = _json(path)
    user = environment.get("KAGGLE_USERNAME") or kept.get("username")
    key = environment.get("KAGGLE_KEY") or kept.get("key")
    if user and key:
        source = "KAGGLE_USERNAME and KAGGLE_KEY" if "KAGGLE_KEY" in environment else str(path)
        yield Found(source=source, user=str(user), key=str(key))


def _logins(user_home: Path) -> Iterator[Found]:
    """A token of a login ends within hours: a new one is made each time, and the file is left as it is."""
    path = user_home / ".kaggle" / "credentials.json"
    if refresh := _json(path).get("refresh_token"):
        yield Found(source=str(path), refresh=str(refresh))


def _folder(environment: Mapping[str, str], user_home: Path) -> Path:
    if chosen := environment.get("KAGGLE_CONFIG_DIR"):
        return Path(chosen)
    usual = user_home / ".kaggle"
    return usual if usual.exists() else Path(environment.get("XDG_CONFIG_HOME") or user_home / ".config") / "kaggle"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _json(path: Path) -> Json:
    try:
        found = json.loads(_text(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
