"""What each key of an experiment means, in a sentence or two: for the command line and for the docs."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field
from types import MappingProxyType
from typing import Any

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "model.family": "The networks, by the name of their family.",
        "model.latent": "How many numbers a latent vector has, from which an image is made.",
        "model.noise": "What latents are drawn from: the standard normal distribution, or evenly from -1 to 1.",
        "model.range": "Values of the images: tanh is -1 to 1, unit is 0 to 1. It travels with the model.",
        "model.first_dropout": "Rate of a Dropout after the discriminator's first convolution, in the families that "
        "leave it open.",
        "data.name": "The data set: a known one, or what you prepared under a name of your own.",
        "data.size": "Pixels, both ways, to which the images were prepared; none is as the set comes.",
        "data.crop": "What was cut out of each picture when it was prepared.",
        "data.only": "Show only the images whose column has this value, as in label=0.",
        "data.limit": "Show only the first so many of them.",
        "data.cut": "Show a random window of so many pixels, both ways, anew each time.",
        "data.mirror": "Show each image mirrored half of the times, at random.",
        "data.domains": "What coupled networks see as two domains: quarter-turn (half of the images as they are, half "
        "turned by 90 degrees), edges or negative (half of them as those), or a column (those without it and with it).",
        "data.digest": "SHA-256 of the prepared array, or its beginning, where several fit; settled when a run is "
        "created.",
        "training.steps": "Length in updates of the generator. What training.images says goes before it.",
        "training.images": "Length in real images shown, of each domain: steps follow from it and the batch size.",
        "training.batch_size": "Real images, of each domain, in a step.",
        "training.schedule": "How the discriminator learns in a step: together (one update on the mean of its losses "
        "on real and fake images, which pass apart), apart (an update on real ones, then one on fake ones), mixed (one "
        "update on one batch of both, so that batch normalisation sees both).",
        "training.fresh_latents": "Whether the generator learns on latents of its own, not on those that the "
        "discriminator saw.",
        "training.warm_up": "Updates that the discriminator gets on images of uniform noise before the first step.",
        "training.compile": "graph (plain tf.function) or jit (XLA), whose random numbers differ; auto is settled by a "
        "table when a run is created.",
        "training.threads": "CPU threads; 0 is settled when a run is created: as many as there are cores.",
        "training.replicas": "Over how many GPUs of one machine each batch is split, evenly.",
        "training.steps_per_call": "Steps that one call of the compiled function makes: changes speed, and no bit.",
        "generator.learning_rate": "The generators' learning rate (Adam).",
        "generator.beta_1": "Their decay of the first moment (Adam).",
        "generator.weight_decay": "So many times each kernel is added to its gradient.",
        "discriminator.learning_rate": "The discriminators' learning rate (Adam).",
        "discriminator.beta_1": "Their decay of the first moment (Adam).",
        "discriminator.weight_decay": "So many times each kernel is added to its gradient.",
        "samples.every_steps": "A picture of the fixed latents every so many steps, and at the last.",
        "samples.count": "Images in such a picture.",
        "evaluation.metric": "What judges the generator: digits-sure (the share of digits a classifier is sure of), "
        "agreement (how often the second domain's image is what the first's would be turned into), or none.",
        "evaluation.every_steps": "A judgement every so many steps, and at the last.",
        "evaluation.count": "Images that are judged.",
        "checkpoint.every_s": "Seconds between two checkpoints; gives way where the store is slower.",
        "checkpoint.every_steps": "When given, a checkpoint at exactly these steps instead.",
        "checkpoint.keep": "So many of the newest states are kept. Metrics, pictures and the ledger always are.",
        "checkpoint.keep_every": "Also keep the first state at or after every multiple of so many steps.",
        "session.heartbeat_s": "Seconds between two signs of life.",
        "session.lease_s": "Seconds for which a silent session is watched before another may take over.",
        "session.stall_s": "Seconds without a step, or without word of the data, after which a session gives up.",
        "session.budget_s": "Seconds of wall-clock time that a session may use, where its place has a limit.",
        "seed": "Decides every random number, with the step and the purpose. Another seed is another run.",
    }
)


def spelled(value: object) -> str:
    """A value as a TOML file or `--set` would spell it, less the quotes around texts."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def fits(wanted: Any, limits: Mapping[str, Any]) -> str:  # noqa: ANN401 - a type expression
    """What a key takes, in words: the type and the range of its field."""
    if "choices" in limits:
        return ", ".join(limits["choices"])
    kinds = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    words = " or ".join(_WORDS[kind] for kind in kinds)
    ranges = [f"{_RANGES[name]} {limits[name]:,.12g}" for name in ("least", "above", "below") if name in limits]
    return ", ".join([words, *ranges])


def default(field: Field[Any]) -> str:
    """What a key is when nothing says it; empty where it must be said."""
    return "" if field.default is MISSING else spelled(field.default)


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "none"}
_RANGES = {"least": "at least", "above": "more than", "below": "less than"}
