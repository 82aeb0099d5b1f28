"""How a session on a machine of AWS becomes what the machine's role, or the job's, allows it to be."""

from __future__ import annotations

from collections.abc import Mapping

PATIENCE = {"AWS_METADATA_SERVICE_TIMEOUT": "10", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "5"}
"""For the credentials: by itself the SDK asks the machine once, for a second, and takes no answer for no role."""


def environment(options: Mapping[str, str], region: str) -> dict[str, str]:
    """What a session is handed, by the options of its store's URL, and the machine's region. No secret is in it."""
    return {"AWS_DEFAULT_REGION": options.get("region", region), **PATIENCE}
