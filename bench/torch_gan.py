"""The networks of the catalogue in PyTorch, trained by the loop its own DCGAN example has.

Layer by layer the same as `facegan.models` (parameter counts are checked), data and indices on the device,
and the fake batch made once for both networks, as in pytorch/examples/dcgan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facegan.catalog import CATALOG
from facegan.data import Images
from facegan.data.domains import pair
from facegan.experiment import Adam, Experiment

VERSION = torch.__version__.split("+", maxsplit=1)[0]
Step = Callable[[], None]
use_threads = torch.set_num_threads


def dcgan(experiment: Experiment, images: NDArray[np.uint8]) -> Step:
    """The discriminator on real and on fake images, then the generator on the same ones."""
    generator = nn.Sequential(
        nn.Linear(experiment.model.latent, 7 * 7 * 64, bias=False),
        nn.BatchNorm1d(7 * 7 * 64),
        nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )
    _check(experiment, generator=[generator], discriminator=[discriminator])
    g_adam, d_adam = (
        _adam(generator.parameters(), experiment.generator),
        _adam(discriminator.parameters(), experiment.discriminator),
    )
    data, batch, loss = _scaled(images), experiment.training.batch_size, nn.BCEWithLogitsLoss()
    valid, fake = torch.ones(batch, 1), torch.zeros(batch, 1)

    def step() -> None:
        real = data[torch.randint(len(data), (batch,))]
        made = generator(torch.randn(batch, experiment.model.latent))
        d_adam.zero_grad(set_to_none=True)
        loss(discriminator(real), valid).backward()
        loss(discriminator(made.detach()), fake).backward()
        d_adam.step()
        g_adam.zero_grad(set_to_none=True)
        discriminator.requires_grad_(requires_grad=False)
        loss(discriminator(made), valid).backward()
        discriminator.requires_grad_(requires_grad=True)
        g_adam.step()

    return step


def cogan(experiment: Experiment, images: NDArray[np.uint8]) -> Step:
    """Four discriminator updates, then both generators, as Keras-GAN's cogan.py."""
    trunk = nn.Sequential(*_widening(experiment.model.latent, 256), *_widening(256, 512))
    paint = [
        nn.Sequential(*_widening(512, 1024), nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
        for _ in range(2)
    ]
    judge = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2))
    heads = [nn.Linear(256, 1) for _ in range(2)]
    _check(experiment, generators=[trunk, *paint], discriminators=[judge, *heads])
    judges = nn.ModuleList([judge, *heads])
    g_adam = _adam(nn.ModuleList([trunk, *paint]).parameters(), experiment.generator)
    d_adam = _adam(judges.parameters(), experiment.discriminator)
    domains = [_scaled(each.whole()) for each in pair(Images(images=images), experiment.data.domains)]
    batch, loss = experiment.training.batch_size, nn.BCEWithLogitsLoss()
    valid, fake = torch.ones(batch, 1), torch.zeros(batch, 1)

    def learn(domain: int, shown: torch.Tensor, wanted: torch.Tensor) -> None:
        d_adam.zero_grad(set_to_none=True)
        loss(heads[domain](judge(shown)), wanted).backward()
        d_adam.step()

    def step() -> None:
        chosen = torch.randint(len(domains[0]), (batch,))
        features = trunk(torch.randn(batch, experiment.model.latent))
        made = [one(features) for one in paint]
        for domain in (0, 1):
            learn(domain, domains[domain][chosen], valid)
        for domain in (0, 1):
            learn(domain, made[domain].detach(), fake)
        g_adam.zero_grad(set_to_none=True)
        judges.requires_grad_(requires_grad=False)
        sum(loss(heads[domain](judge(made[domain])), valid) for domain in (0, 1)).backward()
        judges.requires_grad_(requires_grad=True)
        g_adam.step()

    return step


def _widening(inputs: int, units: int) -> list[nn.Module]:
    return [nn.Linear(inputs, units), nn.LeakyReLU(0.2), nn.BatchNorm1d(units, momentum=0.2)]


def _check(experiment: Experiment, **networks: list[nn.Module]) -> None:
    """Refuse networks that do not have the catalogue's parameter counts, moving statistics included."""
    for role, modules in networks.items():
        tensors = [t for module in modules for t in (*module.parameters(), *module.buffers())]
        count = sum(tensor.numel() for tensor in tensors if tensor.dim() > 0)
        if count != CATALOG[experiment.name].networks[role]:
            raise SystemExit(f"the PyTorch {role} has {count} parameters")


def _scaled(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 127.5 - 1.0


def _adam(parameters: Iterable[nn.Parameter], settings: Adam) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, settings.learning_rate, (settings.beta_1, 0.999), eps=1e-7)
