"""What the user has settled: flags, then the environment, then the project's file, then their own."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.errors import BadInputError
from facegan.home import home
from facegan.setting import unknown

if TYPE_CHECKING:
    from jobs.backends.base import Backend

PROJECT_FILE = "facegan.toml"
USER_FILE = "config.toml"  # in FACEGAN_HOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`store`: URL of the store. `backend`: where sessions run. `tracking`: URI of the MLflow server.

    `backend` may be several, `kaggle,docker`: each session is run by the first that can. `max_sessions` is how
    many sessions a watched run may have, `max_failures` how many may fail at one step before it is given up.
    `role`: the AWS role that credentials of sessions are made from. Of sessions in containers, `image`: their image,
    `host`: their engine, `memory`: how much they may take ("4g"), `cpus`: how many cores ("1.5"). An empty text
    leaves the choice to the program. Of machines in a cloud, `profile`: the instance profile that sessions on EC2 have
    their rights from, `ami`: the public parameter that names what they start from, `market`: "spot" or "on-demand",
    `price`: what an hour of one costs, in US dollars ("0.25"), `regions`: where `reap` looks beside the region in use
    ("us-east-1,eu-west-1"). Of jobs of AWS Batch, `queue` and `definition`: the job queue and the job definition that
    they take. Of machines on Compute Engine, `project`: where they are made, `service_account`: what they have their
    rights from, `boot_image`: what they start from.
    `notify`: a command line that a watch runs when something is worth a notice, or an https:// address it posts to.
    """

    home: Path
    store: str
    backend: str
    tracking: str
    role: str = ""
    image: str = ""
    host: str = ""
    memory: str = ""
    cpus: str = ""
    max_sessions: str = ""
    max_failures: str = ""
    profile: str = ""
    ami: str = ""
    market: str = ""
    price: str = ""
    notify: str = ""
    regions: str = ""
    queue: str = ""
    definition: str = ""
    project: str = ""
    service_account: str = ""
    boot_image: str = ""

    def stand_in(self, name: str) -> Backend | None:
        """What stands for the backend of that name; `None` but in a rehearsal, where nothing real is ever asked."""
        del name
        return None


KEYS = tuple(f.name for f in fields(Settings) if f.name != "home")


def load(
    flags: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Settings:
    """The settings in force here.

    Raises:
        BadInputError: a file that is not TOML, or has a key that is no setting.
    """
    at = home(environment)
    found = {
        "store": (at / "store").as_uri(),
        "backend": "local",
        "tracking": f"sqlite:///{(at / 'mlflow' / 'mlflow.db').as_posix()}",
    }
    found |= _read(at / USER_FILE)
    found |= _read((folder or Path.cwd()) / PROJECT_FILE)
    found |= {key: environment[name] for key in KEYS if (name := f"FACEGAN_{key.upper()}") in environment}
    found |= {key: value for key, value in (flags or {}).items() if value is not None}
    return Settings(home=at, **found)


def without_password(tracking: str) -> str:
    """A tracking URI as it may be shown and written down: MLflow takes user and password from variables as well."""
    scheme, found, rest = tracking.partition("://")
    if not found or scheme.startswith("sqlite"):
        return tracking
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _read(path: Path) -> dict[str, str]:
    """One settings file; a file that is not there settles nothing."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInputError(f'"{path}" cannot be read as settings: {error}') from error
    for key, value in values.items():
        if key not in KEYS:
            raise unknown(f'setting in "{path}"', key, KEYS)
        if not isinstance(value, str):
            raise BadInputError(f'{key} in "{path}" must be a text, not "{value}"', hint=f'{key} = "{value}"')
    return values
