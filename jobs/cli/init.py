"""`facegan-job init`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from facegan.errors import BadInputError
from jobs import settings
from jobs.cli import options, output


def init(store: options.Store = None, backend: options.Backend = None) -> None:
    """Write a facegan.toml here, with the settings in force."""
    chosen = settings.load({"store": store, "backend": backend})
    path = Path.cwd() / settings.PROJECT_FILE
    lines = ["# Settings of facegan-job for this folder. Flags and FACEGAN_… variables come before them.\n"]
    values = {key: value for key in settings.KEYS if (value := getattr(chosen, key))}
    values["tracking"] = settings.without_password(chosen.tracking)
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()]
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise BadInputError(f'"{path}" is there already', hint="edit it; facegan-job doctor checks it") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(lines)
    if values["tracking"] != chosen.tracking:
        output.say("left out the password of the tracking server: set MLFLOW_TRACKING_USERNAME and …_PASSWORD")
    output.say(f"wrote {path}\nhint: facegan-job doctor")
