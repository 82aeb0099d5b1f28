"""Run by test_steps.py in a process of its own: prints two digests of the state at step 20.

The first is of a training that was never interrupted, the second of one taken up at step 7.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from facegan.data import Images
from facegan.experiment import from_json
from facegan.training.gan import build

folder = Path(sys.argv[1])
experiment = from_json(json.loads((folder / "experiment.json").read_text()))
with np.load(folder / "images.npz") as arrays:
    images = Images(images=arrays["images"], columns={"label": arrays["labels"]})
trainer = build(experiment, images)
trainer.advance(20)
print(hashlib.sha256(trainer.snapshot()()).hexdigest())
trainer.restore((folder / "state").read_bytes())
trainer.advance(13)
print(hashlib.sha256(trainer.snapshot()()).hexdigest())
