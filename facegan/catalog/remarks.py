"""What is to be said of several experiments in the same words."""

from __future__ import annotations

LOGITS = "The discriminators answer with logits; the sigmoid of the source is in the loss, which is the same function"

TRAINING_MODE = (
    "The fake images that the discriminator learns on are made, and judged for the generator, in training mode; "
    "Keras' predict and a frozen discriminator use the moving statistics of batch normalisation there"
)

SHUFFLED = "Every image is shown once an epoch, in a shuffle of that epoch's own, where the source draws at random"
