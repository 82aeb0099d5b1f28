"""Writing a Keras model into a logged model: the only module of tracking that loads TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import mlflow
import mlflow.keras
import numpy as np
import tensorflow as tf
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec


def write(tracking_uri: str, model_id: str, model: keras.Model, metadata: Mapping[str, str]) -> None:
    """Fill the logged model. Done again, it replaces the files, among which `metadata` travels along.

    Requirements and signature are given, or MLflow would load the model in another process to guess them.
    """
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.keras.log_model(
        model,
        model_id=model_id,
        metadata=dict(metadata),
        signature=ModelSignature(inputs=_schema("input", model.inputs), outputs=_schema("output", model.outputs)),
        pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],
    )


def _schema(kind: str, tensors: list[Any]) -> Schema:
    """Shapes and types; several tensors are numbered, because Keras' own names differ from process to process."""
    single = len(tensors) == 1
    return Schema(
        [
            TensorSpec(np.dtype(tensor.dtype), (-1, *tensor.shape[1:]), None if single else f"{kind}_{number}")
            for number, tensor in enumerate(tensors)
        ]
    )
