"""What this machine remembers of its dealings with Kaggle, for the questions that Kaggle cannot answer.

A lost note costs a look-up, or leaves a data set behind; it never makes a second session.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobs.backends import notes

DATASETS = "datasets"


class Notes(notes.Notes):
    """Of kernels, and of the data sets that were made for them."""

    def making(self, dataset: str) -> None:
        """A data set of this name is about to be made."""
        self.write(DATASETS, dataset, "")

    def made_at(self, dataset: str) -> float | None:
        """By this machine's clock; `None` for one that it did not make."""
        try:
            return (self.folder / DATASETS / dataset).stat().st_mtime
        except FileNotFoundError:
            return None

    def removed(self, dataset: str) -> None:
        self.forget(DATASETS, dataset)

    def datasets(self) -> Iterator[str]:
        folder = self.folder / DATASETS
        if folder.exists():
            yield from sorted(path.name for path in folder.iterdir() if path.suffix != ".partial")
