"""Experiments on handwritten digits."""

from __future__ import annotations

from facegan.catalog.entry import Entry
from facegan.experiment import Adam, Data, Evaluation, Experiment, Model, Samples, Training

DCGAN = Entry(
    experiment=Experiment(
        name="dcgan-mnist",
        model=Model(family="dcgan-28"),
        data=Data(name="mnist-5k"),
        training=Training(steps=3_000, batch_size=64),
        generator=Adam(learning_rate=1e-3),
        discriminator=Adam(learning_rate=2e-4),
        samples=Samples(every_steps=250, count=64),
        evaluation=Evaluation(metric="digits-sure", every_steps=250, count=500),
    ),
    summary="A compact convolutional GAN that learns to write digits in minutes on a CPU",
    source="Radford et al. 2015 (DCGAN), the rules of its section 3 at 28x28",
    networks={"generator": 359_553, "discriminator": 36_705},
)

COGAN = Entry(
    experiment=Experiment(
        name="cogan-mnist",
        model=Model(family="cogan-dense"),
        data=Data(name="mnist"),
        training=Training(steps=30_000, batch_size=32),
        samples=Samples(every_steps=1_000, count=64),
        evaluation=Evaluation(metric="digits-sure", every_steps=1_000, count=500),
    ),
    summary="Two coupled generators that share their first layers: digits, and digits turned by 90 degrees",
    source="Liu & Tuzel 2016 (CoGAN), as built by Keras-GAN's cogan.py",
    networks={"generators": 2_826_528, "discriminators": 533_762},
)

ENTRIES = (DCGAN, COGAN)
