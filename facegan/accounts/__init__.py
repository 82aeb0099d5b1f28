"""The user's account at the cloud a store is in: the rights it takes, its bucket, and credentials for sessions.

Implementations are named by text and loaded when first used, as those of stores are. A store without one,
a folder say, needs no credentials and has nobody to hand any to.
"""

from __future__ import annotations

from types import MappingProxyType

from facegan.accounts.base import Account, Credentials, Finding, Reach
from facegan.errors import BadInputError
from facegan.storage import loaded

__all__ = ["ACCOUNTS", "Account", "Credentials", "Finding", "Reach", "has_account", "open_account"]

ACCOUNTS = MappingProxyType(
    {
        "s3": "facegan.accounts.aws:AwsAccount",
        "gs": "facegan.accounts.google:GoogleAccount",
    }
)


def has_account(store_url: str) -> bool:
    """Whether credentials are what lets a machine reach this store."""
    return store_url.partition("://")[0] in ACCOUNTS


def open_account(store_url: str) -> Account:
    """The account that the store at this URL belongs to. Nothing is asked of it yet.

    Raises:
        BadInputError: the store needs no credentials.
        FaceganError: what this kind of store needs is not installed.
    """
    scheme = store_url.partition("://")[0]
    if scheme not in ACCOUNTS:
        raise BadInputError(
            f'the store "{store_url}" needs no credentials', hint="they are for a bucket: --store s3://… or gs://…"
        )
    account: Account = loaded(scheme, ACCOUNTS).open(store_url)
    return account
