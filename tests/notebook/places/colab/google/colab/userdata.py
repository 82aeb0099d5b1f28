"""Colab's secrets, with its errors; what there is of them is in a file that a test names."""

import json
import os
from pathlib import Path


class NotebookAccessError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(f"Notebook does not have access to secret {key}")


class SecretNotFoundError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(f"Secret {key} does not exist.")


def get(key: str) -> str:
    found = json.loads(Path(os.environ["TEST_SECRETS"]).read_text())
    if key not in found:
        raise SecretNotFoundError(key)
    if found[key] is None:
        raise NotebookAccessError(key)
    value: str = found[key]
    return value
