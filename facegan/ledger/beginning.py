"""What a run trains, as its first entry froze it."""

from __future__ import annotations

from facegan.catalog import families
from facegan.errors import BadInputError, DamagedError
from facegan.experiment import Experiment, frozen
from facegan.ledger.entry import Entry


def experiment(entry: Entry, run: str) -> Experiment:
    """The experiment that a run was created with, by the first entry of its ledger.

    What was accepted when the run was created is accepted here, whatever may be typed by now.

    Raises:
        DamagedError: it is none, or one of another version of this program; names the run.
    """
    try:
        found = frozen(entry.body.get("experiment", {}))
        families.find(found.model.family)
    except BadInputError as error:
        raise DamagedError(
            f'the experiment of run "{run}" is none that this version knows: {error.message}',
            hint="pip install --upgrade facegan-job, if a newer version made the run; "
            "else see who may write to the store",
        ) from error
    return found
