"""What TensorFlow's C++ prints that says nothing to anybody, and cannot be switched off.

Its notes and warnings before its logging is set up go to standard error whatever the log level is.
"""

from __future__ import annotations

import re

_NOTE = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:\d\d|[IW]0000 00:00:\d+\.|WARNING: All log messages before absl::InitializeLog"
)


def is_noise(line: bytes) -> bool:
    """Whether this line is such a note. Its errors are not."""
    return _NOTE.match(line) is not None
