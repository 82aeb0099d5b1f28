"""The device a training runs on: set up once a process, and described so that bits can be compared."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from facegan.errors import BadInputError

INTER_OP_THREADS = 2  # a GAN's step has two independent halves at best; fixed, so that it is no variable
INSTRUCTION_SETS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "sve", "asimd")


def set_up(threads: int) -> None:
    """Fix the CPU threads before the first operation; on GPUs, demand deterministic kernels.

    Another training may have started TensorFlow in this process already: then the threads stay as they
    are, and `describe` tells how many they are. 0 leaves the choice to TensorFlow.

    Raises:
        BadInputError: Keras is set to run on something other than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise BadInputError(f'Keras runs on "{keras.backend.backend()}" here', hint="unset KERAS_BACKEND")
    try:
        tf.config.threading.set_inter_op_parallelism_threads(INTER_OP_THREADS)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003 - TensorFlow's signature
    except RuntimeError:
        return  # already started
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def require_gpu(asked: str) -> None:
    """Refuse to train on the CPU what was asked to train on a GPU.

    Raises:
        BadInputError: TensorFlow sees no GPU here.
    """
    if not tf.config.list_physical_devices("GPU"):
        raise BadInputError(
            f'the session was asked for on the GPU "{asked}", and TensorFlow sees none here',
            hint="facegan-job resume RUN, without --gpu, trains on the CPU; facegan-job doctor looks at drivers",
        )


def describe(compile_choice: str) -> dict[str, str]:
    """What must be equal for two machines to compute the same bits (a determinism class)."""
    return {
        "device": _device(),
        "instructions": _instructions(),
        "compile": compile_choice,
        "threads": f"{tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()} intra, "
        f"{tf.config.threading.get_inter_op_parallelism_threads()} inter",
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def _device() -> str:
    """The GPU's model name, or the CPU's."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return str(details.get("device_name", gpus[0].name))
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def _instructions() -> str:
    """The machine's kind and its vector extensions, which choose the kernels."""
    info = _cpu_info()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return " ".join([platform.machine(), *(name for name in INSTRUCTION_SETS if name in flags)])


def _cpu_info() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text(encoding="utf-8", errors="replace").split("\n\n", maxsplit=1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
