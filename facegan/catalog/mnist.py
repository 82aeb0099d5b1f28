"""Experiments on handwritten digits."""

from __future__ import annotations

from facegan.catalog import remarks
from facegan.catalog.entry import Entry
from facegan.experiment import Adam, Data, Evaluation, Experiment, Model, Samples, Training

DCGAN = Entry(
    experiment=Experiment(
        name="dcgan-mnist",
        model=Model(family="dcgan-28"),
        data=Data(name="mnist-5k"),
        training=Training(images=3_000 * 64, batch_size=64),
        generator=Adam(learning_rate=1e-3),
        discriminator=Adam(learning_rate=2e-4),
        samples=Samples(every_steps=250, count=64),
        evaluation=Evaluation(metric="digits-sure", every_steps=250, count=500),
    ),
    summary="A compact convolutional GAN that learns to write digits in minutes on a CPU",
    reproduces="Nothing: it is this project's own, small enough for a first try",
    source="Radford et al. 2015 (DCGAN), the rules of its section 3 at 28x28",
    networks={"generator": 359_553, "discriminator": 36_705},
    takes=("3,000 steps of 64 in 80 s on 2 idle CPU cores (docs/benchmarks.md)",),
    outcome=("Digits: the classifier is sure of 36 % of them after 250 steps, of 57 % after 3,000 (91 % of real ones)"),
)

COGAN = Entry(
    experiment=Experiment(
        name="cogan-mnist",
        model=Model(family="cogan-dense"),
        data=Data(name="mnist", domains="quarter-turn"),
        training=Training(images=30_000 * 32, batch_size=32, schedule="apart"),
        samples=Samples(every_steps=1_000, count=64),
        evaluation=Evaluation(metric="digits-sure", every_steps=1_000, count=500),
    ),
    summary="Two coupled generators that share their first layers: digits, and digits turned by 90 degrees",
    reproduces="The experiment that the thesis' CoGAN (section 5.5) was made from",
    source="Liu & Tuzel 2016 (CoGAN), as built by Keras-GAN's cogan.py",
    networks={"generators": 2_826_528, "discriminators": 533_762},
    settled=(
        "The discriminators share their first layers, where the paper's share their last: as Keras-GAN has it",
        (
            "Whole batches, and one batch of latents for both turns of a step, as in its newer version; "
            "the older one showed the discriminators half batches and drew new latents for the generators"
        ),
    ),
    notes=(
        "An epoch of Keras-GAN is one batch: its 30,000 epochs of 32 images are the length here",
        remarks.LOGITS,
        remarks.TRAINING_MODE,
    ),
    takes=("22,160 steps of 32 in 6 min, 2 threads, on 2 idle CPU cores: the whole of it in about 8 min",),
    outcome=(
        "Digits, upright and turned: the classifier is sure of 48 % after 4,000 steps, of 71 % after 30,000; the two "
        "of one latent are the same digit in 24 % of pairs. See docs/results.md"
    ),
)

DCGAN_KERAS = Entry(
    experiment=Experiment(
        name="dcgan-mnist-keras",
        model=Model(family="dcgan-upsampling"),
        data=Data(name="mnist"),
        training=Training(images=4_000 * 32, batch_size=32, schedule="apart"),
        samples=Samples(every_steps=250, count=64),
        evaluation=Evaluation(metric="digits-sure", every_steps=250, count=500),
    ),
    summary="Keras-GAN's DCGAN: digits by upsampling and plain convolutions, with Dropout in the discriminator",
    reproduces="Keras-GAN's dcgan.py, the sibling of the CoGAN that the thesis uses in section 5.5",
    source="Keras-GAN's dcgan.py, after Radford et al. 2015 (DCGAN)",
    networks={"generator": 856_193, "discriminator": 393_729},
    settled=(
        (
            "Two versions were read that normalise after the activation and train the discriminator on half batches; "
            "built is the master branch: normalisation before the activation, whole batches. The counts are equal"
        ),
    ),
    notes=(
        "An epoch of Keras-GAN is one batch: its 4,000 epochs of 32 images are the length here",
        remarks.LOGITS,
        remarks.TRAINING_MODE,
    ),
    believed=("That the master branch has the normalisation before the activation, and whole batches",),
    takes=("4,000 steps of 32 in 18 min, 1 thread, on one of 2 shared CPU cores",),
    outcome="Digits after all 4,000 steps: the classifier is sure of 53 %. See docs/results.md",
)

COGAN_EDGES = Entry(
    experiment=Experiment(
        name="cogan-mnist-edges",
        model=Model(family="cogan-28", noise="uniform", range="unit"),
        data=Data(name="mnist", domains="edges"),
        training=Training(images=25_000 * 128, batch_size=128, schedule="mixed", fresh_latents=True),
        generator=Adam(weight_decay=5e-4),
        discriminator=Adam(weight_decay=5e-4),
        samples=Samples(every_steps=500, count=64),
        evaluation=Evaluation(metric="agreement", every_steps=500, count=500),
    ),
    summary="The CoGAN paper's convolutional networks: digits, and the edges of digits, from the same latents",
    reproduces="Liu & Tuzel 2016, the task of digits and edge images, which section 5.5 of the thesis cites",
    source="Liu & Tuzel 2016 (CoGAN), networks and training as in the authors' Caffe and PyTorch code",
    networks={"generators": 7_846_534, "discriminators": 427_593},
    settled=(
        (
            "Batch normalisation has no gains, and one bias a channel. The PyTorch code has the bias before the "
            "normalisation, where it does nothing; built is the Caffe code's, after it. The counts are equal"
        ),
        (
            "One PReLU slope a layer, as in PyTorch, where Caffe has one a channel: so the generators share 7,833,476 "
            "parameters and own 4,609 each, the discriminators share 426,553 and own 520 each, as counted in PyTorch; "
            "the generators' count here has 3,840 moving statistics more"
        ),
        (
            "The sources end in a softmax over two units; the logit here is the difference of the two, which "
            "keeps their parameters and is the same function"
        ),
        (
            "Noise, Dropout, weight decay, batch size and length are those of the authors' own Caffe code; the PyTorch "
            "code trains for 5,000 steps of 64"
        ),
        (
            "The first kernels are the PyTorch code's. Caffe's make the last layer begin with pixels that are all "
            "black or white: tried, and after 100 steps of 32 the discriminators were still right about every image"
        ),
        (
            "The Caffe solver updates the discriminators in one iteration and the generators in the next: its 50,000 "
            "are 25,000 updates of each"
        ),
    ),
    notes=(
        (
            "The domains' losses are summed, where Caffe has the mean over all images of both, so that the same weight "
            "decay weighs less"
        ),
        "The domains are the halves of the training set in its own order, which the source shuffles first",
        "Values are from 0 to 1, where Caffe divides by 256",
        "The biases of Caffe's fully connected layers learn twice as fast; here all learn alike",
        "Biases begin at 0; in the PyTorch code at 0.1, which does nothing before a normalisation",
    ),
    believed=(
        "That the paper's own settings are the Caffe code's, batches of 128 among them: its text was not read",
        "That the 25,000 iterations which the thesis quotes from the paper are these",
        "The agreement that the paper reports: 0.952 for edges and 0.967 for negatives",
    ),
    takes=("1,300 steps of 32 in 75 min, 1 thread, on 2 shared CPU cores that were busy with other work",),
    outcome=(
        "Digits and the outlines of the same digits after 1,300 steps of 32, of 25,000 of 128: the agreement "
        "is 0.039 above that of strangers, and grows. See docs/results.md"
    ),
)

ENTRIES = (DCGAN, COGAN, DCGAN_KERAS, COGAN_EDGES)
