"""`python -m tests.colab.beside ARGUMENTS`: what a user types, of a Colab whose machines reach stores on loopback."""

from __future__ import annotations

from jobs import cli, loopback

if __name__ == "__main__":
    loopback.of_store = lambda *_: None  # the stand-in's machines are this one
    cli.main()
