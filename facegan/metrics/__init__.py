"""Judgements of a generator, by the name an experiment's `evaluation.metric` has for them."""

from __future__ import annotations

from types import MappingProxyType

from facegan.metrics.digits import DigitsSure

METRICS = MappingProxyType({"digits-sure": DigitsSure})

__all__ = ["METRICS", "DigitsSure"]
