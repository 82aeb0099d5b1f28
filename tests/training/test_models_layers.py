"""The networks are those of the layer tables, layer by layer.

The tables are written from the sources: `conv 64 k3 s2` is a convolution of 64 filters, 3x3, stride 2; `grow` a
transposed one; a number at the end is the height of the map after it. `norm` has its momentum and its epsilon. A slash
is between generator and discriminator, a bar between what two domains share and what each has of its own.
"""

from __future__ import annotations

import re
from typing import Any

import keras
import pytest

from facegan import models
from facegan.experiment import Model
from facegan.models.network import Networks, Shape

# Keras-GAN, dcgan/dcgan.py
UPSAMPLING = """
    dense 6272 relu, shape 7x7x128, up 14, conv 128 k3 14, norm 0.8 0.001, relu, up 28, conv 64 k3 28, norm 0.8
    0.001, relu, conv 1 k3 tanh 28
/
    conv 32 k3 s2 14, leaky 0.2, drop 0.25, conv 64 k3 s2 7, pad 8, norm 0.8 0.001, leaky 0.2, drop 0.25, conv
    128 k3 s2 4, norm 0.8 0.001, leaky 0.2, drop 0.25, conv 256 k3 4, norm 0.8 0.001, leaky 0.2, drop 0.25,
    flat, dense 1
"""

# Keras-GAN, cogan/cogan.py
DENSE = """
    dense 256, leaky 0.2, norm 0.8 0.001, dense 512, leaky 0.2, norm 0.8 0.001 | dense 1024, leaky 0.2, norm 0.8
    0.001, dense 12288 tanh, shape 64x64x3
/
    flat, dense 512, leaky 0.2, dense 256, leaky 0.2 | dense 1
"""

# CoGAN, MNIST: sizes 4, 7, 13, 25, 28; a bias a channel, no gain; one slope a layer
COGAN_28 = """
    shape 1x1x100, grow 1024 k4 4, norm 0.9 1e-05 bias, prelu one, grow 512 k3 s2 9, crop 7, norm 0.9 1e-05
    bias, prelu one, grow 256 k3 s2 15, crop 13, norm 0.9 1e-05 bias, prelu one, grow 128 k3 s2 27, crop 25,
    norm 0.9 1e-05 bias, prelu one | grow 1 k6 30, crop 28, sigmoid
/
    conv 20 k5 24 | pool 12, conv 50 k5 8, pool 4, flat, dense 500, prelu one, drop 0.5, dense 2
"""

# CoGAN, table 12
FACES_128 = """
    shape 1x1x100, grow 1024 k4 4, norm 0.9 1e-05, prelu, grow 512 k4 s2 8, norm 0.9 1e-05, prelu, grow 256 k4
    s2 16, norm 0.9 1e-05, prelu, grow 128 k4 s2 32, norm 0.9 1e-05, prelu, grow 64 k4 s2 64, norm 0.9 1e-05,
    prelu | grow 32 k4 s2 128, norm 0.9 1e-05, prelu, grow 3 k3 tanh 128
/
    conv 32 k5 s2 64, norm 0.9 1e-05, prelu, conv 64 k5 s2 32, norm 0.9 1e-05, prelu | conv 128 k5 s2 16, norm
    0.9 1e-05, prelu, drop 0.1, conv 256 k3 s2 8, norm 0.9 1e-05, prelu, drop 0.3, conv 512 k3 s2 4, norm 0.9
    1e-05, prelu, drop 0.3, conv 1024 k3 s2 2, norm 0.9 1e-05, prelu, drop 0.5, flat, dense 2048, norm 0.9
    1e-05, prelu, drop 0.5, dense 1
"""

# The same with one shared layer less in each
FACES_64 = """
    shape 1x1x100, grow 1024 k4 4, norm 0.9 1e-05, prelu, grow 512 k4 s2 8, norm 0.9 1e-05, prelu, grow 256 k4
    s2 16, norm 0.9 1e-05, prelu, grow 128 k4 s2 32, norm 0.9 1e-05, prelu | grow 32 k4 s2 64, norm 0.9 1e-05,
    prelu, grow 3 k3 tanh 64
/
    conv 32 k5 s2 32, norm 0.9 1e-05, prelu, conv 64 k5 s2 16, norm 0.9 1e-05, prelu | conv 128 k5 s2 8, norm
    0.9 1e-05, prelu, drop 0.1, conv 256 k3 s2 4, norm 0.9 1e-05, prelu, drop 0.3, conv 512 k3 s2 2, norm 0.9
    1e-05, prelu, drop 0.3, flat, dense 2048, norm 0.9 1e-05, prelu, drop 0.5, dense 1
"""

# Thesis 5.6, figures 38 and 39
SLIM = """
    dense 8192, shape 4x4x512, grow 256 k4 s2 8, leaky 0.2, norm 0.99 0.001, grow 128 k4 s2 16, leaky 0.2, norm
    0.99 0.001, grow 64 k4 s2 32, leaky 0.2, norm 0.99 0.001, grow 3 k4 s2 sigmoid 64
/
    conv 32 k4 s2 32, conv 64 k4 s2 16, leaky 0.2, norm 0.99 0.001, conv 128 k4 s2 8, leaky 0.2, norm 0.99
    0.001, conv 256 k4 s2 4, leaky 0.2, flat, drop 0.5, dense 1
"""

# Thesis 5.7, figures 43 and 44
PLAIN_32 = """
    dense 4096, leaky 0.3, shape 4x4x256, grow 128 k3 s2 8, leaky 0.2, grow 128 k3 s2 16, leaky 0.2, grow 128 k3
    s2 32, leaky 0.2, conv 3 k3 tanh 32
/
    conv 64 k3 32, leaky 0.2, conv 128 k3 s2 16, leaky 0.2, conv 128 k3 s2 8, leaky 0.2, conv 256 k3 s2 4, leaky
    0.2, flat, drop 0.4, dense 1
"""

# Thesis 5.7, figures 46 and 47
PLAIN_64 = """
    dense 4096, leaky 0.3, shape 4x4x256, grow 128 k3 s2 8, leaky 0.2, grow 128 k3 s2 16, leaky 0.2, grow 128 k3
    s2 32, leaky 0.2, grow 128 k3 s2 64, leaky 0.2, conv 3 k4 tanh 64
/
    conv 64 k3 64, leaky 0.2, conv 128 k3 s2 32, leaky 0.2, conv 256 k3 s2 16, leaky 0.2, conv 256 k3 s2 8,
    leaky 0.2, conv 512 k3 s2 4, leaky 0.2, flat, drop 0.4, dense 1
"""

# Radford et al. 2015, figure 1 and section 3
RADFORD = """
    dense 16384, norm 0.9 1e-05, relu, shape 4x4x1024, grow 512 k5 s2 8, norm 0.9 1e-05, relu, grow 256 k5 s2
    16, norm 0.9 1e-05, relu, grow 128 k5 s2 32, norm 0.9 1e-05, relu, grow 3 k5 s2 tanh 64
/
    conv 128 k5 s2 32, leaky 0.2, conv 256 k5 s2 16, norm 0.9 1e-05, leaky 0.2, conv 512 k5 s2 8, norm 0.9
    1e-05, leaky 0.2, conv 1024 k5 s2 4, norm 0.9 1e-05, leaky 0.2, flat, dense 1
"""


@pytest.mark.parametrize(
    ("model", "shape", "table"),
    [
        (Model(family="dcgan-upsampling"), (28, 28, 1), UPSAMPLING),
        (Model(family="cogan-dense"), (64, 64, 3), DENSE),
        (Model(family="cogan-28", range="unit"), (28, 28, 1), COGAN_28),
        (Model(family="cogan-faces"), (64, 64, 3), FACES_64),
        (Model(family="cogan-faces"), (128, 128, 3), FACES_128),
        (Model(family="dcgan-slim", range="unit"), (64, 64, 3), SLIM),
        (Model(family="dcgan-plain"), (32, 32, 3), PLAIN_32),
        (Model(family="dcgan-plain"), (64, 64, 3), PLAIN_64),
        (Model(family="dcgan-64"), (64, 64, 3), RADFORD),
    ],
    ids=lambda value: value.family if isinstance(value, Model) else None,
)
def test_layers(model: Model, shape: Shape, table: str) -> None:
    networks: Networks = models.build(model, shape, 0)
    for kind, written in zip((networks.generators, networks.discriminators), table.split("/"), strict=True):
        for one in kind:
            assert ", ".join(map(described, layers_of(one))) == ", ".join(
                re.split(r"\s*[,|]\s*", " ".join(written.split()))
            )


def layers_of(model: keras.Model) -> list[keras.Layer]:
    """All layers, in order, those of models inside it too."""
    found: list[keras.Layer] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += layers_of(layer)
        elif type(layer).__name__ not in {"InputLayer", "GetItem", "Subtract"}:
            found.append(layer)
    return found


def described(layer: Any) -> str:
    """A layer in a few words."""
    kind = type(layer).__name__
    height = "" if len(layer.output.shape) != 4 else f" {layer.output.shape[1]}"
    if kind in {"Conv2D", "Conv2DTranspose"}:
        stride = "" if layer.strides == (1, 1) else f" s{layer.strides[0]}"
        word = "conv" if kind == "Conv2D" else "grow"
        return f"{word} {layer.filters} k{layer.kernel_size[0]}{stride}{_activation(layer)}{height}"
    if kind == "BatchNormalization":
        return f"norm {layer.momentum} {layer.epsilon}{'' if layer.scale else ' bias'}"
    if kind == "PReLU":
        return "prelu one" if set(layer.alpha.shape) == {1} else "prelu"
    return {
        "Dense": lambda: f"dense {layer.units}{_activation(layer)}",
        "LeakyReLU": lambda: f"leaky {layer.negative_slope}",
        "ReLU": lambda: "relu",
        "Activation": lambda: _activation(layer).strip(),
        "Dropout": lambda: f"drop {layer.rate}",
        "Flatten": lambda: "flat",
        "Reshape": lambda: f"shape {'x'.join(map(str, layer.target_shape))}",
        "UpSampling2D": lambda: f"up{height}",
        "ZeroPadding2D": lambda: f"pad{height}",
        "Cropping2D": lambda: f"crop{height}",
        "MaxPooling2D": lambda: f"pool{height}",
    }[kind]()


def _activation(layer: Any) -> str:
    name = layer.activation.__name__
    return "" if name == "linear" else f" {name}"
