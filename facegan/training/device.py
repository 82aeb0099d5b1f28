"""The device a training runs on: set up once a process, and described so that bits can be compared."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

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


def several(count: int) -> list[str]:
    """The names of the first `count` devices: GPUs, or the parts of a CPU that TensorFlow was told to split.

    A process that tests replicas splits its CPU. No other does: nothing is gained by it.

    Raises:
        BadInputError: there are not so many here, or they are not alike and would not compute the same bits.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if (len(gpus) or _parts_of_the_cpu()) < count:
        found = {0: "no GPU", 1: "one GPU"}.get(len(gpus), f"{len(gpus)} GPUs")
        raise BadInputError(
            f'training.replicas is "{count}", and TensorFlow sees {found} here',
            hint="facegan-job resume RUN on a machine with as many GPUs; facegan-job doctor looks at drivers",
        )
    kinds = [_gpu(gpu) for gpu in gpus[:count]]
    if len(set(kinds)) > 1:
        raise BadInputError(
            f'replicas need GPUs of one kind, and here are "{", ".join(kinds)}"',
            hint="CUDA_VISIBLE_DEVICES, set to those that are alike, hides the others",
        )
    return [f"{'GPU' if gpus else 'CPU'}:{place}" for place in range(count)]


def describe(compile_choice: str, replicas: int = 1) -> dict[str, str]:
    """What must be equal for two machines to compute the same bits (a determinism class)."""
    several = {"replicas": str(replicas)} if replicas > 1 else {}  # classes from before there were any stay equal
    return {
        "device": f"{replicas} x {_device()}" if replicas > 1 else _device(),
        **several,
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
        return _gpu(gpus[0])
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def _parts_of_the_cpu() -> int:
    cpu, *_ = tf.config.list_physical_devices("CPU")
    return len(tf.config.get_logical_device_configuration(cpu) or [cpu])


def _gpu(gpu: Any) -> str:  # noqa: ANN401 - TensorFlow's
    details = tf.config.experimental.get_device_details(gpu)
    return str(details.get("device_name", gpu.name))


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
