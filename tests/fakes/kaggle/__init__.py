"""A stand-in for Kaggle, as strict as the real one as far as it is known, that executes what is pushed to it.

`running(folder)` serves one. Where to look: `rules` (every limit, and how sure we are of it), `fake` (what a test sets
and sees), `kernels` (why a push is refused), `sessions` (how one lives and ends), `sandbox` (the machine it runs on).
"""

from tests.fakes.kaggle.fake import Kaggle, running

__all__ = ["Kaggle", "running"]
