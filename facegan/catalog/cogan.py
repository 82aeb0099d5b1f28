"""Coupled GANs on faces: section 5.5 of the thesis, and the networks of the paper that it shows beside them."""

from __future__ import annotations

from facegan.catalog import remarks
from facegan.catalog.entry import Entry
from facegan.experiment import Adam, Checkpoint, Data, Experiment, Model, Samples, Training

DENSE_SOURCE = "Keras-GAN's cogan.py with the thesis' settings of 2022, after Liu & Tuzel 2016 (CoGAN)"
DENSE_EPOCH = "An epoch of the thesis' 10,000 is one batch of 128 images of each domain, as in Keras-GAN"
DENSE_SETTLED = (
    (
        "The thesis' text has a learning rate of 0.002, the code it links to 0.0002: the code's. "
        "For the text's: --set generator.learning_rate=2e-3 --set discriminator.learning_rate=2e-3"
    ),
    "The text's only input shape is 128x128x3, its results are for 64 and 128 pixels: two experiments",
    "The discriminators share their first layers, where the paper's share their last: as Keras-GAN has it",
)
DENSE_NOTES = (
    DENSE_EPOCH,
    "10,000 batches are 128 epochs of 10,000 images in each domain",
    remarks.LOGITS,
    remarks.TRAINING_MODE,
)
DENSE_128_ROOM = "The store holds two states of 1.5 GB, and three while one is committed: 4.6 GB"
DENSE_BELIEVED = ("That the faces were cropped as for section 5.6, and 20,000 of them: section 5.2 says so of all",)
HALVES = (
    "The thesis never says which two domains of faces it used. Here it is what the code it links to does: half of the "
    "images as they are, and the other half turned by 90 degrees. Or a pair: --set data.domains="
)
WHICH_DOMAINS = f"{HALVES}Smiling"


def _dense(name: str, data: Data, checkpoint: Checkpoint) -> Experiment:
    """The thesis' settings for Keras-GAN's CoGAN."""
    return Experiment(
        name=name,
        model=Model(family="cogan-dense"),
        data=data,
        training=Training(images=10_000 * 128, batch_size=128, schedule="apart"),
        samples=Samples(every_steps=500, count=36),
        checkpoint=checkpoint,
    )


DENSE_64 = Entry(
    experiment=_dense(
        "cogan-celeba-64",
        Data(name="celeba", size=64, crop="reference", limit=20_000),
        Checkpoint(every_s=120.0, keep=3),
    ),
    summary="The thesis' dense CoGAN on faces of 64 pixels",
    reproduces="Thesis 5.5, figures 33 to 36",
    source=DENSE_SOURCE,
    networks={"generators": 26_409_728, "discriminators": 6_423_810},
    settled=(WHICH_DOMAINS, *DENSE_SETTLED),
    notes=DENSE_NOTES,
    believed=DENSE_BELIEVED,
    takes=("3,376 steps of 128 in 45 min, 1 thread, on one of 2 shared CPU cores",),
    outcome=(
        "After 3,250 of 10,000 steps: faces with hair, smiles and backgrounds, under bright noise; the discriminators "
        "are right about half of the images. See docs/results.md"
    ),
)

DENSE_128 = Entry(
    experiment=_dense(
        "cogan-celeba-128",
        Data(name="celeba", size=128, crop="reference", limit=20_000),
        Checkpoint(every_s=600.0, keep=2),
    ),
    summary="The thesis' dense CoGAN on faces of 128 pixels: 127 million parameters, checkpoints of 1.5 GB",
    reproduces="Thesis 5.5, figures 33 to 36",
    source=DENSE_SOURCE,
    networks={"generators": 101_980_928, "discriminators": 25_298_178},
    settled=(WHICH_DOMAINS, *DENSE_SETTLED),
    notes=(*DENSE_NOTES, DENSE_128_ROOM),
    believed=DENSE_BELIEVED,
    takes=("200 steps of 32 in 17 min, 1 thread, on 2 shared CPU cores that were busy with other work",),
    outcome="After 200 steps of 32, of 10,000 of 128: faces in noise, as at 64 pixels. See docs/results.md",
)

IMDB_WIKI = Entry(
    experiment=_dense(
        "cogan-imdb-wiki", Data(name="imdb-wiki", size=128, crop="none"), Checkpoint(every_s=600.0, keep=2)
    ),
    summary="The thesis' dense CoGAN on IMDB-WIKI at 128 pixels, whose results it found too poor to show",
    reproduces="Thesis 5.5, first data set",
    source=DENSE_SOURCE,
    networks={"generators": 101_980_928, "discriminators": 25_298_178},
    settled=(
        f"{HALVES}gender",
        *DENSE_SETTLED,
        (
            "Reference 85 is cited both for the script that prepares IMDB-WIKI and for ProGAN; the script is "
            "imdeepmind's processed-imdb-wiki-dataset, whose description the thesis repeats"
        ),
        "That script takes pictures of unknown gender for women's; here they are left out, and counted",
    ),
    notes=(
        DENSE_EPOCH,
        "Images are resized without a crop, as that script does",
        "Ages are whole years to the 1st of January of the picture's year, as there; its shuffle is not repeated",
        remarks.LOGITS,
        remarks.TRAINING_MODE,
        DENSE_128_ROOM,
    ),
    believed=(
        "That the settings were those of the faces: the thesis gives none for IMDB-WIKI alone",
        "The number of images of IMDB-WIKI, and that its licence is academic research only",
    ),
    takes=("200 steps of 32 in 34 min, 1 thread, on 2 shared CPU cores that were busy with other work",),
    outcome=(
        "After 200 steps of 32, of 10,000 of 128, on portraits and CelebA's faces in the layout of IMDB-WIKI, whose "
        "own pictures were not at hand: women's and men's faces in noise. See docs/results.md"
    ),
)

FACES_SETTLED = (
    "Table 12 ends in one unit and a sigmoid, the authors' Caffe code in a softmax over two: the table's one unit",
    "The table has no Dropout, the code has it after the shared layers of the discriminators: the code's",
    "The code for faces trains one GAN on all of CelebA; here the table's networks are coupled, shared as it says",
    (
        "Its solver updates the discriminator in one iteration and the generator in the next: its 100,000 are 50,000 "
        "updates of each"
    ),
)
FACES_NOTES = (
    (
        "Convolutions have biases and normalisation has gains, as Keras has them and the counts are; "
        "Caffe's normalisation has a bias only"
    ),
    (
        "The domains' losses are summed into one update; real and fake images of a domain share a batch, those of two "
        "domains do not"
    ),
    "Other pairs: --set data.domains=Eyeglasses, Blond_Hair, Male: domain a are the images without, b those with",
    "In the code the biases of the discriminators' dense layers learn twice as fast; here all learn alike",
    (
        "Caffe's loss is one mean over the real and the fake images of a batch, so that the generators' is half of "
        "what it is here, and the same weight decay weighs twice as much there"
    ),
    remarks.LOGITS,
)
FACES_BELIEVED = (
    "The crop: the authors' images of 132 pixels were cropped from the aligned faces, how is not in their code",
    "That the paper's 25,000 iterations, which the thesis quotes, are the ones on digits",
)


def _faces(name: str, data: Data) -> Experiment:
    """The settings of the authors' Caffe code for faces."""
    return Experiment(
        name=name,
        model=Model(family="cogan-faces", noise="uniform"),
        data=data,
        training=Training(images=50_000 * 128, batch_size=128, schedule="mixed", fresh_latents=True),
        generator=Adam(weight_decay=1e-4),
        discriminator=Adam(weight_decay=1e-4),
        samples=Samples(every_steps=500, count=36),
        checkpoint=Checkpoint(every_s=300.0, keep=2),
    )


FACES = Entry(
    experiment=_faces(
        "cogan-faces", Data(name="celeba", size=132, crop="center", cut=128, mirror=True, domains="Smiling")
    ),
    summary="The CoGAN paper's convolutional networks for faces of 128 pixels: the same face without and with a smile",
    reproduces="Thesis 5.5, figure 37: table 12 of the CoGAN paper, which the thesis shows but did not train",
    source="Liu & Tuzel 2016 (CoGAN), table 12, with what it leaves out from the authors' Caffe code",
    networks={"generators": 12_859_078, "discriminators": 14_920_769},
    settled=FACES_SETTLED,
    notes=FACES_NOTES,
    believed=FACES_BELIEVED,
    takes=("833 steps of 16 in 71 min, 1 thread, on one of 2 shared CPU cores",),
    outcome=(
        "Faces after 450 steps of 16, of 50,000 of 128; after 700 the same one in both domains, grave and smiling. "
        "See docs/results.md"
    ),
)

FACES_64 = Entry(
    experiment=_faces(
        "cogan-faces-64", Data(name="celeba", size=66, crop="center", cut=64, mirror=True, domains="Smiling")
    ),
    summary="The CoGAN paper's convolutional networks for faces, made for 64 pixels: half the work",
    reproduces="Thesis 5.5, figure 37, at the size of the thesis' other experiments",
    source="Liu & Tuzel 2016 (CoGAN), table 12 less one shared layer a network",
    networks={"generators": 12_793_158, "discriminators": 6_001_729},
    settled=FACES_SETTLED,
    notes=(
        (
            "Half of each size of cogan-faces: windows of 64 out of 66 pixels; left out are the shared transposed "
            "convolution of 64 filters and the shared convolution of 1,024"
        ),
        *FACES_NOTES,
    ),
    believed=FACES_BELIEVED,
    takes=("600 steps of 16 in 40 min, 1 thread, on 2 shared CPU cores that were busy with other work",),
    outcome=(
        "Faces after 600 steps of 16, of 50,000 of 128, the same one in both domains; nothing to see in the first 150. "
        "See docs/results.md"
    ),
)

ENTRIES = (DENSE_64, DENSE_128, IMDB_WIKI, FACES, FACES_64)
