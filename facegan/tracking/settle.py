"""Which MLflow run is the run's: one on each tracking server, settled by the ledger.

The crash argument. An MLflow run is made with a tag that names the ledger, in one call; then the
`tracked` entry is appended; only then is anything written into it. Killed between making and entry,
the next sync finds the run by its tag and adopts it. Of two syncs that made one each, the ledger has
one entry; everybody who comes by deletes what carries the tag, is not the settled one and is empty.
Nobody can be about to fill such a run: who would have to append for it finds the server settled.
"""

from __future__ import annotations

from datetime import datetime

from facegan.ledger import Entry, Fold, Ledger, Wish
from facegan.tracking.address import without_credentials
from facegan.tracking.server import Home, Server, There, TrackingError

LEDGER = "facegan.ledger"


def settle(ledger: Ledger, server: Server, home: Home) -> There:
    """The run's MLflow run, made, adopted or found.

    Raises:
        TrackingError: the server does not answer, or the run was deleted there.
    """
    identity = ledger.digest_of(0)  # a run's id may be used again in another store, its first entry never
    settled = ledger.refresh().tracked.get(home.name)
    found = server.runs_tagged(home, LEDGER, identity)
    if settled is None:
        candidate = found[0].run_id if found else _create(ledger, server, home, identity)
        settled = _append(ledger, home, candidate)
        found = server.runs_tagged(home, LEDGER, identity)
    run_id = settled["mlflow_run"]
    for other in found:
        if other.run_id != run_id and not other.metrics and not other.params:
            server.delete_run(other.run_id)
    return require(ledger, server, run_id)


def require(ledger: Ledger, server: Server, run_id: str) -> There:
    """The MLflow run that was settled on.

    Raises:
        TrackingError: it is not there any more.
    """
    there = server.run(run_id)
    if there is None:
        raise TrackingError(
            f'"{server.name}" no longer knows MLflow run {run_id} of run "{ledger.run}"',
            hint="bring the server's database back from a copy, or give another --tracking-uri",
        )
    if there.deleted:
        raise TrackingError(
            f'MLflow run {run_id} of run "{ledger.run}" was deleted in MLflow',
            hint=f"mlflow runs restore --run-id {run_id}",
        )
    return there


def milliseconds(entry: Entry) -> int:
    """When the entry was written, as MLflow counts."""
    return round(datetime.fromisoformat(entry.at).timestamp() * 1000)


def _create(ledger: Ledger, server: Server, home: Home, identity: str) -> str:
    tags = {
        LEDGER: identity,
        "facegan.run": ledger.run,
        "facegan.store": without_credentials(ledger.store.url),
    }
    return server.create_run(home, ledger.run, milliseconds(ledger.entry(0)), tags)


def _append(ledger: Ledger, home: Home, candidate: str) -> dict[str, str]:
    def decide(fold: Fold) -> Wish | None:
        if home.name in fold.tracked:
            return None
        return Wish(kind="tracked", body={"server": home.name, "mlflow_run": candidate, "model": None})

    return ledger.append(decide).tracked[home.name]
