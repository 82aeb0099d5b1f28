"""Convolutional GANs on faces: section 5.6 of the thesis, and the paper that it departs from."""

from __future__ import annotations

from facegan.catalog import remarks
from facegan.catalog.entry import Entry
from facegan.experiment import Adam, Checkpoint, Data, Experiment, Model, Samples, Training

CELEBA = Entry(
    experiment=Experiment(
        name="dcgan-celeba",
        model=Model(family="dcgan-slim", noise="uniform", range="unit"),
        data=Data(name="celeba", size=64, crop="reference", limit=20_000),
        training=Training(images=300 * 156 * 128, batch_size=128, schedule="apart", fresh_latents=True),
        generator=Adam(learning_rate=1e-3, beta_1=0.9),
        discriminator=Adam(learning_rate=1e-3, beta_1=0.9),
        samples=Samples(every_steps=5 * 156, count=64),
    ),
    summary="The thesis' DCGAN on cropped faces of 64 pixels",
    reproduces="Thesis 5.6, figures 38 to 42",
    source="A public Kaggle notebook, fake-faces-with-dcgans, as the thesis used it in 2022",
    networks={"generator": 3_585_219, "discriminator": 695_009},
    settled=(
        "The thesis has about 20,000 images, the notebook 50,000: the thesis' number",
        "The notebook trains on uniform latents and draws its samples from normal ones: uniform everywhere",
        "Section 5.6 ends in a sigmoid, the other sections in tanh: values are from 0 to 1 here, from -1 to 1 there",
        (
            "The plateau after about 3,000 batches that the thesis reads off figure 42 is 6 per cent of 46,800: "
            "the best samples may come early"
        ),
    ),
    notes=(
        "An epoch is 156 whole batches of 128, of 20,000 images: 300 epochs are 46,800 steps",
        (
            "Adam as in the notebook, Keras' defaults. Often stabler: --set generator.learning_rate=2e-4 --set "
            "generator.beta_1=0.5, and the discriminator's likewise"
        ),
        "The discriminator's loss is the mean of those on real and on fake images; the notebook plots their sum",
        "Images are divided by 255; the notebook stretches each one from its own darkest value",
        "Each epoch has a shuffle of its own, where the notebook shows the images in the same order each time",
        remarks.LOGITS,
        remarks.TRAINING_MODE,
    ),
    believed=(
        "That the notebook is the one the thesis took it from: every trait it gives is there, the address is inferred",
        "That images were made smaller by bicubic interpolation: older versions of Pillow had another default",
    ),
    takes=(
        "341 steps of 128 in 24 min, 1 thread, on one of 2 shared CPU cores",
        "400 steps of 32, with slower optimisers, in 12 min, 1 thread, on 2 shared and busy CPU cores",
    ),
    outcome=(
        "With the source's Adam the discriminator is right about 98 % of images after 477 steps of 64, and "
        "faces get worse; with batches of 128 there are none in 341 steps. With learning rates of 2e-4 and a "
        "beta_1 of 0.5 there are faces after 400 steps of 32. See docs/results.md"
    ),
)

RADFORD = Entry(
    experiment=Experiment(
        name="dcgan-radford",
        model=Model(family="dcgan-64", noise="uniform"),
        data=Data(name="celeba", size=64, crop="reference"),
        training=Training(images=25 * 350_000 // 2, batch_size=128, fresh_latents=True),
        generator=Adam(weight_decay=1e-5),
        discriminator=Adam(weight_decay=1e-5),
        samples=Samples(every_steps=500, count=64),
        checkpoint=Checkpoint(every_s=300.0, keep=2),
    ),
    summary="The DCGAN paper's own networks at their full width, on faces of 64 pixels",
    reproduces="Radford et al. 2015, figure 1 and the faces of section 6: what thesis 5.6 departs from",
    source="Radford et al. 2015 (DCGAN), with what it leaves out from the authors' code for faces",
    networks={"generator": 18_920_323, "discriminator": 17_236_481},
    settled=(
        (
            "Implementations differ in width. The generator's 1,024 filters are figure 1's; the discriminator's 128 to "
            "1,024, in no figure, are the authors' code's. Many others have half of each"
        ),
        (
            "The code adds a weight decay of 1e-5 and first gains drawn from N(1, 0.02), which the paper does not "
            "mention: both are here"
        ),
        (
            "The code makes one update a batch, of the generator and the discriminator in turn: of its 25 epochs of "
            "350,000 images, half are shown to a discriminator that learns"
        ),
    ),
    notes=(
        (
            "The paper's 350,000 faces were never published; CelebA's are shown instead, 4,375,000 images or 21.6 "
            "epochs of the whole set"
        ),
        "The paper cut faces out with OpenCV's detector; CelebA's are aligned, and cut as for thesis 5.6",
        "The outer layers have biases, as counted in Keras; the authors' have none",
        "Weights decay, gains and biases do not; in the code all do",
        (
            "The discriminator's loss is the mean of those on real and on fake images, in the code their sum: beside "
            "it, the same weight decay weighs twice as much here"
        ),
        remarks.LOGITS,
    ),
    believed=(
        "The paper's 3 million images of people from the web, 350,000 faces of them",
        "Uniform latents, Adam with 2e-4 and 0.5, batches of 128, nothing varied: as the paper is remembered, not read",
    ),
    takes=("400 steps of 16 in 40 min, 1 thread, on 2 shared CPU cores that were busy with other work",),
    outcome=(
        "Faces after 400 steps of 16, of 34,180 of 128; nothing but a grey oval in the first 200. See docs/results.md"
    ),
)

ENTRIES = (CELEBA, RADFORD)
