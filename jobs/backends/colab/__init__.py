"""Colab, through Google's own `colab` command: one machine of the user's account for each session number."""
