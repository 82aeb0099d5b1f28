"""The CoGAN paper's convolutional networks for 28x28 grey images (Liu & Tuzel 2016, its experiments on MNIST).

The generators share everything but their last layer, the discriminators everything but their first. Layers and
parameters are those of the authors' PyTorch code: in the generators, batch normalisation without gains, a bias
for each channel and one PReLU slope for each layer, and Glorot's first kernels with a gain. As in their Caffe
code, the bias follows the normalisation (before it, it would do nothing), and half of the discriminators' 500
features are dropped. Biases begin at 0, in PyTorch at 0.1. (Caffe's first weights are scaled by what a transposed
convolution puts out, not by what it takes in: every pixel begins black or white, where a sigmoid hardly learns.)
Where theirs end in a softmax over two units, the logit here is the difference of the two, which is the same
function.
"""

from __future__ import annotations

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.dropout import Dropout
from facegan.models.initial import wide_glorot
from facegan.models.network import DOMAINS, MOMENTUM, OUTPUTS, Networks, Shape
from facegan.models.prelu import prelu

SHAPE: Shape = (28, 28, 1)


def build(model: Model, shape: Shape, seed: int) -> Networks:  # noqa: ARG001 - it makes one only
    """A generator and a discriminator for each of the two domains."""
    latent, image = keras.Input((model.latent,)), keras.Input(SHAPE)
    grow, judge = _trunk(model, seed), _judge(seed)
    return Networks(
        generators=tuple(
            keras.Model(latent, _painter(model, seed, domain)(grow(latent)), name=f"generator-{domain}")
            for domain in DOMAINS
        ),
        discriminators=tuple(
            keras.Model(image, judge(_eye(seed, domain)(image)), name=f"discriminator-{domain}") for domain in DOMAINS
        ),
    )


def _trunk(model: Model, seed: int) -> keras.Model:
    """Latents to 25x25x128, shared: 7,833,476 parameters at 100 latent components, and moving statistics."""
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Reshape((1, 1, model.latent)),
            _transposed(1024, 4, 1, seed, "up4"),
            *_finish("up4"),
            *_up(512, seed, "up7"),
            *_up(256, seed, "up13"),
            *_up(128, seed, "up25"),
        ],
        name="trunk",
    )


def _painter(model: Model, seed: int, domain: str) -> keras.Model:
    """One domain's own end of the generator: 4,609 parameters."""
    name = f"up28-{domain}"
    return keras.Sequential(
        [
            keras.Input((25, 25, 128)),
            layers.Conv2DTranspose(1, 6, kernel_initializer=wide_glorot(seed, name), name=name),
            layers.Cropping2D(1),
            layers.Activation(OUTPUTS[model.range]),
        ],
        name=f"painter-{domain}",
    )


def _up(filters: int, seed: int, name: str) -> list[keras.Layer]:
    # Caffe's transposed convolution with a padding of 1 is one without, less its border of 1.
    return [_transposed(filters, 3, 2, seed, name), layers.Cropping2D(1), *_finish(name)]


def _transposed(filters: int, kernel: int, stride: int, seed: int, name: str) -> keras.Layer:
    return layers.Conv2DTranspose(
        filters, kernel, stride, use_bias=False, kernel_initializer=wide_glorot(seed, name), name=name
    )


def _finish(name: str) -> list[keras.Layer]:
    return [
        layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, scale=False, name=f"{name}-norm"),
        prelu(f"{name}-slope", shared_axes=(1, 2, 3)),
    ]


def _eye(seed: int, domain: str) -> keras.Model:
    """One domain's own beginning of the discriminator: 520 parameters."""
    name = f"down24-{domain}"
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(20, 5, kernel_initializer=wide_glorot(seed, name), name=name)],
        name=f"eye-{domain}",
    )


def _judge(seed: int) -> keras.Model:
    """From 24x24x20 to logits, shared: 426,553 parameters."""
    seen = keras.Input((24, 24, 20))
    features = keras.Sequential(
        [
            keras.Input((24, 24, 20)),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, kernel_initializer=wide_glorot(seed, "down8"), name="down8"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, kernel_initializer=wide_glorot(seed, "features"), name="features"),
            prelu("features-slope", shared_axes=(1,)),
            Dropout(0.5, seed, "features-dropout"),
            layers.Dense(2, kernel_initializer=wide_glorot(seed, "judge"), name="judge"),
        ],
        name="trunk",
    )
    scores = features(seen)
    return keras.Model(seen, scores[:, 1:] - scores[:, :1], name="judge")
