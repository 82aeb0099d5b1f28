"""Where notebooks are run by hand, and what is known of it beyond what the place's backend knows: dated, and how sure.

Nothing here was tried on a live account by this project. docs/notebooks.md shows these facts whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facegan.errors import BadInputError
from facegan.experiment import Json
from jobs.backends.colab import facts as colab
from jobs.backends.kaggle import facts as kaggle
from jobs.backends.known import Fact, Sure

SEEN = "2026-11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A GPU by the name users type, as the place's notebooks spell it, a word of its name at NVIDIA, and how many."""

    gpu: str
    spelled: str
    shows: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place, in what differs from the others.

    `session_s` is how long a machine there lives at most, `source_bytes` the largest notebook it is known to take.
    The first of `cards` is the one that is free. `marker` is the variable by which a notebook knows that it is there,
    `secrets_module` what gives it its secrets, `spelling` how its notebooks name a GPU. The words are sentences
    without their full stop, said in the notebook.
    """

    name: str
    title: str
    session_s: int
    source_bytes: int | None
    cards: Sequence[Card]
    marker: Fact[str]
    secrets_module: Fact[str]
    spelling: Fact[str]
    opening: str
    accelerator: str
    internet: str
    secrets: str
    renew: str

    @property
    def facts(self) -> Sequence[Fact[str]]:
        return self.marker, self.secrets_module, self.spelling

    def card(self, gpu: str | None) -> Card:
        """The card that users call so, letters of either case; the free one where none is named.

        Raises:
            BadInputError: it has none of that name.
        """
        for card in self.cards:
            if gpu is None or card.gpu.lower() == gpu.lower():
                return card
        raise BadInputError(
            f'{self.title} has no GPU "{gpu}"', hint=f"it has {', '.join(card.gpu for card in self.cards)}"
        )


MARKER = "variable that is set on its machines alone"
MODULE = "module that gives a notebook its secrets"
SPELLING = "how a notebook says that it wants a T4"

COLAB = Place(
    name="colab",
    title="Colab",
    session_s=colab.SESSION_S.value,
    source_bytes=None,
    cards=[Card(gpu=each.gpu, spelled=each.gpu, shows=each.shows) for each in colab.ACCELERATORS],
    marker=Fact(what=MARKER, value="COLAB_RELEASE_TAG", sure=Sure.FIELD, seen=SEEN),
    secrets_module=Fact(what=MODULE, value="google.colab.userdata", sure=Sure.SOURCE, seen=SEEN),
    spelling=Fact(what=SPELLING, value="accelerator: GPU, colab.gpuType: T4", sure=Sure.FILES, seen=SEEN),
    opening="On colab.research.google.com: File, Upload notebook. Then Runtime, Run all",
    accelerator="Choose Runtime, Change runtime type, and a GPU",
    internet="Colab has internet unless something is wrong: try again",
    secrets="Add it under the key in the bar on the left, and let this notebook read it",
    renew="Choose Runtime, Disconnect and delete runtime",
)

KAGGLE = Place(
    name="kaggle",
    title="Kaggle",
    session_s=kaggle.SESSION_S.value,
    source_bytes=kaggle.SOURCE_BYTES.value,
    cards=[
        Card(gpu=each.gpu, spelled=each.shape[:1].lower() + each.shape[1:], shows=each.gpu, count=each.cards)
        for each in kaggle.ACCELERATORS
    ],
    marker=Fact(what=MARKER, value="KAGGLE_KERNEL_RUN_TYPE", sure=Sure.SOURCE, seen=SEEN),
    secrets_module=Fact(what=MODULE, value="kaggle_secrets", sure=Sure.SOURCE, seen=SEEN),
    spelling=Fact(what=SPELLING, value="kaggle.accelerator: nvidiaTeslaT4", sure=Sure.FILES, seen=SEEN),
    opening="On kaggle.com: Create, New Notebook, then File, Import Notebook. Then Run All",
    accelerator="Choose Settings, Accelerator, GPU T4 x2; without a verified phone Kaggle has none",
    internet="Is the internet on, under Settings? Without a verified phone Kaggle has none",
    secrets="Add it under Add-ons, Secrets, and attach it to this notebook",
    renew="Stop the session under Run, and start a new one",
)

PLACES: Mapping[str, Place] = {place.name: place for place in (COLAB, KAGGLE)}


def metadata(place: Place, card: Card) -> Json:
    """What the notebook says of itself, so that the place gives it that card without being asked."""
    common: Json = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if place is COLAB:
        return {**common, "accelerator": "GPU", "colab": {"gpuType": card.spelled, "provenance": []}}
    about = {"accelerator": card.spelled, "isGpuEnabled": True, "isInternetEnabled": True, "dataSources": []}
    return {**common, "kaggle": {**about, "language": "python", "sourceType": "notebook"}}
