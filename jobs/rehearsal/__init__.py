"""A week of carried runs in seconds: the real supervisor, sessions and storage code, and everything else made up.

`clock` is the one time of such a world, and who takes turns in it. `script` says from a seed what goes wrong, `terms`
what places allow. `place` stands for a backend, `process` for a process that can be ended anywhere, `line` for its way
to the store, `machine` for what a session runs on, and `supervisor` for the program at the user's. `promises` holds
every entry to what may never break, `diary` writes down what happened, and `world` puts it together.
"""
