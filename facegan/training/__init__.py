"""Training: explicit state, one fused step, randomness that is a function of (seed, purpose, step).

Where scikit-learn, matplotlib, pandas and SciPy are installed, Keras imports them for what it offers beside networks.
That is a third of what TensorFlow and Keras take to start, and nothing here asks for it: they are hidden from it.
"""

from __future__ import annotations

import sys

HIDDEN = ("matplotlib", "pandas", "scipy", "sklearn")


def _import_keras() -> None:
    hidden = [name for name in HIDDEN if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: as if it were not installed
    try:
        import keras  # noqa: F401, PLC0415 - only now
    finally:
        for name in hidden:
            del sys.modules[name]


_import_keras()
