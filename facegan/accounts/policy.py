"""Who may do what to which object: the least a user needs, and the least a session needs.

Pure data. docs/storage.md shows the user's, and a test holds the page against what is made here.

A session reads its run and its data, extends the ledger, writes its checkpoints, heartbeat and output,
overwrites those (an answer that was lost is asked for again), and deletes states that it has pruned. So it
may do that and no more, but for one that has to prepare its data: it writes them, below their name. Whoever
gets hold of its credentials can neither change nor delete one ledger entry, nor see that other runs exist;
nor, on AWS, delete a metric or picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from facegan import layout
from facegan.accounts.base import Reach
from facegan.errors import BadInputError
from facegan.experiment import Json

LARGEST_SESSION_POLICY = 2_048  # characters that STS takes
FEDERATED = "facegan-"  # the names of federated users begin so


class AwsPolicies:
    """Policies for the objects below a prefix of a bucket on AWS. `prefix` is empty or ends in `/`."""

    def __init__(self, bucket: str, prefix: str, partition: str = "aws") -> None:
        self._partition = partition
        self._bucket = f"arn:{partition}:s3:::{bucket}"
        self._prefix = _literal(prefix)

    def of_user(self) -> Json:
        """For who submits runs, prepares data, prunes and looks: everything but rewriting a ledger."""
        ledger = self._objects("runs/*/ledger/*")
        return _policy(
            _allow("Read", "s3:GetObject", self._objects("*")),
            self._list("List", "*"),
            _allow(
                "LookAtTheBucket",
                ["s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"],
                self._bucket,
            ),
            _allow("CreateEntries", "s3:PutObject", ledger, _only_new(wanted=True)),
            _allow(
                "WriteTheRest",
                ["s3:PutObject", "s3:DeleteObject"],
                [
                    self._objects(f"{part}/*")
                    for part in ("runs/*/checkpoints", "runs/*/sessions", "datasets", "doctor")
                ],
            ),
            _deny("NeverRewriteTheLedger", "s3:PutObject", ledger, _only_new(wanted=False)),
            _deny("NeverDeleteTheLedger", ["s3:DeleteObject", "s3:DeleteObjectVersion"], ledger),
            _allow(
                "MintForSessions",
                "sts:GetFederationToken",
                f"arn:{self._partition}:sts::*:federated-user/{FEDERATED}*",
            ),
        )

    def of_session(self, reach: Reach) -> str:
        """For one session, as the text that goes with the request for its credentials.

        Raises:
            BadInputError: the names in it are so long that STS would not take it.
        """
        run, reads = layout.run(reach.run), [f"{key}*" for key in (*reach.reads, *reach.makes)]
        writes = (layout.checkpoints(reach.run), layout.sessions(reach.run), *reach.makes)
        text = json.dumps(
            _policy(
                _allow("Read", "s3:GetObject", [self._objects(f"{run}*"), *map(self._objects, reads)]),
                self._list("List", f"{run}*", *reads),
                _allow("Append", "s3:PutObject", self._objects(f"{layout.ledger(reach.run)}*"), _only_new(wanted=True)),
                _allow(
                    "Write",
                    "s3:PutObject",
                    [self._objects(f"{part}*") for part in writes],
                ),
                _allow("Prune", "s3:DeleteObject", self._objects(f"{layout.checkpoints(reach.run)}*/{layout.STATE}")),
            ),
            separators=(",", ":"),
        )
        if len(text) > LARGEST_SESSION_POLICY:
            raise BadInputError(
                f"a session's policy would have {len(text):,} characters, and AWS takes {LARGEST_SESSION_POLICY:,}",
                hint="shorten the store's prefix or the run's --name",
            )
        return text

    def _objects(self, keys: str) -> str:
        return f"{self._bucket}/{self._prefix}{keys}"

    def _list(self, name: str, *keys: str) -> Json:
        below = [f"{self._prefix}{key}" for key in keys]
        return _allow(name, "s3:ListBucket", self._bucket, {"StringLike": {"s3:prefix": _one_or_all(below)}})


def google_bindings(bucket: str, prefix: str, reach: Reach) -> list[Json]:
    """What a session's service account may do to the bucket: roles, each under a condition.

    `objectCreator` can neither overwrite nor delete: that is all a ledger needs. `objectUser` can, and it is
    given for what a session overwrites and deletes; Google has no right to the one without the other.
    """
    objects = f"projects/_/buckets/{bucket}/objects/{prefix}"
    run = layout.run(reach.run)
    reads = (*reach.reads, *reach.makes)
    read = [*_named(objects, run, *reads), *_listed(prefix, run, *reads)]
    write = _named(objects, layout.checkpoints(reach.run), layout.sessions(reach.run), *reach.makes)
    return [
        _binding("roles/storage.objectViewer", "reads its run and its data", read),
        _binding("roles/storage.objectCreator", "extends its ledger", _named(objects, layout.ledger(reach.run))),
        _binding("roles/storage.objectUser", "writes its checkpoints and output", write),
    ]


def google_user_bindings(bucket: str, prefix: str) -> list[Json]:
    """What the user may do to the bucket: everything but rewriting a ledger."""
    objects = f"projects/_/buckets/{bucket}/objects/{prefix}"
    rest = f'''resource.name.startsWith({_quoted(objects)}) && resource.name.extract("/ledger/{{entry}}") == ""'''
    return [
        {"role": "roles/storage.objectViewer"},
        {"role": "roles/storage.objectCreator"},
        _binding("roles/storage.objectUser", "not the ledger", [rest]),
    ]


def _binding(role: str, title: str, any_of: Iterable[str]) -> Json:
    return {"role": role, "condition": {"title": title, "expression": " || ".join(any_of)}}


def _named(objects: str, *keys: str) -> list[str]:
    return [f"resource.name.startsWith({_quoted(objects + key)})" for key in keys]


def _listed(prefix: str, *keys: str) -> list[str]:
    """A listing is a request to the bucket; what it asks for is an attribute of the request."""
    asked = 'api.getAttribute("storage.googleapis.com/objectListPrefix", "")'
    return [f"{asked}.startsWith({_quoted(prefix + key)})" for key in keys]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # CEL's own form of a string


def _policy(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(name: str, actions: str | list[str], resources: str | list[str], condition: Json | None = None) -> Json:
    return _statement(name, "Allow", actions, resources, condition)


def _deny(name: str, actions: str | list[str], resources: str | list[str], condition: Json | None = None) -> Json:
    return _statement(name, "Deny", actions, resources, condition)


def _statement(
    name: str, effect: str, actions: str | list[str], resources: str | list[str], condition: Json | None
) -> Json:
    parts = {"Sid": name, "Effect": effect, "Action": actions, "Resource": resources}
    return parts if condition is None else {**parts, "Condition": condition}


def _only_new(*, wanted: bool) -> Json:
    """Requests with `If-None-Match`, or those without."""
    return {"Null": {"s3:if-none-match": "false" if wanted else "true"}}


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)


def _literal(prefix: str) -> str:
    """A prefix with nothing in it that a policy would read as a pattern or a variable."""
    return "".join(f"${{{c}}}" if c in "*?$" else c for c in prefix)
