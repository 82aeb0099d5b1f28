"""Kaggle's secrets, with its errors; what there is of them is in a file that a test names."""

import json
import os
from pathlib import Path


class CredentialError(Exception):
    pass


class BackendError(Exception):
    pass


class UserSecretsClient:
    def __init__(self) -> None:
        if "KAGGLE_USER_SECRETS_TOKEN" not in os.environ:
            raise CredentialError("A JWT Token is required to use the UserSecretsClient")

    def get_secret(self, label: str) -> str:
        found = json.loads(Path(os.environ["TEST_SECRETS"]).read_text())
        if label not in found:
            raise BackendError("Unexpected response from the service. Response: {'wasSuccessful': False}.")
        value: str = found[label]
        return value
