"""A stand-in for Colab and its `colab` command: what it is sent, it runs, on machines laid out like Colab's.

Marks of where a trait is from: [S] the source of google-colab-cli 0.7.5 (November 2026), [D] Google's documentation,
[F] reports from live accounts, [B] believed.
"""

from tests.fakes.colab.fake import Colab, running

__all__ = ["Colab", "running"]
