"""The variants of DCGAN without normalisation: section 5.7 of the thesis."""

from __future__ import annotations

from facegan.catalog import remarks
from facegan.catalog.entry import Entry
from facegan.experiment import Checkpoint, Data, Experiment, Model, Samples, Training

SETTLED = (
    "The text has a learning rate of 0.002, annex and blog 0.0002: 0.0002, with the beta_1 of 0.5 that all have",
    'The text has a "Dense de 4*4*512", code and tables one of 256*4*4: 4,096 units; the sentence is section 5.6\'s',
    "The first LeakyReLU is written without a slope, the others with 0.2: Keras' default, 0.3, as it ran",
    'A "batch size" of 128 is in the blog\'s loop 128 steps an epoch, each on 64 real and 64 fake images',
)
NOTES = (
    "Before the first step the discriminator learns 20 times on real images and on uniform noise, as in the blog",
    "The generator learns on latents of its own, 64 of them",
    remarks.SHUFFLED,
    remarks.LOGITS,
)

CIFAR = Entry(
    experiment=Experiment(
        name="variant-cifar10",
        model=Model(family="dcgan-plain"),
        data=Data(name="cifar10", only="label=0"),
        training=Training(images=300 * 128 * 64, batch_size=64, schedule="apart", fresh_latents=True, warm_up=20),
        samples=Samples(every_steps=10 * 128, count=49),
    ),
    summary="The thesis' first variant of DCGAN: airplanes of 32 pixels, without batch normalisation",
    reproduces="Thesis 5.7, figures 43 to 45",
    source="anderfernandez.com, how to code a GAN in Python, as the thesis used it in 2022",
    networks={"generator": 1_007_363, "discriminator": 522_497},
    settled=(
        *SETTLED,
        "The text has four transposed convolutions, figure 43 three: three",
        (
            "The thesis counts 60,000 images, 6,000 of a kind; the code trains on the airplanes of the training set: "
            "5,000 images, data.only is label=0"
        ),
    ),
    notes=("An epoch is 128 steps of 64, 1.6 times the 5,000 airplanes: 300 epochs are 38,400 steps", *NOTES),
    believed=("The blog's page itself: what was read is a faithful copy of its code",),
    takes=("5,377 steps of 64 in 48 min, 2 threads, on 2 shared CPU cores, mostly beside other work",),
    outcome=(
        "After 5,120 of 38,400 steps: bodies in the sky, some of which have wings and pass for airplanes. See "
        "docs/results.md"
    ),
)

CELEBA = Entry(
    experiment=Experiment(
        name="variant-celeba",
        model=Model(family="dcgan-plain"),
        data=Data(name="celeba", size=64, crop="none", limit=20_000),
        training=Training(images=200 * 128 * 64, batch_size=64, schedule="apart", fresh_latents=True, warm_up=20),
        samples=Samples(every_steps=10 * 128, count=49),
        checkpoint=Checkpoint(every_s=120.0),
    ),
    summary="The thesis' best result: faces of 64 pixels, one layer more in each network, no batch normalisation",
    reproduces="Thesis 5.7, figures 46 to 48, and its annex",
    source="The thesis' annex of 2022, after anderfernandez.com, how to code a GAN in Python",
    networks={"generator": 1_157_635, "discriminator": 2_149_249},
    settled=(
        (
            "The last convolution is 3x3 in the code of figure 46, 4x4 in the annex; only 4x4 has the 6,147 parameters "
            "of the table and its total of 1,157,635: 4x4"
        ),
        (
            "The table has 295,840 parameters for the first transposed convolution, figure 43 has 295,040 for the same "
            "one; only 295,040 makes the total"
        ),
        *SETTLED,
        (
            "Figure 47 and the text have one Dropout, of 0.4 before the end; the annex has one of 0.2 after the first "
            "convolution too: figure 47's. For the annex': --set model.first_dropout=0.2"
        ),
        'The text calls the place of the Dropout "la penúltima capa" and "la capa discriminadora": the same place',
        "300 epochs were meant, and the session ended at 200: 200. For the others: --set training.images=2457600",
        (
            "Images were not cropped, and are 64x64 from 178x218: resized whole, which makes faces wider. "
            "Or: --set data.crop=center, or reference"
        ),
        "The annex mixes two ways to import Keras and lacks one import: of no consequence here",
        "The Colab GPU is given as a P100 of 12 GB, which has 16: of no consequence here",
    ),
    notes=("An epoch is 128 steps of 64, 0.41 times the 20,000 faces: 200 epochs are 25,600 steps", *NOTES),
    believed=("That the loop is the blog's: the annex has the networks only",),
    takes=("2,062 steps of 32 in 78 min, 1 thread, on one of 2 shared CPU cores",),
    outcome=(
        "After 2,000 steps of 32, of 25,600 of 64: faces with eyes, mouths and hair, whose colours still wander. "
        "See docs/results.md"
    ),
)

ENTRIES = (CIFAR, CELEBA)
